// Order along an axis. NaN counts as the largest number, equal elements keep their order, and the derivative goes to
// the elements chosen.
#pragma once

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0 {

// The elements in order, the smallest first, or the largest.
Value sort(Operand x, Index axis = -1, bool descending = false);
// The positions (i64) of these elements; no derivative.
Value argsort(Operand x, Index axis = -1, bool descending = false);

// The k largest elements along an axis, or the smallest, in order, and their positions (i64). Throws ShapeError unless
// there are as many.
struct TopK {
  Value values, indices;
};
TopK topk(Operand x, Index k, Index axis = -1, bool largest = true);

}  // namespace xgrad::inline v0
