// Cumulative sums and products along an axis, and linear_scan, the linear recurrence.
//
// Note [Derivative of cumprod]. Let y(k) = x(0) x(1) ... x(k), with cotangents c(k). The derivative with respect to
// x(i) is E(i) R(i). E(i) = x(0) ... x(i - 1) is an exclusive cumulative product. R(i), the sum of c(k) x(i + 1) ...
// x(k) over k >= i, is the reversed linear recurrence R(i) = c(i) + x(i + 1) R(i + 1). There is no division by x, so
// the result is correct where elements are 0, and it can be differentiated again.
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/primitives/reductions/internal/cumulative.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/internal/wide_sum.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr Index task_elements = 1 << 15;  // of one task

// Accumulates along the axis: calls accumulate(total, position), then writes the total to the output at that position.
// An addition waits for the previous one of its sum, so several sums advance together: those of neighboring columns or,
// along the last axis, of 4 rows. With more rows, whose addresses may share cache sets, lines would evict each other.
template <class T, class Total, class Accumulate>
void walk(const KernelCall& call, Total start, Accumulate accumulate) {
  const Shape& shape = call.output.type.shape;
  const Around a = around(shape, static_cast<int>(call.attrs->integer("axis")));
  const bool reverse = call.attrs->flag("reverse");
  const bool rows = a.inner == 1;
  constexpr Index most_lanes = 16;
  const Index side_by_side = rows ? 4 : most_lanes;
  const Index lanes = rows ? a.outer : a.inner, lane_stride = rows ? a.extent : 1;
  const Index groups = (lanes + side_by_side - 1) / side_by_side;
  const Index all_groups = rows ? groups : groups * a.outer;
  T* out = call.output.as<T>();
  const Index together = task_elements / (a.extent * std::min(lanes, side_by_side));
  for_each_in_stretches(call.parallel, all_groups, together, [&](Index g) {
    const Index lane = g % groups * side_by_side;
    const Index width = std::min(side_by_side, lanes - lane);
    const Index first = g / groups * a.extent * a.inner + lane * lane_stride;
    Total totals[most_lanes];
    std::fill_n(totals, most_lanes, start);
    const auto step = [&](Index place, Index count) {
      for (Index j = 0; j < count; ++j) {
        accumulate(totals[j], place + j * lane_stride);
        out[place + j * lane_stride] = static_cast<T>(totals[j]);
      }
    };
    for (Index k = 0; k < a.extent; ++k) {
      const Index place = first + (reverse ? a.extent - 1 - k : k) * a.inner;
      if (rows && width == 4)
        step(place, 4);
      else
        step(place, width);
    }
  });
}

// The accumulation type of products.
template <class T>
using Wider = std::conditional_t<std::is_same_v<T, float>, double, T>;

// One step y = a y + b of a recurrence, in double. For doubles, the rounding errors of y follow the same recurrence in
// `lost`, which is added at the end (compensated).
template <class T>
struct Recurrence {
  void add(T a, T b) { y = static_cast<double>(a) * y + static_cast<double>(b); }
  explicit operator T() const { return static_cast<T>(y); }
  double y = 0;
};
template <>
struct Recurrence<double> {
  void add(double a, double b) {
    const double product = a * y;
    const TwoSum next(product, b);
    lost = a * lost + (std::fma(a, y, -product) + next.error);
    y = next.sum;
  }
  explicit operator double() const { return std::isfinite(lost) ? y + lost : y; }
  double y = 0;
  double lost = 0;  // NaN once y is infinite
};

