// Operations that change shape or element order, not values.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/list_text.hpp>
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

struct View : Operation {
  static Traits traits() { return {.view = true}; }
  // Plans share the buffer, so this runs only where the output must own its bytes.
  static void kernel(const KernelCall& call) {
    std::copy_n(call.inputs[0].as<char>(), call.output.type.bytes(), call.output.as<char>());
  }
  static Cotangents vjp(const Vjp& r) { return reshape_like(r.cotangent(), r.input(0)); }
};

// Resolves extents for the given number of elements; one may be -1 and is inferred.
Shape fill_extents(const Infer& in, Index elements, const std::vector<Index>& extents) {
  Index known = 1;
  int open = 0;
  for (Index e : extents) {
    if (e < -1) in.fail_shape(fmt::format("extent {} is negative", e));
    if (e == -1)
      ++open;
    else if (__builtin_mul_overflow(known, e, &known))
      in.fail_shape("the extents are too large");
  }
  if (open > 1) in.fail_shape("more than one extent is -1");
  if (open == 0 ? known != elements : known == 0 || elements % known != 0) {
    in.fail_shape(fmt::format("{} elements do not fill the extents [{}]", elements, list_text(extents)));
  }
  Shape out;
  for (Index e : extents) out.push_back(e == -1 ? elements / known : e);
  return out;
}

struct Reshape : View {
  static constexpr const char* name = "reshape";
  static constexpr const char* doc = "Reshapes in row-major order. One extent may be -1 and is inferred.";
  static TensorType infer(const Infer& in) {
    return {in.dtype(0), fill_extents(in, in.shape(0).elements(), in.attrs().ints("extents"))};
  }
  static std::vector<Sample> samples() {
    return {zero_second({"flat", {{{3, 4}}}, {{"extents", Axes{12}}}}),
            zero_second({"inferred", {{{3, 4}}}, {{"extents", Axes{2, -1}}}}),
            zero_second({"scalar", {{{1, 1}}}, {{"extents", Axes{}}}}),
            zero_gradient({"empty", {{{0, 3}}}, {{"extents", Axes{5, 0}}}})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"other count", {Tensor({3, 4})}, {{"extents", Axes{5, 2}}}, "12 elements do not fill"},
            {"cannot infer", {Tensor({3, 4})}, {{"extents", Axes{5, -1}}}, "12 elements do not fill"},
            {"two open", {Tensor({3, 4})}, {{"extents", Axes{-1, -1}}}, "more than one extent is -1"}};
  }
};

struct ReshapeLike : View {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "reshape_like";
  static constexpr const char* doc = "Reshapes to the shape of the second input.";
  static Traits traits() { return {.view = true, .shape_only = 2}; }
  static TensorType infer(const Infer& in) {
    if (in.shape(0).elements() != in.shape(1).elements()) {
      in.fail_shape(fmt::format("{} elements do not fill {}", in.shape(0).elements(), in.shape(1).str()));
    }
    return {in.dtype(0), in.shape(1)};
  }
  static Cotangents vjp(const Vjp& r) { return {reshape_like(r.cotangent(), r.input(0)), Value{}}; }
  static std::vector<Sample> samples() {
    return {zero_second({"matrix", {{{6}}, {{2, 3}}}}), zero_second({"larger matrix", {{{3, 17}}, {{17, 3}}}}),
            zero_second({"one element", {{{1}}, {{}}}}), zero_gradient({"empty", {{{0, 2}}, {{3, 0}}}})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"other count", {Tensor::zeros({5}), Tensor({2, 3})}, {}, "5 elements do not fill"}};
  }
};

