// pad and its reverse, unpad.
#include <algorithm>
#include <cmath>

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

constexpr Index most = Index{1} << 56;  // no shape has more elements

const char* word_for(PadMode mode) {
  return mode == PadMode::constant ? "constant" : mode == PadMode::reflect ? "reflect" : "edge";
}

// The attributes of pad. The padded axis has `before` added elements, those of the input, and `after` added elements.
struct Widths {
  int axis;
  Index before, after;
  bool reflect, edge;

  explicit Widths(const Attrs& attrs)
      : axis(static_cast<int>(attrs.integer("axis"))),
        before(attrs.integer("before")),
        after(attrs.integer("after")),
        reflect(attrs.text("mode") == "reflect"),
        edge(attrs.text("mode") == "edge") {}

  // The index of the input element that is copied to the i-th added element, before or after the input.
  Index front_source(Index i) const { return reflect ? before - i : 0; }
  Index back_source(Index i, Index extent) const { return reflect ? extent - 2 - i : extent - 1; }
};

// Throws ShapeError unless 0 <= before, after <= most.
void check_added(const Infer& in, const Widths& w) {
  if (w.before < 0 || w.after < 0) in.fail_shape("before and after must be non-negative");
  if (w.before > most || w.after > most) in.fail_shape("before and after are too large");
}

// Throws ShapeError unless an axis of this extent can be padded.
void check_widths(const Infer& in, const Widths& w, Index extent) {
  check_added(in, w);
  if (!w.reflect && !w.edge && in.attrs().text("mode") != "constant")
    in.fail_shape(fmt::format("mode must be constant, reflect or edge, got {:?}", in.attrs().text("mode")));
  const Index widest = std::max(w.before, w.after);
  if (w.reflect && widest > 0 && widest >= extent) {
    in.fail_shape(fmt::format("axis {} of extent {} can be reflected by less than its extent, not by {}", w.axis,
                              extent, widest));
  }
  if (w.edge && widest > 0 && extent == 0) in.fail_shape(fmt::format("axis {} has no edge to repeat", w.axis));
}

// Throws DTypeError unless the input's dtype can represent the value.
void check_value(const Infer& in, double value) {
  bool fits = true;
  switch (in.dtype(0)) {
    case DType::f32: fits = !std::isfinite(value) || std::isfinite(static_cast<float>(value)); break;
    case DType::f64: break;
    case DType::i64: fits = value == std::trunc(value) && std::abs(value) < 0x1p63; break;
    case DType::boolean: fits = value == 0 || value == 1; break;
  }
  if (!fits) in.fail_dtype(fmt::format("{} is not a number of dtype {}", value, name_of(in.dtype(0))));
}

Attrs pad_attrs(Index axis, Index before, Index after, PadMode mode, double value) {
  return {
      {"axis", axis}, {"before", before}, {"after", after}, {"mode", std::string(word_for(mode))}, {"value", value}};
}

