// Parts of tensors, put together and taken out.
//
// Indices are i64, and an index outside [0, extent) is a ValueError at run time that names the index, its position and
// the axis. All of this moves numbers of any dtype; what adds (scatter_add) takes f32, f64 and i64.
#pragma once

#include <optional>
#include <vector>

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0 {

// ---- joining and cutting

// Joins along an axis; all other extents agree. Takes any number of values, at least one.
Value concat(const std::vector<Value>& values, Index axis = 0, SourceLocation at = SourceLocation::here());
// Joins values of one shape along a new axis.
Value stack(const std::vector<Value>& values, Index axis = 0, SourceLocation at = SourceLocation::here());
// Elements [begin, end) along one axis, every step-th, as Python's begin:end:step. Negative positions count from the
// back, positions beyond the ends are cut, a negative step walks backwards: slice(x, 0, -1, {}, -1) is x[::-1]. Without
// `end` to the last element, or the first.
Value slice(Operand x, Index axis, Index begin, std::optional<Index> end = {}, Index step = 1);
// The slice at one position along an axis, without that axis; negative positions count from the end. x[i] is
// select(x, i). Throws ShapeError for a position that is not there.
Value select(Operand x, Position position, Index axis = 0);
// Pieces of `size` along an axis, the last one smaller if need be. Throws ShapeError beyond 2^20 pieces.
std::vector<Value> split(Operand x, Index size, Index axis = 0);
// Pieces of the given sizes, which must make up the axis.
std::vector<Value> split(Operand x, const std::vector<Index>& sizes, Index axis = 0);
// At most so many pieces of equal size, the last one smaller if need be, as in PyTorch.
std::vector<Value> chunk(Operand x, Index chunks, Index axis = 0);

// What is added around a tensor: a number; its own elements mirrored at the first and last one, which are not repeated;
// its first and last element, again and again.
enum class PadMode { constant, reflect, edge };
struct PadWidth {
  Index before = 0, after = 0;
};
// Throws ShapeError if an axis would be reflected by its extent or more, as in PyTorch.
Value pad(Operand x, Index axis, Index before, Index after, double value = 0);
Value pad(Operand x, Index axis, Index before, Index after, PadMode mode);
// One width for each axis, as in NumPy.
Value pad(Operand x, const std::vector<PadWidth>& widths, PadMode mode = PadMode::constant, double value = 0);

// ---- slices chosen by indices

// Slices of x along an axis; the axes of the indices (any shape) take the place of that axis: NumPy's take.
Value gather(Operand x, Operand indices, Index axis = 0);
// The same for a vector of indices.
Value index_select(Operand x, Operand indices, Index axis = 0);
// Rows of a matrix, one for each index: [..., columns].
Value embedding(Operand table, Operand indices);
// x with slices added where gather would have taken them from. Slices that meet are added in their order.
Value scatter_add(Operand x, Operand indices, Operand slices, Index axis = 0);

// ---- elements chosen by indices

// out[i, j, k] = x[i, indices[i, j, k], k] for axis 1: PyTorch's gather, except that indices must have the extents of x
// outside the axis.
Value take_along_axis(Operand x, Operand indices, Index axis);
// x with elements added where take_along_axis would have taken them from: PyTorch's scatter_add.
Value scatter_add_along_axis(Operand x, Operand indices, Operand elements, Index axis);
// 1 at the index, 0 elsewhere, along a new last axis of `classes`.
Value one_hot(Operand indices, Index classes, DType dtype);
// `value` where the mask (bool) holds, x elsewhere; the mask broadcasts to x.
Value masked_fill(Operand x, Operand mask, double value);

}  // namespace xgrad::inline v0
