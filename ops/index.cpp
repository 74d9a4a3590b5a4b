// Operations that take parts out of tensors and put parts together. Each of them that has a derivative comes with its
// reverse, an operation of its own whose derivative is the first one again.
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/ops/batch.hpp>
#include <xgrad/ops/define.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/strided_copy.hpp>

namespace xgrad {
namespace {

constexpr std::int64_t open_end = INT64_MAX;

// The axis an attribute names; throws if the first input has no such axis.
int axis_of(const Infer& in, int input = 0) {
  const Index axis = in.attrs().integer("axis");
  if (axis < 0 || axis >= in.shape(input).rank()) in.fail_shape(fmt::format("axis {} is out of range", axis));
  return static_cast<int>(axis);
}

Strides stride_of(const TensorType& type) { return type.shape.strides(); }

char* at(void* data, Index element, DType dtype) {
  return static_cast<char*>(data) + element * static_cast<Index>(size_of(dtype));
}
const char* at(const void* data, Index element, DType dtype) {
  return static_cast<const char*>(data) + element * static_cast<Index>(size_of(dtype));
}

// ---- concat and its reverse

struct Concat : Operation {
  static constexpr int min_inputs = 1, max_inputs = 1024;
  static constexpr const char* name = "concat";
  static constexpr const char* doc = "Joins tensors along an axis, on which alone their extents may differ.";
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in);
    Shape out = in.shape(0);
    for (int i = 1; i < in.count(); ++i) {
      in.require_same_dtype(0, i);
      bool fits = in.shape(i).rank() == out.rank();
      for (int a = 0; fits && a < out.rank(); ++a) fits = a == axis || in.shape(i)[a] == out[a];
      if (!fits)
        in.fail_shape(fmt::format("input {} {} does not fit input 0 {} outside axis {}", i, in.shape(i).str(),
                                  in.shape(0).str(), axis));
      out[axis] += in.shape(i)[axis];
    }
    return {in.dtype(0), out};
  }
  static void kernel(const KernelCall& call) {
    const auto axis = static_cast<std::size_t>(call.attrs->integer("axis"));
    const Strides to = stride_of(call.output.type);
    Index done = 0;
    for (const ConstBuffer& part : call.inputs) {
      strided_copy(part.type.shape, part.data, stride_of(part.type),
                   at(call.output.data, done * to[axis], part.type.dtype), to, size_of(part.type.dtype), call.parallel);
      done += part.type.shape[static_cast<int>(axis)];
    }
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) {
    std::vector<Value> out;
    for (int i = 0; i < r.count(); ++i) {
      std::vector<Value> inputs{r.cotangent()};
      for (int j = 0; j < r.count(); ++j) inputs.push_back(r.input(j));
      out.push_back(apply("concat_part", inputs, {{"axis", r.attrs().integer("axis")}, {"part", std::int64_t{i}}}));
    }
    return Cotangents(out);
  }
  static std::vector<Sample> samples() {
    return {{"rows", {{{2, 3}}, {{4, 3}}}, {{"axis", std::int64_t{0}}}, 0, false, true},
            {"columns", {{{2, 3}}, {{2, 1}}, {{2, 9}}}, {{"axis", std::int64_t{1}}}, 0, false, true},
            {"one", {{{5}}}, {{"axis", std::int64_t{0}}}, 0, false, true},
            {"with nothing", {{{0, 2}}, {{3, 2}}}, {{"axis", std::int64_t{0}}}, 0, false, true}};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"other extent", {Tensor({2, 3}), Tensor({2, 4})}, {{"axis", std::int64_t{0}}}, "does not fit"},
            {"axis", {Tensor({2, 3})}, {{"axis", std::int64_t{2}}}, "axis 2 is out of range"},
            {"two dtypes", {Tensor({2}), Tensor({2}, f64)}, {{"axis", std::int64_t{0}}}, "dtype"}};
  }
};

