// Concatenation and slicing. Each operation has a reverse operation, and each is the derivative of the other.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/internal/strided_copy.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/internal/joint_uses.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr std::int64_t open_end = INT64_MAX;

constexpr Index task_elements = 1 << 15;
constexpr std::size_t long_copy = 256;  // bytes from which a concat copies row by row, to write its output in order

Strides stride_of(const TensorType& type) { return type.shape.strides(); }

// Calls copy(i) for each part of a tensor of that many elements: in parallel unless `copy` splits the part itself.
template <class F>
void for_each_part(const Parallel& parallel, std::size_t parts, Index elements, const F& copy) {
  const auto count = static_cast<Index>(parts);
  const Index each = std::max<Index>(1, elements / std::max<Index>(1, count));
  if (each < task_elements) return for_each_in_stretches(parallel, count, task_elements / each, copy);
  for (Index i = 0; i < count; ++i) copy(i);
}

// ---- concat and its reverse

// Maximum number of inputs of a concat. The vjp has one node per input, which reads the shapes of all inputs: its cost
// is quadratic. `concat` joins more values in several rounds.
constexpr int most_parts = 64;

struct Concat : Operation {
  static constexpr int min_inputs = 1, max_inputs = most_parts;
  static constexpr const char* name = "concat";
  static constexpr const char* doc = "Joins tensors along an axis. All other extents must be equal.";
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
      out.set(axis, out[axis] + in.shape(i)[axis]);
    }
    return {in.dtype(0), out};
  }
  static void kernel(const KernelCall& call) {
    const auto axis = static_cast<std::size_t>(call.attrs->integer("axis"));
    const Strides to = stride_of(call.output.type);
    const Around a = around(call.output.type.shape, static_cast<int>(axis));
    const auto bytes_of = [&](const ConstBuffer& part) {  // that are contiguous in the output
      return static_cast<std::size_t>(part.type.shape[static_cast<int>(axis)] * a.inner) * size_of(part.type.dtype);
    };
    const auto is_long = [&](const ConstBuffer& part) { return bytes_of(part) >= long_copy; };
    if (a.outer > 1 && std::all_of(call.inputs.begin(), call.inputs.end(), is_long)) {
      for_each_in_stretches(call.parallel, a.outer, task_elements / (a.extent * a.inner), [&](Index o) {
        char* out = at(call.output.data, o * a.extent * a.inner, call.output.type.dtype);
        for (const ConstBuffer& part : call.inputs) {
          const std::size_t bytes = bytes_of(part);
          std::memcpy(out, static_cast<const char*>(part.data) + static_cast<std::size_t>(o) * bytes, bytes);
          out += bytes;
        }
      });
      return;
    }
    for_each_part(call.parallel, call.inputs.size(), call.output.type.shape.elements(), [&](Index i) {
      const ConstBuffer& part = call.inputs[static_cast<std::size_t>(i)];
      Index before = 0;
      for (const ConstBuffer* other = call.inputs.data(); other != &part; ++other)
        before += other->type.shape[static_cast<int>(axis)];
      strided_copy(part.type.shape, part.data, stride_of(part.type),
                   at(call.output.data, before * to[axis], part.type.dtype), to, size_of(part.type.dtype),
                   call.parallel);
    });
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) {
    std::vector<Value> out;
    for (int i = 0; i < r.count(); ++i) {
      std::vector<Value> inputs{r.cotangent()};
      for (int j = 0; j < r.count(); ++j) inputs.push_back(r.input(j));
      out.push_back(apply("concat_part", inputs, {{"axis", r.attrs().integer("axis")}, {"part", Index{i}}}));
    }
    return Cotangents(out);
  }
  static std::vector<Sample> samples() {
    return {zero_second({"rows", {{{2, 3}}, {{4, 3}}}, axis_attrs(0)}),
            zero_second({"columns", {{{2, 3}}, {{2, 1}}, {{2, 9}}}, axis_attrs(1)}),
            zero_second({"long columns", {{{3, 70}}, {{3, 65}}}, axis_attrs(1)}),
            zero_second({"one", {{{5}}}, axis_attrs(0)}),
            zero_second({"one element", {{{1}}, {{0}}}, axis_attrs(0)}),
            zero_second({"with an empty tensor", {{{0, 2}}, {{3, 2}}}, axis_attrs(0)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"other extent", {Tensor({2, 3}), Tensor({2, 4})}, axis_attrs(0), "does not fit"},
            {"axis", {Tensor({2, 3})}, axis_attrs(2), "axis 2 is out of range"},
            {"two dtypes", {Tensor::zeros({2}), Tensor({2}, f64)}, axis_attrs(0), "dtype"}};
  }
};