struct Flatten : View {
  static constexpr const char* name = "flatten";
  static constexpr const char* doc =
      "Merges the axes from `first` through `last`. If `first` equals the rank, appends an axis of extent 1.";
  static TensorType infer(const Infer& in) {
    const Index first = in.attrs().integer("first");
    const Index last = in.attrs().integer("last");
    const Shape& shape = in.shape(0);
    if (first < 0 || first > shape.rank()) in.fail_shape(fmt::format("axis {} is out of range", first));
    if (last >= shape.rank()) in.fail_shape(fmt::format("axis {} is out of range", last));
    if (last < first && first < shape.rank())
      in.fail_shape(fmt::format("axis {} does not come before axis {}", first, last));
    Shape out;
    Index joined = 1;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (axis >= first && axis <= last) joined *= shape[axis];
    }
    for (int axis = 0; axis <= shape.rank(); ++axis) {
      if (axis == first) out.push_back(joined);
      if (axis < shape.rank() && (axis < first || axis > last)) out.push_back(shape[axis]);
    }
    return {in.dtype(0), out};
  }
  static Attrs attrs(Index first, Index last) { return {{"first", first}, {"last", last}}; }
  static std::vector<Sample> samples() {
    return {
        zero_second({"images", {{{2, 3, 4}}}, attrs(1, 2)}),    zero_second({"all", {{{2, 3}}}, attrs(0, 1)}),
        zero_second({"front", {{{2, 3, 4}}}, attrs(0, 1)}),     zero_second({"scalar", {{{}}}, attrs(0, -1)}),
        zero_second({"longer rows", {{{3, 17}}}, attrs(0, 1)}), zero_gradient({"empty", {{{2, 0, 3}}}, attrs(1, 2)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"axis", {Tensor({2, 3})}, attrs(3, 2), "axis 3 is out of range"},
            {"last axis", {Tensor({2, 3})}, attrs(0, 2), "axis 2 is out of range"},
            {"order", {Tensor({2, 3, 4})}, attrs(2, 0), "axis 2 does not come before axis 0"}};
  }
};

struct Unflatten : View {
  static constexpr const char* name = "unflatten";
  static constexpr const char* doc =
      "Splits one axis into several of the given extents. One extent may be -1 and is inferred.";
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in);
    const Shape& shape = in.shape(0);
    const Shape filled = fill_extents(in, shape[axis], in.attrs().ints("extents"));
    Shape out;
    for (int i = 0; i < shape.rank(); ++i) {
      if (i != axis) out.push_back(shape[i]);
      for (Index e : filled) {
        if (i == axis) out.push_back(e);
      }
    }
    return {in.dtype(0), out};
  }
  static Attrs attrs(Index axis, Axes extents) { return {{"axis", axis}, {"extents", std::move(extents)}}; }
  static std::vector<Sample> samples() {
    return {zero_second({"last", {{{2, 6}}}, attrs(1, {2, 3})}),
            zero_second({"inferred", {{{6, 5}}}, attrs(0, {-1, 2})}),
            zero_second({"one element", {{{1}}}, attrs(0, {1, 1})}),
            zero_gradient({"empty", {{{0, 2}}}, attrs(0, {0, 3})})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"other count", {Tensor({2, 6})}, attrs(1, {4, 2}), "6 elements do not fill the extents [4, 2]"},
            {"axis", {Tensor::zeros({6})}, attrs(1, {2, 3}), "axis 1 is out of range"}};
  }
};

struct ExpandDims : View {
  static constexpr const char* name = "expand_dims";
  static constexpr const char* doc = "Inserts an axis of extent 1 at `axis`.";
  static TensorType infer(const Infer& in) {
    const Index axis = in.attrs().integer("axis");
    if (axis < 0 || axis > in.shape(0).rank()) in.fail_shape(fmt::format("axis {} is out of range", axis));
    Shape out;
    for (int i = 0; i <= in.shape(0).rank(); ++i) {
      if (i == axis) out.push_back(1);
      if (i < in.shape(0).rank()) out.push_back(in.shape(0)[i]);
    }
    return {in.dtype(0), out};
  }
  static std::vector<Sample> samples() {
    return {zero_second({"front", {{{3}}}, axis_attrs(0)}), zero_second({"back", {{{2, 3}}}, axis_attrs(2)}),
            zero_second({"middle", {{{3, 17}}}, axis_attrs(1)}), zero_second({"scalar", {{{}}}, axis_attrs(0)}),
            zero_gradient({"empty", {{{0}}}, axis_attrs(1)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"axis", {Tensor::zeros({3})}, axis_attrs(2), "axis 2 is out of range"}};
  }
};

struct Squeeze : View {
  static constexpr const char* name = "squeeze";
  static constexpr const char* doc = "Removes the given axes, whose extents must be 1.";
  static TensorType infer(const Infer& in) {
    const std::vector<Index>& axes = in.attrs().ints("axes");
    const Shape& shape = in.shape(0);
    for (Index axis : axes) {
      if (axis < 0 || axis >= shape.rank()) in.fail_shape(fmt::format("axis {} is out of range", axis));
      if (shape[static_cast<int>(axis)] != 1)
        in.fail_shape(fmt::format("axis {} has extent {}, not 1", axis, shape[static_cast<int>(axis)]));
    }
    Shape out;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (std::find(axes.begin(), axes.end(), axis) == axes.end()) out.push_back(shape[axis]);
    }
    return {in.dtype(0), out};
  }
  static std::vector<Sample> samples() {
    return {zero_second({"one axis", {{{3, 1, 2}}}, {{"axes", Axes{1}}}}),
            zero_second({"two axes", {{{1, 3, 1}}}, {{"axes", Axes{0, 2}}}}),
            zero_second({"to a scalar", {{{1}}}, {{"axes", Axes{0}}}}),
            zero_second({"no axis", {{{2, 3}}}, {{"axes", Axes{}}}}),
            zero_second({"longer rows", {{{3, 1, 17}}}, {{"axes", Axes{1}}}}),
            zero_gradient({"empty", {{{0, 1}}}, {{"axes", Axes{1}}}})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"extent", {Tensor({3, 2})}, {{"axes", Axes{1}}}, "axis 1 has extent 2, not 1"},
            {"axis", {Tensor::zeros({1})}, {{"axes", Axes{1}}}, "axis 1 is out of range"}};
  }
};

