// Constraints: functions applied to a weight after each update, as nodes of the training plan.
//
//   nn::Dense(64, nn::relu, {.kernel_constraint = nn::max_norm(3)})
//   nn::Constraint at_most_one{"at_most_one", [](Value w) { return minimum(w, 1); }};
//
// Initial weights are not constrained. Norms are taken over `axes`: {0} is one norm per unit of a Dense kernel
// [in, units], {0, 1, 2} one per filter of an image kernel [height, width, channels, filters]. Formulas and defaults
// are those of Keras (keras/src/constraints), which adds 1e-7 to norms to avoid division by zero.
#pragma once

#include <string>

#include <xgrad/graph/shape.hpp>
#include <xgrad/graph/value.hpp>
#include <xgrad/nn/checked_function.hpp>
#include <xgrad/nn/defaults.hpp>

namespace xgrad::inline v0::nn {

// A named function that optimizers apply to a weight after each update.
struct Constraint {
  std::string name;
  WeightFunction apply;  // must keep the shape
};

// Limits norms to `largest` (Srivastava et al., "Dropout", 2014). Throws UserError unless largest > 0.
Constraint max_norm(double largest = default_max_norm, Axes axes = {0});
// Scales vectors to norms in [smallest, largest]. Throws UserError unless 0 <= smallest <= largest and largest > 0.
Constraint min_max_norm(double smallest, double largest, Axes axes = {0});
// Scales vectors to norm 1.
Constraint unit_norm(Axes axes = {0});
namespace detail {
Value non_negative(Value w);
}
// Sets negative elements to 0.
inline const Constraint non_negative{"non_negative", detail::non_negative};

}  // namespace xgrad::inline v0::nn
