// Overfitting, and regularization against it.
//
// First fits curves of one, two and ten parameters to ten noisy points. Then trains a net of four thousand weights on
// sixty noisy points of two classes, without regularization and with L1, L2, dropout and early stopping.
//
//   overfitting --seeds 5 --output images/
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <xgrad/xgrad.hpp>

namespace xg = xgrad;
namespace nn = xgrad::nn;
using xg::Index;

namespace {

struct Arguments {
  std::string output = ".";
  int seeds = 5;
  int epochs = 300;
  int threads = 0;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Prints a value and its limit. In parentheses, `what` names the value that the limit is derived from.
bool report(const std::string& what, double expected, double got) {
  const bool good = got < expected;
  fmt::print("  {:<48} expected below {:<8.3g} got {:.3g}{}\n", what, expected, got, good ? "" : ": check failed");
  return good;
}

// ---- curves through ten points

struct Points {
  std::vector<double> x, y;
};

// Saturating growth for x in [0, 1].
double truth(double x) { return 2 * (1 - std::exp(-3 * x)); }

// Noisy samples of `truth`.
Points measured(int count, std::uint64_t seed, double offset) {
  const xg::Tensor noise = nn::normal(0, 0.2)({count}, xg::f64, seed);
  Points out;
  for (int i = 0; i < count; ++i) {
    out.x.push_back((i + offset) / count);
    out.y.push_back(truth(out.x.back()) + noise.at(i));
  }
  return out;
}

// A curve as a function of its parameters and x.
using Curve = std::function<xg::Value(xg::Value parameters, xg::Value x)>;

// a x
xg::Value proportional(xg::Value p, xg::Value x) { return p * x; }
// a (1 - exp(-b x))
xg::Value saturating(xg::Value p, xg::Value x) { return slice(p, 0, 0, 1) * (1 - exp(-(slice(p, 0, 1) * x))); }
// Polynomial sum of p_i T_i(2 x - 1) with Chebyshev polynomials T_i; plain powers of x would be ill-conditioned.
xg::Value polynomial(xg::Value p, xg::Value x) {
  const xg::Value t = 2 * x - 1;
  xg::Value before = ones_like(x), here = t, sum = slice(p, 0, 0, 1) * before + slice(p, 0, 1, 2) * here;
  for (Index i = 2; i < 10; ++i) {
    const xg::Value next = 2 * t * here - before;
    sum = sum + slice(p, 0, i, i + 1) * next;
    before = here;
    here = next;
  }
  return sum;
}

xg::Tensor tensor_of(const std::vector<double>& v) {
  return xg::Tensor::from<double>({static_cast<Index>(v.size())}, std::span<const double>(v));
}

// Least-squares parameters of a curve.
xg::Tensor fit(const Curve& curve, Index parameters, const Points& points) {
  xg::Graph g({.dtype = xg::f64});
  const xg::Parameter p("p", xg::Tensor::full({parameters}, 0.5, xg::f64));
  const xg::Value error = curve(g.parameter(p), g.constant(tensor_of(points.x))) - g.constant(tensor_of(points.y));
  nn::lbfgs(mean(square(error)), {p}, {}, {.max_iterations = 500});
  return p.value();
}

std::vector<double> values_of(const Curve& curve, const xg::Tensor& p, const std::vector<double>& x) {
  xg::Graph g({.dtype = xg::f64});
  const xg::Tensor y = xg::evaluate(curve(g.constant(p), g.constant(tensor_of(x))));
  return {y.values<double>().begin(), y.values<double>().end()};
}

double mean_squared_error(const Curve& curve, const xg::Tensor& p, const Points& points) {
  const std::vector<double> y = values_of(curve, p, points.x);
  double sum = 0;
  for (std::size_t i = 0; i < y.size(); ++i) sum += std::pow(y[i] - points.y[i], 2);
  return sum / static_cast<double>(y.size());
}

bool curves(const std::filesystem::path& output) {
  struct Candidate {
    std::string name;
    Curve curve;
    Index parameters;
    std::vector<double> error, held_out_error{};
  };
  std::vector<Candidate> all{{"one parameter", proportional, 1, {}},
                             {"two parameters", saturating, 2, {}},
                             {"ten parameters", polynomial, 10, {}}};
  std::vector<double> x;
  for (int i = 0; i <= 300; ++i) x.push_back(i / 300.0 * 0.92 + 0.02);
  std::vector<nn::Plot> panels;
  nn::Plot last({.title = "Held-out points", .x = "x", .y = "y", .y_range = {-0.5, 2.8}, .width = 440, .height = 320});
  for (int seed = 1; seed <= 25; ++seed) {
    const auto at = static_cast<std::uint64_t>(2 * seed);
    const Points train = measured(10, at, 0.25);
    Points held_out = measured(10, at + 1, 0.75);
    held_out.x.pop_back(), held_out.y.pop_back();  // drop the last point: it needs extrapolation
    for (Candidate& c : all) {
      const xg::Tensor p = fit(c.curve, c.parameters, train);
      c.error.push_back(mean_squared_error(c.curve, p, train));
      c.held_out_error.push_back(mean_squared_error(c.curve, p, held_out));
      if (seed > 1) continue;
      const std::vector<double> y = values_of(c.curve, p, x);
      nn::Plot panel(
          {.title = "Curve with " + c.name, .x = "x", .y = "y", .y_range = {-0.5, 2.8}, .width = 440, .height = 320});
      panels.push_back(panel.line(c.name, x, y).points("measured", train.x, train.y));
      last.line(c.name, x, y);
    }
    if (seed == 1) last.points("held out", held_out.x, held_out.y);
  }
  panels.push_back(last);
  const std::filesystem::path file = output / "overfitting_curves.svg";
  nn::save_plots(file, panels, {.columns = 2});
  fmt::print("wrote {}\n\nCurves through ten points: mean squared error, median of 25 samples\n", file.string());
  for (const Candidate& c : all) {
    fmt::print("  {:<15} train {:.4f}, held-out {:.4f}\n", c.name, median(c.error), median(c.held_out_error));
  }
  // The variance of the noise, 0.04, is the least possible error on held-out points.
  bool good = report("ten parameters: train error", 1e-6, median(all[2].error));
  good &= report("two parameters: held-out error (one parameter)", median(all[0].held_out_error),
                 median(all[1].held_out_error));
  good &= report("two parameters: held-out error (half of ten)", 0.5 * median(all[2].held_out_error),
                 median(all[1].held_out_error));
  return good;
}

// ---- a net that overfits, and regularization

struct Method {
  std::string name;
  nn::DenseOptions dense{};
  double dropout = 0;
  bool stops_early = false;
  double max_gap_ratio = 0;  // largest accepted gap, relative to the gap without regularization
};

struct Trained {
  double train = 0, valid = 0;  // final loss without penalties
  std::vector<double> train_curve, valid_curve;
  xg::Tensor map;  // predicted probability of the second class over the plane
};

// With this noise the half moons overlap: no net can separate new points, but it can memorize the training points.
constexpr double overlap = 0.45;

constexpr Index map_side = 81;
constexpr double map_left = -1.8, map_right = 2.8, map_low = -1.4, map_high = 1.9;

xg::Tensor plane() {
  xg::Tensor out({map_side * map_side, 2});
  auto xy = out.mutable_values<float>();
  for (Index i = 0; i < map_side * map_side; ++i) {
    const double right = static_cast<double>(i % map_side) / (map_side - 1);
    const double up = static_cast<double>(i / map_side) / (map_side - 1);
    xy[static_cast<std::size_t>(2 * i)] = static_cast<float>(map_left + right * (map_right - map_left));
    xy[static_cast<std::size_t>(2 * i + 1)] = static_cast<float>(map_low + up * (map_high - map_low));
  }
  return out;
}

Trained train(const Method& method, const nn::Dataset& points, const nn::Dataset& validation, std::uint64_t seed,
              const Arguments& arguments) {
  nn::Sequential net{nn::Dense(64, nn::relu, method.dense), nn::Dropout(method.dropout),
                     nn::Dense(64, nn::relu, method.dense), nn::Dropout(method.dropout), nn::Dense(2, nn::softmax)};
  nn::Model model{net, {2}, {.seed = seed}};
  // The training loss includes penalties; the same loss as a metric does not.
  const nn::Loss loss = nn::sparse_categorical_crossentropy;
  model.compile({.loss = loss, .optimizer = nn::Adam{.learning_rate = 0.003}, .metrics = {loss}});
  const std::string name = "sparse_categorical_crossentropy";
  std::vector<nn::Callback> callbacks;
  if (method.stops_early)
    callbacks.push_back(nn::EarlyStopping{.monitor = "val_" + name, .patience = 20, .restore_best_weights = true});
  const nn::History history = model.fit(points, {.batch_size = 20,
                                                 .epochs = arguments.epochs,
                                                 .validation = validation,
                                                 .verbose = nn::Verbose::silent,
                                                 .threads = arguments.threads,
                                                 .callbacks = callbacks});
  Trained out{
      model.evaluate(points)[name], model.evaluate(validation)[name], history[name], history["val_" + name], {}};
  const xg::Tensor p = model.predict(plane());
  out.map = xg::Tensor({map_side, map_side}, xg::f64);
  for (Index i = 0; i < map_side * map_side; ++i)
    out.map.mutable_values<double>()[static_cast<std::size_t>(i)] = p.at(2 * i + 1);
  return out;
}

nn::Plot map_of(const Method& method, const Trained& trained, const nn::Dataset& points) {
  nn::Plot plot({.title = "Predicted probability: " + method.name, .x = "x", .y = "y", .width = 440, .height = 340});
  plot.contours(trained.map, {.x = {map_left, map_right}, .y = {map_low, map_high}, .levels = 9});
  for (int kind = 0; kind < 2; ++kind) {
    std::vector<double> x, y;
    for (Index i = 0; i < points.size(); ++i) {
      if (points.y.at(i) == kind) x.push_back(points.x.at(2 * i)), y.push_back(points.x.at(2 * i + 1));
    }
    plot.points(kind == 0 ? "upper" : "lower", x, y);
  }
  return plot;
}

bool regularization(const std::filesystem::path& output, const Arguments& arguments) {
  std::vector<Method> all{{"none"},
                          {"L1", {.kernel_regularizer = nn::l1(0.001)}, 0, false, 0.5},
                          {"L2", {.kernel_regularizer = nn::l2(0.003)}, 0, false, 0.5},
                          {"dropout", {}, 0.5, false, 0.8},
                          {"early stopping", {}, 0, true, 0.25}};
  std::vector<std::vector<double>> train_losses(all.size()), valid_losses(all.size());
  nn::Plot alone({.title = "No regularization: overfitting", .x = "epoch", .y = "loss", .width = 440, .height = 340});
  nn::Plot curves(
      {.title = "Validation loss", .x = "epoch", .y = "loss", .y_range = {0, 3}, .width = 440, .height = 340});
  std::vector<nn::Plot> maps;
  for (int seed = 1; seed <= arguments.seeds; ++seed) {
    const auto s = static_cast<std::uint64_t>(seed);
    const nn::Dataset points = nn::make_moons(60, 100 + s, overlap),
                      validation = nn::make_moons(1000, 200 + s, overlap);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Trained trained = train(all[i], points, validation, s, arguments);
      train_losses[i].push_back(trained.train);
      valid_losses[i].push_back(trained.valid);
      if (seed > 1) continue;
      if (i == 0) alone.line("training", trained.train_curve).line("validation", trained.valid_curve);
      curves.line(all[i].name, trained.valid_curve);
      if (i == 0 || i == 2 || i == 3) maps.push_back(map_of(all[i], trained, points));
    }
  }