struct Pad : Operation {
  static constexpr const char* name = "pad";
  static constexpr const char* doc =
      "Adds `before` and `after` elements along an axis: `value` (constant), the elements mirrored at the first and "
      "last one, which are not repeated (reflect), or the first and last element repeated (edge).";
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in);
    const Widths w(in.attrs());
    check_widths(in, w, in.shape(0)[axis]);
    check_value(in, in.attrs().number("value"));
    Shape out;
    for (int i = 0; i < in.shape(0).rank(); ++i) out.push_back(in.shape(0)[i] + (i == axis ? w.before + w.after : 0));
    return {in.dtype(0), out};
  }

  // Copies `count` elements of the axis to the output from element `to` on: input elements from, from + step, ...
  static void copy(const KernelCall& call, Index count, Index from, Index step, Index to) {
    const auto axis = static_cast<std::size_t>(call.attrs->integer("axis"));
    const TensorType& input = call.inputs[0].type;
    if (count == 0) return;
    Shape shape = input.shape;
    shape.set(static_cast<int>(axis), count);
    Strides from_strides = input.shape.strides();
    const Strides to_strides = call.output.type.shape.strides();
    const char* source = at(call.inputs[0].data, from * from_strides[axis], input.dtype);
    from_strides[axis] *= step;
    strided_copy(shape, source, from_strides, at(call.output.data, to * to_strides[axis], input.dtype), to_strides,
                 size_of(input.dtype), call.parallel);
  }
  static void fill(const KernelCall& call, const Widths& w) {
    const Around to = around(call.output.type.shape, w.axis);
    with_dtype(call.output.type.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T value = static_cast<T>(call.attrs->number("value"));
      for (Index o = 0; o < to.outer; ++o) {
        T* row = call.output.as<T>() + o * to.extent * to.inner;
        std::fill_n(row, w.before * to.inner, value);
        std::fill_n(row + (to.extent - w.after) * to.inner, w.after * to.inner, value);
      }
    });
  }
  static void kernel(const KernelCall& call) {
    const Widths w(*call.attrs);
    const Index extent = call.inputs[0].type.shape[w.axis];
    copy(call, extent, 0, 1, w.before);
    if (w.reflect || w.edge) {
      const Index step = w.reflect ? -1 : 0;
      copy(call, w.before, w.front_source(0), step, 0);
      copy(call, w.after, w.back_source(0, extent), step, w.before + extent);
    } else {
      fill(call, w);
    }
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) {
    const Widths w(r.attrs());
    if (w.reflect || w.edge) return apply("unpad", {r.cotangent()}, r.attrs());
    return slice(r.cotangent(), w.axis, w.before, w.after == 0 ? std::optional<Index>() : -w.after);
  }
  static std::vector<Sample> samples() {
    constexpr auto constant = PadMode::constant, reflect = PadMode::reflect, edge = PadMode::edge;
    return {zero_second({"both sides", {{{3, 4}}}, pad_attrs(1, 2, 1, constant, 0.5)}),
            zero_second({"front", {{{3}}}, pad_attrs(0, 2, 0, constant, 0)}),
            zero_second({"no padding", {{{3}}}, pad_attrs(0, 0, 0, constant, 0)}),
            zero_gradient({"empty axis", {{{0, 2}}}, pad_attrs(0, 1, 1, constant, 3)}),
            zero_second({"reflected", {{{3, 5}}}, pad_attrs(1, 4, 2, reflect, 0)}),
            zero_second({"rows reflected", {{{4, 9}}}, pad_attrs(0, 1, 3, reflect, 0)}),
            zero_second({"one element reflected by none", {{{1}}}, pad_attrs(0, 0, 0, reflect, 0)}),
            zero_second({"edges", {{{2, 3, 2}}}, pad_attrs(1, 5, 1, edge, 0)}),
            zero_second({"edge of one element", {{{1}}}, pad_attrs(0, 2, 3, edge, 0)})};
  }
  static std::vector<BadSample> bad_samples() {
    const Tensor row = Tensor::zeros({3});
    Attrs other = pad_attrs(0, 1, 0, PadMode::edge, 0);
    other.set("mode", std::string("wrap"));
    return {
        {"negative", {row}, pad_attrs(0, -1, 0, PadMode::constant, 0), "must be non-negative"},
        {"axis", {row}, pad_attrs(1, 0, 0, PadMode::constant, 0), "axis 1"},
        {"far too wide", {row}, pad_attrs(0, INT64_MAX, 1, PadMode::constant, 0), "too large"},
        {"reflected too far", {row}, pad_attrs(0, 0, 3, PadMode::reflect, 0), "axis 0 of extent 3 can be reflected"},
        {"no edge", {Tensor::zeros({0})}, pad_attrs(0, 1, 0, PadMode::edge, 0), "axis 0 has no edge"},
        {"a fraction among integers", {Tensor({3}, i64)}, pad_attrs(0, 1, 0, PadMode::constant, 0.5), "0.5 is not"},
        {"unknown mode", {row}, other, "got \"wrap\""}};
  }
};

