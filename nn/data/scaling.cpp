#include <xgrad/nn/data/scaling.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>

namespace xgrad::nn {
namespace {

Shape row_shape(const char* where, const Tensor& x) {
  if (x.empty() || x.shape().rank() == 0) throw ShapeError(fmt::format("{}: x must be a tensor of rows", where));
  if (!is_floating(x.dtype())) {
    throw DTypeError(
        fmt::format("{}: only f32 and f64 can be scaled\n  x: {}\n  hint: use Tensor::cast", where, x.type().str()));
  }
  Shape row;
  for (int axis = 1; axis < x.shape().rank(); ++axis) row.push_back(x.shape()[axis]);
  return row;
}

// The shape of the rows, of which there must be one at least, all of finite numbers.
Shape learnable(const char* where, const Tensor& x) {
  const Shape row = row_shape(where, x);
  if (x.shape()[0] == 0) throw ShapeError(fmt::format("{}: there are no rows to learn from", where));
  const Index columns = row.elements();
  for (Index i = 0; i < x.elements(); ++i) {
    if (!std::isfinite(x.at(i)))
      throw ValueError(
          fmt::format("{}: row {}, column {}: {} is not finite", where, i / columns, i % columns, x.at(i)));
  }
  return row;
}

Tensor tensor_of(const Shape& row, const std::vector<double>& numbers) { return Tensor::from<double>(row, numbers); }

// Each number of x by its column.
template <class F>
Tensor by_column(const char* where, const Scaling& scaling, const Tensor& x, F number) {
  const Shape row = row_shape(where, x);
  if (scaling.shift.empty() || row != scaling.shift.shape()) {
    throw ShapeError(fmt::format("{}: it was learned from rows of another shape\n  x: {}\n  rows it knows: {}", where,
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
  if (x.dtype() == f32)
    fill(x.values<float>().data(), out.mutable_values<float>().data());
  else
    fill(x.values<double>().data(), out.mutable_values<double>().data());
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
  const Shape row = learnable("standard_scaling", x);
  const auto columns = static_cast<std::size_t>(row.elements());
  const auto rows = static_cast<double>(x.shape()[0]);
  std::vector<double> mean(columns), deviation(columns);
  const auto each = [&](auto f) {
    for (Index i = 0; i < x.elements(); ++i) f(static_cast<std::size_t>(i) % columns, x.at(i));
  };
  each([&](std::size_t c, double n) { mean[c] += n / rows; });
  each([&](std::size_t c, double n) { deviation[c] += (n - mean[c]) * (n - mean[c]) / rows; });
  for (std::size_t c = 0; c < columns; ++c) {
    // The mean of equal numbers may be off by a rounding, and what that leaves is no deviation.
    const double least = 1e-14 * std::abs(mean[c]);
    deviation[c] = std::sqrt(deviation[c]);
    if (deviation[c] <= least) deviation[c] = 1;
  }
  return {tensor_of(row, mean), tensor_of(row, deviation)};
}

Scaling min_max_scaling(const Tensor& x, double low, double high) {
  if (!(low < high) || !std::isfinite(high - low))
    throw UserError(fmt::format("min_max_scaling: {} to {} is no range", low, high));
  const Shape row = learnable("min_max_scaling", x);
  const auto columns = static_cast<std::size_t>(row.elements());
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> least(columns, infinity), most(columns, -infinity);
  for (Index i = 0; i < x.elements(); ++i) {
    const std::size_t c = static_cast<std::size_t>(i) % columns;
    least[c] = std::min(least[c], x.at(i));
    most[c] = std::max(most[c], x.at(i));
  }
  for (std::size_t c = 0; c < columns; ++c) {
    most[c] = most[c] > least[c] ? (most[c] - least[c]) / (high - low) : 1;  // now the scale
    least[c] -= low * most[c];                                               // and the shift
  }
  return {tensor_of(row, least), tensor_of(row, most)};
}

}  // namespace xgrad::nn
