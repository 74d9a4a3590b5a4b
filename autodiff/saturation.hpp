// Where a function is saturated: so nearly flat that hardly any derivative passes through it.
//
//   Value stuck = saturated(tanh(x));   // a mask: true where 1 - tanh(x)^2 is below 0.01
#pragma once

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

inline constexpr double saturated_slope = 0.01;

// Which elements of a value are saturated: those at which the slope of its own function, of its input alone, is below
// `saturated_slope` in absolute value. So are dead relus, and tanhs and sigmoids at their ends. A mask of the value's
// shape, appended to its graph; an empty Value unless it is an elementwise function of one input that has a derivative.
// Throws GraphError if the value is not alive.
Value saturated(Value output);

}  // namespace xgrad::inline v0
