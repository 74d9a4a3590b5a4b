// Composite reductions: mean, variance, norms, logsumexp and softmax.
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/reductions/internal/axes.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Whether a reduction of x over the axes combines no elements.
bool over_nothing(Value x, const Axes& axes, const char* function) {
  for (const Index axis : normalize_axes(axes, x.shape().rank(), function)) {
    if (x.shape()[static_cast<int>(axis)] == 0) return true;
  }
  return false;
}

// f(x), but 0 with derivative 0 where x is 0, although the derivative of f is infinite there.
template <class F>
Value zero_at_zero(Value x, F f) {
  const Value zero = equal(x, 0);
  return where(zero, 0, f(where(zero, 1, x)));
}

}  // namespace

Value mean(Operand x, const Axes& axes, bool keepdims) {
  return floating_composite(x, [&] { return sum(x, axes, keepdims) / count(x, axes); });
}

Value var(Operand x, const Axes& axes, bool keepdims, int correction) {
  return floating_composite(x, [&] {
    // Subtract the first element, then the mean of the differences: this gives exactly 0 for equal elements and loses
    // no digits if elements are far from 0. The first element has no influence on the derivative.
    Value origin = stop_gradient(x);
    for (const Index axis : normalize_axes(axes, x.shape().rank(), "var")) origin = slice(origin, axis, 0, 1);
    const Value distance = x - origin;
    const Value total = sum(square(distance - mean(distance, axes, true)), axes, keepdims);
    const Value n = count(x, axes);
    return total / (correction == 0 ? n : maximum(n - correction, 0));
  });
}

Value stddev(Operand x, const Axes& axes, bool keepdims, int correction) {
  return floating_composite(
      x, [&] { return zero_at_zero(var(x, axes, keepdims, correction), [](Value v) { return sqrt(v); }); });
}

Value logsumexp(Operand x, const Axes& axes, bool keepdims) {
  return floating_composite(x, [&] {
    if (over_nothing(x, axes, "logsumexp")) return log(sum(exp(x), axes, keepdims));
    // The maximum is subtracted before exp to avoid overflow, and added back; it cancels in the derivative. An infinite
    // maximum is not subtracted: inf - inf is NaN.
    const Value largest = stop_gradient(max(x, axes, true));
    const Value finite = where(isinf(largest), 0, largest);
    const Value total = sum(exp(x - finite), axes, keepdims);
    return log(total) + (keepdims ? finite : reshape_like(finite, total));
  });
}

namespace {

// From here on an operation of its own is faster than the fused composition.
constexpr Index long_row = 64;

void check(const char* function, Value x) {
  require_floating(function, x);
  if (x.shape().rank() == 0) throw ShapeError(fmt::format("{}: a scalar has no axis\n  {}", function, x.describe()));
}

// x minus its maximum along the axis.
Value below_largest(const char* function, Value x, Index axis) {
  check(function, x);
  return over_nothing(x, {axis}, function) ? x : x - stop_gradient(max(x, {axis}, true));
}

}  // namespace

Value softmax(Operand x, Index axis) {
  return composite(x, [&] {
    check("softmax", x);
    const Index along = axis_index(axis, x.shape().rank(), "softmax");
    const bool by_rows = along == x.shape().rank() - 1 && x.shape().back() >= long_row;
    Value probabilities;
    if (by_rows) {
      probabilities = apply("row_softmax", {x}, {{"axis", along}});
    } else {
      const Value shifted = exp(below_largest("softmax", x, axis));
      probabilities = shifted / sum(shifted, {axis}, true);
    }
    // See Note [Softmax and cross-entropy].
    return apply("probabilities", {probabilities, x}, {{"axis", along}});
  });
}

Value log_softmax(Operand x, Index axis) {
  return composite(x, [&] {
    const Value shifted = below_largest("log_softmax", x, axis);
    return shifted - log(sum(exp(shifted), {axis}, true));
  });
}

Value reductions::shrinking(Value x, const Axes& axes) {
  const double large = x.dtype() == f32 ? 1e15 : 1e150;
  if (over_nothing(x, axes, "norm")) return number_like(x, 1);
  const Value largest = stop_gradient(max(abs(x), axes, true));
  // Not 1 / largest, which may be below the smallest normal number.
  return where(logical_and(largest > large, largest < infinity), 1 / (largest * 0x1p-20), 1);
}