  fmt::print("\nA net on 60 points of two classes: median of {} seeds\n", arguments.seeds);
  std::vector<std::string> names;
  std::vector<double> train_medians, valid_medians, gaps;
  for (std::size_t i = 0; i < all.size(); ++i) {
    names.push_back(all[i].name);
    train_medians.push_back(median(train_losses[i]));
    valid_medians.push_back(median(valid_losses[i]));
    std::vector<double> gap;
    for (std::size_t k = 0; k < train_losses[i].size(); ++k) gap.push_back(valid_losses[i][k] - train_losses[i][k]);
    gaps.push_back(median(gap));
    fmt::print("  {:<15} train loss {:.3f}, validation loss {:.3f}, gap {:.3f}\n", names[i], train_medians[i],
               valid_medians[i], gaps[i]);
  }
  nn::Plot bars({.title = "Final loss by method", .y = "loss", .width = 440, .height = 340});
  bars.bars("training", names, train_medians).bars("validation", names, valid_medians);
  const std::filesystem::path file = output / "overfitting.svg";
  nn::save_plots(file, {alone, curves, bars, maps[0], maps[1], maps[2]}, {.columns = 3});
  fmt::print("wrote {}\n", file.string());

  bool good = true;
  for (std::size_t i = 1; i < all.size(); ++i) {
    good &= report(fmt::format("{}: gap ({:g}% of unregularized)", names[i], 100 * all[i].max_gap_ratio),
                   all[i].max_gap_ratio * gaps[0], gaps[i]);
    good &= report(names[i] + ": validation loss (unregularized)", valid_medians[0], valid_medians[i]);
  }
  return good;
}

int run(const Arguments& arguments) {
  std::filesystem::create_directories(arguments.output);
  const bool first = curves(arguments.output), second = regularization(arguments.output, arguments);
  fmt::print("\n{}\n", first && second ? "all checks passed" : "some checks failed");
  return first && second ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{"Overfitting, and regularization against it"};
  app.add_option("--output", arguments.output, "output folder")->capture_default_str();
  app.add_option("--seeds", arguments.seeds, "number of training runs for medians")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--epochs", arguments.epochs, "passes over the training data")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--threads", arguments.threads, "threads; 0: all processors")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    fmt::print(stderr, "overfitting: {}\n", error.what());
    return 1;
  }
}
