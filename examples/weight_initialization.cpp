// Weight initialization: outputs of 256 neurons with 784 inputs, for three activations and five initializers.
//
// The weighted sum of n inputs, uniform in [0, 1), with weights of standard deviation s has standard deviation
// s * sqrt(n / 3). For s = 1 that is 16, so nearly all sigmoids saturate and their gradients vanish; with Glorot it is
// 0.7.
//
//   weight_initialization --seeds 20 --output images/
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <xgrad/xgrad.hpp>

namespace xg = xgrad;
namespace nn = xgrad::nn;

namespace {

constexpr xg::Index inputs = 784, units = 256;

struct Case {
  std::string name;
  nn::Initializer initializer;
  // Expected if the sums are normally distributed: their standard deviation, sqrt(784 / 3) times that of the weights;
  // the fraction of sigmoids in (0.1, 0.9); the maximum of 256 relus, 2.79 standard deviations on average.
  double deviation, between, largest;
};

std::vector<Case> cases() {
  return {{"standard normal", nn::normal(0, 1), 16.17, 0.108, 45},
          {"Glorot normal", nn::glorot_normal, 0.709, 0.998, 1.96},
          {"Glorot uniform", nn::glorot_uniform, 0.709, 0.998, 1.96},
          {"He normal", nn::he_normal, 0.816, 0.993, 2.3},
          {"LeCun normal", nn::lecun_normal, 0.577, 0.9999, 1.6}};
}

// The outputs of 256 neurons for one random row of inputs.
xg::Tensor layer(const nn::Initializer& initializer, const nn::Activation& activation, std::uint64_t seed) {
  xg::Graph g({.dtype = xg::f64, .seed = seed});
  const nn::Dense dense(units, activation, {.kernel_initializer = initializer});
  const xg::Tensor x = nn::uniform(0, 1)({1, inputs}, xg::f64, seed);
  return xg::evaluate(dense(g.constant(x)));
}

struct Measured {
  double deviation = 0, between = 0, largest = 0;
};

// Averages over seeds.
Measured measure(const nn::Initializer& initializer, int seeds) {
  Measured mean;
  for (int seed = 1; seed <= seeds; ++seed) {
    const xg::Tensor sums = layer(initializer, nn::linear, static_cast<std::uint64_t>(seed));
    double squares = 0, between = 0, largest = 0;
    for (const double z : sums.values<double>()) {
      const double sigmoid = 1 / (1 + std::exp(-z));
      squares += z * z / units;
      between += sigmoid > 0.1 && sigmoid < 0.9 ? 1.0 / units : 0.0;
      largest = std::max(largest, z);
    }
    mean.deviation += std::sqrt(squares) / seeds;
    mean.between += between / seeds;
    mean.largest += largest / seeds;
  }
  return mean;
}

bool report(const char* what, double expected, double got, double within) {
  const bool good = std::abs(got - expected) <= within;
  fmt::print("  {:<28} expected {:<7.4g} got {:.4g}{}\n", what, expected, got, good ? "" : ": check failed");
  return good;
}

int run(const std::filesystem::path& output, int seeds) {
  std::filesystem::create_directories(output);
  struct Row {
    std::string name;
    nn::Activation activation;
    std::pair<double, double> range;  // output range; empty for relu
  };
  std::vector<nn::Plot> plots;
  for (const Row& row :
       {Row{"sigmoid", nn::sigmoid, {0, 1}}, Row{"tanh", nn::tanh, {-1, 1}}, Row{"relu", nn::relu, {}}}) {
    for (const Case& c : cases()) {
      nn::Plot plot({.title = row.name + ", " + c.name,
                     .x = "output",
                     .y = "neurons",
                     .x_range = row.range,
                     .width = 290,
                     .height = 230});
      plot.histogram("", layer(c.initializer, row.activation, 1), {.bins = 10});
      plots.push_back(std::move(plot));
    }
  }
  const std::filesystem::path file = output / "weight_initialization.svg";
  nn::save_plots(file, plots, {.columns = 5, .title = "Outputs of 256 neurons with 784 inputs in [0, 1)"});
  fmt::print("wrote {}\n\n{} inputs in [0, 1), {} neurons, mean of {} seeds\n", file.string(), inputs, units, seeds);

  // Tolerances are for 20 seeds; widen them for fewer.
  const double tolerance = std::sqrt(20.0 / seeds);
  bool good = true;
  for (const Case& c : cases()) {
    const Measured m = measure(c.initializer, seeds);
    fmt::print("{}\n", c.name);
    good &= report("standard deviation of sums", c.deviation, m.deviation, 0.04 * tolerance * c.deviation);
    good &= report("sigmoids in (0.1, 0.9)", c.between, m.between, 0.015 * tolerance);
    good &= report("largest relu", c.largest, m.largest, 0.1 * tolerance * c.largest);
  }
  fmt::print("\n{}\n", good ? "all checks passed" : "some checks failed");
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string output = ".";
  int seeds = 20;
  CLI::App app{"Plots the outputs of a layer for different weight initializations"};
  app.add_option("--output", output, "folder for weight_initialization.svg")->capture_default_str();
  app.add_option("--seeds", seeds, "number of seeds to average")->check(CLI::Range(1, 10000))->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    return run(output, seeds);
  } catch (const std::exception& error) {
    fmt::print(stderr, "weight_initialization: {}\n", error.what());
    return 1;
  }
}
