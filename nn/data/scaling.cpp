#include <xgrad/nn/data/scaling.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0::nn {
namespace {

Shape row_shape(const char* where, const Tensor& x) {
  if (x.empty() || x.shape().rank() == 0)
    throw ShapeError(fmt::format("{}: x must have a row axis, [rows, ...]", where));
  if (!is_floating(x.dtype())) {
    throw DTypeError(fmt::format("{}: x must be f32 or f64, got {}\n  hint: use Tensor::cast", where, x.type().str()));
  }
  return Shape(std::span(x.shape().begin() + 1, x.shape().end()));
}

// The minimum and maximum of each column.
struct Extremes {
  Shape row;
  std::vector<double> least, most;
};

// Throws unless x has at least one row and all elements are finite.
Extremes extremes(const char* where, const Tensor& x) {
  const Shape row = row_shape(where, x);
  if (x.shape()[0] == 0) throw ShapeError(fmt::format("{}: x must have at least 1 row", where));
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto columns = static_cast<std::size_t>(row.elements());
  Extremes out{row, std::vector<double>(columns, infinity), std::vector<double>(columns, -infinity)};
  for (Index i = 0; i < x.elements(); ++i) {
    const double number = x.at(i);
    const std::size_t c = static_cast<std::size_t>(i) % columns;
    if (!std::isfinite(number)) {
      throw ValueError(fmt::format("{}: row {}, column {}: {} is not finite", where,
                                   static_cast<std::size_t>(i) / columns, c, number));
    }
    out.least[c] = std::min(out.least[c], number);
    out.most[c] = std::max(out.most[c], number);
  }
  return out;
}

// Applies number(element, shift, scale) to each element of x.
template <class F>
Tensor by_column(const char* where, const Scaling& scaling, const Tensor& x, F number) {
  const Shape row = row_shape(where, x);
  if (scaling.shift.empty() || row != scaling.shift.shape()) {
    throw ShapeError(fmt::format("{}: row shape differs from the fitted one\n  x: {}\n  fitted row shape: {}", where,
                                 x.type().str(), scaling.shift.empty() ? "none" : scaling.shift.shape().str()));
  }
  const auto shift = scaling.shift.values<double>(), scale = scaling.scale.values<double>();
  Tensor out(x.type());
  const auto fill = [&](const auto* from, auto* to) {
    for (Index i = 0; i < x.elements();) {
      for (std::size_t c = 0; c < shift.size(); ++c, ++i)
        to[i] =
            static_cast<std::remove_pointer_t<decltype(to)>>(number(static_cast<double>(from[i]), shift[c], scale[c]));
    }
  };
  with_floating(x.dtype(), [&](auto zero) {
    fill(x.values<decltype(zero)>().data(), out.mutable_values<decltype(zero)>().data());
  });
  return out;
}

}  // namespace

Tensor Scaling::apply(const Tensor& x) const {
  return by_column("scaling", *this, x, [](double n, double by, double times) { return (n - by) / times; });
}

Tensor Scaling::inverse(const Tensor& x) const {
  return by_column("scaling", *this, x, [](double n, double by, double times) { return n * times + by; });
}

Scaling standard_scaling(const Tensor& x) {
  const Extremes of = extremes("standard_scaling", x);
  const std::size_t columns = of.least.size();
  const auto rows = static_cast<double>(x.shape()[0]);
  std::vector<double> mean(columns), deviation(columns);
  const auto each = [&](auto f) {
    for (Index i = 0; i < x.elements(); ++i) f(static_cast<std::size_t>(i) % columns, x.at(i));
  };
  each([&](std::size_t c, double n) { mean[c] += n / rows; });
  each([&](std::size_t c, double n) { deviation[c] += (n - mean[c]) * (n - mean[c]) / rows; });
  for (std::size_t c = 0; c < columns; ++c) {
    // Use the exact value of a constant column: with a rounded mean, rounding errors would be scaled up to variance 1.
    if (of.least[c] == of.most[c]) mean[c] = of.least[c];
    deviation[c] = of.least[c] == of.most[c] ? 1 : std::sqrt(deviation[c]);
  }
  return {Tensor::from<double>(of.row, mean), Tensor::from<double>(of.row, deviation)};
}

Scaling min_max_scaling(const Tensor& x, double low, double high) {
  if (!(low < high) || !std::isfinite(high - low))
    throw UserError(
        fmt::format("min_max_scaling: low must be less than high and both finite, got {} and {}", low, high));
  const Extremes of = extremes("min_max_scaling", x);
  std::vector<double> shift = of.least, scale(shift.size(), 1);
  for (std::size_t c = 0; c < shift.size(); ++c) {
    if (of.least[c] < of.most[c]) scale[c] = (of.most[c] - of.least[c]) / (high - low);
    shift[c] -= low * scale[c];
  }
  return {Tensor::from<double>(of.row, shift), Tensor::from<double>(of.row, scale)};
}

}  // namespace xgrad::inline v0::nn
