// standardize and its gradient: rows of mean 0 and variance 1.
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/kernels/row_functions.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/internal/ready_rows.hpp>
#include <xgrad/ops/primitives/internal/standard.hpp>

namespace xgrad::inline v0 {
namespace {

Attrs attrs_of(const Axes& axes, double epsilon) { return {{"axes", axes}, {"epsilon", epsilon}}; }

// The axes of a row, as a shape.
Shape row_of(const Shape& shape, const Attrs& attrs) {
  const auto axes = static_cast<int>(attrs.ints("axes").size());
  return Shape(std::span(shape.end() - axes, shape.end()));
}

TensorType infer_rows(const Infer& in) {
  in.require_dtype(0, {f32, f64});
  const int rank = in.shape(0).rank();
  const std::vector<Index>& axes = in.attrs().ints("axes");
  bool last = !axes.empty() && static_cast<int>(axes.size()) <= rank;
  for (std::size_t i = 0; i < axes.size(); ++i) last = last && axes[i] == rank - static_cast<Index>(axes.size() - i);
  if (!last) in.fail_shape("axes must be the last axes, in order");
  const double epsilon = in.attrs().number("epsilon");
  const double largest =
      in.dtype(0) == f32 ? double{std::numeric_limits<float>::max()} : std::numeric_limits<double>::max();
  if (!(epsilon >= 0 && epsilon <= largest))
    in.fail_dtype(fmt::format("epsilon must be a number >= 0 of dtype {}, got {}", name_of(in.dtype(0)), epsilon));
  return in.type(0);
}

struct Standardize : Operation {
  static constexpr const char* name = "standardize";
  static constexpr const char* doc =
      "(x - mean) / sqrt(variance + epsilon) over the last axes, with the mean of squared distances as variance. "
      "Rows of elements whose squares could overflow are scaled down first.";
  static Traits traits() { return {.supports_epilogue = true}; }
  static TensorType infer(const Infer& in) { return infer_rows(in); }
  static double flops(std::span<const TensorType> in, const TensorType&, const Attrs&) {
    return flops_of(in[0].shape.elements(), in[0].dtype, 6);
  }
  static void kernel(const KernelCall& call) {
    with_floating(call.output.type.dtype, [&](auto zero) {
      using T = decltype(zero);
      const auto run = row_functions().standardize[static_cast<int>(call.output.type.dtype)];
      for_ready_rows(call, row_of(call.output.type.shape, *call.attrs).elements(), [&](Index row, Index rows, Index n) {
        const T* x = call.inputs[0].as<T>() + row * n;
        run(x, call.attrs->number("epsilon"), rows, n, call.output.as<T>() + row * n);
      });
    });
  }
  static void reference(const KernelCall& call) {
    const Index n = row_of(call.output.type.shape, *call.attrs).elements();
    const double* x = call.inputs[0].as<double>();
    double* y = call.output.as<double>();
    for (Index row = 0; row < call.output.type.shape.elements(); row += n) {
      double mean = 0, variance = 0;
      for (Index i = row; i < row + n; ++i) mean += x[i] / static_cast<double>(n);
      for (Index i = row; i < row + n; ++i) variance += (x[i] - mean) * (x[i] - mean) / static_cast<double>(n);
      const double scale = 1 / std::sqrt(variance + call.attrs->number("epsilon"));
      for (Index i = row; i < row + n; ++i) y[i] = (x[i] - mean) * scale;
    }
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) { return apply("standardize_gradient", {r.input(0), r.cotangent()}, r.attrs()); }
  static std::vector<Sample> samples() {
    return {{"rows", {{{3, 5}}}, attrs_of({1}, 0.1)},
            {"rows of 17", {{{2, 17}}}, attrs_of({1}, 0.1)},
            {"one row", {{{7}}}, attrs_of({0}, 0.2)},
            {"two axes", {{{2, 3, 4}}}, attrs_of({1, 2}, 0.1)},
            zero_gradient({"one element a row", {{{3, 1}}}, attrs_of({1}, 0.1)}),
            zero_gradient({"one element", {{{1}}}, attrs_of({0}, 0.1)}),
            zero_gradient({"no rows", {{{0, 3}}}, attrs_of({1}, 0.1)}),
            zero_gradient({"empty rows", {{{3, 0}}}, attrs_of({1}, 0.1)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"integers", {Tensor({3}, i64)}, attrs_of({0}, 0.1), "i64"},
            {"first axis", {Tensor({2, 3})}, attrs_of({0}, 0.1), "axes must be the last axes"},
            {"no axis", {Tensor({2, 3})}, attrs_of({}, 0.1), "axes must be the last axes"},
            {"negative epsilon", {Tensor({2, 3})}, attrs_of({1}, -1), "epsilon must be a number >= 0"}};
  }
};

// The mean over the last axes, which it keeps.
Value row_mean(Value x, const Attrs& attrs) { return mean(x, attrs.ints("axes"), true); }

struct StandardizeGradient : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "standardize_gradient";
  static constexpr const char* doc =
      "The gradient of standardize at the first input, for the cotangent in the second: (g - mean(g) - y mean(g y)) / "
      "sqrt(variance + epsilon) with y = standardize(x).";
  static Traits traits() { return {.supports_epilogue = true}; }
  static TensorType infer(const Infer& in) {
    in.require_same_dtype(0, 1);
    if (in.shape(1) != in.shape(0))
      in.fail_shape(fmt::format("{} and {} differ", in.shape(0).str(), in.shape(1).str()));
    return infer_rows(in);
  }
  static double flops(std::span<const TensorType> in, const TensorType&, const Attrs&) {
    return flops_of(in[0].shape.elements(), in[0].dtype, 14);
  }
  static void kernel(const KernelCall& call) {
    with_floating(call.output.type.dtype, [&](auto zero) {
      using T = decltype(zero);
      const auto run = row_functions().standardize_gradient[static_cast<int>(call.output.type.dtype)];
      for_ready_rows(call, row_of(call.output.type.shape, *call.attrs).elements(), [&](Index row, Index rows, Index n) {
        run(call.inputs[0].as<T>() + row * n, call.inputs[1].as<T>() + row * n, call.attrs->number("epsilon"), rows, n,
            call.output.as<T>() + row * n);
      });
    });
  }
  static void reference(const KernelCall& call) {
    const Index n = row_of(call.output.type.shape, *call.attrs).elements();
    const double count = static_cast<double>(n);
    const double* x = call.inputs[0].as<double>();
    const double* g = call.inputs[1].as<double>();
    double* out = call.output.as<double>();
    for (Index row = 0; row < call.output.type.shape.elements(); row += n) {
      double mean = 0, variance = 0, of_mean = 0, of_scale = 0;
      for (Index i = row; i < row + n; ++i) mean += x[i] / count;
      for (Index i = row; i < row + n; ++i) variance += (x[i] - mean) * (x[i] - mean) / count;
      const double scale = 1 / std::sqrt(variance + call.attrs->number("epsilon"));
      for (Index i = row; i < row + n; ++i) {
        of_mean += g[i] / count;
        of_scale += g[i] * (x[i] - mean) * scale / count;
      }
      for (Index i = row; i < row + n; ++i) out[i] = (g[i] - of_mean - (x[i] - mean) * scale * of_scale) * scale;
    }
  }
  static constexpr auto batch = batch_along_axes;
  // With B(g) the output, which is linear and symmetric in g, and s = sum(u B(g)) for the cotangent u:
  // ds / dx = -(s y / n + B(mean(g y) u + mean(u y) g)) / sqrt(variance + epsilon).
  static Cotangents vjp(const Vjp& r) {
    const Value x = r.input(0), g = r.input(1), u = r.cotangent();
    const Attrs& attrs = r.attrs();
    const auto backward = [&](Value slope) { return apply(name, {x, slope}, attrs); };
    const Value y = apply("standardize", {x}, attrs);
    const Standard parts = standard_of(x, attrs.ints("axes"), attrs.number("epsilon"));
    const Value mixed = row_mean(g * y, attrs) * u + row_mean(u * y, attrs) * g;
    const Value of_x = -(row_mean(u * r.output(), attrs) * y + backward(mixed)) * (parts.scale * parts.factor);
    return {of_x, backward(u)};
  }
  static std::vector<Sample> samples() {
    return {{"rows", {{{3, 5}}, {{3, 5}}}, attrs_of({1}, 0.1)},
            {"rows of 17", {{{2, 17}}, {{2, 17}}}, attrs_of({1}, 0.1)},
            {"two axes", {{{2, 3, 4}}, {{2, 3, 4}}}, attrs_of({1, 2}, 0.1)},
            zero_gradient({"one element", {{{1}}, {{1}}}, attrs_of({0}, 0.1)}),
            zero_gradient({"no rows", {{{0, 3}}, {{0, 3}}}, attrs_of({1}, 0.1)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"shapes", {Tensor({2, 3}), Tensor({2, 2})}, attrs_of({1}, 0.1), "[2, 3] and [2, 2] differ"},
            {"first axis", {Tensor({2, 3}), Tensor({2, 3})}, attrs_of({0}, 0.1), "axes must be the last axes"}};
  }
};

}  // namespace

void register_standardize(OpRegistry& registry) {
  for (OpDef def : {define<Standardize>(), define<StandardizeGradient>()}) {
    def.reduced_axes = [](std::span<const TensorType>, const TensorType&, const Attrs& attrs) {
      std::uint32_t out = 0;
      for (const Index axis : attrs.ints("axes")) out |= 1U << axis;
      return out;
    };
    registry.add(std::move(def));
  }
}

}  // namespace xgrad::inline v0
