// Reductions over axes, and the reverse of broadcasting.
#include <algorithm>
#include <bitset>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/ops/batch.hpp>
#include <xgrad/ops/define.hpp>
#include <xgrad/ops/kernels/kernels.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad {
namespace {

Attrs reduce_attrs(Value x, const Axes& axes, bool keepdims, const char* where) {
  return {{"axes", normalise_axes(axes, x.shape().rank(), where)}, {"keepdims", keepdims}};
}

// A set of axes that needs no heap: kernels do not allocate.
using AxisSet = std::bitset<Shape::max_rank>;

AxisSet set_of(const Axes& axes) {
  AxisSet out;
  for (Index axis : axes) out.set(static_cast<std::size_t>(axis));
  return out;
}

bool contains(const AxisSet& axes, int axis) { return axes[static_cast<std::size_t>(axis)]; }

Shape reduced_shape(const Shape& shape, const AxisSet& axes, bool keepdims) {
  Shape out;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (!contains(axes, axis))
      out.push_back(shape[axis]);
    else if (keepdims)
      out.push_back(1);
  }
  return out;
}

TensorType reduce_infer(const Infer& in) {
  in.require_dtype(0, {f32, f64, i64});
  for (Index axis : in.attrs().ints("axes")) {
    if (axis < 0 || axis >= in.shape(0).rank()) in.fail_shape(fmt::format("axis {} is out of range", axis));
  }
  return {in.dtype(0), reduced_shape(in.shape(0), set_of(in.attrs().ints("axes")), in.attrs().flag("keepdims"))};
}

// The largest and smallest of nothing do not exist.
TensorType extreme_infer(const Infer& in) {
  for (Index axis : in.attrs().ints("axes")) {
    if (axis >= 0 && axis < in.shape(0).rank() && in.shape(0)[static_cast<int>(axis)] == 0) {
      in.fail_shape(fmt::format("axis {} has no elements", axis));
    }
  }
  return reduce_infer(in);
}

// A stretch of neighbouring axes that are all reduced or all kept; axes of extent 1 do not count.
struct Pass {
  Index outer = 1, reduce = 1, inner = 1;
  Index results() const { return outer * inner; }
};

// Reducing axes that are not neighbours takes several passes, the last axes first: each leaves a smaller tensor.
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

AxisSet reduced_axes(std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs) {
  if (attrs.has("axes")) return set_of(attrs.ints("axes"));
  AxisSet out;  // sum_to and sum_like: what broadcasting the output to the input would stretch
  const Shape& from = inputs[0].shape;
  const int shift = from.rank() - output.shape.rank();
  for (int axis = 0; axis < from.rank(); ++axis) {
    if (axis < shift || (output.shape[axis - shift] == 1 && from[axis] != 1)) out.set(static_cast<std::size_t>(axis));
  }
  return out;
}

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

// Scratch: the kernels' own, the largest any pass wants, then two buffers between which the passes alternate.
std::size_t reduce_scratch(std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs) {
  const Passes passes = passes_of(inputs[0].shape, reduced_axes(inputs, output, attrs));
  std::size_t kernel = 0;
  std::size_t between = 0;
  for (int i = 0; i < passes.count; ++i) {
    const Pass& p = passes.pass[i];
    kernel = std::max(kernel, kernels().reduce_scratch(output.dtype, p.outer, p.reduce, p.inner));
    if (i + 1 < passes.count)
      between = std::max(between, static_cast<std::size_t>(p.results()) * size_of(output.dtype));
  }
  return aligned(kernel) + 2 * aligned(between);
}

void run_passes(const KernelCall& call, const Kernels::Reduce (&table)[dtype_count]) {
  const TensorType& type = call.output.type;
  std::array<TensorType, 2> types;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) types[i] = call.inputs[i].type;
  const auto inputs = std::span<const TensorType>(types.data(), call.inputs.size());
  const Passes passes = passes_of(types[0].shape, reduced_axes(inputs, type, *call.attrs));
  if (passes.count == 0) {
    std::memcpy(call.output.data, call.inputs[0].data, type.bytes());
    return;
  }
  std::size_t kernel = 0;
  std::size_t between = 0;
  for (int i = 0; i < passes.count; ++i) {
    const Pass& p = passes.pass[i];
    kernel = std::max(kernel, kernels().reduce_scratch(type.dtype, p.outer, p.reduce, p.inner));
    if (i + 1 < passes.count) between = std::max(between, static_cast<std::size_t>(p.results()) * size_of(type.dtype));
  }
  char* buffer = static_cast<char*>(call.scratch) + aligned(kernel);
  const void* from = call.inputs[0].data;
  for (int i = 0; i < passes.count; ++i) {
    const Pass& p = passes.pass[i];
    void* to = i + 1 == passes.count ? call.output.data : buffer + static_cast<std::size_t>(i % 2) * aligned(between);
    table[static_cast<int>(type.dtype)]({from, to, p.outer, p.reduce, p.inner}, call.scratch, call.parallel);
    from = to;
  }
}