struct ConcatPart : Operation {
  static constexpr int min_inputs = 2, max_inputs = most_parts + 1;
  static constexpr const char* name = "concat_part";
  static constexpr const char* doc =
      "The first input is a concatenation along an axis of tensors shaped like the other inputs; returns tensor number "
      "`part` of these, from 0. Only the shapes of the other inputs are used.";
  static Traits traits() { return {.shape_only = ~1U, .joint_vjp = true}; }
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in);
    const Index part = in.attrs().integer("part");
    if (part < 0 || part >= in.count() - 1)
      in.fail_shape(fmt::format("part must be in [0, {}), got {}", in.count() - 1, part));
    Index total = 0;
    for (int i = 1; i < in.count(); ++i) {
      Shape part_of_whole = in.shape(0);
      if (in.shape(i).rank() == part_of_whole.rank()) part_of_whole.set(axis, in.shape(i)[axis]);
      if (in.shape(i) != part_of_whole)
        in.fail_shape(fmt::format("input {} {} does not match {} outside axis {}", i, in.shape(i).str(),
                                  in.shape(0).str(), axis));
      total += in.shape(i)[axis];
    }
    if (total != in.shape(0)[axis]) in.fail_shape("the extents of the parts do not add up to that of input 0");
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
  static bool of_one_concatenation(const Vjp& a, const Vjp& b) {
    bool same = a.count() == b.count() && along_one_axis(a, b);
    for (int i = 1; same && i < a.count(); ++i) same = a.input(i) == b.input(i);
    return same;
  }
  // One concatenation for all parts of a tensor, with zeros for those that are not used.
  static Cotangents vjp(const Vjp& joint) {
    std::vector<Value> out(static_cast<std::size_t>(joint.count()));
    for (const std::vector<Vjp>& uses : grouped(joint.uses(), of_one_concatenation)) {
      const Vjp& r = uses[0];
      std::vector<Value> parts(static_cast<std::size_t>(r.count() - 1));
      for (const Vjp& use : uses) {
        Value& part = parts[static_cast<std::size_t>(use.attrs().integer("part"))];
        part = part.valid() ? part + use.cotangent() : use.cotangent();
      }
      for (std::size_t i = 0; i < parts.size(); ++i) {
        if (!parts[i].valid())
          parts[i] = broadcast_like(number_like(r.cotangent(), 0), r.input(static_cast<int>(i) + 1));
      }
      const Value whole = concat(parts, r.attrs().integer("axis"));
      out[0] = out[0].valid() ? out[0] + whole : whole;
    }
    return Cotangents(out);
  }
  static Attrs attrs(Index axis, Index part) { return {{"axis", axis}, {"part", part}}; }
  static std::vector<Sample> samples() {
    return {zero_second({"middle", {{{2, 6}}, {{2, 1}}, {{2, 3}}, {{2, 2}}}, attrs(1, 1)}),
            zero_second({"rows", {{{9, 5}}, {{7, 5}}, {{2, 5}}}, attrs(0, 0)}),
            zero_second({"one element", {{{1}}, {{1}}}, attrs(0, 0)}),
            zero_gradient({"empty", {{{2}}, {{2}}, {{0}}}, attrs(0, 1)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {
        {"part out of range", {Tensor::zeros({2}), Tensor::zeros({2})}, attrs(0, 1), "part must be in [0, 1), got 1"},
        {"part far out of range",
         {Tensor::zeros({2}), Tensor::zeros({2})},
         attrs(0, INT64_MAX),
         "part must be in [0, 1), got 9223372036854775807"},
        {"too wide",
         {Tensor({2, 3}), Tensor({2, 4})},
         attrs(0, 0),
         "input 1 [2, 4] does not match [2, 3] outside axis 0"},
        {"too few", {Tensor({3, 2}), Tensor({2, 2})}, attrs(0, 0), "do not add up to"}};
  }
};

// ---- slice and its reverse

// The elements that a slice selects from an axis, by Python's rules. For a negative step, positions are clamped to
// [-1, extent - 1].
struct Range {
  Index begin, count, step;
};
Range range_of(Index from, Index to, Index by, Index extent) {
  const Index step = std::clamp(by, -extent - 1, extent + 1);  // avoids overflow: a longer step selects the same
  const Index low = step > 0 ? 0 : -1;
  const auto position = [&](Index p) { return std::clamp<Index>(p < 0 ? p + extent : p, low, extent + low); };
  const Index begin = position(from);
  const Index end = to != open_end ? position(to) : step > 0 ? extent : -1;
  const Index distance = step > 0 ? end - begin : begin - end;
  if (distance <= 0) return {0, 0, step};
  const Index size = std::abs(step);
  return {begin, (distance + size - 1) / size, step};
}
Range range_of(const Attrs& attrs, Index extent) {
  return range_of(attrs.integer("begin"), attrs.integer("end"), attrs.integer("step"), extent);
}

void check_step(const Infer& in, Index step) {
  if (step == 0) in.fail_shape("step must not be 0");
}

struct Slice : Operation {
  static Traits traits() { return {.joint_vjp = true}; }
  static constexpr const char* name = "slice";
  static constexpr const char* doc =
      "Elements begin:end:step along an axis, as in Python: negative positions count from the end, and positions "
      "outside the axis are clamped.";
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in);
    check_step(in, in.attrs().integer("step"));
    Shape out = in.shape(0);
    out.set(axis, range_of(in.attrs(), in.shape(0)[axis]).count);
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
  // One `unslice` for all slices of a tensor along an axis.
  static Cotangents vjp(const Vjp& joint) {
    Value sum;
    for (const std::vector<Vjp>& uses : grouped(joint.uses(), along_one_axis)) {
      std::vector<Value> inputs{joint.input(0)};
      std::vector<Index> begin, end, step;
      for (const Vjp& r : uses) {
        inputs.push_back(r.cotangent());
        begin.push_back(r.attrs().integer("begin"));
        end.push_back(r.attrs().integer("end"));
        step.push_back(r.attrs().integer("step"));
      }
      const Value whole =
          apply("unslice", inputs,
                {{"axis", uses[0].attrs().integer("axis")}, {"begin", begin}, {"end", end}, {"step", step}});
      sum = sum.valid() ? sum + whole : whole;
    }
    return sum;
  }
  static Attrs attrs(Index axis, Index begin, Index end, Index step) {
    return {{"axis", axis}, {"begin", begin}, {"end", end}, {"step", step}};
  }
  static std::vector<Sample> samples() {
    return {zero_second({"rows", {{{5, 3}}}, attrs(0, 1, 4, 1)}),
            zero_second({"from the back", {{{3, 9}}}, attrs(1, -4, open_end, 1)}),
            zero_second({"every second", {{{2, 9}}}, attrs(1, 1, open_end, 2)}),
            zero_second({"backwards", {{{2, 17}}}, attrs(1, -1, open_end, -1)}),
            zero_second({"rows backwards", {{{5, 3}}}, attrs(0, 4, 0, -2)}),
            zero_second({"longer than the axis", {{{4}}}, attrs(0, -9, 9, 1)}),
            zero_second({"one step", {{{4}}}, attrs(0, 1, open_end, INT64_MIN)}),
            zero_second({"one element", {{{1}}}, attrs(0, 0, open_end, 1)}),
            zero_gradient({"empty input", {{{0, 2}}}, attrs(0, 0, open_end, 1)}),
            zero_gradient({"empty, negative step", {{{4}}}, attrs(0, 1, 3, -1)}),
            zero_gradient({"empty", {{{4}}}, attrs(0, 3, 1, 1)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"step", {Tensor::zeros({4})}, attrs(0, 0, 2, 0), "step must not be 0"},
            {"axis", {Tensor::zeros({4})}, attrs(1, 0, 2, 1), "axis 1 is out of range"}};
  }
};

struct Unslice : Operation {
  static constexpr int min_inputs = 2, max_inputs = std::numeric_limits<int>::max();
  static constexpr const char* name = "unslice";
  static constexpr const char* doc =
      "Adds the second and later inputs to zeros shaped like the first, each at the positions that `slice` reads with "
      "its element of `begin`, `end` and `step`. Reverse of slice. Where slices overlap, they are added in order.";
  static Traits traits() { return {.shape_only = 1}; }
  static Range range(const Attrs& attrs, std::size_t part, Index extent) {
    return range_of(attrs.ints("begin")[part], attrs.ints("end")[part], attrs.ints("step")[part], extent);
  }
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in);
    in.require_dtype(0, {f32, f64, i64});
    const auto parts = static_cast<std::size_t>(in.count() - 1);
    for (const char* list : {"begin", "end", "step"}) {
      if (in.attrs().ints(list).size() != parts)
        in.fail_shape(fmt::format("{} has {} elements for {} slices", list, in.attrs().ints(list).size(), parts));
    }
    for (std::size_t i = 0; i < parts; ++i) {
      const int input = static_cast<int>(i) + 1;
      check_step(in, in.attrs().ints("step")[i]);
      in.require_same_dtype(0, input);
      Shape expected = in.shape(0);
      expected.set(axis, range(in.attrs(), i, in.shape(0)[axis]).count);
      if (in.shape(input) != expected)
        in.fail_shape(
            fmt::format("a slice of {} is {}, not {}", in.shape(0).str(), expected.str(), in.shape(input).str()));
    }
    return in.type(0);
  }
  // One byte for each position of the axis: whether a slice covers it.
  static std::size_t scratch_bytes(std::span<const TensorType>, const TensorType& out, const Attrs& attrs) {
    return static_cast<std::size_t>(out.shape[static_cast<int>(attrs.integer("axis"))]);
  }
  static void copy(const KernelCall& call, const ConstBuffer& part, Index begin, Index step) {
    const auto axis = static_cast<std::size_t>(call.attrs->integer("axis"));
    Strides to = stride_of(call.output.type);
    void* const start = at(call.output.data, begin * to[axis], part.type.dtype);
    to[axis] *= step;
    strided_copy(part.type.shape, part.data, stride_of(part.type), start, to, size_of(part.type.dtype), call.parallel);
  }
  static void fill_zeros(const KernelCall& call, Index first, Index last) {
    const auto axis = call.attrs->integer("axis");
    const std::uint64_t zero = 0;
    Shape shape = call.output.type.shape;
    shape.set(static_cast<int>(axis), last - first);
    const Strides to = stride_of(call.output.type);
    const DType dtype = call.output.type.dtype;
    strided_copy(shape, &zero, Strides{}, at(call.output.data, first * to[static_cast<std::size_t>(axis)], dtype), to,
                 size_of(dtype), call.parallel);
  }
  // Adds a slice at covered positions, and copies it to others.
  template <class T>
  static void add(const KernelCall& call, const ConstBuffer& part, const Range& range, char* covered) {
    const Around a = around(call.output.type.shape, static_cast<int>(call.attrs->integer("axis")));
    for_each_in_stretches(call.parallel, a.outer * range.count, task_elements / a.inner, [&](Index row) {
      const Index position = range.begin + row % range.count * range.step;
      const T* from = part.as<T>() + row * a.inner;
      T* to = call.output.as<T>() + (row / range.count * a.extent + position) * a.inner;
      if (covered[position] == 0) std::copy_n(from, a.inner, to);
      for (Index k = 0; covered[position] != 0 && k < a.inner; ++k) to[k] += from[k];
    });
    for (Index i = 0; i < range.count; ++i) covered[range.begin + i * range.step] = 1;
  }
  static void kernel(const KernelCall& call) {
    const Index extent = call.output.type.shape[static_cast<int>(call.attrs->integer("axis"))];
    const std::span<const ConstBuffer> parts = call.inputs.subspan(1);
    auto* const covered = static_cast<char*>(call.scratch);
    const auto range_of_part = [&](std::size_t i) { return range(*call.attrs, i, extent); };
    std::fill_n(covered, extent, char{0});
    Index positions = 0, gaps = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Range r = range_of_part(i);
      for (Index k = 0; k < r.count; ++k) covered[r.begin + k * r.step] = 1;
      positions += r.count;
    }
    for (Index p = 0; p < extent; ++p) gaps += covered[p] == 0 && (p == 0 || covered[p - 1] != 0) ? 1 : 0;
    if (gaps > static_cast<Index>(parts.size()) + 1) {
      std::memset(call.output.data, 0, call.output.type.bytes());
    } else {
      for (Index first = 0, last = 0; gaps > 0 && first < extent; first = last + 1) {
        for (last = first; last < extent && covered[last] == 0;) ++last;
        if (first < last) fill_zeros(call, first, last);
      }
    }
    if (positions == std::count(covered, covered + extent, char{1})) {  // no two slices overlap
      for_each_part(call.parallel, parts.size(), call.output.type.shape.elements(), [&](Index i) {
        const Range r = range_of_part(static_cast<std::size_t>(i));
        copy(call, parts[static_cast<std::size_t>(i)], r.begin, r.step);
      });
      return;
    }
    std::fill_n(covered, extent, char{0});
    with_number(call.output.type.dtype, [&](auto zero) {
      for (std::size_t i = 0; i < parts.size(); ++i) add<decltype(zero)>(call, parts[i], range_of_part(i), covered);
    });
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) {
    const Attrs& attrs = r.attrs();
    std::vector<Value> out(static_cast<std::size_t>(r.count()));
    for (std::size_t i = 0; i + 1 < out.size(); ++i) {
      out[i + 1] = apply(
          "slice", {r.cotangent()},
          Slice::attrs(attrs.integer("axis"), attrs.ints("begin")[i], attrs.ints("end")[i], attrs.ints("step")[i]));
    }
    return Cotangents(out);
  }
  static Attrs attrs(Index axis, std::vector<Index> begin, std::vector<Index> end, std::vector<Index> step) {
    return {{"axis", axis}, {"begin", std::move(begin)}, {"end", std::move(end)}, {"step", std::move(step)}};
  }
  static std::vector<Sample> samples() {
    return {
        zero_second({"rows", {{{5, 3}}, {{2, 3}}}, attrs(0, {1}, {3}, {1})}),
        zero_second({"every second", {{{2, 9}}, {{2, 4}}}, attrs(1, {1}, {open_end}, {2})}),
        zero_second({"backwards", {{{2, 9}}, {{2, 4}}}, attrs(1, {7}, {0}, {-2})}),
        zero_second({"one element", {{{1}}, {{1}}}, attrs(0, {0}, {open_end}, {1})}),
        zero_second({"all rows", {{{5, 3}}, {{3, 3}}, {{2, 3}}}, attrs(0, {2, 0}, {open_end, 2}, {1, 1})}),
        zero_second({"gaps", {{{2, 17}}, {{2, 3}}, {{2, 4}}}, attrs(1, {9, 2}, {12, 6}, {1, 1})}),
        zero_second({"interleaved", {{{2, 7}}, {{2, 4}}, {{2, 3}}}, attrs(1, {0, 1}, {open_end, open_end}, {2, 2})}),
        zero_second({"overlapping",
                     {{{2, 9, 3}}, {{2, 5, 3}}, {{2, 9, 3}}, {{2, 2, 3}}},
                     attrs(1, {0, -1, 3}, {5, open_end, 6}, {1, -1, 2})}),
        zero_gradient({"empty slice", {{{5}}, {{0}}}, attrs(0, {2}, {2}, {-1})}),
        zero_gradient({"empty", {{{0, 2}}, {{0, 2}}, {{0, 2}}}, attrs(0, {0, 0}, {0, 4}, {1, 1})})};
  }
  static std::vector<BadSample> bad_samples() {
    const Tensor five = Tensor::zeros({5});
    return {{"other shape", {five, Tensor::zeros({3})}, attrs(0, {0}, {2}, {1}), "a slice of [5] is [2]"},
            {"second slice",
             {five, Tensor::zeros({2}), Tensor::zeros({3})},
             attrs(0, {0, 0}, {2, 2}, {1, 1}),
             "a slice of [5] is [2], not [3]"},
            {"too few bounds", {five, Tensor::zeros({2})}, attrs(0, {}, {2}, {1}), "begin has 0 elements for 1 slices"},
            {"step", {five, Tensor::zeros({3})}, attrs(0, {0}, {2}, {0}), "step must not be 0"}};
  }
};

}  // namespace

