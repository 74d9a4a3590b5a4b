// max and min over axes, argmax and argmin.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/reductions/internal/axes.hpp>

namespace xgrad::inline v0 {
namespace {

template <bool largest, Kernels::Reduce (ReduceKernels::*table)[dtype_count], BlockReductions ReduceKernels::*blocks>
struct Extreme : reductions::Reduction<table, blocks> {
  static TensorType infer(const Infer& in) { return reductions::infer_not_empty(in); }
  // Begins with the worst number there is.
  static void reference(const KernelCall& call) {
    const auto better = [](auto a, auto b) { return largest ? a > b : a < b; };
    if (call.output.type.dtype == f64) {
      const double worst = largest ? -INFINITY : INFINITY;
      reductions::reference_of<double>(call, worst,
                                       [&](double a, double b) { return better(a, b) || std::isnan(a) ? a : b; });
    } else {
      reductions::reference_of<std::int64_t>(call, largest ? INT64_MIN : INT64_MAX,
                                             [&](auto a, auto b) { return better(a, b) ? a : b; });
    }
  }
  // Ties share the derivative evenly.
  static Cotangents vjp(const Vjp& r) {
    const Value extreme = reductions::keep_axes(r.output(), r);
    const Value chosen = cast(equal(r.input(0), extreme), r.input(0).dtype());
    const Value ties = sum(chosen, r.attrs().ints("axes"), true);
    return chosen * (reductions::keep_axes(r.cotangent(), r) / ties);
  }
  static std::vector<Sample> samples() {
    return reductions::with_integers(reductions::samples(domain::distinct(), true), domain::integers(-9, 9));
  }
  static std::vector<BadSample> bad_samples() {
    return {reductions::bad_axis(),
            reductions::bad_bool(),
            {"empty", {Tensor({0, 3})}, reductions::attrs({0}, false), "axis 0 has no elements"}};
  }
};

struct Max : Extreme<true, &Kernels::max, &Kernels::block_max> {
  static constexpr const char* name = "max";
  static constexpr const char* doc =
      "Largest element over axes. NaN propagates. Tied elements share the derivative evenly.";
};

struct Min : Extreme<false, &Kernels::min, &Kernels::block_min> {
  static constexpr const char* name = "min";
  static constexpr const char* doc =
      "Smallest element over axes. NaN propagates. Tied elements share the derivative evenly.";
};

// Whether a replaces the best element b found so far, at a smaller position. NaN is better than any number.
template <bool largest, class T>
bool beats(T a, T b) {
  return (largest ? a > b : a < b) || (a != a && b == b);
}

// Sets best[i] to the position of the first best element in column i of [n, inner]. Loops over rows, to read memory in
// order.
template <bool largest, class T>
void find_best(const T* in, Index n, Index inner, std::int64_t* best) {
  std::fill_n(best, inner, 0);
  for (Index k = 1; k < n; ++k) {
    for (Index i = 0; i < inner; ++i) {
      if (beats<largest>(in[k * inner + i], in[best[i] * inner + i])) best[i] = k;
    }
  }
}

// One axis, or all of them as one.
Around line_of(const Shape& shape, const std::vector<Index>& axes) {
  if (static_cast<int>(axes.size()) == shape.rank()) return {1, shape.elements(), 1};
  return around(shape, static_cast<int>(axes[0]));
}

template <bool largest>
struct Position : Operation {
  static constexpr const char* no_gradient = "a position has no derivative";
  static TensorType infer(const Infer& in) {
    const auto axes = static_cast<int>(in.attrs().ints("axes").size());
    const Shape shape = reductions::infer_not_empty(in).shape;
    if (axes != 1 && axes != in.shape(0).rank()) {
      in.fail_shape(fmt::format("needs one axis or all axes, got {} axes", axes));
    }
    return {i64, shape};
  }
  static double flops(std::span<const TensorType> in, const TensorType&, const Attrs&) {
    return flops_of(in[0].shape.elements(), in[0].dtype);
  }
  template <class T>
  static void run(const KernelCall& call) {
    const Around line = line_of(call.inputs[0].type.shape, call.attrs->ints("axes"));
    const T* in = call.inputs[0].as<T>();
    auto* out = call.output.as<std::int64_t>();
    for_each_in_stretches(call.parallel, line.outer, (1 << 15) / (line.extent * line.inner), [&](Index o) {
      find_best<largest>(in + o * line.extent * line.inner, line.extent, line.inner, out + o * line.inner);
    });
  }
  static void kernel(const KernelCall& call) {
    with_number(call.inputs[0].type.dtype, [&](auto zero) { run<decltype(zero)>(call); });
  }
  static std::vector<Sample> samples() {
    const Domain d = domain::distinct();
    const Domain few = domain::integers(-2, 2);  // few values, so that there are ties
    const auto make = [](const char* label, const Shape& shape, const Domain& domain, const Axes& axes, bool keepdims) {
      return zero_gradient({label, {{shape, domain}}, reductions::attrs(axes, keepdims)});
    };
    return {make("row", {9}, d, {0}, false),
            make("last axis", {3, 5}, d, {1}, false),
            make("middle axis, kept", {2, 4, 3}, d, {1}, true),
            make("all axes", {3, 4}, d, {0, 1}, false),
            make("all axes, kept", {3, 4}, d, {0, 1}, true),
            make("scalar", {}, d, {}, false),
            make("no rows", {0, 3}, d, {1}, false),
            make("integers", {19}, few, {0}, false),
            make("integers, first axis", {7, 5}, few, {0}, false)};
  }
  static std::vector<BadSample> bad_samples() {
    return {reductions::bad_axis(),
            reductions::bad_bool(),
            {"two of three axes",
             {Tensor({2, 3, 4})},
             reductions::attrs({0, 1}, false),
             "needs one axis or all axes, got 2 axes"},
            {"empty", {Tensor({0, 3})}, reductions::attrs({0}, false), "axis 0 has no elements"}};
  }
};

struct Argmax : Position<true> {
  static constexpr const char* name = "argmax";
  static constexpr const char* doc =
      "Position (i64) of the first largest element along one axis, or in row-major order; NaN counts as largest.";
};

struct Argmin : Position<false> {
  static constexpr const char* name = "argmin";
  static constexpr const char* doc =
      "Position (i64) of the first smallest element along one axis, or in row-major order; NaN counts as smallest.";
};

}  // namespace

void register_extremes(OpRegistry& registry) { add_operations<Max, Min, Argmax, Argmin>(registry); }

Value max(Operand x, const Axes& axes, bool keepdims) { return reductions::reduce("max", x, axes, keepdims); }
Value min(Operand x, const Axes& axes, bool keepdims) { return reductions::reduce("min", x, axes, keepdims); }
Value argmax(Operand x, std::optional<Index> axis, bool keepdims) {
  return reductions::reduce("argmax", x, axis ? Axes{*axis} : Axes{}, keepdims);
}
Value argmin(Operand x, std::optional<Index> axis, bool keepdims) {
  return reductions::reduce("argmin", x, axis ? Axes{*axis} : Axes{}, keepdims);
}

}  // namespace xgrad::inline v0
