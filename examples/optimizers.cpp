// Compares all optimizers on Beale's function and on a digit classifier; plots trajectories and losses.
//
//   optimizers [FOLDER]
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <xgrad/xgrad.hpp>

namespace xg = xgrad;
namespace nn = xgrad::nn;

struct Candidate {
  std::string name;
  nn::Optimizer for_beale, for_digits;  // the same rule with suitable learning rates
};

std::vector<Candidate> candidates() {
  const nn::Preset torch = nn::Preset::torch;
  return {
      {"SGD", nn::SGD{.learning_rate = 0.01}, nn::SGD{.learning_rate = 0.1}},
      {"momentum", nn::SGD{.learning_rate = 0.01, .momentum = 0.9}, nn::SGD{.learning_rate = 0.05, .momentum = 0.9}},
      {"Nesterov", nn::SGD{.learning_rate = 0.01, .momentum = 0.9, .nesterov = true},
       nn::SGD{.learning_rate = 0.05, .momentum = 0.9, .nesterov = true}},
      {"Adagrad", nn::Adagrad{.learning_rate = 0.5}, nn::Adagrad{.learning_rate = 0.05}},
      {"Adadelta", nn::Adadelta{.epsilon = 1e-4}, nn::Adadelta{}},
      {"RMSprop", nn::RMSprop{.learning_rate = 0.01}, nn::RMSprop{.learning_rate = 0.003}},
      {"Adam", nn::Adam{.learning_rate = 0.05}, nn::Adam{.learning_rate = 0.003}},
      {"AMSGrad", nn::Adam{.learning_rate = 0.05, .amsgrad = true}, nn::Adam{.learning_rate = 0.003, .amsgrad = true}},
      {"AdamW", nn::AdamW{.learning_rate = 0.05, .weight_decay = 0}, nn::AdamW{.learning_rate = 0.003}},
      {"Adamax", nn::Adamax{.learning_rate = 0.05}, nn::Adamax{.learning_rate = 0.005}},
      {"Nadam", nn::Nadam{.preset = torch, .learning_rate = 0.05}, nn::Nadam{.learning_rate = 0.003}},
      // All updates of Lion have one magnitude, so it needs a decaying learning rate to converge.
      {"Lion", nn::Lion{.learning_rate = nn::cosine_decay(0.05, 500)}, nn::Lion{}},
  };
}

// E. M. L. Beale's function: a flat valley with steep walls and the minimum at (3, 0.5).
xg::Value beale(xg::Value w) {
  const xg::Value x = slice(w, 0, 0, 1), y = slice(w, 0, 1);
  return sum(square(1.5 - x * (1 - y)) + square(2.25 - x * (1 - square(y))) + square(2.625 - x * (1 - y * square(y))));
}

xg::Parameter at_start() { return {"w", xg::Tensor::from<double>({2}, {1, 1})}; }

// The parameters after each step.
struct Trajectory {
  std::vector<double> x, y;
  void add(const xg::Parameter& w) {
    x.push_back(w.value().at(0));
    y.push_back(w.value().at(1));
  }
  // Distance from the last point to the minimum.
  double distance() const { return std::hypot(x.back() - 3, y.back() - 0.5); }
};

Trajectory minimize_beale(const nn::Optimizer& optimizer) {
  xg::Graph g({.dtype = xg::f64});
  const xg::Parameter w = at_start();
  const xg::Value loss = beale(g.parameter(w));
  nn::OptimizerState state(optimizer);
  const xg::Plan step({loss}, optimizer.minimize(loss, state).updates);
  xg::Workspace workspace(step);
  Trajectory trajectory;
  trajectory.add(w);
  for (int i = 0; i < 500; ++i) {
    step.run(workspace);
    trajectory.add(w);
  }
  return trajectory;
}

// lbfgs() returns only its last point, so rerun it with 1, 2, ... iterations.
Trajectory lbfgs_minimize_beale(int& evaluations) {
  Trajectory trajectory;
  trajectory.add(at_start());
  for (int iterations = 1;; ++iterations) {
    xg::Graph g({.dtype = xg::f64});
    const xg::Parameter w = at_start();
    const nn::LbfgsResult found = nn::lbfgs(beale(g.parameter(w)), {w}, {}, {.max_iterations = iterations});
    trajectory.add(w);
    evaluations = found.evaluations;
    if (found.stop != nn::LbfgsStop::iterations) return trajectory;
  }
}

