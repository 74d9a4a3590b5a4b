// Sorting along an axis. Sorts are stable, NaN counts as largest, and the derivative goes to the selected elements.
#pragma once

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0 {

// The elements in ascending or descending order.
Value sort(Operand x, Index axis = -1, bool descending = false);
// The positions (i64) that sort the axis. No derivative.
Value argsort(Operand x, Index axis = -1, bool descending = false);

// The result of topk: elements, and their positions (i64).
struct TopK {
  Value values, indices;
};
// The k largest (or smallest) elements along an axis, sorted. Throws ShapeError unless 0 <= k <= extent.
TopK topk(Operand x, Index k, Index axis = -1, bool largest = true);

}  // namespace xgrad::inline v0
