// All optimizers race: down a valley of two dimensions, and with the same small net on the same digits.
#include <cmath>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include <xgrad/xgrad.hpp>

namespace xg = xgrad;
namespace nn = xgrad::nn;

struct Runner {
  std::string name;
  nn::Optimizer in_valley, on_digits;  // the same rule at the rates that suit either
};

std::vector<Runner> runners() {
  const nn::Preset torch = nn::Preset::torch;
  return {
      {"SGD", nn::SGD{.learning_rate = 0.01}, nn::SGD{.learning_rate = 0.1}},
      {"momentum", nn::SGD{.learning_rate = 0.01, .momentum = 0.9}, nn::SGD{.learning_rate = 0.05, .momentum = 0.9}},
      {"Nesterov", nn::SGD{.learning_rate = 0.01, .momentum = 0.9, .nesterov = true},
       nn::SGD{.learning_rate = 0.05, .momentum = 0.9, .nesterov = true}},
      {"AdaGrad", nn::AdaGrad{.learning_rate = 0.5}, nn::AdaGrad{.learning_rate = 0.05}},
      {"AdaDelta", nn::AdaDelta{.epsilon = 1e-4}, nn::AdaDelta{}},
      {"RMSProp", nn::RMSProp{.learning_rate = 0.01}, nn::RMSProp{.learning_rate = 0.003}},
      {"Adam", nn::Adam{.learning_rate = 0.05}, nn::Adam{.learning_rate = 0.003}},
      {"AMSGrad", nn::Adam{.learning_rate = 0.05, .amsgrad = true}, nn::Adam{.learning_rate = 0.003, .amsgrad = true}},
      {"AdamW", nn::AdamW{.learning_rate = 0.05, .weight_decay = 0}, nn::AdamW{.learning_rate = 0.003}},
      {"Adamax", nn::Adamax{.learning_rate = 0.05}, nn::Adamax{.learning_rate = 0.005}},
      {"NAdam", nn::NAdam{.preset = torch, .learning_rate = 0.05}, nn::NAdam{.learning_rate = 0.003}},
      // Its steps have one size, so they must shrink for it to come to rest.
      {"Lion", nn::Lion{.learning_rate = nn::cosine_decay(0.05, 500)}, nn::Lion{}},
  };
}

// E. M. L. Beale's function: a flat valley with steep walls, least at (3, 0.5).
xg::Value beale(xg::Value w) {
  const xg::Value x = slice(w, 0, 0, 1), y = slice(w, 0, 1);
  return sum(square(1.5 - x * (1 - y)) + square(2.25 - x * (1 - square(y))) + square(2.625 - x * (1 - y * square(y))));
}

xg::Parameter at_start() { return {"w", xg::Tensor::from<double>({2}, {1, 1})}; }

// How far from the lowest point it is after 500 steps.
double valley(const nn::Optimizer& optimizer) {
  xg::Graph g({.dtype = xg::f64});
  const xg::Parameter w = at_start();
  const xg::Value loss = beale(g.parameter(w));
  nn::OptimizerState state(optimizer.learning_rate());
  const xg::Plan step({loss}, optimizer.updates(g, {w}, {gradients(loss, g.parameter(w))}, state));
  xg::Workspace memory(step);
  for (int i = 0; i < 500; ++i) step.run(memory);
  return std::hypot(w.value().at(0) - 3, w.value().at(1) - 0.5);
}

struct Result {
  double loss, accuracy;
};

Result digits(const nn::Optimizer& optimizer, const nn::Dataset& data) {
  nn::Model model{nn::Sequential{nn::Dense(32, nn::relu), nn::Dense(10, nn::softmax)}, {784}, {.seed = 1}};
  model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = optimizer, .metrics = {nn::accuracy}});
  const nn::History history =
      model.fit(data, {.batch_size = 64, .epochs = 4, .validation_split = 0.2, .verbose = nn::Verbose::silent});
  return {history["loss"].back(), history["val_accuracy"].back()};
}

int main() try {
  bool as_expected = true;
  const auto line = [&](const std::string& name, const char* what, double expected, double got) {
    const bool good = got <= expected;
    as_expected = as_expected && good;
    std::printf("  %-9s %s: expected below %.2f  got %.4f%s\n", name.c_str(), what, expected, got, good ? "" : "  !");
  };

  std::printf("Beale's valley, 500 steps from (1, 1) towards (3, 0.5)\n");
  for (const Runner& r : runners()) line(r.name, "distance", 0.2, valley(r.in_valley));
  xg::Graph g({.dtype = xg::f64});
  const xg::Parameter w = at_start();
  const nn::LbfgsResult found = nn::lbfgs(beale(g.parameter(w)), {w});
  line("L-BFGS", "distance", 0.01, std::hypot(w.value().at(0) - 3, w.value().at(1) - 0.5));
  std::printf("            after %d evaluations\n\n", found.evaluations);

  std::printf("2400 digits, 784-32-10, 4 epochs in batches of 64\n");
  const nn::Dataset data = nn::make_digits(3000, 1);
  for (const Runner& r : runners()) {
    const Result result = digits(r.on_digits, data);
    line(r.name, "loss", 0.5, result.loss);
    std::printf("            accuracy on 600 others %.3f\n", result.accuracy);
  }
  std::printf("\n%s\n", as_expected ? "all as expected" : "not all as expected");
  return as_expected ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "optimizers: " << error.what() << '\n';
  return 1;
}