namespace {

// The divisor of `size` before powers are summed, so that they neither overflow nor underflow. Zeros, infinities and
// NaN are not scaled.
Value scale_of(Value size, const Axes& axes, bool always) {
  const Value largest = stop_gradient(max(size, axes, true));
  Value unscaled = logical_or(equal(largest, 0), isinf(largest));
  // Squares in this range need no scaling, so that norms of integers, for example, stay exact.
  if (!always) unscaled = logical_or(unscaled, logical_and(largest > 1e-15, largest < 1e15));
  return where(unscaled, 1, largest);
}

Value euclidean_norm(Value x, const Axes& axes, bool keepdims) {
  const Value scale = scale_of(abs(x), axes, false);
  const Value total = sum(square(x / scale), axes, keepdims);
  const Value root = zero_at_zero(total, [](Value t) { return sqrt(t); });
  return root * (keepdims ? scale : reshape_like(scale, root));
}

Value power_norm(Value x, double p, const Axes& axes, bool keepdims) {
  const Value size = abs(x);
  const Value scale = scale_of(size, axes, true);
  const Value powers = zero_at_zero(size / scale, [p](Value v) { return pow(v, p); });
  const Value root = zero_at_zero(sum(powers, axes, keepdims), [p](Value t) { return pow(t, 1 / p); });
  return root * (keepdims ? scale : reshape_like(scale, root));
}

}  // namespace

Value norm(Operand x, double p, const Axes& axes, bool keepdims) {
  return floating_composite(x, [&] {
    if (std::isnan(p)) throw UserError(fmt::format("norm: p must not be NaN\n  {}", x.describe()));
    if (p == 0) return sum(cast(not_equal(x, 0), x.dtype()), axes, keepdims);
    if (p == 1) return sum(abs(x), axes, keepdims);
    if (over_nothing(x, axes, "norm")) {
      if (p > 0 && p < infinity) return sum(abs(x), axes, keepdims);
      throw ShapeError(
          fmt::format("norm: p = {} is undefined over an empty axis; use a finite p >= 0\n  {}", p, x.describe()));
    }
    if (p == 2) return euclidean_norm(x, axes, keepdims);
    if (p == infinity) return max(abs(x), axes, keepdims);
    if (p == -infinity) return min(abs(x), axes, keepdims);
    return p > 0 ? power_norm(x, p, axes, keepdims) : reciprocal(power_norm(reciprocal(x), -p, axes, keepdims));
  });
}

// ---- samples

namespace {

// Over the attribute `axes`, kept if there is a `keepdims`.
template <auto function, int... correction>
Value reduced(Inputs x, const Attrs& a) {
  return function(x[0], a.ints("axes"), a.has("keepdims"), correction...);
}

Sample one(const char* label, const Shape& shape, const Axes& axes, const Domain& domain = domain::any()) {
  return {label, {{shape, domain}}, {{"axes", axes}}};
}

std::vector<Sample> shapes(const Domain& domain = domain::any()) {
  std::vector<Sample> out{one("row of 9", {9}, {}, domain),
                          one("row of 33", {33}, {0}, domain),
                          one("last axis", {3, 5}, {-1}, domain),
                          one("first axis", {5, 7}, {0}, domain),
                          one("outer axes, kept", {2, 3, 4}, {0, -1}, domain),
                          one("all", {3, 4}, {}, domain),
                          one("one element", {1}, {}, domain),
                          one("no rows", {0, 3}, {1}, domain)};
  out[4].attrs.set("keepdims", true);
  out[7].zero_gradient = true;
  return out;
}

std::vector<Sample> with_zero_second(std::vector<Sample> samples) {
  for (Sample& s : samples) s.zero_second = true;
  return samples;
}

// Marks sample 6, of one element, for which the function is constant or has a zero second derivative.
std::vector<Sample> constant_of_one(std::vector<Sample> samples, bool zero_gradient) {
  samples[6].zero_gradient = zero_gradient;
  samples[6].zero_second = true;
  return samples;
}

std::vector<BadSample> bad(const char* name) {
  return {{"integers", {Tensor({3}, i64)}, {{"axes", Axes{0}}}, std::string(name) + ": needs a floating dtype"},
          {"axis", {Tensor::zeros({3})}, {{"axes", Axes{1}}}, "axis 1 is out of range"}};
}

Composite norm_of(const char* name, double p, const Domain& domain, bool zero_second) {
  std::vector<Sample> samples = constant_of_one(shapes(domain), false);
  for (Sample& s : samples) {
    s.attrs.set("p", p);
    s.zero_gradient = s.zero_gradient || p == 0;
    s.zero_second = s.zero_second || zero_second;
  }
  if (p == -infinity || p == infinity) samples.pop_back();  // throws for an empty axis
  const char* doc = p == 0           ? "Number of nonzero elements."
                    : p == infinity  ? "Largest |x|."
                    : p == -infinity ? "Smallest |x|."
                                     : "(sum |x|^p)^(1/p).";
  return {name,
          doc,
          [](Inputs x, const Attrs& a) { return norm(x[0], a.number("p"), a.ints("axes"), a.has("keepdims")); },
          samples,
          {{"integers", {Tensor({3}, i64)}, {{"axes", Axes{0}}, {"p", p}}, "norm: needs a floating dtype"}}};
}

}  // namespace