struct ConcatPart : Operation {
  static constexpr int min_inputs = 2, max_inputs = 1025;
  static constexpr const char* name = "concat_part";
  static constexpr const char* doc =
      "The stretch of the first input that came from one of the others when these were joined; of the others only "
      "shapes matter.";
  static Traits traits() { return {.shape_only = ~1U}; }
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in);
    const Index part = in.attrs().integer("part");
    if (part < 0 || part + 1 >= in.count()) in.fail_shape(fmt::format("there is no part {}", part));
    Index total = 0;
    for (int i = 1; i < in.count(); ++i) total += in.shape(i)[axis];
    if (total != in.shape(0)[axis]) in.fail_shape("the parts do not make the whole");
    return {in.dtype(0), in.shape(static_cast<int>(part) + 1)};
  }
  static void kernel(const KernelCall& call) {
    const auto axis = static_cast<std::size_t>(call.attrs->integer("axis"));
    const Strides from = stride_of(call.inputs[0].type);
    Index before = 0;
    for (Index i = 0; i < call.attrs->integer("part"); ++i) {
      before += call.inputs[static_cast<std::size_t>(i) + 1].type.shape[static_cast<int>(axis)];
    }
    const DType dtype = call.output.type.dtype;
    strided_copy(call.output.type.shape, at(call.inputs[0].data, before * from[axis], dtype), from, call.output.data,
                 stride_of(call.output.type), size_of(dtype), call.parallel);
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) {
    const Index part = r.attrs().integer("part");
    std::vector<Value> parts;
    for (int i = 1; i < r.count(); ++i) parts.push_back(i == part + 1 ? r.cotangent() : zeros_like(r.input(i)));
    std::vector<Value> out(static_cast<std::size_t>(r.count()));
    out[0] = concat(parts, r.attrs().integer("axis"));
    return Cotangents(out);
  }
  static std::vector<Sample> samples() {
    return {{"middle",
             {{{2, 6}}, {{2, 1}}, {{2, 3}}, {{2, 2}}},
             {{"axis", std::int64_t{1}}, {"part", std::int64_t{1}}},
             0,
             false,
             true}};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"no such part",
             {Tensor({2}), Tensor({2})},
             {{"axis", std::int64_t{0}}, {"part", std::int64_t{1}}},
             "no part 1"}};
  }
};

// ---- slice and its reverse

// The elements a slice takes from an axis of that extent, as Python counts them.
struct Range {
  Index begin, count, step;
};
Range range_of(const Attrs& attrs, Index extent) {
  const Index step = attrs.integer("step");
  const auto position = [&](Index p) { return std::clamp<Index>(p < 0 ? p + extent : p, 0, extent); };
  const Index begin = position(attrs.integer("begin"));
  const Index end = attrs.integer("end") == open_end ? extent : position(attrs.integer("end"));
  return {begin, end > begin ? (end - begin + step - 1) / step : 0, step};
}

