// Joining, slicing, padding, gathering and scattering.
//
// Indices are i64. An index outside [0, extent) throws ValueError at run time, which names the index, its position and
// the axis. All dtypes are accepted; scatter_add and scatter_add_along_axis accept f32, f64 and i64 only.
#pragma once

#include <optional>
#include <vector>

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0 {

// ---- joining and splitting

// Joins values along an axis. All other extents must be equal. Throws ShapeError for an empty list.
Value concat(const std::vector<Value>& values, Index axis = 0, SourceLocation at = SourceLocation::here());
// Joins values of equal shape along a new axis.
Value stack(const std::vector<Value>& values, Index axis = 0, SourceLocation at = SourceLocation::here());
// Elements begin:end:step along an axis, as in Python. Negative positions count from the end, and positions outside the
// axis are clamped. An absent `end` means through the last element, or the first if `step` is negative:
// slice(x, 0, -1, {}, -1) is x[::-1]. Throws ShapeError if step is 0.
Value slice(Operand x, Index axis, Index begin, std::optional<Index> end = {}, Index step = 1);
// The slice at one position of an axis, without that axis. Negative positions count from the end. x[i] is select(x, i).
// Throws ShapeError for a position outside the axis.
Value select(Operand x, Position position, Index axis = 0);
// Pieces of `size` along an axis; the last one may be smaller. Throws ShapeError for more than 2^20 pieces.
std::vector<Value> split(Operand x, Index size, Index axis = 0);
// Pieces of the given sizes, which must add up to the extent of the axis.
std::vector<Value> split(Operand x, const std::vector<Index>& sizes, Index axis = 0);
// At most `chunks` pieces of equal size; the last one may be smaller, as in PyTorch.
std::vector<Value> chunk(Operand x, Index chunks, Index axis = 0);

// The values of added elements.
enum class PadMode {
  constant,  // a constant
  reflect,   // the elements mirrored at the first and last one, which are not repeated
  edge,      // the first and last element repeated
};
// Numbers of elements added before and after an axis.
struct PadWidth {
  Index before = 0, after = 0;
};
// Adds `before` and `after` elements of the given value along an axis.
Value pad(Operand x, Index axis, Index before, Index after, double value = 0);
// Pads an axis by a mode. Throws ShapeError if an axis is reflected by its extent or more, as in PyTorch.
Value pad(Operand x, Index axis, Index before, Index after, PadMode mode);
// Pads all axes, one width per axis, as in NumPy.
Value pad(Operand x, const std::vector<PadWidth>& widths, PadMode mode = PadMode::constant, double value = 0);

// ---- gather and scatter slices

// Slices of x along an axis; the axes of `indices` (any shape) replace that axis. NumPy's take.
Value gather(Operand x, Operand indices, Index axis = 0);
// Like gather, but throws ShapeError unless `indices` is a vector.
Value index_select(Operand x, Operand indices, Index axis = 0);
// Rows of a matrix, one per index: indices [...] give [..., columns]. With `sparse`, optimizers update only the rows
// that were used, see nn::EmbeddingOptions.
Value embedding(Operand table, Operand indices, bool sparse = false);
// Adds each slice to x at the position given by its index. Slices of equal index are added in order. Reverse of gather.
Value scatter_add(Operand x, Operand indices, Operand slices, Index axis = 0);
// Replaces slices of x along the first axis, at the positions given by `indices`; slices of indices outside the axis
// are dropped, and of slices of equal index the last one counts. Like x.at[indices].set(slices, mode="drop") in JAX,
// without negative indices. A plan updates a parameter in place if nothing reads its old elements later.
Value scatter_update(Operand x, Operand indices, Operand slices);

// Distinct indices in ascending order, filled up with -1 to the number of indices, and for each index its place among
// them. Like jnp.unique with size, fill_value and return_inverse.
struct UniqueIndices {
  Value values;   // i64 [n]
  Value inverse;  // i64 [n]; gather(values, inverse) equals the indices
};
// `indices`: i64 [n], at least 0.
UniqueIndices unique_indices(Operand indices);

// A tensor of zeros except for slices added at indices along its first axis: the gradient of gather and embedding.
struct SparseRows {
  Value indices;        // i64 [n]
  Value rows;           // [n, ...], one slice per index; those of equal index are added
  bool sparse = false;  // whether it is the gradient of embedding(table, indices, true)
};
// The parts of x if it is such a tensor; otherwise `rows` is empty.
SparseRows sparse_rows(Operand x);
// The same tensor with distinct indices, followed by -1 with rows of zeros up to the number of indices.
SparseRows merged(const SparseRows& rows);

// ---- gather and scatter elements

// Elements of x along an axis: out[i, j, k] = x[i, indices[i, j, k], k] for axis 1. Like PyTorch's gather, except that
// `indices` must have the extents of x on all other axes.
Value take_along_axis(Operand x, Operand indices, Index axis);
// Adds each element to x at the position given by its index. PyTorch's scatter_add. Reverse of take_along_axis.
Value scatter_add_along_axis(Operand x, Operand indices, Operand elements, Index axis);
// One-hot encoding along a new last axis of extent `classes`.
Value one_hot(Operand indices, Index classes, DType dtype);
// `value` where the mask (bool) is true, x elsewhere; the mask broadcasts to x.
Value masked_fill(Operand x, Operand mask, double value);

}  // namespace xgrad::inline v0
