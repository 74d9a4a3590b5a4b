// Saturation: elements where a function is so flat that hardly any gradient passes.
//
//   Value stuck = saturated(tanh(x));   // a mask: true where 1 - tanh(x)^2 is below 0.01
#pragma once

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// The largest absolute derivative of a saturated element.
inline constexpr double saturated_slope = 0.01;

// Returns a mask, of the value's shape and in its graph, of the elements where the derivative of the value's own
// function is below `saturated_slope` in absolute value, such as dead relus or tanhs and sigmoids at their ends.
// Returns an empty Value unless the value is an elementwise function of one input that has a derivative. Throws
// GraphError if the value is not alive.
Value saturated(Value output);

}  // namespace xgrad::inline v0