struct Slice : Operation {
  static constexpr const char* name = "slice";
  static constexpr const char* doc =
      "Elements [begin, end) along one axis, every step-th. Negative positions count from the back; positions beyond "
      "the ends "
      "are cut, as in Python.";
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in);
    if (in.attrs().integer("step") < 1)
      in.fail_shape(fmt::format("step {} is not positive", in.attrs().integer("step")));
    Shape out = in.shape(0);
    out[axis] = range_of(in.attrs(), in.shape(0)[axis]).count;
    return {in.dtype(0), out};
  }
  static void kernel(const KernelCall& call) {
    const auto axis = static_cast<std::size_t>(call.attrs->integer("axis"));
    const TensorType& input = call.inputs[0].type;
    const Range range = range_of(*call.attrs, input.shape[static_cast<int>(axis)]);
    Strides from = stride_of(input);
    const Index start = range.begin * from[axis];
    from[axis] *= range.step;
    strided_copy(call.output.type.shape, at(call.inputs[0].data, start, input.dtype), from, call.output.data,
                 stride_of(call.output.type), size_of(input.dtype), call.parallel);
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) { return apply("unslice", {r.cotangent(), r.input(0)}, r.attrs()); }
  static Attrs attrs(Index axis, Index begin, Index end, Index step) {
    return {{"axis", axis}, {"begin", begin}, {"end", end}, {"step", step}};
  }
  static std::vector<Sample> samples() {
    return {{"rows", {{{5, 3}}}, attrs(0, 1, 4, 1), 0, false, true},
            {"from the back", {{{3, 9}}}, attrs(1, -4, open_end, 1), 0, false, true},
            {"every second", {{{2, 9}}}, attrs(1, 1, open_end, 2), 0, false, true},
            {"nothing", {{{4}}}, attrs(0, 3, 1, 1), 0, true, true}};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"step", {Tensor({4})}, attrs(0, 0, 2, 0), "step 0 is not positive"},
            {"axis", {Tensor({4})}, attrs(1, 0, 2, 1), "axis 1 is out of range"}};
  }
};

struct Unslice : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "unslice";
  static constexpr const char* doc =
      "Zeros in the shape of the second input, with the first input where `slice` would have taken it from.";
  static Traits traits() { return {.shape_only = 2}; }
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in, 1);
    Shape expected = in.shape(1);
    expected[axis] = range_of(in.attrs(), in.shape(1)[axis]).count;
    if (in.shape(0) != expected)
      in.fail_shape(fmt::format("a slice of {} is {}, not {}", in.shape(1).str(), expected.str(), in.shape(0).str()));
    return {in.dtype(0), in.shape(1)};
  }
  static void kernel(const KernelCall& call) {
    const auto axis = static_cast<std::size_t>(call.attrs->integer("axis"));
    const TensorType& output = call.output.type;
    const Range range = range_of(*call.attrs, output.shape[static_cast<int>(axis)]);
    std::memset(call.output.data, 0, output.bytes());
    Strides to = stride_of(output);
    const Index start = range.begin * to[axis];
    to[axis] *= range.step;
    strided_copy(call.inputs[0].type.shape, call.inputs[0].data, stride_of(call.inputs[0].type),
                 at(call.output.data, start, output.dtype), to, size_of(output.dtype), call.parallel);
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) { return {apply("slice", {r.cotangent()}, r.attrs()), Value{}}; }
  static std::vector<Sample> samples() {
    return {{"rows", {{{2, 3}}, {{5, 3}}}, Slice::attrs(0, 1, 3, 1), 0, false, true},
            {"every second", {{{2, 4}}, {{2, 9}}}, Slice::attrs(1, 1, open_end, 2), 0, false, true}};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"other shape", {Tensor({3}), Tensor({5})}, Slice::attrs(0, 0, 2, 1), "a slice of [5] is [2]"}};
  }
};

// ---- pad; its reverse is a slice

template <class T>
void fill(void* data, Index count, double value) {
  std::fill_n(static_cast<T*>(data), count, static_cast<T>(value));
}

