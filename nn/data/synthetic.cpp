#include <xgrad/nn/data/synthetic.hpp>

#include <cmath>
#include <numbers>

#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/nn/data/random.hpp>

namespace xgrad::inline v0::nn {
namespace {

constexpr const char* noise_option = "noise, a standard deviation,";

// A data set of points in the plane, where row i has class i % classes. draw_point(class, random) draws a point without
// noise.
template <class F>
Dataset points(Index rows, std::uint64_t seed, Index classes, double noise, F draw_point) {
  Tensor x({rows, 2}), y(Shape{rows}, i64);
  float* to = x.mutable_values<float>().data();
  for (Index i = 0; i < rows; ++i) {
    HostRandom random(seed, static_cast<std::uint64_t>(i));
    const Index label = i % classes;
    const auto [right, up] = draw_point(label, random);
    to[2 * i] = static_cast<float>(right + noise * random.near_normal());
    to[2 * i + 1] = static_cast<float>(up + noise * random.near_normal());
    y.mutable_values<std::int64_t>()[static_cast<std::size_t>(i)] = label;
  }
  return {x, y};
}

struct Point {
  double right, up;
};

}  // namespace

Dataset make_friedman(Index rows, std::uint64_t seed, const FriedmanOptions& options) {
  require_at_least("make_friedman", "rows", rows, 0);
  require_at_least("make_friedman", "features", options.features, 5);
  require_not_negative("make_friedman", noise_option, options.noise);
  Tensor x({rows, options.features}), y({rows, 1});
  float* inputs = x.mutable_values<float>().data();
  float* targets = y.mutable_values<float>().data();
  for (Index i = 0; i < rows; ++i, inputs += options.features) {
    HostRandom random(seed, static_cast<std::uint64_t>(i));
    for (Index c = 0; c < options.features; ++c) inputs[c] = static_cast<float>(random.uniform());
    const auto at = [&](Index c) { return static_cast<double>(inputs[c]); };  // rounded to f32, as in x
    const double bend = at(2) - 0.5;
    const double value = 10 * std::sin(std::numbers::pi * at(0) * at(1)) + 20 * bend * bend + 10 * at(3) + 5 * at(4);
    targets[i] = static_cast<float>(value + options.noise * random.near_normal());
  }
  return {x, y};
}

Dataset make_moons(Index rows, std::uint64_t seed, double noise) {
  require_at_least("make_moons", "rows", rows, 0);
  require_not_negative("make_moons", noise_option, noise);
  return points(rows, seed, 2, noise, [](Index label, HostRandom& random) {
    const double angle = random.between(0, std::numbers::pi);
    const double right = std::cos(angle), up = std::sin(angle);
    return label == 0 ? Point{right, up} : Point{1 - right, 0.5 - up};
  });
}

Dataset make_spirals(Index rows, std::uint64_t seed, Index arms, double noise) {
  require_at_least("make_spirals", "rows", rows, 0);
  require_at_least("make_spirals", "arms", arms, 1);
  require_not_negative("make_spirals", noise_option, noise);
  return points(rows, seed, arms, noise, [&](Index label, HostRandom& random) {
    const double radius = std::sqrt(random.uniform());  // sqrt: about equal density at all radii
    const double turn = 1.5 * radius + static_cast<double>(label) / static_cast<double>(arms);
    const double angle = 2 * std::numbers::pi * turn;
    return Point{radius * std::cos(angle), radius * std::sin(angle)};
  });
}

}  // namespace xgrad::inline v0::nn