std::int64_t wrapping_multiply(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

// The reference: computes each element separately, from the start of the axis.
template <class T, class Combine>
void from_the_beginning(const KernelCall& call, T start, Combine combine) {
  const Shape& shape = call.output.type.shape;
  const auto axis = static_cast<int>(call.attrs->integer("axis"));
  const Index stride = shape.strides()[static_cast<std::size_t>(axis)];
  const T* in = call.inputs[0].as<T>();
  for (Index i = 0; i < shape.elements(); ++i) {
    const Index place = i / stride % shape[axis];
    const bool reverse = call.attrs->flag("reverse");
    T total = start;
    for (Index k = reverse ? shape[axis] - 1 : 0; k != place; k += reverse ? -1 : 1)
      total = combine(total, in[i + (k - place) * stride]);
    call.output.as<T>()[i] = combine(total, in[i]);
  }
}

Attrs attrs(Index axis, bool reverse) { return {{"axis", axis}, {"reverse", reverse}}; }

struct Cumulative : Operation {
  static constexpr auto batch = batch_along_axes;
  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {f32, f64, i64});
    axis_of(in);
    static_cast<void>(in.attrs().flag("reverse"));
    return in.type(0);
  }
  static double flops(std::span<const TensorType>, const TensorType& out, const Attrs&) {
    return flops_of(out.shape.elements(), out.dtype);
  }
  static std::vector<Sample> samples_from(const Domain& domain, bool linear) {
    const auto make = [&](const char* label, const Shape& shape, Index axis, bool reverse) {
      return Sample{.label = label, .inputs = {{shape, domain}}, .attrs = attrs(axis, reverse), .zero_second = linear};
    };
    return {make("row", {9}, 0, false),
            make("row, reversed", {9}, 0, true),
            make("longer row", {33}, 0, false),
            make("last axis", {3, 5}, 1, false),
            make("first axis, reversed", {5, 17}, 0, true),
            make("middle axis", {2, 4, 3}, 1, false),
            zero_second({"one element", {{{1}, domain}}, attrs(0, false)}),
            zero_gradient({"empty", {{{2, 0}, domain}}, attrs(1, false)}),
            zero_gradient({"no rows", {{{0, 3}, domain}}, attrs(1, true)}),
            Sample{"integers", {{{19}, domain::integers(-3, 3)}}, attrs(0, false)},
            Sample{"integers, first axis", {{{7, 5}, domain::integers(-3, 3)}}, attrs(0, true)}};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"axis", {Tensor({2, 3})}, attrs(2, false), "axis 2 is out of range"},
            {"scalar", {Tensor(1.0F)}, attrs(0, false), "axis 0 is out of range"},
            {"bool", {Tensor({2}, boolean)}, attrs(0, false), "it is bool"}};
  }
};

struct Cumsum : Cumulative {
  static constexpr const char* name = "cumsum";
  static constexpr const char* doc = "Cumulative sum along an axis, from the end if `reverse`.";
  template <class T>
  static void run(const KernelCall& call) {
    const T* in = call.inputs[0].as<T>();
    walk<T>(call, WideSum<T>(), [in](WideSum<T>& total, Index i) { total.add(in[i]); });
  }
  static void kernel(const KernelCall& call) {
    with_number(call.output.type.dtype, [&](auto zero) { run<decltype(zero)>(call); });
  }
  static void reference(const KernelCall& call) {
    const auto add = [](auto a, auto b) { return a + b; };
    if (call.output.type.dtype == f64) return from_the_beginning<double>(call, 0, add);
    from_the_beginning<std::int64_t>(call, 0, add);
  }
  static Cotangents vjp(const Vjp& r) {
    return cumsum(r.cotangent(), r.attrs().integer("axis"), !r.attrs().flag("reverse"));
  }
  static std::vector<Sample> samples() { return samples_from(domain::any(), true); }
};

struct Cumprod : Cumulative {
  static constexpr const char* name = "cumprod";
  static constexpr const char* doc =
      "Cumulative product along an axis, from the end if `reverse`. The derivative is correct where elements are 0.";
  template <class T>
  static void run(const KernelCall& call) {
    const T* in = call.inputs[0].as<T>();
    walk<T>(call, Wider<T>(1), [in](Wider<T>& total, Index i) { total *= static_cast<Wider<T>>(in[i]); });
  }
  static void kernel(const KernelCall& call) {
    const DType dtype = call.output.type.dtype;
    if (dtype == f32) return run<float>(call);
    if (dtype == f64) return run<double>(call);
    const auto* in = call.inputs[0].as<std::int64_t>();
    walk<std::int64_t>(call, std::int64_t{1},
                       [in](std::int64_t& total, Index i) { total = wrapping_multiply(total, in[i]); });
  }
  static void reference(const KernelCall& call) {
    const auto multiply = [](auto a, auto b) { return a * b; };
    if (call.output.type.dtype == f64) return from_the_beginning<double>(call, 1, multiply);
    from_the_beginning<std::int64_t>(call, 1, multiply);
  }
  // See Note [Derivative of cumprod].
  static Cotangents vjp(const Vjp& r) {
    const Value x = r.input(0);
    const Index axis = r.attrs().integer("axis");
    const bool reverse = r.attrs().flag("reverse");
    const Value next = reductions::shifted(x, axis, reverse, 0);
    return reductions::product_of_others(x, axis, reverse) * linear_scan(next, r.cotangent(), axis, !reverse);
  }
  static std::vector<Sample> samples() {
    auto out = samples_from(domain::away_from({0}), false);
    for (Sample& sample : out) {  // keep products near 1
      if (sample.inputs[0].shape.elements() > 9 && sample.inputs[0].domain.kind == Domain::Kind::real)
        sample.inputs[0].domain = domain::between(0.7, 1.3);
    }
    return out;
  }
};