struct Pad : Operation {
  static constexpr const char* name = "pad";
  static constexpr const char* doc = "`before` and `after` elements of `value` added along one axis.";
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in);
    if (in.attrs().integer("before") < 0 || in.attrs().integer("after") < 0)
      in.fail_shape("a negative number of elements to add");
    Shape out;
    for (int i = 0; i < in.shape(0).rank(); ++i) {
      out.push_back(in.shape(0)[i] + (i == axis ? in.attrs().integer("before") + in.attrs().integer("after") : 0));
    }
    return {in.dtype(0), out};
  }
  static void kernel(const KernelCall& call) {
    const auto axis = static_cast<std::size_t>(call.attrs->integer("axis"));
    const TensorType& output = call.output.type;
    const double value = call.attrs->number("value");
    const Index n = output.shape.elements();
    if (output.dtype == f32)
      fill<float>(call.output.data, n, value);
    else if (output.dtype == f64)
      fill<double>(call.output.data, n, value);
    else if (output.dtype == i64)
      fill<std::int64_t>(call.output.data, n, value);
    else
      fill<bool>(call.output.data, n, value);
    const Strides to = stride_of(output);
    strided_copy(call.inputs[0].type.shape, call.inputs[0].data, stride_of(call.inputs[0].type),
                 at(call.output.data, call.attrs->integer("before") * to[axis], output.dtype), to,
                 size_of(output.dtype), call.parallel);
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) {
    const Index after = r.attrs().integer("after");
    const Index end = after == 0 ? open_end : -after;
    return apply("slice", {r.cotangent()},
                 Slice::attrs(r.attrs().integer("axis"), r.attrs().integer("before"), end, 1));
  }
  static Attrs attrs(Index axis, Index before, Index after, double value) {
    return {{"axis", axis}, {"before", before}, {"after", after}, {"value", value}};
  }
  static std::vector<Sample> samples() {
    return {{"both sides", {{{3, 4}}}, attrs(1, 2, 1, 0.5), 0, false, true},
            {"front", {{{3}}}, attrs(0, 2, 0, 0), 0, false, true},
            {"nothing added", {{{3}}}, attrs(0, 0, 0, 0), 0, false, true}};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"negative", {Tensor({3})}, attrs(0, -1, 0, 0), "negative"},
            {"axis", {Tensor({3})}, attrs(1, 0, 0, 0), "axis 1"}};
  }
};

// ---- gather and its reverse

// A tensor seen as [outer, extent, inner] around the gathered axis.
struct Around {
  Index outer = 1, extent = 1, inner = 1;
};
Around around(const Shape& shape, int axis) {
  Around out;
  for (int i = 0; i < axis; ++i) out.outer *= shape[i];
  out.extent = shape[axis];
  for (int i = axis + 1; i < shape.rank(); ++i) out.inner *= shape[i];
  return out;
}

void check_indices(const char* op, const ConstBuffer& indices, Index extent, const char* what) {
  const auto* index = indices.as<std::int64_t>();
  for (Index i = 0; i < indices.type.shape.elements(); ++i) {
    if (index[i] < 0 || index[i] >= extent) {
      throw ValueError(fmt::format("{}: index {} at position {} is outside the {} {}", op, index[i], i, extent, what));
    }
  }
}

Shape gathered_shape(const Shape& x, const Shape& indices, int axis) {
  Shape out;
  for (int i = 0; i < axis; ++i) out.push_back(x[i]);
  for (Index e : indices) out.push_back(e);
  for (int i = axis + 1; i < x.rank(); ++i) out.push_back(x[i]);
  return out;
}

