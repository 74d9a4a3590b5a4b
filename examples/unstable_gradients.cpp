// Vanishing and exploding gradients: the gradient of the first layer of a deep net is a product of one factor per
// layer. Factors below 1 make it vanish, factors above 1 make it explode; initializers and batch normalization keep
// them near 1.
//
//   unstable_gradients --depth 10 --output images/
//
// Plots the gradient norm of each layer's weights, draws the nets colored by gradient, and plots pre-activations before
// and after batch normalization.
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

// A net of equal hidden layers, and how the gradient norm is expected to change from the last to the first of them.
struct NetConfig {
  std::string name;
  nn::Activation activation;
  nn::Initializer weights;
  bool batch_norm;
  enum class Gradient { vanishes, explodes, stable } expected;
  std::string diagram{};  // file for a diagram of the net, colored by gradients
};

using Gradient = NetConfig::Gradient;

std::vector<NetConfig> configs() {
  return {{"sigmoid, Glorot", nn::sigmoid, nn::glorot_uniform, false, Gradient::vanishes, "gradients_vanish.svg"},
          {"tanh, standard normal", nn::tanh, nn::normal(0, 1), false, Gradient::explodes, "gradients_explode.svg"},
          {"tanh, Glorot", nn::tanh, nn::glorot_uniform, false, Gradient::stable},
          {"relu, He", nn::relu, nn::he_normal, false, Gradient::stable, "gradients_hold.svg"},
          {"sigmoid, Glorot, batch norm", nn::sigmoid, nn::glorot_uniform, true, Gradient::stable},
          {"tanh, standard normal, batch norm", nn::tanh, nn::normal(0, 1), true, Gradient::stable}};
}

struct Measured {
  std::vector<double> norms;  // gradient norm of each hidden layer's kernel
  xg::Tensor before, after;   // pre-activations of the middle layer before and after batch normalization
};

// Computes gradients at the initial weights.
Measured measure(const NetConfig& config, const nn::Dataset& digits, const Arguments& arguments) {
  xg::Graph g({.training = true, .seed = arguments.seed});
  const xg::Value x = g.input("x", digits.x.shape()), labels = g.input("labels", digits.y.shape(), xg::i64);
  std::vector<xg::Value> kernels, watched;
  xg::Value h = x;
  for (int i = 0; i < arguments.depth; ++i) {
    const auto scope = g.unique_scope("hidden");
    const nn::Dense dense(64, nn::linear, {.kernel_initializer = config.weights});
    h = dense(h);
    kernels.push_back(g.parameter(dense.kernel()));
    if (config.batch_norm) {
      const xg::Value sums = h;
      h = nn::BatchNorm()(h);
      if (i == arguments.depth / 2) watched = {sums, h};
    }
    h = config.activation(h);
  }
  h = nn::Dense(10)(h);
  xg::Value loss;
  {
    const auto scope = g.scope("loss");  // one box in the diagrams
    loss = sparse_categorical_crossentropy_from_logits(h, labels);
  }
  const xg::Feeds feeds{{x, digits.x}, {labels, digits.y}};
  if (!config.diagram.empty()) {
    const xg::GradientReport report = gradient_report(loss, feeds, {.threads = arguments.threads});
    save_graph(g, fs::path(arguments.output) / config.diagram,
               {.outputs = {loss},
                .title = config.name,
                .show_shapes = false,
                .depth = 0,
                .annotations = report.annotations()});
  }

  std::vector<xg::Value> outputs;
  for (const xg::Value& gradient : gradients(loss, kernels)) outputs.push_back(sqrt(sum(square(gradient))));
  outputs.insert(outputs.end(), watched.begin(), watched.end());
  const std::vector<xg::Tensor> results = evaluate(outputs, feeds, {.threads = arguments.threads});
  Measured out;
  for (int i = 0; i < arguments.depth; ++i) out.norms.push_back(results[static_cast<std::size_t>(i)].item());
  if (config.batch_norm) out.before = results[results.size() - 2], out.after = results.back();
  return out;
}

// Geometric mean of the factors by which the gradient norm changes from a layer to the previous one.
double factor(const Measured& measured) {
  return std::pow(measured.norms.front() / measured.norms.back(), 1.0 / static_cast<double>(measured.norms.size() - 1));
}