std::vector<Composite> statistics_composites() {
  const Attrs last{{"axes", Axes{-1}}};
  const std::vector<Sample> normalized{one("row", {9}, {-1}), one("matrix", {3, 5}, {-1}),
                                       one("first axis", {17, 2}, {0}), zero_gradient({"one element", {{{1}}}, last}),
                                       zero_gradient({"empty", {{{3, 0}}}, last})};
  const auto along = [](const char* name) {
    return std::vector<BadSample>{{"scalar", {Tensor(1.0F)}, {{"axes", Axes{-1}}}, "a scalar has no axis"},
                                  bad(name)[0]};
  };
  std::vector<Sample> corrected = constant_of_one(shapes(), true);
  corrected.erase(corrected.begin() + 6);  // divides by 0 for one element
  const Domain not_zero = domain::away_from({0});
  std::vector<Composite> out{
      {"mean", "Sum over axes divided by the number of elements.", reduced<mean>, with_zero_second(shapes()),
       bad("mean")},
      {"var", "Mean squared distance from the mean.", reduced<var, 0>, constant_of_one(shapes(), true), bad("var")},
      {"var, corrected", "Sum of squared distances from the mean, divided by n - 1.", reduced<var, 1>, corrected},
      {"stddev", "Square root of var.", reduced<stddev, 0>, corrected, bad("stddev")},
      {"logsumexp", "log(sum(exp(x))).", reduced<logsumexp>, constant_of_one(shapes(), false), bad("logsumexp")},
      {"softmax", "exp(x) / sum(exp(x)) along an axis.",
       [](Inputs x, const Attrs& a) { return softmax(x[0], a.ints("axes")[0]); }, normalized, along("softmax")},
      {"log_softmax", "x - logsumexp(x) along an axis.",
       [](Inputs x, const Attrs& a) { return log_softmax(x[0], a.ints("axes")[0]); }, normalized, along("log_softmax")},
      norm_of("norm, p = 0", 0, not_zero, true),
      norm_of("norm, p = 1", 1, not_zero, true),
      norm_of("norm, p = 2", 2, not_zero, false),
      norm_of("norm, p = 3", 3, not_zero, false),
      norm_of("norm, p = 1.5", 1.5, not_zero, false),
      norm_of("norm, p = 0.5", 0.5, domain::between(0.5, 2), false),
      norm_of("norm, p = -2", -2, domain::between(0.5, 2), false),
      norm_of("norm, p = inf", infinity, domain::distinct(), true),
      norm_of("norm, p = -inf", -infinity, domain::distinct(), true)};
  for (Composite& c : out) {
    if (c.name == "norm, p = inf") {
      c.bad_samples.push_back({"empty",
                               {Tensor::zeros({0})},
                               {{"axes", Axes{0}}, {"p", infinity}},
                               "norm: p = inf is undefined over an empty axis"});
      c.bad_samples.push_back(
          {"no p", {Tensor::zeros({2})}, {{"axes", Axes{0}}, {"p", std::nan("")}}, "norm: p must not be NaN"});
    }
  }
  return out;
}

}  // namespace xgrad::inline v0