struct Gather : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "gather";
  static constexpr const char* doc =
      "Slices of x along an axis, chosen by indices (i64, any shape), whose axes take the place of that axis. An index "
      "outside "
      "[0, extent) is an error at run time.";
  static Traits traits() { return {.fallible = true}; }
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in);
    in.require_dtype(1, {i64});
    return {in.dtype(0), gathered_shape(in.shape(0), in.shape(1), axis)};
  }
  static void kernel(const KernelCall& call) {
    const Around a = around(call.inputs[0].type.shape, static_cast<int>(call.attrs->integer("axis")));
    check_indices(name, call.inputs[1], a.extent, "slices of the axis");
    const auto* index = call.inputs[1].as<std::int64_t>();
    const Index n = call.inputs[1].type.shape.elements();
    const auto bytes = static_cast<std::size_t>(a.inner) * size_of(call.output.type.dtype);
    for (Index o = 0; o < a.outer; ++o) {
      for (Index i = 0; i < n; ++i) {
        std::memcpy(call.output.as<char>() + static_cast<std::size_t>(o * n + i) * bytes,
                    call.inputs[0].as<char>() + static_cast<std::size_t>(o * a.extent + index[i]) * bytes, bytes);
      }
    }
  }
  static Value batch(const Batch& b) { return b.batched(1) ? Value{} : batch_along_axes_of(b, {0}); }
  static Cotangents vjp(const Vjp& r) {
    return {apply("scatter_add", {r.cotangent(), r.input(1), r.input(0)}, r.attrs()), Value{}};
  }
  static std::vector<Sample> samples() {
    const Domain rows = domain::integers(0, 3);
    return {{"rows", {{{4, 3}}, {{6}, rows}}, {{"axis", std::int64_t{0}}}, 0, false, true},
            {"columns", {{{2, 4}}, {{3}, rows}}, {{"axis", std::int64_t{1}}}, 0, false, true},
            {"one", {{{4}}, {{}, rows}}, {{"axis", std::int64_t{0}}}, 0, false, true},
            {"a table of them", {{{4, 2}}, {{2, 3}, rows}}, {{"axis", std::int64_t{0}}}, 0, false, true}};
  }
  static std::vector<BadSample> bad_samples() {
    const Attrs rows{{"axis", std::int64_t{0}}};
    return {
        {"index too large", {Tensor({4, 3}), Tensor::from<std::int64_t>({2}, {1, 4})}, rows, "index 4 at position 1"},
        {"negative index", {Tensor({4, 3}), Tensor::from<std::int64_t>({1}, {-1})}, rows, "index -1"},
        {"indices of f32", {Tensor({4, 3}), Tensor({2})}, rows, "i64"},
        {"axis", {Tensor({4}), Tensor({1}, i64)}, {{"axis", std::int64_t{1}}}, "axis 1"}};
  }
};

struct ScatterAdd : Operation {
  static constexpr int min_inputs = 3, max_inputs = 3;
  static constexpr const char* name = "scatter_add";
  static constexpr const char* doc =
      "Zeros in the shape of the third input, with the slices of the first added where the indices, the second input, "
      "say: the "
      "reverse of gather. Slices of equal index are added in their order.";
  static Traits traits() { return {.fallible = true, .shape_only = 4}; }
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in, 2);
    in.require_dtype(0, {f32, f64});
    in.require_dtype(1, {i64});
    const Shape expected = gathered_shape(in.shape(2), in.shape(1), axis);
    if (in.shape(0) != expected)
      in.fail_shape(fmt::format("expected slices of shape {}, got {}", expected.str(), in.shape(0).str()));
    return {in.dtype(0), in.shape(2)};
  }
  template <class T>
  static void run(const KernelCall& call, const Around& a) {
    const auto* index = call.inputs[1].as<std::int64_t>();
    const Index n = call.inputs[1].type.shape.elements();
    for (Index o = 0; o < a.outer; ++o) {
      for (Index i = 0; i < n; ++i) {
        const T* from = call.inputs[0].as<T>() + (o * n + i) * a.inner;
        T* to = call.output.as<T>() + (o * a.extent + index[i]) * a.inner;
        for (Index k = 0; k < a.inner; ++k) to[k] += from[k];
      }
    }
  }
  static void kernel(const KernelCall& call) {
    const Around a = around(call.output.type.shape, static_cast<int>(call.attrs->integer("axis")));
    check_indices(name, call.inputs[1], a.extent, "slices of the axis");
    std::memset(call.output.data, 0, call.output.type.bytes());
    if (call.output.type.dtype == f32)
      run<float>(call, a);
    else
      run<double>(call, a);
  }
  static Value batch(const Batch& b) { return b.batched(1) ? Value{} : batch_along_axes_of(b, {0, 2}); }
  static Cotangents vjp(const Vjp& r) {
    return {apply("gather", {r.cotangent(), r.input(1)}, r.attrs()), Value{}, Value{}};
  }
  static std::vector<Sample> samples() {
    return {{"rows", {{{6, 3}}, {{6}, domain::integers(0, 3)}, {{4, 3}}}, {{"axis", std::int64_t{0}}}, 0, false, true}};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"other shape",
             {Tensor({5, 3}), Tensor({6}, i64), Tensor({4, 3})},
             {{"axis", std::int64_t{0}}},
             "expected slices"}};
  }
};

