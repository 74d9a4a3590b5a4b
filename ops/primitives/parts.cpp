// Concatenation and slicing. Each operation has a reverse operation, and each is the derivative of the other.
#include <algorithm>
#include <cstdlib>
#include <cstring>
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

namespace xgrad::inline v0 {
namespace {

constexpr std::int64_t open_end = INT64_MAX;

Strides stride_of(const TensorType& type) { return type.shape.strides(); }

// ---- concat and its reverse

// Maximum number of inputs of a node. The vjp has one node per input, which reads the shapes of all inputs: its cost is
// quadratic. `concat` joins more values in several rounds.
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
      out.push_back(apply("concat_part", inputs, {{"axis", r.attrs().integer("axis")}, {"part", Index{i}}}));
    }
    return Cotangents(out);
  }
  static std::vector<Sample> samples() {
    return {zero_second({"rows", {{{2, 3}}, {{4, 3}}}, axis_attrs(0)}),
            zero_second({"columns", {{{2, 3}}, {{2, 1}}, {{2, 9}}}, axis_attrs(1)}),
            zero_second({"one", {{{5}}}, axis_attrs(0)}), zero_second({"one element", {{{1}}, {{0}}}, axis_attrs(0)}),
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
  static Traits traits() { return {.shape_only = ~1U}; }
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
  static Cotangents vjp(const Vjp& r) {
    const Index part = r.attrs().integer("part");
    std::vector<Value> parts;
    for (int i = 1; i < r.count(); ++i)
      parts.push_back(i == part + 1 ? r.cotangent() : broadcast_like(number_like(r.cotangent(), 0), r.input(i)));
    std::vector<Value> out(static_cast<std::size_t>(r.count()));
    out[0] = concat(parts, r.attrs().integer("axis"));
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
Range range_of(const Attrs& attrs, Index extent) {
  const Index step = std::clamp(attrs.integer("step"), -extent - 1,
                                extent + 1);  // avoids overflow: a longer step selects the same elements
  const Index low = step > 0 ? 0 : -1;
  const auto position = [&](Index p) { return std::clamp<Index>(p < 0 ? p + extent : p, low, extent + low); };
  const Index begin = position(attrs.integer("begin"));
  const bool open = attrs.integer("end") == open_end;
  const Index end = !open ? position(attrs.integer("end")) : step > 0 ? extent : -1;
  const Index distance = step > 0 ? end - begin : begin - end;
  if (distance <= 0) return {0, 0, step};
  const Index size = std::abs(step);
  return {begin, (distance + size - 1) / size, step};
}

void check_step(const Infer& in) {
  if (in.attrs().integer("step") == 0) in.fail_shape("step must not be 0");
}

struct Slice : Operation {
  static constexpr const char* name = "slice";
  static constexpr const char* doc =
      "Elements begin:end:step along an axis, as in Python: negative positions count from the end, and positions "
      "outside the axis are clamped.";
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in);
    check_step(in);
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
  static Cotangents vjp(const Vjp& r) { return apply("unslice", {r.cotangent(), r.input(0)}, r.attrs()); }
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
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "unslice";
  static constexpr const char* doc =
      "Writes the first input into zeros shaped like the second, at the positions that `slice` reads. Reverse of "
      "slice.";
  static Traits traits() { return {.shape_only = 2}; }
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in, 1);
    check_step(in);
    Shape expected = in.shape(1);
    expected.set(axis, range_of(in.attrs(), in.shape(1)[axis]).count);
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
    return {zero_second({"rows", {{{2, 3}}, {{5, 3}}}, Slice::attrs(0, 1, 3, 1)}),
            zero_second({"every second", {{{2, 4}}, {{2, 9}}}, Slice::attrs(1, 1, open_end, 2)}),
            zero_second({"backwards", {{{2, 4}}, {{2, 9}}}, Slice::attrs(1, 7, 0, -2)}),
            zero_second({"one element", {{{1}}, {{1}}}, Slice::attrs(0, 0, open_end, 1)}),
            zero_gradient({"empty slice", {{{0}}, {{5}}}, Slice::attrs(0, 2, 2, -1)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {
        {"other shape", {Tensor::zeros({3}), Tensor::zeros({5})}, Slice::attrs(0, 0, 2, 1), "a slice of [5] is [2]"},
        {"step", {Tensor::zeros({3}), Tensor::zeros({5})}, Slice::attrs(0, 0, 2, 0), "step must not be 0"}};
  }
};

bool is_plain(Value unslice) { return unslice.graph().attrs(unslice.id()).integer("step") == 1; }

// Replaces a sum of zero-padded slices by their concatenation if the slices do not overlap. Such sums are the gradient
// of a tensor that was sliced T times, and cost T times its size. The final + 0.0 turns -0 into +0, as the sum does.
Value join_unslices(const Match& m) {
  Graph& graph = m.root.graph();
  struct Piece {
    Range range;
    Value cotangent;
  };
  std::vector<Piece> parts;
  const Index axis = graph.attrs(m.links[0].id()).integer("axis");
  const Index extent = m.root.shape()[static_cast<int>(axis)];
  for (const Value link : m.links) {
    const Attrs& attrs = graph.attrs(link.id());
    if (attrs.integer("axis") != axis || link.type() != m.root.type()) return {};
    parts.push_back({range_of(attrs, extent), graph.value(graph.inputs(link.id())[0])});
  }
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Piece& a, const Piece& b) { return a.range.begin < b.range.begin; });
  std::vector<Value> all;
  Index done = 0;
  const auto zeros_to = [&](Index end) {
    if (end == done) return;
    Shape shape = m.root.shape();
    shape.set(static_cast<int>(axis), end - done);
    all.push_back(broadcast_to(graph.constant(0, m.root.dtype()), shape));
  };
  for (const Piece& part : parts) {
    if (part.range.count == 0) continue;
    if (part.range.begin < done) return {};
    zeros_to(part.range.begin);
    all.push_back(part.cotangent);
    done = part.range.begin + part.range.count;
  }
  zeros_to(extent);
  const Value joined = concat(all, axis);
  return (m.rest.valid() ? m.rest + joined : joined) + 0.0;
}

// The sum of the gradients of slices, given by their bounds, and of another tensor if `more`.
template <bool more, Index... bounds>
Value slices(Graph& graph) {
  constexpr Index all[] = {bounds...};
  const Value x = graph.input("x", {3, 8});
  Value sum = more ? graph.input("more", {3, 8}) : Value();
  for (std::size_t i = 0; i < sizeof...(bounds); i += 2) {
    const Attrs attrs = Slice::attrs(1, all[i], all[i + 1], 1);
    const Value part = apply("unslice", {apply("slice", {x}, attrs) * static_cast<double>(all[i] + 2), x}, attrs);
    sum = sum.valid() ? sum + part : part;
  }
  return sum;
}

}  // namespace

void add_parts_rules(OpRegistry& registry) {
  const Pattern unslice = pattern::op(*registry.find("unslice"), {pattern::any("part"), pattern::any("whole")});
  registry.add_rule({.name = "sum of slices' gradients",
                     .from = pattern::chain(*registry.find("add"), unslice.with(is_plain)),
                     .to = join_unslices,
                     .samples = {{"all rows", slices<false, 0, 2, 2, 5, 5, 8>},
                                 {"backwards, with gaps", slices<false, 6, 7, 4, 5, 1, 3>},
                                 {"and more", slices<true, 0, 4, 4, 6>},
                                 {"overlapping", slices<false, 0, 4, 3, 6>, false},
                                 {"one", slices<true, 0, 4>, false}}});
}

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
