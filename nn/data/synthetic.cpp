#include <xgrad/nn/data/synthetic.hpp>

#include <cmath>
#include <numbers>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/data/random.hpp>

namespace xgrad::inline v0::nn {
namespace {

void require(bool good, const char* where, const char* what, auto number) {
  if (!good) throw UserError(fmt::format("{}: {} {} has no meaning", where, number, what));
}

bool is_deviation(double noise) { return noise >= 0 && std::isfinite(noise); }

// Points of the plane in classes 0 to classes - 1 in turn; `place` draws where one of a class lies.
template <class F>
Dataset points(Index rows, std::uint64_t seed, Index classes, double noise, F place) {
  Tensor x({rows, 2}), y(Shape{rows}, i64);
  float* to = x.mutable_values<float>().data();
  for (Index i = 0; i < rows; ++i) {
    HostRandom random(seed, static_cast<std::uint64_t>(i));
    const Index label = i % classes;
    const auto [right, up] = place(label, random);
    to[2 * i] = static_cast<float>(right + noise * random.bell());
    to[2 * i + 1] = static_cast<float>(up + noise * random.bell());
    y.mutable_values<std::int64_t>()[static_cast<std::size_t>(i)] = label;
  }
  return {x, y};
}

struct Place {
  double right, up;
};

}  // namespace

Dataset make_friedman(Index rows, std::uint64_t seed, const FriedmanOptions& options) {
  require(rows >= 0, "make_friedman", "rows", rows);
  require(options.features >= 5, "make_friedman", "features, of which five matter,", options.features);
  require(is_deviation(options.noise), "make_friedman", "as the deviation of noise", options.noise);
  Tensor x({rows, options.features}), y({rows, 1});
  float* inputs = x.mutable_values<float>().data();
  float* targets = y.mutable_values<float>().data();
  for (Index i = 0; i < rows; ++i, inputs += options.features) {
    HostRandom random(seed, static_cast<std::uint64_t>(i));
    for (Index c = 0; c < options.features; ++c) inputs[c] = static_cast<float>(random.unit());
    const auto at = [&](Index c) { return static_cast<double>(inputs[c]); };  // as the reader of x sees it
    const double bend = at(2) - 0.5;
    const double value = 10 * std::sin(std::numbers::pi * at(0) * at(1)) + 20 * bend * bend + 10 * at(3) + 5 * at(4);
    targets[i] = static_cast<float>(value + options.noise * random.bell());
  }
  return {x, y};
}

Dataset make_moons(Index rows, std::uint64_t seed, double noise) {
  require(rows >= 0, "make_moons", "rows", rows);
  require(is_deviation(noise), "make_moons", "as the deviation of noise", noise);
  return points(rows, seed, 2, noise, [](Index label, HostRandom& random) {
    const double angle = random.between(0, std::numbers::pi);
    const double right = std::cos(angle), up = std::sin(angle);
    return label == 0 ? Place{right, up} : Place{1 - right, 0.5 - up};
  });
}

Dataset make_spirals(Index rows, std::uint64_t seed, Index arms, double noise) {
  require(rows >= 0, "make_spirals", "rows", rows);
  require(arms >= 1, "make_spirals", "arms", arms);
  require(is_deviation(noise), "make_spirals", "as the deviation of noise", noise);
  return points(rows, seed, arms, noise, [&](Index label, HostRandom& random) {
    const double radius = std::sqrt(random.unit());  // the points are about as dense outside as inside
    const double turn = 1.5 * radius + static_cast<double>(label) / static_cast<double>(arms);
    const double angle = 2 * std::numbers::pi * turn;
    return Place{radius * std::cos(angle), radius * std::sin(angle)};
  });
}

}  // namespace xgrad::inline v0::nn