struct StopGradient : View {
  static constexpr const char* name = "stop_gradient";
  static constexpr const char* doc = "Identity that blocks the gradient.";
  static constexpr const char* no_gradient = "it blocks the gradient";
  static constexpr auto batch = batch_broadcast;  // not that of views, which would restore the gradient
  static TensorType infer(const Infer& in) { return same_type(in); }
  static std::vector<Sample> samples() {
    return {zero_gradient({"row", {{{5}}}}), zero_gradient({"matrix", {{{3, 17}}}}),
            zero_gradient({"one element", {{{1}}}}), zero_gradient({"empty", {{{0}}}})};
  }
};

struct Transpose : Operation {
  static constexpr const char* name = "transpose";
  static constexpr const char* doc = "Axis i of the result is axis order[i] of the input.";
  static TensorType infer(const Infer& in) {
    const std::vector<Index>& order = in.attrs().ints("order");
    Axes sorted = order;
    std::sort(sorted.begin(), sorted.end());
    bool valid = static_cast<int>(order.size()) == in.shape(0).rank();
    for (std::size_t i = 0; valid && i < sorted.size(); ++i) valid = sorted[i] == static_cast<Index>(i);
    if (!valid) in.fail_shape(fmt::format("[{}] is not an order of {} axes", list_text(order), in.shape(0).rank()));
    Shape out;
    for (Index axis : order) out.push_back(in.shape(0)[static_cast<int>(axis)]);
    return {in.dtype(0), out};
  }
  static void kernel(const KernelCall& call) {
    const std::vector<Index>& order = call.attrs->ints("order");
    const Strides from = call.inputs[0].type.shape.strides();
    Strides turned{};
    for (std::size_t i = 0; i < order.size(); ++i) turned[i] = from[static_cast<std::size_t>(order[i])];
    const Shape& shape = call.output.type.shape;
    strided_copy(shape, call.inputs[0].data, turned, call.output.data, shape.strides(), size_of(call.output.type.dtype),
                 call.parallel);
  }
  static Value batch(const Batch& b) {
    Axes order{0};
    for (const Index axis : b.attrs().ints("order")) order.push_back(axis + 1);
    return transpose(b.input(0), order);
  }
  static Cotangents vjp(const Vjp& r) {
    const std::vector<Index>& order = r.attrs().ints("order");
    std::vector<Index> back(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) back[static_cast<std::size_t>(order[i])] = static_cast<Index>(i);
    return transpose(r.cotangent(), back);
  }
  static std::vector<Sample> samples() {
    return {zero_second({"matrix", {{{3, 5}}}, {{"order", Axes{1, 0}}}}),
            zero_second({"larger matrix", {{{33, 17}}}, {{"order", Axes{1, 0}}}}),
            zero_second({"three axes", {{{2, 3, 4}}}, {{"order", Axes{2, 0, 1}}}}),
            zero_second({"scalar", {{{}}}, {{"order", Axes{}}}}),
            zero_gradient({"empty", {{{0, 3}}}, {{"order", Axes{1, 0}}}})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"repeated axis", {Tensor({2, 3})}, {{"order", Axes{0, 0}}}, "[0, 0] is not an order of 2 axes"},
            {"too few", {Tensor({2, 3})}, {{"order", Axes{0}}}, "is not an order"}};
  }
};

struct Broadcast : Operation {
  static Traits traits() { return {.broadcast = true}; }
  static void kernel(const KernelCall& call) {
    const Shape& shape = call.output.type.shape;
    strided_copy(shape, call.inputs[0].data, broadcast_strides(call.inputs[0].type.shape, shape), call.output.data,
                 shape.strides(), size_of(call.output.type.dtype), call.parallel);
  }
};