// The oracle of every reduction: walks all elements of the input in order.
template <class Combine>
void reduce_reference(const KernelCall& call, double start, Combine combine) {
  const Shape& from = call.inputs[0].type.shape;
  double* out = call.output.as<double>();
  std::fill_n(out, call.output.type.shape.elements(), start);
  TensorType input = call.inputs[0].type;
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
    out[to] = combine(out[to], call.inputs[0].as<double>()[i]);
  }
}

// The shape that a reduction would have kept, so that the result broadcasts against the input.
Value keep_axes(Value reduced, const Vjp& r) {
  if (r.attrs().flag("keepdims")) return reduced;
  Value out = reduced;
  for (Index axis : r.attrs().ints("axes")) out = expand_dims(out, axis);
  return out;
}

std::vector<Sample> reduce_samples(const Domain& domain, bool zero_second) {
  const auto make = [&](const char* label, Shape shape, Axes axes, bool keepdims) {
    return Sample{label, {{shape, domain}}, {{"axes", axes}, {"keepdims", keepdims}}, 0, false, zero_second};
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
          make("axes that are not neighbours", {2, 3, 4}, {0, 2}, false),
          make("three of four axes", {2, 3, 2, 3}, {0, 2, 3}, true),
          make("all", {3, 4}, {0, 1}, false)};
}

BadSample bad_axis() {
  return {"axis out of range", {Tensor({2, 3})}, {{"axes", Axes{2}}, {"keepdims", false}}, "axis 2"};
}
BadSample bad_bool() { return {"bool", {Tensor({2}, boolean)}, {{"axes", Axes{0}}, {"keepdims", false}}, "bool"}; }

struct Sum : Operation {
  static constexpr const char* name = "sum";
  static constexpr const char* doc = "Sum over axes, pairwise; 0 over no elements.";
  static TensorType infer(const Infer& in) { return reduce_infer(in); }
  static constexpr auto scratch_bytes = reduce_scratch;
  static void kernel(const KernelCall& call) { run_passes(call, kernels().sum); }
  static void reference(const KernelCall& call) {
    reduce_reference(call, 0, [](double a, double b) { return a + b; });
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) { return broadcast_like(keep_axes(r.cotangent(), r), r.input(0)); }
  static std::vector<Sample> samples() {
    auto out = reduce_samples(domain::any(), true);
    out.push_back({"nothing", {{{0, 3}}}, {{"axes", Axes{0}}, {"keepdims", false}}, 0, true, true});
    return out;
  }
  static std::vector<BadSample> bad_samples() { return {bad_axis(), bad_bool()}; }
};

// Ties share the derivative evenly.
Cotangents to_extreme(const Vjp& r) {
  const Value largest = keep_axes(r.output(), r);
  const Value chosen = cast(equal(r.input(0), largest), r.input(0).dtype());
  const Value ties = sum(chosen, r.attrs().ints("axes"), true);
  return chosen * (keep_axes(r.cotangent(), r) / ties);
}

std::vector<BadSample> extreme_bad_samples() {
  return {
      bad_axis(), bad_bool(), {"nothing", {Tensor({0, 3})}, {{"axes", Axes{0}}, {"keepdims", false}}, "no elements"}};
}

struct Max : Operation {
  static constexpr const char* name = "max";
  static constexpr const char* doc = "Largest element over axes; NaN wins. Ties share the derivative evenly.";
  static TensorType infer(const Infer& in) { return extreme_infer(in); }
  static constexpr auto scratch_bytes = reduce_scratch;
  static void kernel(const KernelCall& call) { run_passes(call, kernels().max); }
  static void reference(const KernelCall& call) {
    reduce_reference(call, -INFINITY, [](double a, double b) { return a > b || std::isnan(a) ? a : b; });
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) { return to_extreme(r); }
  static std::vector<Sample> samples() { return reduce_samples(domain::distinct(), true); }
  static std::vector<BadSample> bad_samples() { return extreme_bad_samples(); }
};

