// Helpers for the vjps of products.
#pragma once

#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0::reductions {

// Shifts x by one position along the axis: element i becomes element i - 1 of x (i + 1 if `forward` is false). The free
// element becomes `fill`.
Value shifted(Value x, Index axis, bool forward, double fill);
// The exclusive cumulative product: for each element the product of all elements before it (after it if `reverse`), 1
// if there are none.
Value product_of_others(Value x, Index axis, bool reverse);

}  // namespace xgrad::inline v0::reductions
