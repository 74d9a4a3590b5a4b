#include <xgrad/autodiff/check/internal/difference.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr double rounding = 1e-15;  // relative error of a function value: a few ulp
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

double flat(const Tensor& t, std::size_t i) { return t.values<double>()[i]; }

std::vector<Tensor> zeros_of(const std::vector<Value>& values) {
  std::vector<Tensor> out;
  for (const Value v : values) out.emplace_back(v.shape(), f64);
  return out;
}

// Calls f(i, j) for element j of value i.
template <class F>
void for_each_element(const std::vector<Tensor>& values, F f) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = 0; j < static_cast<std::size_t>(values[i].elements()); ++j) f(i, j);
  }
}

}  // namespace

DifferenceQuotients::DifferenceQuotients(const std::vector<Value>& outputs, std::vector<Tensor> weights,
                                         const std::vector<Value>& wrt, const Feeds& feeds, std::uint64_t run_step)
    : tail_(outputs, wrt), weights_(std::move(weights)), feeds_(feeds), run_step_(run_step) {}

DifferenceQuotients::Moved DifferenceQuotients::move(Value input, const Tensor& direction, double step) {
  const auto feed = std::find_if(feeds_.begin(), feeds_.end(), [&](const Feed& f) { return f.input == input; });
  const Tensor x = feed->value;
  Tensor moved = x.clone();
  const auto numbers = moved.mutable_values<double>();
  double along = 0;
  double length = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const double d = flat(direction, i);
    if (d == 0) continue;
    numbers[i] += step * d;
    along += d * (numbers[i] - flat(x, i));
    length += d * d;
  }
  Moved out{{}, along / length, false};
  feed->value = moved;
  try {
    out.values = evaluate(tail_.frontier(), feeds_, {.threads = 1, .step = run_step_});
  } catch (const ValueError&) {
    out.refused = true;
  }
  feed->value = x;
  return out;
}

// Returns, for each element of the frontier's values in order, whether it depends on the perturbed input. Feeds NaN,
// which propagates through all arithmetic.
std::vector<char> DifferenceQuotients::dependents(Value input, const Tensor& direction) {
  const Moved poisoned = move(input, direction, nan);
  std::vector<char> out;
  if (poisoned.refused) {
    for (const Value v : tail_.frontier()) out.resize(out.size() + static_cast<std::size_t>(v.shape().elements()), 1);
  }
  for_each_element(poisoned.values, [&](std::size_t i, std::size_t j) {
    out.push_back(std::isnan(flat(poisoned.values[i], j)) ? 1 : 0);
  });
  return out;
}

double DifferenceQuotients::weighted(const std::vector<Tensor>& outputs, bool absolute) const {
  double sum = 0;
  for_each_element(outputs, [&](std::size_t i, std::size_t j) {
    const double w = flat(weights_[i], j);
    sum += (absolute ? std::abs(w) : w) * flat(outputs[i], j);
  });
  return sum;
}

Estimate DifferenceQuotients::central(Value input, const Tensor& direction, double h, double negligible) {
  const std::array<Moved, 4> y{move(input, direction, h), move(input, direction, -h), move(input, direction, 2 * h),
                               move(input, direction, -2 * h)};
  const double near = y[0].by - y[1].by;
  const double far = y[2].by - y[3].by;
  Estimate out{nan, 0, 0, 0};
  if (!(near > 0 && far > near)) {
    out.noise = std::numeric_limits<double>::infinity();  // the step is lost in rounding
    return out;
  }
  for (const Moved& m : y) {
    if (m.refused) return out;
  }
  std::vector<Tensor> slopes = zeros_of(tail_.frontier());
  std::vector<Tensor> bends = zeros_of(tail_.frontier());
  std::vector<Tensor> noises = zeros_of(tail_.frontier());
  std::vector<Tensor> still = zeros_of(tail_.frontier());  // noise of the elements that did not change
  bool finite = true;
  double unmoved = 0;
  for_each_element(slopes, [&](std::size_t i, std::size_t j) {
    std::array<double, 4> f{};
    for (std::size_t k = 0; k < 4; ++k) f[k] = flat(y[k].values[i], j);
    for (const double v : f) finite = finite && std::isfinite(v);
    const double steep = (f[0] - f[1]) / near;
    const double flatter = (f[2] - f[3]) / far;
    const double noise = (std::abs(f[0]) + std::abs(f[1])) * 2 * rounding / near;
    if (f[0] == f[1] && f[2] == f[3]) {
      still[i].mutable_values<double>()[j] = noise;
      unmoved = std::max(unmoved, noise);
      return;
    }
    slopes[i].mutable_values<double>()[j] = (4 * steep - flatter) / 3;
    bends[i].mutable_values<double>()[j] = steep - flatter;
    noises[i].mutable_values<double>()[j] = noise;
    out.size = std::max(out.size, std::abs(f[0]));
  });
  if (!finite) return out;
  // An unchanged element may be independent of the input, or so large that the change is lost in rounding.
  if (unmoved > negligible) {
    const std::vector<char> depends = dependents(input, direction);
    std::size_t at = 0;
    for_each_element(still, [&](std::size_t i, std::size_t j) {
      if (depends[at++] == 0) return;
      const double noise = flat(still[i], j);
      noises[i].mutable_values<double>()[j] += noise;
      if (noise > negligible) out.size = std::max(out.size, std::abs(flat(y[0].values[i], j)));
    });
  }
  out.value = weighted(tail_.apply(slopes, feeds_), false);
  out.bend = std::abs(weighted(tail_.apply(bends, feeds_), false));
  out.noise = weighted(tail_.apply(noises, feeds_, true), true);
  return out;
}

double DifferenceQuotients::one_sided(Value input, const Tensor& direction, double h) {
  const std::array<Moved, 3> y{move(input, direction, 0), move(input, direction, h), move(input, direction, 2 * h)};
  for (const Moved& m : y) {
    if (m.refused) return nan;
  }
  std::vector<Tensor> slopes = zeros_of(tail_.frontier());
  for_each_element(slopes, [&](std::size_t i, std::size_t j) {
    const double start = flat(y[0].values[i], j);
    slopes[i].mutable_values<double>()[j] =
        (4 * (flat(y[1].values[i], j) - start) - (flat(y[2].values[i], j) - start)) / (2 * h);
  });
  return weighted(tail_.apply(slopes, feeds_), false);
}

}  // namespace xgrad::inline v0
