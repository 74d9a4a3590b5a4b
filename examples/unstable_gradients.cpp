// Unstable gradients: what is learned in the first layers of a deep net hangs on a product of as many factors as there
// are layers. Where these are below one, it vanishes, and where they are above, it explodes; and there are cures.
//
//   unstable_gradients --depth 10 --output pictures/
//
// Writes the norm of the gradient of each layer's weights as a plot and as colors of the nets, and what batch
// normalization makes of the numbers that a layer gives.
#include <algorithm>
#include <cmath>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <xgrad/xgrad.hpp>

namespace xg = xgrad;
namespace nn = xgrad::nn;
namespace fs = std::filesystem;
using xg::Index;

namespace {

struct Arguments {
  std::string output = ".";
  int depth = 10;
  std::uint64_t seed = 1;
  int threads = 0;
};

// A net of equal hidden layers, and how the gradient of its first layer compares with that of its last hidden one.
struct NetConfig {
  std::string name;
  nn::Activation activation;
  nn::Initializer weights;
  bool batch_norm;
  enum class Gradient { vanishes, explodes, holds } expected;
  std::string picture{};  // of the net, with its layers colored by their gradients
};

using Gradient = NetConfig::Gradient;

std::vector<NetConfig> recipes() {
  return {{"sigmoid, Glorot", nn::sigmoid, nn::glorot_uniform, false, Gradient::vanishes, "gradients_vanish.svg"},
          {"tanh, standard normal", nn::tanh, nn::normal(0, 1), false, Gradient::explodes, "gradients_explode.svg"},
          {"tanh, Glorot", nn::tanh, nn::glorot_uniform, false, Gradient::holds},
          {"relu, He", nn::relu, nn::he_normal, false, Gradient::holds, "gradients_hold.svg"},
          {"sigmoid, Glorot, batch norm", nn::sigmoid, nn::glorot_uniform, true, Gradient::holds},
          {"tanh, standard normal, batch norm", nn::tanh, nn::normal(0, 1), true, Gradient::holds}};
}

struct Measured {
  std::vector<double> norms;  // of the gradient of each hidden layer's kernel
  xg::Tensor sums, normal;    // of the middle layer: its weighted sums, and what its batch normalization gives
};

// One step's gradients, before anything is learned.
Measured measure(const NetConfig& recipe, const nn::Dataset& digits, const Arguments& arguments) {
  xg::Graph g({.training = true, .seed = arguments.seed});
  const xg::Value x = g.input("x", digits.x.shape()), labels = g.input("labels", digits.y.shape(), xg::i64);
  std::vector<xg::Value> kernels, watched;
  xg::Value h = x;
  for (int i = 0; i < arguments.depth; ++i) {
    const auto scope = g.unique_scope("hidden");
    const nn::Dense dense(64, nn::linear, {.kernel_initializer = recipe.weights});
    h = dense(h);
    kernels.push_back(g.parameter(dense.kernel()));
    if (recipe.batch_norm) {
      const xg::Value sums = h;
      h = nn::BatchNorm()(h);
      if (i == arguments.depth / 2) watched = {sums, h};
    }
    h = recipe.activation(h);
  }
  h = nn::Dense(10)(h);
  xg::Value loss;
  {
    const auto scope = g.scope("loss");  // one box in the pictures
    loss = sparse_categorical_crossentropy_from_logits(h, labels);
  }
  const xg::Feeds feeds{{x, digits.x}, {labels, digits.y}};
  if (!recipe.picture.empty()) {
    const xg::GradientReport report = gradient_report(loss, feeds, {.threads = arguments.threads});
    save_graph(g, fs::path(arguments.output) / recipe.picture,
               {.outputs = {loss},
                .title = recipe.name,
                .show_shapes = false,
                .depth = 0,
                .annotations = report.annotations()});
  }

  std::vector<xg::Value> wanted;
  for (const xg::Value& gradient : gradients(loss, kernels)) wanted.push_back(sqrt(sum(square(gradient))));
  wanted.insert(wanted.end(), watched.begin(), watched.end());
  const std::vector<xg::Tensor> numbers = evaluate(wanted, feeds, {.threads = arguments.threads});
  Measured out;
  for (int i = 0; i < arguments.depth; ++i) out.norms.push_back(numbers[static_cast<std::size_t>(i)].item());
  if (recipe.batch_norm) out.sums = numbers[numbers.size() - 2], out.normal = numbers.back();
  return out;
}

// The factor by which the gradient changes from one layer to the one before it, as the mean over all layers.
double factor(const Measured& measured) {
  return std::pow(measured.norms.front() / measured.norms.back(), 1.0 / static_cast<double>(measured.norms.size() - 1));
}

bool report(const NetConfig& recipe, const Measured& measured) {
  const double got = measured.norms.front() / measured.norms.back(), each = factor(measured);
  bool good = false;
  std::string expected;
  // Bounds on the factor of a layer. In nets of few layers the first one, whose kernel is larger, would count for too
  // much.
  switch (recipe.expected) {
    case Gradient::vanishes: good = each < 0.5, expected = "to vanish, below 0.5 a layer"; break;
    case Gradient::explodes: good = each > 1.5, expected = "to explode, above 1.5 a layer"; break;
    case Gradient::holds: good = each > 0.75 && each < 1.33, expected = "to hold, 0.75 to 1.33 a layer"; break;
  }
  fmt::print("  {:<34} expected {:<29} got {:.2f}, in all {:.2g}{}\n", recipe.name, expected, each, got,
             good ? "" : "  !");
  return good;
}

std::pair<double, double> mean_and_deviation(const xg::Tensor& tensor) {
  double mean = 0, variance = 0;
  const auto n = static_cast<double>(tensor.elements());
  for (Index i = 0; i < tensor.elements(); ++i) mean += tensor.at(i) / n;
  for (Index i = 0; i < tensor.elements(); ++i) variance += (tensor.at(i) - mean) * (tensor.at(i) - mean) / n;
  return {mean, std::sqrt(variance)};
}

// Figure 9.4: what a layer gives, before and after batch normalization.
bool report_norm(const Measured& measured, const fs::path& folder) {
  const auto [mean, deviation] = mean_and_deviation(measured.sums);
  const auto [mean_after, deviation_after] = mean_and_deviation(measured.normal);
  const bool good = std::abs(mean_after) < 0.01 && std::abs(deviation_after - 1) < 0.01;
  fmt::print("batch normalization of a layer in the middle\n");
  fmt::print("  before: mean {:.2f}, deviation {:.2f}\n", mean, deviation);
  fmt::print("  after:  expected mean 0 and deviation 1 to 0.01, got {:.1g} and {:.4f}{}\n", mean_after,
             deviation_after, good ? "" : "  !");
  const double reach = 3.5 * deviation;
  const nn::HistogramOptions bins{.bins = 100, .range = {-reach, reach}};
  nn::Plot before(
      {.title = "Sums of a layer before batch normalization", .x = "weighted sum", .y = "numbers", .width = 420});
  before.histogram("", measured.sums, bins);
  nn::Plot after({.title = "and after", .x = "normalized", .y = "numbers", .width = 420});
  after.histogram("", measured.normal, bins);
  nn::save_plots(folder / "batch_norm.svg", {before, after});
  return good;
}

int run(const Arguments& arguments) {
  fs::create_directories(arguments.output);
  const fs::path folder = arguments.output;
  const nn::Dataset digits = nn::make_digits(256, 1);
  nn::Plot picture({.title = "Gradients of the weights before training",
                    .x = "hidden layer",
                    .y = "norm",
                    .y_scale = nn::Scale::logarithmic,
                    .width = 720});
  fmt::print("norm of the gradient, {} hidden layers of 64: the first layer's over the last's\n", arguments.depth);
  bool as_expected = true;
  Measured last;
  for (const NetConfig& recipe : recipes()) {
    last = measure(recipe, digits, arguments);
    as_expected = report(recipe, last) && as_expected;
    picture.line(recipe.name, last.norms, {.dashed = recipe.expected != Gradient::holds, .markers = true});
  }
  picture.save(folder / "gradient_norms.svg");
  as_expected = report_norm(last, folder) && as_expected;
  fmt::print("wrote gradient_norms.svg, batch_norm.svg and gradients_*.svg in {}\n{}\n", folder.string(),
             as_expected ? "all as expected" : "not all as expected");
  return as_expected ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{"Gradients that vanish and explode in a deep net, and what holds them."};
  app.add_option("--output", arguments.output, "folder for the pictures")->capture_default_str();
  app.add_option("--depth", arguments.depth, "hidden layers")->capture_default_str()->check(CLI::Range(8, 30));
  app.add_option("--seed", arguments.seed, "of the weights")->capture_default_str();
  app.add_option("--threads", arguments.threads, "0: all processors")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  CLI11_PARSE(app, argc, argv);
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    std::cerr << "unstable_gradients: " << error.what() << '\n';
    return 1;
  }
}
