// What losses share.
#pragma once

#include <xgrad/ops/losses.hpp>

namespace xgrad::inline v0 {

// Probabilities are kept so far away from 0 and 1, as in Keras.
inline constexpr double smallest_probability = 1e-7;

Value reduced(Value losses, Reduction reduction);
// weight * cost, and 0 where the weight is 0 and the cost infinite: 0 log 0 is 0. No derivative passes there either.
Value weighted_cost(Value weight, Value cost);
// Throws unless both have the same shape and dtype, which floats; `what` names the other one.
void require_same_shape(const char* function, Value prediction, const char* what, Value other);
// Throws UserError unless the number lies within the bounds.
void require_number(const char* function, const char* what, double number, double low, double high);

}  // namespace xgrad::inline v0
