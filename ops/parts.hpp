// Parts of tensors, put together and taken out.
#pragma once

#include <optional>
#include <vector>

#include <xgrad/ops/apply.hpp>

namespace xgrad {

// Joins along an axis; all other extents agree.
Value concat(const std::vector<Value>& values, Index axis = 0);
// Elements [begin, end) along one axis, every step-th; negative positions count from the back; end is open if absent.
Value slice(Value x, Index axis, Index begin, std::optional<Index> end = {}, Index step = 1);
// `before` and `after` elements of `value` added along one axis.
Value pad(Value x, Index axis, Index before, Index after, double value = 0);
// Rows of x along an axis, chosen by indices (i64, any shape): the axis is replaced by the axes of the indices.
// Throws ValueError at run time for an index outside [0, extent).
Value gather(Value x, Value indices, Index axis = 0);
// 1 at the index, 0 elsewhere, along a new last axis of `classes`. Throws ValueError at run time for others.
Value one_hot(Value indices, Index classes, DType dtype);

}  // namespace xgrad
