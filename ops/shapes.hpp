// Reshaping, permuting and repeating elements.
#pragma once

#include <vector>

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0 {

// ---- reshape: views without a copy

// Reshapes in row-major order. One extent may be -1 and is inferred.
Value reshape(Operand x, const std::vector<Index>& extents);
// Reshapes x to the shape of `like`, in row-major order.
Value reshape_like(Operand x, Operand like);
// Merges axes `first` through `last`. If `first` equals the rank, appends an axis of extent 1.
Value flatten(Operand x, Index first = 1, Index last = -1);
// Splits one axis into several. One extent may be -1 and is inferred. Reverse of flatten.
Value unflatten(Operand x, Index axis, const std::vector<Index>& extents);
// Removes axes of extent 1, all of them if `axes` is empty. Throws ShapeError for another extent, as in NumPy.
Value squeeze(Operand x, const Axes& axes = {});
// Inserts an axis of extent 1 at `axis`; -1 appends it. NumPy's name; PyTorch's is unsqueeze.
Value expand_dims(Operand x, Index axis);
// The same as expand_dims.
Value unsqueeze(Operand x, Index axis);

// ---- permute

// Axis i of the result is axis order[i] of x; an empty order reverses the axes.
Value transpose(Operand x, const Axes& order = {});
// Reverses the order along the axes, all of them if `axes` is empty.
Value flip(Operand x, const Axes& axes = {});
// Shifts elements along an axis by `shift` positions; elements shifted out re-enter at the other end.
Value roll(Operand x, Index shift, Index axis);
// Shifts elements along several axes, one shift per axis.
Value roll(Operand x, const std::vector<Index>& shifts, const Axes& axes);
// Rolls all elements in row-major order.
Value roll(Operand x, Index shift);

// ---- repeat; the derivative is summed over the copies

// Broadcasts x to the shape by NumPy's rule. Throws ShapeError if it does not broadcast.
Value broadcast_to(Operand x, const Shape& shape);
// Broadcasts x to the shape of `like`.
Value broadcast_like(Operand x, Operand like);
// Like broadcast_to, where -1 keeps the extent of x.
Value expand(Operand x, const std::vector<Index>& extents);
// Repeats an axis of extent 1 `times` times.
Value stretch(Operand x, Index axis, Index times);
// Repeats the whole tensor along each axis. `times` is aligned at the last axis, as in NumPy: tile(x, {2, 1}) of [3] is
// [2, 3]. PyTorch's Tensor::repeat.
Value tile(Operand x, const std::vector<Index>& times);
// Repeats each element along an axis `times` times, as in NumPy. PyTorch's repeat_interleave.
Value repeat(Operand x, Index times, Index axis);
// Sums over the axes along which a tensor of `shape` would be broadcast to x. Reverse of broadcast_to.
Value sum_to(Operand x, const Shape& shape);
// Sums x to the shape of `like`, as sum_to does.
Value sum_like(Operand x, Operand like);

// ---- constants in the shape of x

Value zeros_like(Operand x);  // zeros with the type of x
Value ones_like(Operand x);   // ones with the type of x

}  // namespace xgrad::inline v0
