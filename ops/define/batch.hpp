// Batch rules that many operations share: how a node does for many inputs, stacked along a leading axis, what it did
// for one. The `batch` member of an operation is one of these, or is made of them.
//
//   static constexpr auto batch = batch_along_axes;  // an operation with an attribute "axis" or "axes"
//   static Value batch(const Batch& b) { return batch_along_axes_of(b, {0}); }  // its other inputs serve all alike
#pragma once

#include <initializer_list>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

// Input i with the leading axis, repeated along it if it has none.
Value batch_input(const Batch& b, int i);
// x, which has the leading axis, with other extents behind it.
Value batch_reshape(const Batch& b, Value x, const Shape& behind);

// The same operation on inputs that broadcast: the leading axis stands before all others, with extents of 1 after it
// where other inputs have more axes.
Value batch_broadcast(const Batch& b);
// The same operation with its attributes "axis" and "axes" one further back. All inputs get the leading axis.
Value batch_along_axes(const Batch& b);
// The same; only the inputs named get the leading axis if they have none.
Value batch_along_axes_of(const Batch& b, std::initializer_list<int> inputs);

}  // namespace xgrad::inline v0
