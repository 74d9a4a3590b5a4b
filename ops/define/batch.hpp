// Batching rules (vmap) that operations share. A rule applies a node's operation to inputs stacked along a leading
// axis. The `batch` member of an operation is one of these functions or calls them.
//
//   static constexpr auto batch = batch_along_axes;  // an operation with an attribute "axis" or "axes"
//   static Value batch(const Batch& b) { return batch_along_axes_of(b, {0}); }  // the other inputs are shared
#pragma once

#include <initializer_list>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

// Input i with the leading axis, broadcast along it if it has none.
Value batch_input(const Batch& b, int i);
// Reshapes x to [batch size, behind...].
Value batch_reshape(const Batch& b, Value x, const Shape& behind);

// Rule for operations that broadcast: inserts axes of extent 1 behind the leading axis, so that ranks are equal.
Value batch_broadcast(const Batch& b);
// Rule for operations with an attribute "axis" or "axes", to which it adds 1. All inputs get the leading axis.
Value batch_along_axes(const Batch& b);
// Like batch_along_axes, but only the given inputs get the leading axis.
Value batch_along_axes_of(const Batch& b, std::initializer_list<int> inputs);

}  // namespace xgrad::inline v0
