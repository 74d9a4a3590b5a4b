// Helpers shared by reductions: axes, kernel dispatch, reference, samples.
//
// Every reduction has the attributes `axes` (sorted, not negative, all of them where the caller named none) and
// `keepdims`.
#pragma once

#include <bitset>
#include <vector>

#include <xgrad/graph/op_def.hpp>
#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/kernels/kernels.hpp>

namespace xgrad::inline v0::reductions {

// A set of axes that needs no heap: kernels do not allocate.
using AxisSet = std::bitset<Shape::max_rank>;
inline bool contains(const AxisSet& axes, int axis) { return axes[static_cast<std::size_t>(axis)]; }

// The node of a reduction that is called like its operation.
Value reduce(const char* op, Operand x, const Axes& axes, bool keepdims);
Attrs attrs(const Axes& axes, bool keepdims);

// The shape without the axes, or with extent 1 there; throws for an axis that does not exist.
Shape shape_of(const Infer& in);
// The same in the input's dtype, which must be f32, f64 or i64.
TensorType infer(const Infer& in);
// infer, which also throws ShapeError for an empty axis.
TensorType infer_not_empty(const Infer& in);
// The axes that are reduced; for operations without the attribute, those along which the output would be stretched to
// the input.
AxisSet reduced_axes(std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs);
// The same as a block program asks for it.
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

// Factor per slice along the axes (kept) that makes squares finite; 1 if they are. A constant to the derivative.
Value shrinking(Value x, const Axes& axes);

// The oracle: walks all elements of the input in order.
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

// For numbers: floating ones are f64.
template <class Combine>
void reference(const KernelCall& call, double start, Combine combine) {
  if (call.output.type.dtype == f64) return reference_of<double>(call, start, combine);
  reference_of<std::int64_t>(call, static_cast<std::int64_t>(start), combine);
}

std::vector<Sample> samples(const Domain& domain, bool zero_second);
// The samples, and i64 samples.
std::vector<Sample> with_integers(std::vector<Sample> samples, const Domain& domain);
BadSample bad_axis();
BadSample bad_bool();

}  // namespace xgrad::inline v0::reductions
