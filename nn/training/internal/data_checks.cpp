#include <xgrad/nn/training/internal/data_checks.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/number_text.hpp>

namespace xgrad::inline v0::nn {
namespace {

constexpr double rounding = 1e-5;      // tolerance of a probability
constexpr double sum_rounding = 1e-3;  // tolerance of the sum of a row of probabilities

// Describes the position of element i in a tensor of rows.
std::string position_text(const Tensor& t, Index i) {
  const Index row = t.elements() / t.shape()[0];
  std::string out = fmt::format("row {}", i / row);
  if (t.shape().rank() == 2) out += fmt::format(", column {}", i % row);
  if (t.shape().rank() <= 2) return out;
  std::vector<Index> at;
  for (int axis = t.shape().rank(); --axis > 0; i /= t.shape()[axis]) at.insert(at.begin(), i % t.shape()[axis]);
  return fmt::format("{}, element [{}]", out, fmt::join(at, ", "));
}

// Index of the first element for which `holds` is false, or -1.
template <class T, class Test>
Index first_failing(const Tensor& t, Test holds) {
  const auto v = t.values<T>();
  const auto found = std::find_if_not(v.begin(), v.end(), holds);
  return found == v.end() ? -1 : found - v.begin();
}

template <class T>
Index first_not_finite(const Tensor& t) {
  // Fast path for finite data: x - x is 0 for finite x and NaN otherwise. The loop has no early exit, so that it
  // vectorizes.
  T sum = 0;
  for (const T x : t.values<T>()) sum += x - x;
  return sum == 0 ? -1 : first_failing<T>(t, [](T x) { return std::isfinite(x); });
}

// Converts `given` to another dtype. Throws ValueError for values that are not finite after the conversion.
Tensor converted(const std::string& where, const char* what, const Tensor& given, DType dtype) {
  Tensor t = given.dtype() == dtype ? given : given.cast(dtype);
  const Index bad = t.dtype() == f32 ? first_not_finite<float>(t) : t.dtype() == f64 ? first_not_finite<double>(t) : -1;
  if (bad < 0) return t;
  if (std::isfinite(given.at(bad))) {
    throw ValueError(fmt::format(
        "{}: {} has {} in {}, which is too large for {}{}", where, what, given.at(bad), position_text(t, bad),
        name_of(dtype), dtype == f32 ? "\n  hint: scale the data, or compute in f64 (ModelOptions::dtype)" : ""));
  }
  throw ValueError(
      fmt::format("{}: {} is not finite: {} in {}", where, what, number_text(given.at(bad)), position_text(t, bad)));
}

// Throws ValueError for integers that f32 or f64 would round, since rounding an index changes its meaning.
void require_exact(const std::string& where, const Tensor& x, const Tensor& as) {
  if (x.dtype() != i64 || !is_floating(as.dtype())) return;
  const auto v = x.values<std::int64_t>();
  const std::int64_t exact =
      as.dtype() == f32 ? std::int64_t{1} << 24 : std::int64_t{1} << 53;  // all integers up to this are exact
  if (std::all_of(v.begin(), v.end(), [=](std::int64_t i) { return i >= -exact && i <= exact; })) return;
  constexpr double overflow = 0x1p63;  // smallest value above the range of i64
  for (std::size_t i = 0; i < v.size(); ++i) {
    const double kept = as.at(static_cast<Index>(i));
    if (kept < overflow && static_cast<std::int64_t>(kept) == v[i]) continue;
    throw ValueError(fmt::format(
        "{}: x has {} in {}, which {} does not hold exactly\n  hint: set ModelOptions::input_dtype = i64 to keep "
        "integers, or accept rounding by Tensor::cast",
        where, v[i], position_text(x, static_cast<Index>(i)), name_of(as.dtype())));
  }
}

void require_integers(const std::string& where, const Tensor& x) {
  const auto check = [&](Index bad) {
    if (bad < 0) return;
    throw ValueError(fmt::format("{}: x has {} in {}, but the input of the model takes integers", where, x.at(bad),
                                 position_text(x, bad)));
  };
  const auto holds = [](auto v) { return v >= -0x1p63 && v < 0x1p63 && std::trunc(v) == v; };
  if (is_floating(x.dtype()))
    check(with_floating(x.dtype(), [&](auto zero) { return first_failing<decltype(zero)>(x, holds); }));
}

// Describes the first difference of two row shapes. Axes are numbered with the axis of rows as 0.
std::string difference(const Shape& given, const Shape& expected) {
  if (given.rank() != expected.rank()) {
    return fmt::format("{} axes per row instead of {}", given.rank(), expected.rank());
  }
  for (int axis = 0; axis < given.rank(); ++axis) {
    if (given[axis] != expected[axis])
      return fmt::format("axis {} is {} instead of {}", axis + 1, given[axis], expected[axis]);
  }
  return "";
}

// Whether all targets follow the convention. No early exit, so that the loops vectorize.
template <class T>
bool keeps_convention(std::span<const T> v, std::size_t classes, Target target) {
  int good = 1;
  if (target == Target::sign) {
    for (const T x : v) good &= static_cast<int>(std::abs(x) == T{1});
    return good != 0;
  }
  constexpr auto low = static_cast<T>(-rounding), high = static_cast<T>(1 + rounding);
  for (const T x : v) good &= static_cast<int>(x >= low) & static_cast<int>(x <= high);
  for (std::size_t i = 0; target == Target::distribution && i < v.size(); i += classes) {
    const T sum = std::accumulate(v.begin() + static_cast<std::ptrdiff_t>(i),
                                  v.begin() + static_cast<std::ptrdiff_t>(i + classes), T{0});
    good &= static_cast<int>(std::abs(sum - 1) <= static_cast<T>(sum_rounding));
  }
  return good != 0;
}

// Throws for the first target that violates the convention in a row of nonzero weight.
void fail_convention(const std::string& where, const Tensor& y, const Tensor& weights, const Loss& loss) {
  const Index row = y.elements() / y.shape()[0], classes = y.shape().back();
  const auto fail = [&](Index i, const std::string& got, const char* expected, const char* hint) {
    throw ValueError(fmt::format("{}: {} requires {} as targets\n  y: {} in {}{}", where, loss.name, expected, got,
                                 position_text(y, i), hint));
  };
  double sum = 0;
  for (Index i = 0; i < y.elements(); ++i) {
    if (!weights.empty() && weights.at(i / row) == 0) continue;
    const double v = y.at(i);
    if (loss.target == Target::sign) {
      if (v == 1 || v == -1) continue;
      fail(i, fmt::format("{}", v), "-1 and 1", v == 0 ? "\n  hint: convert targets 0 and 1 by 2 * y - 1" : "");
    }
    if (!(v >= -rounding && v <= 1 + rounding)) fail(i, fmt::format("{}", v), "probabilities in [0, 1]", "");
    if (loss.target != Target::distribution) continue;
    sum = i % classes == 0 ? v : sum + v;
    if ((i + 1) % classes == 0 && std::abs(sum - 1) > sum_rounding) {
      fail(i + 1 - classes, fmt::format("a sum of {:.6g} over the {} classes that start", sum, classes),
           "probabilities that sum to 1 over the classes",
           "\n  hint: if several classes can be true, use binary_crossentropy");
    }
  }
}

void require_convention(const std::string& where, const Tensor& y, const Tensor& weights, const Loss& loss) {
  if (loss.target == Target::like_prediction || y.elements() == 0) return;
  const auto classes = static_cast<std::size_t>(y.shape().back());
  const bool keeps = with_floating(
      y.dtype(), [&](auto zero) { return keeps_convention(y.values<decltype(zero)>(), classes, loss.target); });
  if (!keeps) fail_convention(where, y, weights, loss);
}

}  // namespace

Shape row_of(const Shape& shape) { return Shape(std::span(shape.begin() + 1, shape.end())); }

Shape rows_of(Index rows, const Shape& row) {
  Shape out{rows};
  for (const Index extent : row) out.push_back(extent);
  return out;
}

Tensor checked_inputs(const std::string& where, const Tensor& x, const TensorType& row) {
  if (x.empty() || x.shape().rank() == 0) throw ShapeError(fmt::format("{}: x must be a tensor of rows", where));
  const Shape given = row_of(x.shape());
  if (given != row.shape) {
    std::string hint;
    if (x.shape() == row.shape) {
      hint = fmt::format("\n  hint: x is one row without the axis of rows; use x.reshaped({})",
                         rows_of(1, row.shape).str());
    } else if (given.elements() == row.shape.elements()) {
      hint = "\n  hint: the numbers of elements agree; use Tensor::reshaped";
    }
    throw ShapeError(
        fmt::format("{}: the rows of x do not fit the model: {}\n  x: {}\n  the model's input: {}{}", where,
                    difference(given, row.shape), x.type().str(),
                    TensorType{row.dtype, rows_of(x.shape() == row.shape ? 1 : x.shape()[0], row.shape)}.str(), hint));
  }
  if (x.elements() == 0) return x.cast(row.dtype);
  if (row.dtype == i64) {
    require_integers(where, converted(where, "x", x, x.dtype()));
    return x.dtype() == i64 ? x : x.cast(i64);
  }
  Tensor out = converted(where, "x", x, row.dtype);
  require_exact(where, x, out);
  return out;
}

Tensor checked_targets(const std::string& where, const Tensor& y, const Tensor& weights, Index rows,
                       const TensorType& prediction_row, const Loss& loss) {
  const Shape& expected_row = prediction_row.shape;
  if (y.empty() || y.shape().rank() == 0 || y.shape()[0] != rows) {
    throw ShapeError(
        fmt::format("{}: y must have a row for each of the {} rows of x\n  y: {}", where, rows, y.type().str()));
  }
  const Shape given = row_of(y.shape());
  if (loss.target != Target::class_index) {
    if (given != expected_row) {
      std::string hint;
      if (y.dtype() == i64 && given.rank() + 1 == expected_row.rank()) {
        hint = "\n  hint: for class indices use one_hot(y, classes), or a sparse loss";
      } else if (given.elements() == expected_row.elements()) {
        hint = "\n  hint: the numbers of elements agree; use Tensor::reshaped";
      }
      throw ShapeError(
          fmt::format("{}: the rows of y do not fit the predictions: {}\n  y: {}\n  predictions: {}\n  loss: {}{}",
                      where, difference(given, expected_row), y.type().str(),
                      TensorType{prediction_row.dtype, rows_of(rows, expected_row)}.str(), loss.name, hint));
    }
    Tensor out = converted(where, "y", y, prediction_row.dtype);
    require_convention(where, out, weights, loss);
    return out;
  }

  Shape expected;
  for (int axis = 0; axis + 1 < expected_row.rank(); ++axis) expected.push_back(expected_row[axis]);
  if (y.dtype() != i64 || given != expected) {
    std::string hint;
    if (given == expected_row) {
      hint = "\n  hint: for one-hot targets use categorical_crossentropy";
    } else if (given.elements() == expected.elements()) {
      hint = fmt::format("\n  hint: y.cast(i64).reshaped({{{}}}); load_csv with .classes returns class indices",
                         fmt::join(rows_of(rows, expected), ", "));
    }
    throw ShapeError(fmt::format("{}: {} requires class indices as targets\n  y: {}\n  expected: {}{}", where,
                                 loss.name, y.type().str(), TensorType{i64, rows_of(rows, expected)}.str(), hint));
  }
  const Index classes = expected_row.back();
  const auto labels = y.values<std::int64_t>();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if ((labels[i] < 0 || labels[i] >= classes) && loss.ignored_label != labels[i]) {
      throw ValueError(fmt::format("{}: class index {} in {} of y is not in [0, {})", where, labels[i],
                                   position_text(y, static_cast<Index>(i)), classes));
    }
  }
  return y;
}

Tensor checked_weights(const std::string& where, const Tensor& weights, Index rows, DType dtype) {
  if (weights.empty()) return {};
  if (weights.shape() != Shape{rows} || !is_floating(weights.dtype())) {
    throw ShapeError(fmt::format("{}: weights must be one number for each of the {} rows of x\n  weights: {}", where,
                                 rows, weights.type().str()));
  }
  if (rows == 0) return weights.cast(dtype);
  Tensor out = converted(where, "weights", weights, dtype);
  for (Index row = 0; row < rows; ++row) {
    if (out.at(row) < 0)
      throw ValueError(fmt::format("{}: weights must be at least 0, got {} in row {}", where, out.at(row), row));
  }
  return out;
}

Dataset checked_data(const std::string& where, const Dataset& data, const TensorType& row,
                     const TensorType& prediction_row, const Loss& loss) {
  const Tensor x = checked_inputs(where, data.x, row);
  const Index rows = x.shape()[0];
  const Tensor weights = checked_weights(where, data.weights, rows, prediction_row.dtype);
  return {x, checked_targets(where, data.y, weights, rows, prediction_row, loss), weights};
}

}  // namespace xgrad::inline v0::nn
