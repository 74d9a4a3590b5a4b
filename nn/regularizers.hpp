// Regularizers: penalties on weights and activities that are added to the loss, in training and in validation.
//
//   nn::Dense(64, nn::relu, {.kernel_regularizer = nn::l2(0.01)})
//   nn::Regularizer smooth{"smooth", [](Value w) { return sum(square(slice(w, 0, 1) - slice(w, 0, 0, -1))); }};
//
// A penalty on a weight counts once, however often its layer is called, and not while the weight is frozen. A penalty
// on the activity of a layer, which is what it gives, is divided by the number of rows. Formulas and defaults are those
// of Keras (keras/src/regularizers).
#pragma once

#include <optional>
#include <string>

#include <xgrad/graph/value.hpp>
#include <xgrad/nn/checked_function.hpp>
#include <xgrad/nn/defaults.hpp>

namespace xgrad::inline v0::nn {

struct Regularizer {
  std::string name;
  WeightFunction apply;  // one number, to be made small
};

// factor * sum(|w|), and factor * sum(w^2) without a half. Throw UserError unless the factor is finite and at least 0,
// as all do.
Regularizer l1(double factor = default_penalty);
Regularizer l2(double factor = default_penalty);
Regularizer l1_l2(double l1_factor = default_penalty, double l2_factor = default_penalty);

// factor times the mean absolute cosine of the angle between two rows, or two columns, of a matrix: 0 if all are at
// right angles. Throws ShapeError when it meets another rank.
enum class Vectors { rows, columns };
Regularizer orthogonal_regularizer(double factor = default_penalty, Vectors vectors = Vectors::rows);

// The loss plus those penalties of its graph that it does not depend on yet.
Value with_penalties(Value loss);

// Adds the penalty of what a layer gives to its graph, if there is one: divided by the number of rows.
void add_activity_penalty(const std::optional<Regularizer>& regularizer, Value activity);

}  // namespace xgrad::inline v0::nn
