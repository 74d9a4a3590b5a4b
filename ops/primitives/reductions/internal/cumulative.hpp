// Parts of the rules of products.
#pragma once

#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0::reductions {

// Element i is element i - 1 of x along the axis (i + 1 if `forward` is false); `fill` comes in at the end.
Value shifted(Value x, Index axis, bool forward, double fill);
// The product of all elements that stand before each one (after it, if `reverse`); 1 if there are none.
Value product_of_others(Value x, Index axis, bool reverse);

}  // namespace xgrad::inline v0::reductions
