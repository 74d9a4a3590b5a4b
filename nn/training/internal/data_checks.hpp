// Checks that data match a model before anything is computed.
#pragma once

#include <string>

#include <xgrad/graph/tensor.hpp>
#include <xgrad/nn/data/dataset.hpp>
#include <xgrad/nn/losses.hpp>

namespace xgrad::inline v0::nn {

// These functions convert data to the dtype of the model, check the result and throw ShapeError or ValueError. `row` is
// the shape and dtype of one input row, `prediction_row` those of one prediction. Messages start with `where` and
// contain row and position of the first wrong value.

// Converts `x` to the dtype of the input. Values must be finite. An i64 input requires integers; integer data for a
// floating-point input must be represented exactly.
Tensor checked_inputs(const std::string& where, const Tensor& x, const TensorType& row);

// Converts and checks the targets of `rows` rows by the convention of the loss; rows of weight 0 may violate it.
Tensor checked_targets(const std::string& where, const Tensor& y, const Tensor& weights, Index rows,
                       const TensorType& prediction_row, const Loss& loss);

// Converts and checks row weights: finite and at least 0. Empty weights stay empty.
Tensor checked_weights(const std::string& where, const Tensor& weights, Index rows, DType dtype);

// Checks inputs, targets and weights of a data set.
Dataset checked_data(const std::string& where, const Dataset& data, const TensorType& row,
                     const TensorType& prediction_row, const Loss& loss);

// The shape without its first axis, and the shape [rows, ...row].
Shape row_of(const Shape& shape);
Shape rows_of(Index rows, const Shape& row);

}  // namespace xgrad::inline v0::nn
