// The same elements in another shape or order, and repeated.
#pragma once

#include <vector>

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0 {

// ---- another shape; these cost nothing

// The same elements in row-major order; one extent may be -1 and is inferred.
Value reshape(Operand x, const std::vector<Index>& extents);
Value reshape_like(Operand x, Operand like);
// Axes `first` to `last` become one. With `first` equal to the rank a last axis of extent 1 is added.
Value flatten(Operand x, Index first = 1, Index last = -1);
// The reverse: one axis becomes several; one extent may be -1 and is inferred.
Value unflatten(Operand x, Index axis, const std::vector<Index>& extents);
// Without the axes, whose extents must be 1 (ShapeError otherwise, as in NumPy); empty: all of extent 1.
Value squeeze(Operand x, const Axes& axes = {});
// A new axis of extent 1 before `axis`; -1 adds the last one. PyTorch says unsqueeze.
Value expand_dims(Operand x, Index axis);
Value unsqueeze(Operand x, Index axis);

// ---- another order

// Axis i of the result is axis order[i] of x; an empty order reverses the axes.
Value transpose(Operand x, const Axes& order = {});
// Each of the axes backwards; empty: all.
Value flip(Operand x, const Axes& axes = {});
// Elements move `shift` places along an axis, and those that leave it at one end come in at the other.
Value roll(Operand x, Index shift, Index axis);
Value roll(Operand x, const std::vector<Index>& shifts, const Axes& axes);
// Along all elements in row-major order.
Value roll(Operand x, Index shift);

// ---- repeated elements; the derivative is summed over the copies

Value broadcast_to(Operand x, const Shape& shape);
Value broadcast_like(Operand x, Operand like);
// broadcast_to, where -1 keeps the extent x has.
Value expand(Operand x, const std::vector<Index>& extents);
// The one element along an axis, so many times.
Value stretch(Operand x, Index axis, Index times);
// The whole tensor, so many times along each axis, aligned at the last one as NumPy does: tile(x, {2, 1}) of [3] is
// [2, 3]. PyTorch says Tensor::repeat.
Value tile(Operand x, const std::vector<Index>& times);
// Each element along the axis, so many times in a row, as in NumPy. PyTorch says repeat_interleave.
Value repeat(Operand x, Index times, Index axis);
// The reverse of broadcasting: sums over the axes along which a tensor of `shape` would be stretched.
Value sum_to(Operand x, const Shape& shape);
Value sum_like(Operand x, Operand like);

// ---- new numbers in the shape of x

Value zeros_like(Operand x);
Value ones_like(Operand x);

}  // namespace xgrad::inline v0
