#include <xgrad/ops/primitives/reductions/internal/axes.hpp>

#include <algorithm>
#include <cstring>
#include <functional>

#include <fmt/format.h>

#include <xgrad/graph/base/internal/list_text.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::reductions {
namespace {

AxisSet set_of(const std::vector<Index>& axes) {
  AxisSet out;
  for (const Index axis : axes) out.set(static_cast<std::size_t>(axis));
  return out;
}

// A reduction of neighboring axes: the input viewed as [outer, reduce, inner]. Axes of extent 1 are ignored.
struct Pass {
  Index outer = 1, reduce = 1, inner = 1;
  Index results() const { return outer * inner; }
};

// A reduction of axes that are not neighbors takes several passes, from the last axes to the first. Each pass reads the
// smaller result of the previous one.
struct Passes {
  int count = 0;
  Pass pass[Shape::max_rank];
};

Passes passes_of(const Shape& shape, const AxisSet& axes) {
  Passes out;
  Index inner = 1;
  for (int axis = shape.rank() - 1; axis >= 0;) {
    if (!contains(axes, axis) || shape[axis] == 1) {
      inner *= shape[axis--];
      continue;
    }
    Pass pass;
    pass.inner = inner;
    for (; axis >= 0 && (contains(axes, axis) || shape[axis] == 1); --axis) pass.reduce *= shape[axis];
    for (int before = 0; before <= axis; ++before) pass.outer *= shape[before];
    out.pass[out.count++] = pass;
  }
  return out;
}

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

// Bytes of the parts of the scratch memory: the kernels' scratch, the maximum over the passes, then two buffers of
// `between` bytes for intermediate results, which the passes use in turn.
struct ScratchParts {
  std::size_t kernel = 0;
  std::size_t between = 0;
};
ScratchParts parts_of(const Passes& passes, DType dtype) {
  ScratchParts out;
  for (int i = 0; i < passes.count; ++i) {
    const Pass& p = passes.pass[i];
    out.kernel = std::max(out.kernel, kernels().reduce_scratch(dtype, p.outer, p.reduce, p.inner));
    if (i + 1 < passes.count)
      out.between = std::max(out.between, static_cast<std::size_t>(p.results()) * size_of(dtype));
  }
  return {aligned(out.kernel), aligned(out.between)};
}

}  // namespace

Value reduce(const char* op, Operand x, const Axes& axes, bool keepdims) {
  return composite(
      x, [&] { return apply(op, {x}, attrs(normalize_axes(axes, x.shape().rank(), op), keepdims)); }, op);
}

Attrs attrs(const Axes& axes, bool keepdims) { return {{"axes", axes}, {"keepdims", keepdims}}; }

Shape shape_of(const Infer& in) {
  const Shape& shape = in.shape(0);
  for (const Index axis : in.attrs().ints("axes")) {
    if (axis < 0 || axis >= shape.rank()) in.fail_shape(fmt::format("axis {} is out of range", axis));
  }
  const std::vector<Index>& list = in.attrs().ints("axes");
  if (std::adjacent_find(list.begin(), list.end(), std::greater_equal<>()) != list.end())
    in.fail_shape(fmt::format("axes [{}] are not in ascending order", list_text(list)));
  const AxisSet axes = set_of(in.attrs().ints("axes"));
  const bool keepdims = in.attrs().flag("keepdims");
  Shape out;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (!contains(axes, axis))
      out.push_back(shape[axis]);
    else if (keepdims)
      out.push_back(1);
  }
  return out;
}

TensorType infer(const Infer& in) {
  in.require_dtype(0, {f32, f64, i64});
  return {in.dtype(0), shape_of(in)};
}

TensorType infer_not_empty(const Infer& in) {
  const TensorType out = infer(in);
  for (const Index axis : in.attrs().ints("axes")) {
    if (in.shape(0)[static_cast<int>(axis)] == 0) in.fail_shape(fmt::format("axis {} has no elements", axis));
  }
  return out;
}