struct Min : Operation {
  static constexpr const char* name = "min";
  static constexpr const char* doc = "Smallest element over axes; NaN wins. Ties share the derivative evenly.";
  static TensorType infer(const Infer& in) { return extreme_infer(in); }
  static constexpr auto scratch_bytes = reduce_scratch;
  static void kernel(const KernelCall& call) { run_passes(call, kernels().min); }
  static void reference(const KernelCall& call) {
    reduce_reference(call, INFINITY, [](double a, double b) { return a < b || std::isnan(a) ? a : b; });
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) { return to_extreme(r); }
  static std::vector<Sample> samples() { return reduce_samples(domain::distinct(), true); }
  static std::vector<BadSample> bad_samples() { return extreme_bad_samples(); }
};

struct Argmax : Operation {
  static constexpr const char* name = "argmax";
  static constexpr const char* doc =
      "Position (i64) of the first largest element along one axis; NaN counts as largest.";
  static constexpr const char* no_gradient = "a position has no derivative";
  static TensorType infer(const Infer& in) { return {i64, extreme_infer(in).shape}; }
  template <class T>
  static void run(const KernelCall& call) {
    const Shape& shape = call.inputs[0].type.shape;
    const int axis = static_cast<int>(call.attrs->ints("axes")[0]);
    Index outer = 1, inner = 1;
    for (int i = 0; i < axis; ++i) outer *= shape[i];
    for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
    const T* in = call.inputs[0].as<T>();
    for (Index o = 0; o < outer; ++o) {
      for (Index i = 0; i < inner; ++i) {
        const T* row = in + o * shape[axis] * inner + i;
        Index best = 0;
        for (Index k = 1; k < shape[axis]; ++k) {
          const T candidate = row[k * inner];
          const T leader = row[best * inner];
          if (candidate > leader || (candidate != candidate && leader == leader)) best = k;
        }
        call.output.as<std::int64_t>()[o * inner + i] = best;
      }
    }
  }
  static void kernel(const KernelCall& call) {
    const DType dtype = call.inputs[0].type.dtype;
    if (dtype == f32)
      run<float>(call);
    else if (dtype == f64)
      run<double>(call);
    else
      run<std::int64_t>(call);
  }
  static std::vector<Sample> samples() {
    const Domain d = domain::distinct();
    return {{"row", {{{9}, d}}, {{"axes", Axes{0}}, {"keepdims", false}}, 0, true, true},
            {"last axis", {{{3, 5}, d}}, {{"axes", Axes{1}}, {"keepdims", false}}, 0, true, true},
            {"middle axis, kept", {{{2, 4, 3}, d}}, {{"axes", Axes{1}}, {"keepdims", true}}, 0, true, true}};
  }
  static std::vector<BadSample> bad_samples() { return extreme_bad_samples(); }
};

struct Count : Operation {
  static constexpr const char* name = "count";
  static constexpr const char* doc =
      "How many elements a reduction over the axes combines into one, as a scalar of the input's dtype. Only the shape "
      "of "
      "the input matters.";
  static constexpr const char* no_gradient = "a shape does not change with the numbers";
  static Traits traits() { return {.shape_only = 1}; }
  static TensorType infer(const Infer& in) { return {reduce_infer(in).dtype, {}}; }
  static void kernel(const KernelCall& call) {
    Index n = 1;
    for (Index axis : call.attrs->ints("axes")) n *= call.inputs[0].type.shape[static_cast<int>(axis)];
    if (call.output.type.dtype == f32)
      *call.output.as<float>() = static_cast<float>(n);
    else if (call.output.type.dtype == f64)
      *call.output.as<double>() = static_cast<double>(n);
    else
      *call.output.as<std::int64_t>() = n;
  }
  static std::vector<Sample> samples() {
    return {{"one axis", {{{3, 5}}}, {{"axes", Axes{1}}, {"keepdims", false}}, 0, true, true},
            {"all axes", {{{3, 5}}}, {{"axes", Axes{0, 1}}, {"keepdims", false}}, 0, true, true}};
  }
  static std::vector<BadSample> bad_samples() { return {bad_axis()}; }
};

void sum_reference(const KernelCall& call) {
  reduce_reference(call, 0, [](double a, double b) { return a + b; });
}

TensorType sum_target(const Infer& in, const Shape& target) {
  in.require_dtype(0, {f32, f64, i64});
  const auto stretched = broadcast(target, in.shape(0));
  if (!stretched || *stretched != in.shape(0)) {
    in.fail_shape(fmt::format("{} does not broadcast to {}", target.str(), in.shape(0).str()));
  }
  return {in.dtype(0), target};
}

