// pad and its reverse, unpad.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr Index most = Index{1} << 56;  // no shape has more elements
constexpr Index task_elements = 1 << 15;

const char* word_for(PadMode mode) {
  return mode == PadMode::constant ? "constant" : mode == PadMode::reflect ? "reflect" : "edge";
}

// The padding of one axis: `before` added elements, those of the input, and `after` added elements.
struct Widths {
  int axis = 0;
  Index before = 0, after = 0;
  bool reflect = false, edge = false;

  bool none() const { return before == 0 && after == 0; }
  // The index of the input element that is copied to the i-th added element, before or after the input.
  Index front_source(Index i) const { return reflect ? before - i : 0; }
  Index back_source(Index i, Index extent) const { return reflect ? extent - 2 - i : extent - 1; }
  // The index of the input element at index i of the output, or -1 for a constant.
  Index source(Index i, Index extent) const {
    if (i >= before && i < before + extent) return i - before;
    if (!reflect && !edge) return -1;
    return i < before ? front_source(i) : back_source(i - before - extent, extent);
  }
};

Widths widths_of(const Attrs& attrs, int axis, Index before, Index after) {
  const std::string& mode = attrs.text("mode");
  return {axis, before, after, mode == "reflect", mode == "edge"};
}
// The widths of one axis of pad.
Widths pad_widths(const Attrs& attrs, int axis) {
  const auto i = static_cast<std::size_t>(axis);
  return widths_of(attrs, axis, attrs.ints("before")[i], attrs.ints("after")[i]);
}
// The widths of unpad, which has one axis.
Widths unpad_widths(const Attrs& attrs) {
  return widths_of(attrs, static_cast<int>(attrs.integer("axis")), attrs.integer("before"), attrs.integer("after"));
}

// Throws ShapeError unless 0 <= before, after <= most.
void check_added(const Infer& in, const Widths& w) {
  if (w.before < 0 || w.after < 0) in.fail_shape("before and after must be non-negative");
  if (w.before > most || w.after > most) in.fail_shape("before and after are too large");
}

// Throws ShapeError unless the mode exists.
void check_mode(const Infer& in) {
  const std::string& mode = in.attrs().text("mode");
  if (mode != "constant" && mode != "reflect" && mode != "edge")
    in.fail_shape(fmt::format("mode must be constant, reflect or edge, got {:?}", mode));
}