AxisSet reduced_axes(std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs) {
  if (attrs.has("axes")) return set_of(attrs.ints("axes"));
  AxisSet out;
  const Shape& from = inputs[0].shape;
  const int shift = from.rank() - output.shape.rank();
  for (int axis = 0; axis < from.rank(); ++axis) {
    if (axis < shift || (output.shape[axis - shift] == 1 && from[axis] != 1)) out.set(static_cast<std::size_t>(axis));
  }
  return out;
}

std::uint32_t axes_in_blocks(std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs) {
  return static_cast<std::uint32_t>(reduced_axes(inputs, output, attrs).to_ulong());
}

std::size_t scratch_bytes(std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs) {
  const ScratchParts parts = parts_of(passes_of(inputs[0].shape, reduced_axes(inputs, output, attrs)), output.dtype);
  return parts.kernel + 2 * parts.between;
}

void run(const KernelCall& call, const Kernels::Reduce (&table)[dtype_count]) {
  const TensorType& type = call.output.type;
  std::array<TensorType, 2> types;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) types[i] = call.inputs[i].type;
  const auto inputs = std::span<const TensorType>(types.data(), call.inputs.size());
  const Passes passes = passes_of(types[0].shape, reduced_axes(inputs, type, *call.attrs));
  if (passes.count == 0) {
    std::memcpy(call.output.data, call.inputs[0].data, type.bytes());
    return;
  }
  const ScratchParts parts = parts_of(passes, type.dtype);
  char* buffer = static_cast<char*>(call.scratch) + parts.kernel;
  const void* from = call.inputs[0].data;
  for (int i = 0; i < passes.count; ++i) {
    const Pass& p = passes.pass[i];
    void* to = i + 1 == passes.count ? call.output.data : buffer + static_cast<std::size_t>(i % 2) * parts.between;
    table[static_cast<int>(type.dtype)]({from, to, p.outer, p.reduce, p.inner}, call.scratch, call.parallel);
    from = to;
  }
}

Value keep_axes(Value reduced, const Vjp& r) {
  if (r.attrs().flag("keepdims")) return reduced;
  Value out = reduced;
  for (const Index axis : r.attrs().ints("axes")) out = expand_dims(out, axis);
  return out;
}

std::vector<Sample> samples(const Domain& domain, bool zero_second) {
  const auto make = [&](const char* label, Shape shape, const Axes& axes, bool keepdims) {
    return Sample{
        .label = label, .inputs = {{shape, domain}}, .attrs = attrs(axes, keepdims), .zero_second = zero_second};
  };
  return {make("scalar", {}, {}, false),
          make("one element", {1}, {0}, false),
          make("row of 7", {7}, {0}, false),
          make("row of 33", {33}, {0}, true),
          make("last axis", {3, 9}, {1}, false),
          make("first axis", {9, 5}, {0}, false),
          make("first axis, kept", {3, 17}, {0}, true),
          make("middle axis", {2, 5, 3}, {1}, true),
          make("outer axes", {2, 3, 4}, {0, 1}, false),
          make("axes that are not neighbors", {2, 3, 4}, {0, 2}, false),
          make("three of four axes", {2, 3, 2, 3}, {0, 2, 3}, true),
          make("all", {3, 4}, {0, 1}, false),
          zero_gradient({"no rows", {{{0, 3}, domain}}, attrs({1}, false)})};
}

std::vector<Sample> with_integers(std::vector<Sample> samples, const Domain& domain) {
  samples.push_back({"integers", {{{19}, domain}}, attrs({0}, false)});
  samples.push_back({"integers, outer axes", {{{3, 4, 5}, domain}}, attrs({0, 2}, true)});
  return samples;
}

BadSample bad_axis() { return {"axis out of range", {Tensor({2, 3})}, attrs({2}, false), "axis 2"}; }
BadSample bad_bool() { return {"bool", {Tensor({2}, boolean)}, attrs({0}, false), "it is bool"}; }

}  // namespace xgrad::inline v0::reductions
