// Whether data fit a model, told before anything is computed.
#pragma once

#include <string>

#include <xgrad/graph/tensor.hpp>
#include <xgrad/nn/data/dataset.hpp>
#include <xgrad/nn/losses.hpp>

namespace xgrad::inline v0::nn {

// A row of a tensor has the shape and dtype of `row`, `prediction_row` that of a prediction. Each function converts to
// the dtype that the model computes in, checks what comes of it, and throws with `where` in front, naming row and
// position of the first number that is wrong.

// `x` as the model takes it: finite; integers where the input is i64, and integers that a floating input holds exactly.
Tensor checked_inputs(const std::string& where, const Tensor& x, const TensorType& row);

// `y` as the loss takes it, for `rows` rows. Rows whose weight is 0 need not keep to the loss's convention.
Tensor checked_targets(const std::string& where, const Tensor& y, const Tensor& weights, Index rows,
                       const TensorType& prediction_row, const Loss& loss);

// `weights` as the loss takes them, for `rows` rows: finite and at least 0; empty stays empty.
Tensor checked_weights(const std::string& where, const Tensor& weights, Index rows, DType dtype);

// The three of a data set.
Dataset checked_data(const std::string& where, const Dataset& data, const TensorType& row,
                     const TensorType& prediction_row, const Loss& loss);

// The shape of one row of a tensor of rows, and the shape of `rows` rows of that shape.
Shape row_of(const Shape& shape);
Shape rows_of(Index rows, const Shape& row);

}  // namespace xgrad::inline v0::nn