void register_parts(OpRegistry& registry) { add_operations<Concat, ConcatPart, Slice, Unslice>(registry); }

namespace {

// Checks all values before any node is appended, so that errors count operands as the user does.
void check_parts(std::span<const Value> values, const Attrs& attrs) {
  std::vector<TensorType> types;
  std::vector<std::string> words;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i].valid()) throw GraphError(fmt::format("concat: operand {} is an empty Value", i));
    types.push_back(values[i].type());
    words.push_back(values[i].describe());
  }
  (void)Concat::infer(Infer(builtin_op("concat"), types, attrs, words));
}

}  // namespace

Value concat(const std::vector<Value>& values, Index axis, SourceLocation at) {
  return composite(at, values, [&] {
    if (values.empty()) throw ShapeError("concat: needs at least one value");
    const Index along = axis_index(axis, values[0].shape().rank(), "concat");
    const Attrs attrs{{"axis", along}};
    if (values.size() > most_parts) check_parts(values, attrs);
    std::vector<Value> parts = values;
    while (parts.size() > most_parts) {
      std::vector<Value> joined;
      for (std::size_t i = 0; i < parts.size(); i += most_parts)
        joined.push_back(
            apply("concat", std::span(parts).subspan(i, std::min<std::size_t>(most_parts, parts.size() - i)), attrs));
      parts = std::move(joined);
    }
    return apply("concat", parts, attrs);
  });
}

Value select(Operand x, Position position, Index axis) {
  return composite(x, [&] {
    const int along = axis_index(axis, x.shape().rank(), "select");
    const Index extent = x.shape()[along], i = position.index() < 0 ? position.index() + extent : position.index();
    if (i < 0 || i >= extent) {
      throw ShapeError(fmt::format("select: position {} is outside axis {} of extent {}\n  {}", position.index(), along,
                                   extent, x.describe()));
    }
    return squeeze(slice(x, along, i, i + 1), along);
  });
}

Value slice(Operand x, Index axis, Index begin, std::optional<Index> end, Index step) {
  return composite(x, [&] {
    return apply("slice", {x},
                 Slice::attrs(axis_index(axis, x.shape().rank(), "slice"), begin, end.value_or(open_end), step));
  });
}

// ---- samples

std::vector<Composite> parts_composites() {
  return {
      {"slice with a negative axis",
       "Every second element, backwards.",
       [](Inputs x, const Attrs&) { return slice(x[0], -1, -2, {}, -2); },
       {zero_second({"matrix", {{{3, 8}}}})}},
  };
}

}  // namespace xgrad::inline v0