struct OneHot : Operation {
  static constexpr const char* name = "one_hot";
  static constexpr const char* doc =
      "1 at the index and 0 elsewhere, along a new last axis of `classes`. An index outside [0, classes) is an error "
      "at run time.";
  static constexpr const char* no_gradient = "an index has no derivative";
  static Traits traits() { return {.fallible = true}; }
  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {i64});
    if (in.attrs().integer("classes") < 1) in.fail_shape(fmt::format("{} classes", in.attrs().integer("classes")));
    Shape out = in.shape(0);
    out.push_back(in.attrs().integer("classes"));
    return {in.attrs().dtype("dtype"), out};
  }
  template <class T>
  static void run(const KernelCall& call, Index classes) {
    const auto* index = call.inputs[0].as<std::int64_t>();
    for (Index i = 0; i < call.inputs[0].type.shape.elements(); ++i) call.output.as<T>()[i * classes + index[i]] = T(1);
  }
  static void kernel(const KernelCall& call) {
    const Index classes = call.attrs->integer("classes");
    check_indices(name, call.inputs[0], classes, "classes");
    std::memset(call.output.data, 0, call.output.type.bytes());
    switch (call.output.type.dtype) {
      case DType::f32: return run<float>(call, classes);
      case DType::f64: return run<double>(call, classes);
      case DType::i64: return run<std::int64_t>(call, classes);
      case DType::boolean: return run<bool>(call, classes);
    }
  }
  static std::vector<Sample> samples() {
    return {{"labels", {{{7}, domain::integers(0, 4)}}, {{"classes", std::int64_t{5}}, {"dtype", f32}}, 0, true, true}};
  }
  static std::vector<BadSample> bad_samples() {
    const Attrs attrs{{"classes", std::int64_t{3}}, {"dtype", f32}};
    return {{"label too large",
             {Tensor::from<std::int64_t>({2}, {0, 3})},
             attrs,
             "index 3 at position 1 is outside the 3 classes"},
            {"labels of f32", {Tensor({2})}, attrs, "i64"}};
  }
};

}  // namespace

void register_index(OpRegistry& registry) {
  registry.add(define<Concat>());
  registry.add(define<ConcatPart>());
  registry.add(define<Slice>());
  registry.add(define<Unslice>());
  registry.add(define<Pad>());
  registry.add(define<Gather>());
  registry.add(define<ScatterAdd>());
  registry.add(define<OneHot>());
}

Value concat(const std::vector<Value>& values, Index axis) {
  if (values.empty()) throw ShapeError("concat: there is nothing to join");
  return apply("concat", values, {{"axis", Index{axis_index(axis, values[0].shape().rank(), "concat")}}});
}

Value slice(Value x, Index axis, Index begin, std::optional<Index> end, Index step) {
  return apply("slice", {x},
               Slice::attrs(axis_index(axis, x.shape().rank(), "slice"), begin, end.value_or(open_end), step));
}

Value pad(Value x, Index axis, Index before, Index after, double value) {
  return apply("pad", {x}, Pad::attrs(axis_index(axis, x.shape().rank(), "pad"), before, after, value));
}

Value gather(Value x, Value indices, Index axis) {
  return apply("gather", {x, indices}, {{"axis", Index{axis_index(axis, x.shape().rank(), "gather")}}});
}

Value one_hot(Value indices, Index classes, DType dtype) {
  return apply("one_hot", {indices}, {{"classes", classes}, {"dtype", dtype}});
}

}  // namespace xgrad
