#include <xgrad/nn/initializers.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>

namespace xgrad::nn {
namespace {

// Deviation of a normal variable that is cut at two deviations: sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)).
constexpr double cut_deviation = 0.87962566103423978;

// Box and Muller, 1958.
double draw_normal(HostRandom& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.unit()));
  return radius * std::cos(2 * std::numbers::pi * random.unit());
}

double draw_truncated(HostRandom& random) {
  double x = draw_normal(random);
  while (std::abs(x) > 2) x = draw_normal(random);
  return x;
}

Initializer::Draw uniform_within(double limit) {
  return [limit](HostRandom& r) { return r.between(-limit, limit); };
}

// What remains after the cut has the deviation.
Initializer::Draw truncated_to(double deviation) {
  return [wide = deviation / cut_deviation](HostRandom& r) { return wide * draw_truncated(r); };
}

}  // namespace

Fans fans_of(const Shape& shape) {
  if (shape.rank() == 0) return {};
  if (shape.rank() == 1)
    return {std::max(1.0, static_cast<double>(shape[0])), std::max(1.0, static_cast<double>(shape[0]))};
  double field = 1;
  for (int axis = 0; axis + 2 < shape.rank(); ++axis) field *= static_cast<double>(shape[axis]);
  return {std::max(1.0, field * static_cast<double>(shape[shape.rank() - 2])),
          std::max(1.0, field * static_cast<double>(shape.back()))};
}

Tensor Initializer::operator()(const Shape& shape, DType dtype, std::uint64_t seed) const {
  HostRandom random(seed);
  const Draw draw = draw_for_(fans_of(shape));
  Tensor out(shape, dtype);
  if (dtype == f32) {
    for (float& x : out.mutable_values<float>()) x = static_cast<float>(draw(random));
  } else if (dtype == f64) {
    for (double& x : out.mutable_values<double>()) x = draw(random);
  } else {
    throw DTypeError(fmt::format("{}: weights are floating numbers, not {}", name_, name_of(dtype)));
  }
  return out;
}

Initializer constant(double value) {
  return {fmt::format("constant({})", value), [value](const Fans&) { return [value](HostRandom&) { return value; }; }};
}

Initializer uniform(double low, double high) {
  if (!(low <= high)) throw UserError(fmt::format("uniform: the bounds {} and {} are not in order", low, high));
  return {fmt::format("uniform({}, {})", low, high),
          [low, high](const Fans&) { return [low, high](HostRandom& r) { return r.between(low, high); }; }};
}

Initializer normal(double mean, double stddev) {
  if (!(stddev >= 0)) throw UserError(fmt::format("normal: a standard deviation of {} has no meaning", stddev));
  return {fmt::format("normal({}, {})", mean, stddev), [mean, stddev](const Fans&) {
            return [mean, stddev](HostRandom& r) { return mean + stddev * draw_normal(r); };
          }};
}

Initializer truncated_normal(double mean, double stddev) {
  if (!(stddev >= 0))
    throw UserError(fmt::format("truncated_normal: a standard deviation of {} has no meaning", stddev));
  return {fmt::format("truncated_normal({}, {})", mean, stddev), [mean, stddev](const Fans&) {
            return [mean, stddev](HostRandom& r) { return mean + stddev * draw_truncated(r); };
          }};
}

Initializer variance_scaling(double scale, Fan fan, Distribution distribution, std::string name) {
  if (!(scale > 0)) throw UserError(fmt::format("{}: a scale of {} has no meaning", name, scale));
  return {std::move(name), [=](const Fans& fans) {
            const double n = fan == Fan::in ? fans.in : fan == Fan::out ? fans.out : (fans.in + fans.out) / 2;
            const double variance = scale / n;
            // A uniform distribution within +-l has variance l^2 / 3.
            return distribution == Distribution::uniform ? uniform_within(std::sqrt(3 * variance))
                                                         : truncated_to(std::sqrt(variance));
          }};
}

Initializer torch_linear(double inputs) {
  return {"torch_linear", [inputs](const Fans&) { return uniform_within(1 / std::sqrt(std::max(1.0, inputs))); }};
}

}  // namespace xgrad::nn