struct Unpad : Operation {
  static constexpr const char* name = "unpad";
  static constexpr const char* doc =
      "Removes the elements that `pad` added in mode reflect or edge, and adds each of them to the element that it is "
      "a copy of. Reverse of pad.";
  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {f32, f64});
    const int axis = axis_of(in);
    const Widths w(in.attrs());
    check_value(in, in.attrs().number("value"));
    check_added(in, w);
    Shape out = in.shape(0);
    const Index extent = out[axis] - w.before - w.after;
    if (extent < 0) in.fail_shape(fmt::format("axis {} of extent {} is shorter than its padding", axis, out[axis]));
    check_widths(in, w, extent);
    if (!w.reflect && !w.edge) in.fail_shape("mode must be reflect or edge, got constant");
    out.set(axis, extent);
    return {in.dtype(0), out};
  }
  static double flops(std::span<const TensorType> in, const TensorType& out, const Attrs&) {
    return flops_of(in[0].shape.elements() - out.shape.elements(), out.dtype);
  }
  template <class T>
  static void run(const KernelCall& call) {
    const Widths w(*call.attrs);
    const Around from = around(call.inputs[0].type.shape, w.axis);
    const Index extent = call.output.type.shape[w.axis];
    const auto row = [&](Index o) {
      const T* in = call.inputs[0].as<T>() + o * from.extent * from.inner;
      T* out = call.output.as<T>() + o * extent * from.inner;
      const auto add = [&](Index source, Index added) {
        const T* a = in + added * from.inner;
        T* sum = out + source * from.inner;
        for (Index i = 0; i < from.inner; ++i) sum[i] += a[i];
      };
      std::copy_n(in + w.before * from.inner, extent * from.inner, out);
      for (Index i = 0; i < w.before; ++i) add(w.front_source(i), i);
      for (Index i = 0; i < w.after; ++i) add(w.back_source(i, extent), w.before + extent + i);
    };
    for_each_in_stretches(call.parallel, from.outer, (1 << 15) / std::max<Index>(1, from.extent * from.inner), row);
  }
  static void kernel(const KernelCall& call) {
    with_floating(call.output.type.dtype, [&](auto zero) { run<decltype(zero)>(call); });
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) { return apply("pad", {r.cotangent()}, r.attrs()); }
  static std::vector<Sample> samples() {
    return {zero_second({"reflected", {{{2, 7}}}, pad_attrs(1, 2, 1, PadMode::reflect, 0)}),
            zero_second({"edges", {{{6, 9}}}, pad_attrs(0, 1, 4, PadMode::edge, 0)}),
            zero_second({"many rows", {{{300, 120}}}, pad_attrs(1, 3, 2, PadMode::reflect, 0)}),
            zero_second({"one element", {{{1}}}, pad_attrs(0, 0, 0, PadMode::edge, 0)}),
            zero_gradient({"no rows", {{{0, 3}}}, pad_attrs(1, 1, 1, PadMode::edge, 0)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {
        {"shorter than that", {Tensor::zeros({3})}, pad_attrs(0, 2, 2, PadMode::edge, 0), "shorter than its padding"},
        {"constants", {Tensor::zeros({3})}, pad_attrs(0, 1, 0, PadMode::constant, 0), "got constant"},
        {"negative width", {Tensor::zeros({3})}, pad_attrs(0, INT64_MIN, 0, PadMode::edge, 0), "must be non-negative"},
        {"far too wide", {Tensor::zeros({3})}, pad_attrs(0, INT64_MAX, INT64_MAX, PadMode::edge, 0), "too large"}};
  }
};

}  // namespace

void register_pad(OpRegistry& registry) { add_operations<Pad, Unpad>(registry); }

Value pad(Operand x, Index axis, Index before, Index after, double value) {
  return composite(x, [&] {
    return apply("pad", {x},
                 pad_attrs(axis_index(axis, x.shape().rank(), "pad"), before, after, PadMode::constant, value));
  });
}

Value pad(Operand x, Index axis, Index before, Index after, PadMode mode) {
  return composite(x, [&] {
    return apply("pad", {x}, pad_attrs(axis_index(axis, x.shape().rank(), "pad"), before, after, mode, 0));
  });
}

Value pad(Operand x, const std::vector<PadWidth>& widths, PadMode mode, double value) {
  return composite(x, [&] {
    const int rank = x.shape().rank();
    if (static_cast<int>(widths.size()) != rank) {
      throw ShapeError(fmt::format("pad: {} widths for {} axes\n  {}", widths.size(), rank, x.describe()));
    }
    for (int axis = 0; axis < rank; ++axis) {
      const PadWidth& w = widths[static_cast<std::size_t>(axis)];
      if (w.before != 0 || w.after != 0) x = apply("pad", {x}, pad_attrs(axis, w.before, w.after, mode, value));
    }
    return x;
  });
}

// ---- samples

std::vector<Composite> pad_composites() {
  return {
      {"pad of several axes",
       "Pads all axes of a tensor.",
       [](Inputs x, const Attrs& a) {
         const auto& mode = a.text("mode");
         return pad(x[0], {{1, 0}, {0, 0}, {2, 1}},
                    mode == "edge"      ? PadMode::edge
                    : mode == "reflect" ? PadMode::reflect
                                        : PadMode::constant,
                    0.5);
       },
       {zero_second({"constant", {{{2, 3, 4}}}, {{"mode", std::string("constant")}}}),
        zero_second({"reflect", {{{2, 3, 4}}}, {{"mode", std::string("reflect")}}}),
        zero_second({"edge", {{{2, 3, 1}}}, {{"mode", std::string("edge")}}})},
       {{"widths", {Tensor::zeros({2})}, {{"mode", std::string("edge")}}, "pad: 3 widths for 1 axes"}}},
      {"pad of one axis by its edge",
       "Pads an axis by its first and last element.",
       [](Inputs x, const Attrs&) { return pad(x[0], -1, 2, 1, PadMode::edge); },
       {zero_second({"row", {{{2, 3}}}})}},
  };
}

}  // namespace xgrad::inline v0