// A contour plot of Beale's function.
nn::Plot map(const std::string& title) {
  constexpr xg::Index rows = 161, columns = 201;
  const double left = 0.4, right = 4, low = -1, high = 1.4;
  xg::Tensor heights({rows, columns}, xg::f64);
  xg::Graph g({.dtype = xg::f64});
  const xg::Value at = g.input("at", {2}), height = beale(at);
  auto to = heights.mutable_values<double>().begin();
  for (xg::Index i = 0; i < rows; ++i) {
    const double y = low + static_cast<double>(i) * (high - low) / (rows - 1);
    for (xg::Index j = 0; j < columns; ++j) {
      const double x = left + static_cast<double>(j) * (right - left) / (columns - 1);
      // An offset, since the logarithmic levels cannot show 0.
      *to++ = 1e-3 + xg::evaluate(height, {{at, xg::Tensor::from<double>({2}, {x, y})}}).item();
    }
  }
  nn::Plot plot({.title = title, .x = "x", .y = "y", .width = 560, .height = 420});
  plot.contours(heights, {.x = {left, right}, .y = {low, high}, .levels = 18, .scale = nn::Scale::logarithmic});
  return plot;
}

struct Result {
  double loss, accuracy;
  std::vector<double> losses;  // exponential moving average of the loss by step
};

Result train_digits(const nn::Optimizer& optimizer, const nn::Dataset& data) {
  nn::Model model{nn::Sequential{nn::Dense(32, nn::relu), nn::Dense(10, nn::softmax)}, {784}, {.seed = 1}};
  model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = optimizer, .metrics = {nn::accuracy}});
  std::vector<double> losses;
  const nn::LambdaCallback keep{.on_batch_end = [&](nn::Training& t) {
    losses.push_back(losses.empty() ? t.loss() : 0.9 * losses.back() + 0.1 * t.loss());
  }};
  const nn::History history = model.fit(
      data,
      {.batch_size = 64, .epochs = 4, .validation_split = 0.2, .verbose = nn::Verbose::silent, .callbacks = {keep}});
  return {history["loss"].back(), history["val_accuracy"].back(), losses};
}

int main(int argc, char** argv) try {
  std::filesystem::path folder = ".";
  CLI::App app{"Compares all optimizers and plots their trajectories and losses"};
  app.add_option("folder", folder, "output folder")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::filesystem::create_directories(folder);
  bool passed = true;
  const auto line = [&](const std::string& name, const char* what, double expected, double got) {
    const bool good = got <= expected;
    passed = passed && good;
    std::printf("  %-9s %s: expected below %.2f  got %.4f%s\n", name.c_str(), what, expected, got,
                good ? "" : ": check failed");
  };

  std::printf("Beale's function, 500 steps from (1, 1), minimum at (3, 0.5)\n");
  std::vector<nn::Plot> maps{map("SGD and momentum"), map("Adaptive learning rates"), map("Adam and variants"),
                             map("Lion and L-BFGS")};
  std::size_t index = 0;
  for (const Candidate& c : candidates()) {
    const Trajectory trajectory = minimize_beale(c.for_beale);
    line(c.name, "distance", 0.2, trajectory.distance());
    maps[index < 3 ? 0 : index < 6 ? 1 : index < 11 ? 2 : 3].line(c.name, trajectory.x, trajectory.y);
    ++index;
  }
  int evaluations = 0;
  const Trajectory trajectory = lbfgs_minimize_beale(evaluations);
  line("L-BFGS", "distance", 0.01, trajectory.distance());
  std::printf("            after %d evaluations\n", evaluations);
  maps.back().line("L-BFGS", trajectory.x, trajectory.y, {.markers = true});
  for (nn::Plot& m : maps) m.points("minimum", {3}, {0.5});
  nn::save_plots(folder / "optimizers_valley.svg", maps,
                 {.title = "Trajectories on Beale's function, 500 steps from (1, 1)"});
  std::printf("wrote %s\n\n", (folder / "optimizers_valley.svg").c_str());

  std::printf("2400 digits, 784-32-10, 4 epochs in batches of 64\n");
  const nn::Dataset data = nn::make_digits(3000, 1);
  nn::Plot losses({.title = "Training loss of a digit classifier",
                   .x = "step",
                   .y = "loss, smoothed",
                   .y_scale = nn::Scale::logarithmic,
                   .width = 760,
                   .height = 480});
  for (const Candidate& c : candidates()) {
    const Result result = train_digits(c.for_digits, data);
    line(c.name, "loss", 0.5, result.loss);
    std::printf("            validation accuracy (600 digits) %.3f\n", result.accuracy);
    losses.line(c.name, result.losses);
  }
  losses.save(folder / "optimizers_race.svg");
  std::printf("wrote %s\n", (folder / "optimizers_race.svg").c_str());
  std::printf("\n%s\n", passed ? "all checks passed" : "some checks failed");
  return passed ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "optimizers: " << error.what() << '\n';
  return 1;
}