struct LinearScan : Cumulative {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "linear_scan";
  static constexpr const char* doc =
      "Linear recurrence y(i) = a(i) y(i - 1) + b(i) along an axis, with y(-1) = 0; from the end if `reverse`.";
  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {f32, f64});
    in.require_same_dtype(0, 1);
    if (in.shape(0) != in.shape(1))
      in.fail_shape(fmt::format("{} and {} differ", in.shape(0).str(), in.shape(1).str()));
    return Cumulative::infer(in);
  }
  static double flops(std::span<const TensorType>, const TensorType& out, const Attrs&) {
    return flops_of(out.shape.elements(), out.dtype, 2);
  }
  template <class T>
  static void run(const KernelCall& call) {
    const T* a = call.inputs[0].as<T>();
    const T* b = call.inputs[1].as<T>();
    walk<T>(call, Recurrence<T>(), [a, b](Recurrence<T>& total, Index i) { total.add(a[i], b[i]); });
  }
  static void kernel(const KernelCall& call) {
    with_floating(call.output.type.dtype, [&](auto zero) { run<decltype(zero)>(call); });
  }
  // The explicit solution: y(i) is the sum of b(k) a(k + 1) ... a(i) over k <= i.
  static void reference(const KernelCall& call) {
    const Shape& shape = call.output.type.shape;
    const auto axis = static_cast<int>(call.attrs->integer("axis"));
    const Index stride = shape.strides()[static_cast<std::size_t>(axis)];
    const Index back = call.attrs->flag("reverse") ? stride : -stride;
    const double* a = call.inputs[0].as<double>();
    const double* b = call.inputs[1].as<double>();
    for (Index i = 0; i < shape.elements(); ++i) {
      const Index place = i / stride % shape[axis];
      const Index before = call.attrs->flag("reverse") ? shape[axis] - 1 - place : place;
      double sum = 0, factor = 1;
      for (Index k = 0; k <= before; ++k) {
        sum += factor * b[i + k * back];
        factor *= a[i + k * back];
      }
      call.output.as<double>()[i] = sum;
    }
  }
  // y(i + 1) depends on y(i) with the factor a(i + 1), so cotangents follow the reversed recurrence.
  static Cotangents vjp(const Vjp& r) {
    const Index axis = r.attrs().integer("axis");
    const bool reverse = r.attrs().flag("reverse");
    const Value next = reductions::shifted(r.input(0), axis, reverse, 0);
    const Value by_b = linear_scan(next, r.cotangent(), axis, !reverse);
    return {by_b * reductions::shifted(r.output(), axis, !reverse, 0), by_b};
  }
  static std::vector<Sample> samples() {
    const auto make = [](const char* label, const Shape& shape, Index axis, bool reverse) {
      return Sample{label, {{shape, domain::between(-1, 1)}, {shape}}, attrs(axis, reverse)};
    };
    return {make("row", {9}, 0, false),
            make("row, reversed", {33}, 0, true),
            make("last axis", {3, 5}, 1, false),
            make("first axis", {5, 17}, 0, false),
            make("middle axis, reversed", {2, 4, 3}, 1, true),
            zero_gradient({"one element", {{{1}}, {{1}}}, attrs(0, false)}),
            zero_gradient({"empty", {{{2, 0}}, {{2, 0}}}, attrs(1, false)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"axis", {Tensor({2, 3}), Tensor({2, 3})}, attrs(2, false), "axis 2 is out of range"},
            {"shapes", {Tensor({2, 3}), Tensor::zeros({3})}, attrs(0, false), "differ"},
            {"two dtypes", {Tensor::zeros({3}), Tensor({3}, f64)}, attrs(0, false), "dtype"},
            {"integers", {Tensor({2}, i64), Tensor({2}, i64)}, attrs(0, false), "it is i64"}};
  }
};

Value along(const char* op, Operand x, Index axis, bool reverse) {
  return composite(
      x,
      [&] {
        const Value numbers = x.dtype() == boolean ? cast(x, i64) : x;
        return apply(op, {numbers}, attrs(axis_index(axis, x.shape().rank(), op), reverse));
      },
      op);
}

}  // namespace

namespace reductions {

Value shifted(Value x, Index axis, bool forward, double fill) {
  return forward ? slice(pad(x, axis, 1, 0, fill), axis, 0, -1) : slice(pad(x, axis, 0, 1, fill), axis, 1);
}

Value product_of_others(Value x, Index axis, bool reverse) {
  return shifted(cumprod(x, axis, reverse), axis, !reverse, 1);
}

}  // namespace reductions

void register_cumulative(OpRegistry& registry) { add_operations<Cumsum, Cumprod, LinearScan>(registry); }

Value cumsum(Operand x, Index axis, bool reverse) { return along("cumsum", x, axis, reverse); }
Value cumprod(Operand x, Index axis, bool reverse) { return along("cumprod", x, axis, reverse); }
Value linear_scan(Operand a, Operand b, Index axis, bool reverse) {
  return composite(a, [&] {
    return apply("linear_scan", {a, b}, attrs(axis_index(axis, a.shape().rank(), "linear_scan"), reverse));
  });
}

}  // namespace xgrad::inline v0