TensorType broadcast_target(const Infer& in, const Shape& target) {
  const auto stretched = broadcast(in.shape(0), target);
  if (!stretched || *stretched != target)
    in.fail_shape(fmt::format("{} does not broadcast to {}", in.shape(0).str(), target.str()));
  return {in.dtype(0), target};
}

struct BroadcastTo : Broadcast {
  static constexpr const char* name = "broadcast_to";
  static constexpr const char* doc = "Broadcasts the input to the given shape.";
  static TensorType infer(const Infer& in) { return broadcast_target(in, Shape(in.attrs().ints("shape"))); }
  static Cotangents vjp(const Vjp& r) { return sum_like(r.cotangent(), r.input(0)); }
  static std::vector<Sample> samples() {
    return {zero_second({"scalar", {{{}}}, {{"shape", Axes{3, 5}}}}),
            zero_second({"row", {{{5}}}, {{"shape", Axes{3, 5}}}}),
            zero_second({"column", {{{3, 1}}}, {{"shape", Axes{3, 5}}}}),
            zero_second({"middle", {{{2, 1, 3}}}, {{"shape", Axes{2, 4, 3}}}}),
            zero_second({"itself", {{{9}}}, {{"shape", Axes{9}}}}),
            zero_gradient({"empty", {{{1, 3}}}, {{"shape", Axes{0, 3}}}})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"does not fit", {Tensor::zeros({4})}, {{"shape", Axes{3, 5}}}, "[4] does not broadcast to [3, 5]"},
            {"smaller", {Tensor({3, 5})}, {{"shape", Axes{5}}}, "does not broadcast"}};
  }
};

struct BroadcastLike : Broadcast {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "broadcast_like";
  static constexpr const char* doc = "Broadcasts the first input to the shape of the second.";
  static Traits traits() { return {.broadcast = true, .shape_only = 2}; }
  static TensorType infer(const Infer& in) { return broadcast_target(in, in.shape(1)); }
  static Cotangents vjp(const Vjp& r) { return {sum_like(r.cotangent(), r.input(0)), Value{}}; }
  static std::vector<Sample> samples() {
    return {zero_second({"scalar", {{{}}, {{3, 5}}}}), zero_second({"column", {{{3, 1}}, {{3, 17}}}}),
            zero_second({"one element", {{{}}, {{1}}}}), zero_gradient({"empty", {{{1, 3}}, {{0, 3}}}})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"does not fit", {Tensor::zeros({4}), Tensor({3, 5})}, {}, "[4] does not broadcast to [3, 5]"}};
  }
};

struct Stretch : Broadcast {
  static constexpr const char* name = "stretch";
  static constexpr const char* doc = "Repeats an axis of extent 1 `times` times.";
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in);
    const Shape& shape = in.shape(0);
    if (shape[axis] != 1) in.fail_shape(fmt::format("axis {} has extent {}, not 1", axis, shape[axis]));
    Shape out;
    for (int i = 0; i < shape.rank(); ++i) out.push_back(i == axis ? in.attrs().integer("times") : shape[i]);
    return {in.dtype(0), out};
  }
  static Cotangents vjp(const Vjp& r) { return sum(r.cotangent(), {r.attrs().integer("axis")}, true); }
  static Attrs attrs(Index axis, Index times) { return {{"axis", axis}, {"times", times}}; }
  static std::vector<Sample> samples() {
    return {zero_second({"rows", {{{1, 5}}}, attrs(0, 3)}), zero_second({"columns", {{{3, 1}}}, attrs(1, 17)}),
            zero_second({"once", {{{1, 2}}}, attrs(0, 1)}), zero_second({"one element", {{{1}}}, attrs(0, 1)}),
            zero_gradient({"never", {{{1, 2}}}, attrs(0, 0)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"extent", {Tensor({2, 3})}, attrs(0, 2), "axis 0 has extent 2, not 1"},
            {"axis", {Tensor::zeros({1})}, attrs(1, 2), "axis 1 is out of range"},
            {"negative", {Tensor::zeros({1})}, attrs(0, -1), "negative extent -1"}};
  }
};

}  // namespace

void register_shape(OpRegistry& registry) {
  add_operations<Reshape, ReshapeLike, Flatten, Unflatten, ExpandDims, Squeeze, StopGradient, Transpose, BroadcastTo,
                 BroadcastLike, Stretch>(registry);
}

Value reshape(Operand x, const std::vector<Index>& extents) { return apply("reshape", {x}, {{"extents", extents}}); }

Value reshape_like(Operand x, Operand like) { return apply("reshape_like", {x, like}); }

