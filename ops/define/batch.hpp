// Batching rules (vmap) that operations share: the node's operation on inputs stacked along a leading axis. The `batch`
// member of an operation is one of these or calls them.
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

// Rule for operations that broadcast: aligns ranks by extents of 1 after the leading axis.
Value batch_broadcast(const Batch& b);
// Rule that adds 1 to the attributes "axis" and "axes". All inputs get the leading axis.
Value batch_along_axes(const Batch& b);
// batch_along_axes, which adds the leading axis to the given inputs only.
Value batch_along_axes_of(const Batch& b, std::initializer_list<int> inputs);

}  // namespace xgrad::inline v0
