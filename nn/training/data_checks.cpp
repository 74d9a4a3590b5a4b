#include <xgrad/nn/training/data_checks.hpp>

#include <cmath>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/graph/number_text.hpp>

namespace xgrad::nn {
namespace {

template <class T>
void require_finite(const std::string& where, const char* what, const Tensor& t) {
  const auto v = t.values<T>();
  // The fast question first: x - x is 0 for finite numbers and NaN for all others.
  T sum = 0;
  for (const T x : v) sum += x - x;
  if (sum == 0) return;
  const std::size_t each = v.size() / static_cast<std::size_t>(t.shape()[0]);
  for (std::size_t i = 0; i < v.size(); ++i) {
    if (!std::isfinite(v[i])) {
      throw ValueError(fmt::format("{}: {} is not finite: {} in row {}, number {}", where, what,
                                   number_text(static_cast<double>(v[i])), i / each, i % each));
    }
  }
}

void require_finite(const std::string& where, const char* what, const Tensor& t) {
  if (t.elements() == 0) return;
  if (t.dtype() == f32) require_finite<float>(where, what, t);
  if (t.dtype() == f64) require_finite<double>(where, what, t);
}

// Which axis of two shapes of rows differs, in words; axis 0 is that of the rows.
std::string difference(const Shape& given, const Shape& wanted) {
  if (given.rank() != wanted.rank()) return fmt::format("{} axes a row instead of {}", given.rank(), wanted.rank());
  for (int axis = 0; axis < given.rank(); ++axis) {
    if (given[axis] != wanted[axis])
      return fmt::format("axis {} is {} instead of {}", axis + 1, given[axis], wanted[axis]);
  }
  return "";
}

}  // namespace

Shape row_of(const Shape& shape) {
  Shape out;
  for (int axis = 1; axis < shape.rank(); ++axis) out.push_back(shape[axis]);
  return out;
}

Shape rows_of(Index rows, const Shape& row) {
  Shape out{rows};
  for (const Index extent : row) out.push_back(extent);
  return out;
}

Tensor checked_inputs(const std::string& where, const Tensor& x, const Shape& row, DType dtype) {
  if (x.empty() || x.shape().rank() == 0) throw ShapeError(fmt::format("{}: x must be a tensor of rows", where));
  const Shape given = row_of(x.shape());
  if (given != row) {
    std::string hint;
    if (x.shape() == row) {
      hint = fmt::format("\n  hint: x is one row without the axis of rows; use x.reshaped({})", rows_of(1, row).str());
    } else if (given.elements() == row.elements()) {
      hint = "\n  hint: the numbers of elements agree; use Tensor::reshaped";
    }
    throw ShapeError(fmt::format("{}: the rows of x do not fit the model: {}\n  x: {}\n  the model's input: {}{}",
                                 where, difference(given, row), x.type().str(),
                                 TensorType{dtype, rows_of(x.shape() == row ? 1 : x.shape()[0], row)}.str(), hint));
  }
  require_finite(where, "x", x);
  return x.dtype() == dtype ? x : x.cast(dtype);
}

Tensor checked_targets(const std::string& where, const Tensor& y, Index rows, const Shape& prediction_row, DType dtype,
                       const Loss& loss) {
  if (y.empty() || y.shape().rank() == 0 || y.shape()[0] != rows) {
    throw ShapeError(
        fmt::format("{}: y must have a row for each of the {} rows of x\n  y: {}", where, rows, y.type().str()));
  }
  const Shape given = row_of(y.shape());
  if (loss.target == Target::like_prediction) {
    if (given != prediction_row) {
      std::string hint;
      if (y.dtype() == i64 && given.rank() + 1 == prediction_row.rank()) {
        hint = "\n  hint: for class numbers use one_hot(y, classes), or a sparse loss";
      } else if (given.elements() == prediction_row.elements()) {
        hint = "\n  hint: the numbers of elements agree; use Tensor::reshaped";
      }
      throw ShapeError(
          fmt::format("{}: the rows of y do not fit the predictions: {}\n  y: {}\n  predictions: {}\n  loss: {}{}",
                      where, difference(given, prediction_row), y.type().str(),
                      TensorType{dtype, rows_of(rows, prediction_row)}.str(), loss.name, hint));
    }
    require_finite(where, "y", y);
    return y.dtype() == dtype ? y : y.cast(dtype);
  }

  Shape wanted;
  for (int axis = 0; axis + 1 < prediction_row.rank(); ++axis) wanted.push_back(prediction_row[axis]);
  if (y.dtype() != i64 || given != wanted) {
    throw ShapeError(
        fmt::format("{}: {} takes class numbers\n  y: {}\n  wanted: {}{}", where, loss.name, y.type().str(),
                    TensorType{i64, rows_of(rows, wanted)}.str(),
                    given == prediction_row ? "\n  hint: for one-hot targets use categorical_crossentropy" : ""));
  }
  const Index classes = prediction_row.back();
  const auto labels = y.values<std::int64_t>();
  const std::size_t each = rows == 0 ? 1 : labels.size() / static_cast<std::size_t>(rows);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if ((labels[i] < 0 || labels[i] >= classes) && loss.ignored_label != labels[i]) {
      throw ValueError(
          fmt::format("{}: class number {} in row {} of y is not in [0, {})", where, labels[i], i / each, classes));
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
  require_finite(where, "weights", weights);
  for (Index row = 0; row < rows; ++row) {
    if (weights.at(row) < 0)
      throw ValueError(fmt::format("{}: the weight {} of row {} is negative", where, weights.at(row), row));
  }
  return weights.dtype() == dtype ? weights : weights.cast(dtype);
}

Dataset checked_data(const std::string& where, const Dataset& data, const Shape& row, const Shape& prediction_row,
                     DType dtype, const Loss& loss) {
  const Tensor x = checked_inputs(where, data.x, row, dtype);
  const Index rows = x.shape()[0];
  return {x, checked_targets(where, data.y, rows, prediction_row, dtype, loss),
          checked_weights(where, data.weights, rows, dtype)};
}

}  // namespace xgrad::nn