Value flatten(Operand x, Index first, Index last) {
  return composite(x, [&] {
    const int rank = x.shape().rank();
    if (first == rank && last == -1) return apply("flatten", {x}, Flatten::attrs(rank, rank - 1));
    return apply("flatten", {x}, Flatten::attrs(axis_index(first, rank, "flatten"), axis_index(last, rank, "flatten")));
  });
}

Value unflatten(Operand x, Index axis, const std::vector<Index>& extents) {
  return composite(x, [&] {
    return apply("unflatten", {x}, Unflatten::attrs(axis_index(axis, x.shape().rank(), "unflatten"), extents));
  });
}

Value expand_dims(Operand x, Index axis) {
  return composite(x, [&] {
    return apply("expand_dims", {x}, {{"axis", Index{axis_index(axis, x.shape().rank() + 1, "expand_dims")}}});
  });
}
Value unsqueeze(Operand x, Index axis) {
  return composite(x, [&] { return expand_dims(x, axis); });
}

Value squeeze(Operand x, const Axes& axes) {
  return composite(x, [&] {
    const Shape& shape = x.shape();
    Axes chosen;
    if (axes.empty()) {
      for (int axis = 0; axis < shape.rank(); ++axis) {
        if (shape[axis] == 1) chosen.push_back(axis);
      }
    } else {
      chosen = normalize_axes(axes, shape.rank(), "squeeze");
    }
    return apply("squeeze", {x}, {{"axes", chosen}});
  });
}

Value stop_gradient(Operand x) { return apply("stop_gradient", {x}); }

Value transpose(Operand x, const Axes& order) {
  return composite(x, [&] {
    const int rank = x.shape().rank();
    Axes full;
    for (Index axis : order) full.push_back(axis_index(axis, rank, "transpose"));
    for (int axis = rank - 1; order.empty() && axis >= 0; --axis) full.push_back(axis);
    return apply("transpose", {x}, {{"order", full}});
  });
}

Value broadcast_to(Operand x, const Shape& shape) {
  return apply("broadcast_to", {x}, {{"shape", std::vector<Index>(shape.begin(), shape.end())}});
}

Value broadcast_like(Operand x, Operand like) { return apply("broadcast_like", {x, like}); }

Value stretch(Operand x, Index axis, Index times) {
  return composite(
      x, [&] { return apply("stretch", {x}, Stretch::attrs(axis_index(axis, x.shape().rank(), "stretch"), times)); });
}

// ---- samples

std::vector<Composite> shape_composites() {
  return {
      {"flatten of some axes",
       "Merges the axes from first through last.",
       [](Inputs x, const Attrs& a) { return flatten(x[0], a.ints("n")[0], a.ints("n")[1]); },
       {zero_second({"negative axes", {{{2, 3, 4}}}, list_attrs({-3, -2})}),
        zero_second({"a last axis", {{{3}}}, list_attrs({1, -1})})},
       {{"axis", {Tensor({2, 3})}, list_attrs({-3, -1}), "flatten: axis -3 is out of range"}}},
      {"unflatten of the last axis",
       "The reverse of flatten.",
       [](Inputs x, const Attrs& a) { return unflatten(x[0], -1, a.ints("n")); },
       {zero_second({"matrix", {{{2, 6}}}, list_attrs({3, -1})})},
       {{"scalar", {Tensor(1.0F)}, list_attrs({1}), "unflatten: axis -1"}}},
      {"squeeze of chosen axes",
       "Removes axes of extent 1.",
       [](Inputs x, const Attrs& a) { return squeeze(x[0], a.ints("n")); },
       {zero_second({"all", {{{1, 3, 1}}}, list_attrs({})}),
        zero_second({"negative axis", {{{1, 3, 1}}}, list_attrs({-1})})},
       {{"extent", {Tensor({2, 3})}, list_attrs({-1}), "squeeze: axis 1 has extent 3"},
        {"repeated axis", {Tensor({1, 3})}, list_attrs({0, -2}), "squeeze: axis 0 is named twice"}}},
      {"unsqueeze",
       "Inserts an axis of extent 1.",
       [](Inputs x, const Attrs& a) { return unsqueeze(x[0], a.integer("axis")); },
       {zero_second({"last", {{{2, 3}}}, axis_attrs(-1)}), zero_second({"scalar", {{{}}}, axis_attrs(0)}),
        zero_second({"longer rows", {{{3, 17}}}, axis_attrs(1)}), zero_gradient({"empty", {{{0, 3}}}, axis_attrs(-1)})},
       {{"axis", {Tensor::zeros({2})}, axis_attrs(2), "axis 2 is out of range"}}},
  };
}

}  // namespace xgrad::inline v0