bool report(const NetConfig& config, const Measured& measured) {
  const double got = measured.norms.front() / measured.norms.back(), each = factor(measured);
  bool good = false;
  std::string expected;
  // Bounds on the factor per layer; --depth is at least 8, so that the larger kernel of the first layer has little
  // effect.
  switch (config.expected) {
    case Gradient::vanishes: good = each < 0.5, expected = "vanishing, below 0.5 per layer"; break;
    case Gradient::explodes: good = each > 1.5, expected = "exploding, above 1.5 per layer"; break;
    case Gradient::stable: good = each > 0.75 && each < 1.33, expected = "stable, 0.75 to 1.33 per layer"; break;
  }
  fmt::print("  {:<34} expected {:<30} got {:.2f}, total {:.2g}{}\n", config.name, expected, each, got,
             good ? "" : ": check failed");
  return good;
}

std::pair<double, double> mean_and_deviation(const xg::Tensor& tensor) {
  double mean = 0, variance = 0;
  const auto n = static_cast<double>(tensor.elements());
  for (Index i = 0; i < tensor.elements(); ++i) mean += tensor.at(i) / n;
  for (Index i = 0; i < tensor.elements(); ++i) variance += (tensor.at(i) - mean) * (tensor.at(i) - mean) / n;
  return {mean, std::sqrt(variance)};
}

// Pre-activations of a layer before and after batch normalization, as in figure 9.4 of the book.
bool report_norm(const Measured& measured, const fs::path& folder) {
  const auto [mean, deviation] = mean_and_deviation(measured.before);
  const auto [mean_after, deviation_after] = mean_and_deviation(measured.after);
  const bool good = std::abs(mean_after) < 0.01 && std::abs(deviation_after - 1) < 0.01;
  fmt::print("batch normalization of the middle layer\n");
  fmt::print("  before: mean {:.2f}, standard deviation {:.2f}\n", mean, deviation);
  fmt::print("  after:  expected mean 0 and standard deviation 1 within 0.01, got {:.1g} and {:.4f}{}\n", mean_after,
             deviation_after, good ? "" : ": check failed");
  const double reach = 3.5 * deviation;
  const nn::HistogramOptions bins{.bins = 100, .range = {-reach, reach}};
  nn::Plot before({.title = "Pre-activations before batch normalization", .x = "value", .y = "count", .width = 420});
  before.histogram("", measured.before, bins);
  nn::Plot after({.title = "After batch normalization", .x = "value", .y = "count", .width = 420});
  after.histogram("", measured.after, bins);
  nn::save_plots(folder / "batch_norm.svg", {before, after});
  return good;
}

int run(const Arguments& arguments) {
  fs::create_directories(arguments.output);
  const fs::path folder = arguments.output;
  const nn::Dataset digits = nn::make_digits(256, 1);
  nn::Plot plot({.title = "Weight gradients before training",
                 .x = "hidden layer",
                 .y = "gradient norm",
                 .y_scale = nn::Scale::logarithmic,
                 .width = 720});
  fmt::print("gradient norm, {} hidden layers of 64: first layer relative to last\n", arguments.depth);
  bool passed = true;
  Measured last;
  for (const NetConfig& config : configs()) {
    last = measure(config, digits, arguments);
    passed = report(config, last) && passed;
    plot.line(config.name, last.norms, {.dashed = config.expected != Gradient::stable, .markers = true});
  }
  plot.save(folder / "gradient_norms.svg");
  passed = report_norm(last, folder) && passed;
  fmt::print("wrote gradient_norms.svg, batch_norm.svg and gradients_*.svg in {}\n{}\n", folder.string(),
             passed ? "all checks passed" : "some checks failed");
  return passed ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{
      "Vanishing and exploding gradients in a deep net, and initializers and batch normalization against them."};
  app.add_option("--output", arguments.output, "output folder")->capture_default_str();
  app.add_option("--depth", arguments.depth, "hidden layers")->capture_default_str()->check(CLI::Range(8, 30));
  app.add_option("--seed", arguments.seed, "seed of the weights")->capture_default_str();
  app.add_option("--threads", arguments.threads, "threads; 0: all processors")
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
