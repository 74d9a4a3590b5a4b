// Whether data fit a model, told before anything is computed. Internal: not installed.
#pragma once

#include <string>

#include <xgrad/graph/tensor.hpp>
#include <xgrad/nn/data/dataset.hpp>
#include <xgrad/nn/losses.hpp>

namespace xgrad::nn {

// `x` as the model takes it: rows of the shape, of the dtype, finite. Throws with `where` in front.
Tensor checked_inputs(const std::string& where, const Tensor& x, const Shape& row, DType dtype);

// `y` as the loss takes it, for `rows` rows and predictions of shape `prediction_row` a row.
Tensor checked_targets(const std::string& where, const Tensor& y, Index rows, const Shape& prediction_row, DType dtype,
                       const Loss& loss);

// `weights` as the loss takes them, for `rows` rows: finite and at least 0; empty stays empty.
Tensor checked_weights(const std::string& where, const Tensor& weights, Index rows, DType dtype);

// The three of a data set.
Dataset checked_data(const std::string& where, const Dataset& data, const Shape& row, const Shape& prediction_row,
                     DType dtype, const Loss& loss);

// The shape of one row of a tensor of rows, and the shape of `rows` rows of that shape.
Shape row_of(const Shape& shape);
Shape rows_of(Index rows, const Shape& row);

}  // namespace xgrad::nn
