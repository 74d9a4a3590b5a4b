// Constraints: what the new numbers of a weight go through at each step of training, as nodes of the plan.
//
//   nn::Dense(64, nn::relu, {.kernel_constraint = nn::max_norm(3)})
//   nn::Constraint at_most_one{"at_most_one", [](Value w) { return minimum(w, 1); }};
//
// The first numbers of a weight are not touched. Norms are taken over `axes`: {0} gives one for each unit of a Dense
// kernel [in, units], {0, 1, 2} one for each filter of an image kernel [height, width, channels, filters]. Formulas and
// defaults are those of Keras (keras/src/constraints): norms are enlarged by 1e-7, so that 0 stays 0.
#pragma once

#include <string>

#include <xgrad/graph/shape.hpp>
#include <xgrad/graph/value.hpp>
#include <xgrad/nn/checked_function.hpp>
#include <xgrad/nn/defaults.hpp>

namespace xgrad::inline v0::nn {

struct Constraint {
  std::string name;
  WeightFunction apply;  // of the same shape
};

// Vectors longer than `largest` are shortened to it (Srivastava et al., "Dropout", 2014). Throws UserError unless
// largest > 0.
Constraint max_norm(double largest = default_max_norm, Axes axes = {0});
// Vectors are brought to lengths from smallest to largest. Throws UserError unless 0 <= smallest <= largest, largest >
// 0.
Constraint min_max_norm(double smallest, double largest, Axes axes = {0});
// Vectors get the length 1.
Constraint unit_norm(Axes axes = {0});
namespace detail {
Value non_negative(Value w);
}
// Negative numbers become 0.
inline const Constraint non_negative{"non_negative", detail::non_negative};

}  // namespace xgrad::inline v0::nn
