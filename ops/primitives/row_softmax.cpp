// Softmax along the last axis, and its gradient. The function softmax calls them for long rows.
#include <cmath>

#include <fmt/format.h>

#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/kernels/row_functions.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/internal/ready_rows.hpp>

namespace xgrad::inline v0 {
namespace {

TensorType infer_row(const Infer& in) {
  in.require_dtype(0, {f32, f64});
  if (axis_of(in) != in.shape(0).rank() - 1) in.fail_shape("the axis must be the last one");
  return in.type(0);
}

struct RowSoftmax : Operation {
  static constexpr const char* name = "row_softmax";
  static constexpr const char* doc = "exp(x - max(x)) / sum(exp(x - max(x))) along the last axis.";
  static Traits traits() { return {.supports_epilogue = true}; }
  static TensorType infer(const Infer& in) { return infer_row(in); }
  static double flops(std::span<const TensorType> in, const TensorType&, const Attrs&) {
    return flops_of(in[0].shape.elements(), in[0].dtype, 5);
  }
  static void kernel(const KernelCall& call) {
    with_floating(call.output.type.dtype, [&](auto zero) {
      using T = decltype(zero);
      const auto run = row_functions().softmax[static_cast<int>(call.output.type.dtype)];
      for_ready_rows(call, call.output.type.shape.back(), [&](Index row, Index rows, Index n) {
        run(call.inputs[0].as<T>() + row * n, rows, n, call.output.as<T>() + row * n);
      });
    });
  }
  static void reference(const KernelCall& call) {
    const Index n = call.output.type.shape.back();
    for (Index row = 0; row < call.output.type.shape.elements(); row += n) {
      const double* x = call.inputs[0].as<double>() + row;
      double* y = call.output.as<double>() + row;
      double top = x[0], total = 0;
      for (Index i = 0; i < n; ++i) top = std::max(top, x[i]);
      for (Index i = 0; i < n; ++i) total += std::exp(x[i] - top);
      for (Index i = 0; i < n; ++i) y[i] = std::exp(x[i] - top) / total;
    }
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) { return apply("row_softmax_gradient", {r.output(), r.cotangent()}, r.attrs()); }
  static std::vector<Sample> samples() {
    return {{"rows", {{{3, 5}}}, axis_attrs(1)},
            {"rows of 17", {{{2, 17}}}, axis_attrs(1)},
            {"one row", {{{7}}}, axis_attrs(0)},
            {"three axes", {{{2, 3, 4}}}, axis_attrs(2)},
            zero_gradient({"one element a row", {{{3, 1}}}, axis_attrs(1)}),
            zero_gradient({"one element", {{{1}}}, axis_attrs(0)}),
            zero_gradient({"no rows", {{{0, 3}}}, axis_attrs(1)}),
            zero_gradient({"empty rows", {{{3, 0}}}, axis_attrs(1)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"integers", {Tensor({3}, i64)}, axis_attrs(0), "i64"},
            {"first axis", {Tensor({2, 3})}, axis_attrs(0), "the axis must be the last one"}};
  }
};

struct RowSoftmaxGradient : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "row_softmax_gradient";
  static constexpr const char* doc =
      "y (g - sum(g y)) along the last axis: the gradient of row_softmax, whose result is the first input, for the "
      "cotangent in the second.";
  static Traits traits() { return {.supports_epilogue = true}; }
  static TensorType infer(const Infer& in) {
    in.require_same_dtype(0, 1);
    if (in.shape(0) != in.shape(1))
      in.fail_shape(fmt::format("{} and {} differ", in.shape(0).str(), in.shape(1).str()));
    return infer_row(in);
  }
  static double flops(std::span<const TensorType> in, const TensorType&, const Attrs&) {
    return flops_of(in[0].shape.elements(), in[0].dtype, 4);
  }
  static void kernel(const KernelCall& call) {
    with_floating(call.output.type.dtype, [&](auto zero) {
      using T = decltype(zero);
      const auto run = row_functions().softmax_gradient[static_cast<int>(call.output.type.dtype)];
      for_ready_rows(call, call.output.type.shape.back(), [&](Index row, Index rows, Index n) {
        run(call.inputs[0].as<T>() + row * n, call.inputs[1].as<T>() + row * n, rows, n, call.output.as<T>() + row * n);
      });
    });
  }
  static void reference(const KernelCall& call) {
    const Index n = call.output.type.shape.back();
    for (Index row = 0; row < call.output.type.shape.elements(); row += n) {
      const double* y = call.inputs[0].as<double>() + row;
      const double* g = call.inputs[1].as<double>() + row;
      double mean = 0;
      for (Index i = 0; i < n; ++i) mean += y[i] * g[i];
      for (Index i = 0; i < n; ++i) call.output.as<double>()[row + i] = y[i] * (g[i] - mean);
    }
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) {
    const Value y = r.input(0), g = r.input(1), u = r.cotangent();
    return {u * (g - sum(y * g, {-1}, true)) - g * sum(y * u, {-1}, true), apply(name, {y, u}, r.attrs())};
  }
  static std::vector<Sample> samples() {
    return {{"rows", {{{3, 5}}, {{3, 5}}}, axis_attrs(1)},
            {"rows of 17", {{{2, 17}}, {{2, 17}}}, axis_attrs(1)},
            {"one row", {{{7}}, {{7}}}, axis_attrs(0)},
            {"one element", {{{1}}, {{1}}}, axis_attrs(0)},
            zero_gradient({"no rows", {{{0, 3}}, {{0, 3}}}, axis_attrs(1)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"shapes", {Tensor({2, 3}), Tensor({2, 2})}, axis_attrs(1), "[2, 3] and [2, 2] differ"},
            {"first axis", {Tensor({2, 3}), Tensor({2, 3})}, axis_attrs(0), "the axis must be the last one"}};
  }
};

}  // namespace

void register_row_softmax(OpRegistry& registry) {
  for (OpDef def : {define<RowSoftmax>(), define<RowSoftmaxGradient>()}) {
    def.reduced_axes = [](std::span<const TensorType>, const TensorType&, const Attrs& attrs) {
      return std::uint32_t{1} << attrs.integer("axis");
    };
    registry.add(std::move(def));
  }
}

}  // namespace xgrad::inline v0
