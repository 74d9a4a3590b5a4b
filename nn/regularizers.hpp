// Regularizers: penalties on weights and layer outputs that are added to the loss, in training and validation.
//
//   nn::Dense(64, nn::relu, {.kernel_regularizer = nn::l2(0.01)})
//   nn::Regularizer smooth{"smooth", [](Value w) { return sum(square(slice(w, 0, 1) - slice(w, 0, 0, -1))); }};
//
// A weight penalty counts once per weight, however often its layer is called; frozen weights have none. An activity
// penalty, on a layer output, is divided by the batch size. Formulas and defaults are those of Keras
// (keras/src/regularizers).
#pragma once

#include <optional>
#include <string>

#include <xgrad/graph/value.hpp>
#include <xgrad/nn/checked_function.hpp>
#include <xgrad/nn/defaults.hpp>

namespace xgrad::inline v0::nn {

// A named penalty on a weight or a layer output.
struct Regularizer {
  std::string name;
  WeightFunction apply;  // returns a scalar penalty
};

// All regularizers throw UserError unless factors are finite and at least 0.

// L1 penalty factor * sum(|w|).
Regularizer l1(double factor = default_penalty);
// L2 penalty factor * sum(w^2).
Regularizer l2(double factor = default_penalty);
// The sum of an L1 and an L2 penalty.
Regularizer l1_l2(double l1_factor = default_penalty, double l2_factor = default_penalty);

// The vectors of a matrix that orthogonal_regularizer compares.
enum class Vectors { rows, columns };
// Penalty factor * mean absolute cosine between pairs of rows, or of columns, of a matrix; 0 if they are orthogonal.
// Throws ShapeError for a weight of another rank.
Regularizer orthogonal_regularizer(double factor = default_penalty, Vectors vectors = Vectors::rows);

// Returns the loss plus the penalties of its graph, except those that the loss already includes.
Value with_penalties(Value loss);

// Adds the penalty on a layer output, divided by the batch size, to its graph, if there is a regularizer.
void add_activity_penalty(const std::optional<Regularizer>& regularizer, Value activity);

}  // namespace xgrad::inline v0::nn
