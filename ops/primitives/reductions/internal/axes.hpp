// Helpers shared by reductions: axes, kernel dispatch, reference, samples.
//
// Every reduction has the attributes `axes` (sorted, not negative, never empty unless the input is a scalar) and
// `keepdims`.
#pragma once

#include <bitset>
#include <vector>

#include <xgrad/graph/op_def.hpp>
#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/kernels/kernels.hpp>

namespace xgrad::inline v0::reductions {

// A set of axes without heap memory, since kernels must not allocate.
using AxisSet = std::bitset<Shape::max_rank>;
inline bool contains(const AxisSet& axes, int axis) { return axes[static_cast<std::size_t>(axis)]; }

// Appends a node of the reduction `op`. Errors begin with the name of the operation, which is that of the function.
Value reduce(const char* op, Operand x, const Axes& axes, bool keepdims);
Attrs attrs(const Axes& axes, bool keepdims);

// The output shape: without the reduced axes or, with keepdims, with extent 1 there. Throws ShapeError for an axis that
// does not exist.
Shape shape_of(const Infer& in);
// The output type: shape_of in the input's dtype, which must be f32, f64 or i64.
TensorType infer(const Infer& in);
// Like infer, but also throws ShapeError for a reduced axis without elements.
TensorType infer_not_empty(const Infer& in);
// The reduced axes. For operations without the attribute `axes`, such as sum_to: the axes along which the output would
// be broadcast to the input.
AxisSet reduced_axes(std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs);
// The same as bits, for OpDef::reduced_axes.
std::uint32_t axes_in_blocks(std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs);

// Reduces any axes with the kernels of kernels.hpp, in one pass per run of neighboring axes.
std::size_t scratch_bytes(std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs);
void run(const KernelCall& call, const Kernels::Reduce (&table)[dtype_count]);

// Base of reductions by the kernels of a table.
template <Kernels::Reduce (ReduceKernels::*table)[dtype_count], BlockReductions ReduceKernels::*blocks>
struct Reduction : Operation {
  static TensorType infer(const Infer& in) { return reductions::infer(in); }
  static constexpr auto scratch_bytes = reductions::scratch_bytes;
  static void kernel(const KernelCall& call) { run(call, kernels().*table); }
  static const BlockReductions& block_reduction() { return kernels().*blocks; }
  static constexpr auto block_axes = axes_in_blocks;
  static constexpr auto batch = batch_along_axes;
};

// The shape that a reduction would have kept, so that the result broadcasts against the input.
Value keep_axes(Value reduced, const Vjp& r);

// Returns a factor for each slice along the axes, which are kept with extent 1. It is 1 unless squares of finite
// elements could overflow; then multiplying by the factor prevents that. It has no gradient.
Value shrinking(Value x, const Axes& axes);

// The reference: combines all elements of the input in order.
template <class T, class Combine>
void reference_of(const KernelCall& call, T start, Combine combine) {
  const Shape& from = call.inputs[0].type.shape;
  T* out = call.output.as<T>();
  for (Index i = 0; i < call.output.type.shape.elements(); ++i) out[i] = start;
  const TensorType input = call.inputs[0].type;
  const AxisSet axes = reduced_axes({&input, 1}, call.output.type, *call.attrs);
  for (Index i = 0; i < from.elements(); ++i) {
    Index to = 0;
    Index stride = 1;
    Index rest = i;
    for (int axis = from.rank() - 1; axis >= 0; --axis) {
      const Index at = rest % from[axis];
      rest /= from[axis];
      if (contains(axes, axis)) continue;
      to += at * stride;
      stride *= from[axis];
    }
    out[to] = combine(out[to], call.inputs[0].as<T>()[i]);
  }
}

// The reference for f64 and i64, the dtypes in which references are called.
template <class Combine>
void reference(const KernelCall& call, double start, Combine combine) {
  if (call.output.type.dtype == f64) return reference_of<double>(call, start, combine);
  reference_of<std::int64_t>(call, static_cast<std::int64_t>(start), combine);
}

std::vector<Sample> samples(const Domain& domain, bool zero_second);
// The samples, followed by i64 samples.
std::vector<Sample> with_integers(std::vector<Sample> samples, const Domain& domain);
BadSample bad_axis();
BadSample bad_bool();

}  // namespace xgrad::inline v0::reductions