// To the same shape with the leading axis in front, extents of 1 filling up.
Value batch_sum(const Batch& b) {
  const Value x = batch_input(b, 0);
  const Shape& to = b.output().shape();
  Shape filled{b.size()};
  for (int axis = 1; axis < x.shape().rank() - to.rank(); ++axis) filled.push_back(1);
  for (const Index extent : to) filled.push_back(extent);
  return batch_reshape(b, sum_to(x, filled), to);
}

struct SumTo : Operation {
  static constexpr const char* name = "sum_to";
  static constexpr const char* doc =
      "Sum over the axes along which a tensor of the given shape would be stretched to the input's.";
  static TensorType infer(const Infer& in) { return sum_target(in, Shape(in.attrs().ints("shape"))); }
  static constexpr auto scratch_bytes = reduce_scratch;
  static void kernel(const KernelCall& call) { run_passes(call, kernels().sum); }
  static constexpr auto reference = sum_reference;
  static Value batch(const Batch& b) { return batch_sum(b); }
  static Cotangents vjp(const Vjp& r) { return broadcast_like(r.cotangent(), r.input(0)); }
  static std::vector<Sample> samples() {
    return {{"to a row", {{{3, 5}}}, {{"shape", Axes{5}}}, 0, false, true},
            {"to a column", {{{3, 5}}}, {{"shape", Axes{3, 1}}}, 0, false, true},
            {"to a number", {{{3, 5}}}, {{"shape", Axes{}}}, 0, false, true},
            {"to itself", {{{3, 5}}}, {{"shape", Axes{3, 5}}}, 0, false, true}};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"shape that does not fit", {Tensor({3, 5})}, {{"shape", Axes{4}}}, "does not broadcast"}};
  }
};

struct SumLike : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "sum_like";
  static constexpr const char* doc = "sum_to the shape of the second input, of which nothing but the shape matters.";
  static Traits traits() { return {.shape_only = 2}; }
  static TensorType infer(const Infer& in) { return sum_target(in, in.shape(1)); }
  static constexpr auto scratch_bytes = reduce_scratch;
  static void kernel(const KernelCall& call) { run_passes(call, kernels().sum); }
  static constexpr auto reference = sum_reference;
  static Value batch(const Batch& b) { return batch_sum(b); }
  static Cotangents vjp(const Vjp& r) { return {broadcast_like(r.cotangent(), r.input(0)), Value{}}; }
  static std::vector<Sample> samples() {
    return {{"to a row", {{{33, 5}}, {{5}}}, {}, 0, false, true},
            {"to a column", {{{3, 5}}, {{3, 1}}}, {}, 0, false, true},
            {"to the middle", {{{2, 3, 4}}, {{3, 1}}}, {}, 0, false, true},
            {"to a number", {{{3, 5}}, {{}}}, {}, 0, false, true}};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"shape that does not fit", {Tensor({3, 5}), Tensor({4})}, {}, "does not broadcast"}};
  }
};

}  // namespace

void register_reduce(OpRegistry& registry) {
  registry.add(define<Sum>());
  registry.add(define<Max>());
  registry.add(define<Min>());
  registry.add(define<Argmax>());
  registry.add(define<Count>());
  registry.add(define<SumTo>());
  registry.add(define<SumLike>());
}

Value sum(Value x, const Axes& axes, bool keepdims) {
  return apply("sum", {x}, reduce_attrs(x, axes, keepdims, "sum"));
}
Value max(Value x, const Axes& axes, bool keepdims) {
  return apply("max", {x}, reduce_attrs(x, axes, keepdims, "max"));
}
Value min(Value x, const Axes& axes, bool keepdims) {
  return apply("min", {x}, reduce_attrs(x, axes, keepdims, "min"));
}
Value argmax(Value x, Index axis, bool keepdims) {
  return apply("argmax", {x}, reduce_attrs(x, {axis}, keepdims, "argmax"));
}
Value count(Value x, const Axes& axes) { return apply("count", {x}, reduce_attrs(x, axes, false, "count")); }
Value sum_to(Value x, const Shape& shape) {
  return shape == x.shape() ? x : apply("sum_to", {x}, {{"shape", Axes(shape.begin(), shape.end())}});
}
Value sum_like(Value x, Value like) { return apply("sum_like", {x, like}); }

}  // namespace xgrad