// Throws ShapeError unless an axis of this extent can be padded.
void check_widths(const Infer& in, const Widths& w, Index extent) {
  check_added(in, w);
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

Attrs pad_attrs(Axes before, Axes after, PadMode mode, double value) {
  return {{"before", std::move(before)},
          {"after", std::move(after)},
          {"mode", std::string(word_for(mode))},
          {"value", value}};
}
// Pads one axis.
Attrs pad_attrs(int rank, Index axis, Index before, Index after, PadMode mode, double value) {
  Axes all_before, all_after;
  all_before.resize(static_cast<std::size_t>(rank));
  all_after.resize(static_cast<std::size_t>(rank));
  all_before[static_cast<std::size_t>(axis)] = before;
  all_after[static_cast<std::size_t>(axis)] = after;
  return pad_attrs(std::move(all_before), std::move(all_after), mode, value);
}
Attrs unpad_attrs(Index axis, Index before, Index after, const std::string& mode) {
  return {{"axis", axis}, {"before", before}, {"after", after}, {"mode", mode}};
}

struct Pad : Operation {
  static constexpr const char* name = "pad";
  static constexpr const char* doc =
      "Adds `before` and `after` elements along each axis: `value` (constant), the elements mirrored at the first and "
      "last one, which are not repeated (reflect), or the first and last element repeated (edge).";
  static TensorType infer(const Infer& in) {
    const Shape& x = in.shape(0);
    check_mode(in);
    for (const char* widths : {"before", "after"}) {
      const std::size_t count = in.attrs().ints(widths).size();
      if (count != static_cast<std::size_t>(x.rank()))
        in.fail_shape(fmt::format("{} must have one number for each of {} axes, not {}", widths, x.rank(), count));
    }
    Shape out;
    for (int axis = 0; axis < x.rank(); ++axis) {
      const Widths w = pad_widths(in.attrs(), axis);
      check_widths(in, w, x[axis]);
      out.push_back(x[axis] + w.before + w.after);
    }
    check_value(in, in.attrs().number("value"));
    return {in.dtype(0), out};
  }

  // A row of the output consists of the last padded axis and the axes behind it. It has elements of one row of the
  // input, or of none if another axis is outside of it.
  class Rows {
   public:
    explicit Rows(const KernelCall& call) : in_(call.inputs[0].type.shape), out_(call.output.type.shape) {
      if (in_.rank() == 0) return;
      for (int axis = 0; axis < in_.rank(); ++axis) {
        of(axis) = pad_widths(*call.attrs, axis);
        if (!of(axis).none()) last_ = axis;
      }
      const Around from = around(in_, last_);
      inner_ = from.inner;
      middle_ = from.extent * from.inner;
      before_ = of(last_).before * inner_;
      size_ = out_[last_] * inner_;
    }
    Index size() const { return size_; }
    // The first element of the input's row, or -1.
    Index source(Index row) const {
      Index out = 0, stride = middle_;
      for (int axis = last_; axis-- > 0; row /= out_[axis], stride *= in_[axis]) {
        const Index i = of(axis).source(row % out_[axis], in_[axis]);
        if (i < 0) return -1;
        out += i * stride;
      }
      return out;
    }
    // Writes elements [first, last) of a row to `to`.
    template <class T>
    void write(const T* in, Index first, Index last, T value, T* to) const {
      while (first < last) {
        const bool front = first < before_, back = first >= before_ + middle_;
        Index until = std::min(last, front ? before_ : back ? size_ : before_ + middle_);
        const Widths& w = of(last_);
        if (in == nullptr || ((front || back) && !w.reflect && !w.edge)) {
          if (in == nullptr) until = last;
          std::fill_n(to, until - first, value);
        } else if (!front && !back) {
          std::copy_n(in + first - before_, until - first, to);
        } else {
          const Index inside = first % inner_;
          until = std::min(until, first - inside + inner_);
          std::copy_n(in + w.source(first / inner_, middle_ / inner_) * inner_ + inside, until - first, to);
        }
        to += until - first;
        first = until;
      }
    }

   private:
    Widths& of(int axis) { return widths_[static_cast<std::size_t>(axis)]; }
    const Widths& of(int axis) const { return widths_[static_cast<std::size_t>(axis)]; }

    const Shape& in_;
    const Shape& out_;
    std::array<Widths, Shape::max_rank> widths_;
    int last_ = 0;
    Index inner_ = 1, middle_ = 1, before_ = 0, size_ = 1;  // elements of a position, and of the parts of a row
  };
  template <class T>
  static void run(const KernelCall& call, T value) {
    const Rows rows(call);
    for_stretches(call.parallel, call.output.type.shape.elements(), task_elements, [&](Index at, Index end) {
      while (at < end) {
        const Index row = at / rows.size(), first = at % rows.size(), last = std::min(rows.size(), first + end - at);
        const Index source = rows.source(row);
        rows.write(source < 0 ? nullptr : call.inputs[0].as<T>() + source, first, last, value,
                   call.output.as<T>() + at);
        at += last - first;
      }
    });
  }
  static void kernel(const KernelCall& call) {
    const DType dtype = call.output.type.dtype;
    with_element(size_of(dtype), [&](auto bits) {
      with_dtype(dtype, [&](auto zero) {
        const auto value = static_cast<decltype(zero)>(call.attrs->number("value"));
        std::memcpy(&bits, &value, std::min(sizeof bits, sizeof value));
      });
      run(call, bits);
    });
  }
  static Value batch(const Batch& b) {
    Attrs attrs = b.attrs();
    for (const char* widths : {"before", "after"}) {
      Axes all = attrs.ints(widths);
      all.insert(all.begin(), 0);
      attrs.set(widths, std::move(all));
    }
    return apply("pad", {b.input(0)}, std::move(attrs));
  }
  static Cotangents vjp(const Vjp& r) {
    Value c = r.cotangent();
    for (int axis = c.shape().rank(); axis-- > 0;) {
      const Widths w = pad_widths(r.attrs(), axis);
      if (w.none()) continue;
      if (w.reflect || w.edge)
        c = apply("unpad", {c}, unpad_attrs(axis, w.before, w.after, r.attrs().text("mode")));
      else
        c = slice(c, axis, w.before, w.after == 0 ? std::optional<Index>() : -w.after);
    }
    return c;
  }
  static std::vector<Sample> samples() {
    constexpr auto constant = PadMode::constant, reflect = PadMode::reflect, edge = PadMode::edge;
    return {zero_second({"both sides", {{{3, 4}}}, pad_attrs({0, 2}, {0, 1}, constant, 0.5)}),
            zero_second({"front", {{{3}}}, pad_attrs({2}, {0}, constant, 0)}),
            zero_second({"no padding", {{{3}}}, pad_attrs({0}, {0}, constant, 0)}),
            zero_second({"scalar", {{{}}}, pad_attrs({}, {}, constant, 0)}),
            zero_second({"all axes", {{{2, 3, 4}}}, pad_attrs({1, 0, 2}, {0, 2, 1}, constant, -1)}),
            zero_second({"rows and columns", {{{2, 3, 4, 5}}}, pad_attrs({0, 1, 2, 0}, {0, 1, 1, 0}, constant, 0)}),
            zero_gradient({"empty axis", {{{0, 2}}}, pad_attrs({1, 0}, {1, 0}, constant, 3)}),
            zero_second({"reflected", {{{3, 5}}}, pad_attrs({0, 4}, {0, 2}, reflect, 0)}),
            zero_second({"rows reflected", {{{4, 9}}}, pad_attrs({1, 0}, {3, 0}, reflect, 0)}),
            zero_second({"all axes reflected", {{{4, 3, 5}}}, pad_attrs({1, 2, 0}, {3, 0, 2}, reflect, 0)}),
            zero_second({"one element reflected by none", {{{1}}}, pad_attrs({0}, {0}, reflect, 0)}),
            zero_second({"edges", {{{2, 3, 2}}}, pad_attrs({0, 5, 0}, {0, 1, 0}, edge, 0)}),
            zero_second({"all edges", {{{2, 3, 2}}}, pad_attrs({2, 0, 1}, {1, 3, 1}, edge, 0)}),
            zero_second({"long rows", {{{3, 20000}}}, pad_attrs({1, 7}, {0, 30000}, edge, 0)}),
            zero_second({"edge of one element", {{{1}}}, pad_attrs({2}, {3}, edge, 0)})};
  }
  static std::vector<BadSample> bad_samples() {
    const Tensor row = Tensor::zeros({3});
    Attrs other = pad_attrs({1}, {0}, PadMode::edge, 0);
    other.set("mode", std::string("wrap"));
    return {
        {"negative", {row}, pad_attrs({-1}, {0}, PadMode::constant, 0), "must be non-negative"},
        {"axes", {row}, pad_attrs({0}, {0, 1}, PadMode::constant, 0), "after must have one number for each of 1 axes"},
        {"far too wide", {row}, pad_attrs({INT64_MAX}, {1}, PadMode::constant, 0), "too large"},
        {"reflected too far", {row}, pad_attrs({0}, {3}, PadMode::reflect, 0), "axis 0 of extent 3 can be reflected"},
        {"no edge", {Tensor::zeros({0})}, pad_attrs({1}, {0}, PadMode::edge, 0), "axis 0 has no edge"},
        {"a fraction among integers", {Tensor({3}, i64)}, pad_attrs({1}, {0}, PadMode::constant, 0.5), "0.5 is not"},
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
    const Widths w = unpad_widths(in.attrs());
    check_mode(in);
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
    const Widths w = unpad_widths(*call.attrs);
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
    for_each_in_stretches(call.parallel, from.outer, task_elements / std::max<Index>(1, from.extent * from.inner), row);
  }
  static void kernel(const KernelCall& call) {
    with_floating(call.output.type.dtype, [&](auto zero) { run<decltype(zero)>(call); });
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) {
    const Widths w = unpad_widths(r.attrs());
    const PadMode mode = w.reflect ? PadMode::reflect : PadMode::edge;
    return apply("pad", {r.cotangent()}, pad_attrs(r.cotangent().shape().rank(), w.axis, w.before, w.after, mode, 0));
  }
  static std::vector<Sample> samples() {
    return {zero_second({"reflected", {{{2, 7}}}, unpad_attrs(1, 2, 1, "reflect")}),
            zero_second({"edges", {{{6, 9}}}, unpad_attrs(0, 1, 4, "edge")}),
            zero_second({"many rows", {{{300, 120}}}, unpad_attrs(1, 3, 2, "reflect")}),
            zero_second({"one element", {{{1}}}, unpad_attrs(0, 0, 0, "edge")}),
            zero_gradient({"no rows", {{{0, 3}}}, unpad_attrs(1, 1, 1, "edge")})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"shorter than that", {Tensor::zeros({3})}, unpad_attrs(0, 2, 2, "edge"), "shorter than its padding"},
            {"constants", {Tensor::zeros({3})}, unpad_attrs(0, 1, 0, "constant"), "got constant"},
            {"negative width", {Tensor::zeros({3})}, unpad_attrs(0, INT64_MIN, 0, "edge"), "must be non-negative"},
            {"far too wide", {Tensor::zeros({3})}, unpad_attrs(0, INT64_MAX, INT64_MAX, "edge"), "too large"}};
  }
};

}  // namespace

void register_pad(OpRegistry& registry) { add_operations<Pad, Unpad>(registry); }

Value pad(Operand x, Index axis, Index before, Index after, double value) {
  return composite(x, [&] {
    const int rank = x.shape().rank();
    return apply("pad", {x}, pad_attrs(rank, axis_index(axis, rank, "pad"), before, after, PadMode::constant, value));
  });
}

Value pad(Operand x, Index axis, Index before, Index after, PadMode mode) {
  return composite(x, [&] {
    const int rank = x.shape().rank();
    return apply("pad", {x}, pad_attrs(rank, axis_index(axis, rank, "pad"), before, after, mode, 0));
  });
}

Value pad(Operand x, const std::vector<PadWidth>& widths, PadMode mode, double value) {
  return composite(x, [&] {
    const int rank = x.shape().rank();
    if (static_cast<int>(widths.size()) != rank) {
      throw ShapeError(fmt::format("pad: {} widths for {} axes\n  {}", widths.size(), rank, x.describe()));
    }
    Axes before, after;
    for (const PadWidth& w : widths) {
      before.push_back(w.before);
      after.push_back(w.after);
    }
    return apply("pad", {x}, pad_attrs(std::move(before), std::move(after), mode, value));
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
