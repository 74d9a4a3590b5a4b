// The log-probability of a label, and its gradient, without storing the probabilities of all classes.
#include <cmath>

#include <fmt/format.h>

#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/kernels/row_functions.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/internal/indices.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr Index task_elements = 1 << 14;

// The attribute "axis" is the last axis.
TensorType infer_labels(const Infer& in) {
  in.require_dtype(0, {f32, f64});
  in.require_dtype(1, {i64});
  if (axis_of(in) != in.shape(0).rank() - 1) in.fail_shape("the axis of classes must be the last one");
  const Shape rows = without_last(in.shape(0), 1);
  if (in.shape(1) != rows)
    in.fail_shape(
        fmt::format("for logits {} labels must be {}, got {}", in.shape(0).str(), rows.str(), in.shape(1).str()));
  if (in.shape(0).back() == 0 && rows.elements() > 0) in.fail_shape("there are no classes");
  return {in.dtype(0), rows};
}

// x[label] - log(sum(exp(x))) of a row.
double log_probability(const double* x, Index n, std::int64_t label) {
  double top = x[0], total = 0;
  for (Index i = 0; i < n; ++i) top = std::max(top, x[i]);
  for (Index i = 0; i < n; ++i) total += std::exp(x[i] - top);
  return x[label] - top - std::log(total);
}

struct LabelLogProbability : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "label_log_probability";
  static constexpr const char* doc =
      "log_softmax of the first input (logits) along the last axis, at the label of each row (i64). A label outside "
      "[0, classes) throws ValueError at run time.";
  static Traits traits() { return {.may_throw = true}; }
  static TensorType infer(const Infer& in) { return infer_labels(in); }
  static double flops(std::span<const TensorType> in, const TensorType&, const Attrs&) {
    return flops_of(in[0].shape.elements(), in[0].dtype, 4);
  }
  static void kernel(const KernelCall& call) {
    with_floating(call.output.type.dtype, [&](auto zero) {
      using T = decltype(zero);
      const Index n = call.inputs[0].type.shape.back();
      const auto run = row_functions().label_log_probability[static_cast<int>(call.output.type.dtype)];
      const Index rows = call.output.type.shape.elements();
      for_checked_rows(call, n, rows, 1, task_elements / std::max<Index>(1, n), [&](Index first, Index last) {
        run(call.inputs[0].as<T>() + first * n, call.inputs[1].as<std::int64_t>() + first, last - first, n,
            call.output.as<T>() + first);
      });
    });
  }
  static void reference(const KernelCall& call) {
    const Index n = call.inputs[0].type.shape.back();
    for (Index row = 0; row < call.output.type.shape.elements(); ++row) {
      call.output.as<double>()[row] =
          log_probability(call.inputs[0].as<double>() + row * n, n, call.inputs[1].as<std::int64_t>()[row]);
    }
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) {
    return {apply("label_log_probability_gradient", {r.input(0), r.input(1), r.cotangent()}, r.attrs()), Value{}};
  }
  static std::vector<Sample> samples() {
    const Domain three = domain::integers(0, 2);
    return {{"rows", {{{4, 3}}, {{4}, three}}, axis_attrs(1)},
            {"rows of 19", {{{3, 19}}, {{3}, domain::integers(0, 18)}}, axis_attrs(1)},
            {"two axes of rows", {{{2, 2, 3}}, {{2, 2}, three}}, axis_attrs(2)},
            {"one row", {{{5}}, {{}, three}}, axis_attrs(0)},
            zero_gradient({"one class", {{{2, 1}}, {{2}, domain::integers(0, 0)}}, axis_attrs(1)}),
            zero_gradient({"one element", {{{1}}, {{}, domain::integers(0, 0)}}, axis_attrs(0)}),
            zero_gradient({"no rows", {{{0, 3}}, {{0}, three}}, axis_attrs(1)})};
  }
  static std::vector<BadSample> bad_samples() {
    const Tensor x = Tensor::zeros({2, 3});
    return {{"label too large",
             {x, Tensor::from<std::int64_t>({2}, {0, 3})},
             axis_attrs(1),
             "index 3 at position 1 is outside axis 1 of extent 3"},
            {"negative label", {x, Tensor::from<std::int64_t>({2}, {-1, 0})}, axis_attrs(1), "index -1 at position 0"},
            {"one label per element", {x, Tensor({2, 3}, i64)}, axis_attrs(1), "labels must be [2], got [2, 3]"},
            {"labels of f32", {x, Tensor::zeros({2})}, axis_attrs(1), "i64"},
            {"first axis", {x, Tensor({2}, i64)}, axis_attrs(0), "must be the last one"}};
  }
};

struct LabelLogProbabilityGradient : Operation {
  static constexpr int min_inputs = 3, max_inputs = 3;
  static constexpr const char* name = "label_log_probability_gradient";
  static constexpr const char* doc =
      "The gradient of label_log_probability with respect to the logits: the third input, one per row, times (1 at the "
      "label and 0 elsewhere, minus the softmax of the logits).";
  static Traits traits() { return {.may_throw = true}; }
  static TensorType infer(const Infer& in) {
    const TensorType rows = infer_labels(in);
    in.require_same_dtype(0, 2);
    if (in.shape(2) != rows.shape)
      in.fail_shape(fmt::format("the cotangents {} and labels {} differ", in.shape(2).str(), rows.shape.str()));
    return in.type(0);
  }
  static double flops(std::span<const TensorType> in, const TensorType&, const Attrs&) {
    return flops_of(in[0].shape.elements(), in[0].dtype, 5);
  }
  static void kernel(const KernelCall& call) {
    with_floating(call.output.type.dtype, [&](auto zero) {
      using T = decltype(zero);
      const Index n = call.output.type.shape.back();
      const auto run = row_functions().label_gradient[static_cast<int>(call.output.type.dtype)];
      const Index rows = call.inputs[1].type.shape.elements();
      for_checked_rows(call, n, rows, 1, task_elements / std::max<Index>(1, n), [&](Index first, Index last) {
        run(call.inputs[0].as<T>() + first * n, call.inputs[1].as<std::int64_t>() + first,
            call.inputs[2].as<T>() + first, last - first, n, call.output.as<T>() + first * n);
      });
    });
  }
  static void reference(const KernelCall& call) {
    const Index n = call.output.type.shape.back();
    for (Index row = 0; row < call.inputs[1].type.shape.elements(); ++row) {
      const double* x = call.inputs[0].as<double>() + row * n;
      for (Index i = 0; i < n; ++i) {
        const double at_label = i == call.inputs[1].as<std::int64_t>()[row] ? 1 : 0;
        call.output.as<double>()[row * n + i] =
            call.inputs[2].as<double>()[row] * (at_label - std::exp(log_probability(x, n, i)));
      }
    }
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) {
    const Value x = r.input(0), labels = r.input(1), u = r.cotangent();
    const Value p = softmax(x), mean = sum(p * u, {-1}, true);
    const Value at_label = squeeze(take_along_axis(u, expand_dims(labels, -1), -1), {-1});
    return {expand_dims(-r.input(2), -1) * (p * (u - mean)), Value{}, at_label - squeeze(mean, {-1})};
  }
  static std::vector<Sample> samples() {
    const Domain three = domain::integers(0, 2);
    return {{"rows", {{{4, 3}}, {{4}, three}, {{4}}}, axis_attrs(1)},
            {"rows of 19", {{{3, 19}}, {{3}, domain::integers(0, 18)}, {{3}}}, axis_attrs(1)},
            {"two axes of rows", {{{2, 2, 3}}, {{2, 2}, three}, {{2, 2}}}, axis_attrs(2)},
            {"one row", {{{5}}, {{}, three}, {{}}}, axis_attrs(0)},
            zero_gradient({"one class", {{{2, 1}}, {{2}, domain::integers(0, 0)}, {{2}}}, axis_attrs(1)}),
            zero_gradient({"one element", {{{1}}, {{}, domain::integers(0, 0)}, {{}}}, axis_attrs(0)}),
            zero_gradient({"no rows", {{{0, 3}}, {{0}, three}, {{0}}}, axis_attrs(1)})};
  }
  static std::vector<BadSample> bad_samples() {
    const Tensor x = Tensor::zeros({1, 3});
    const Tensor label({1}, i64);
    return {{"label too large",
             {x, Tensor::from<std::int64_t>({1}, {3}), Tensor::zeros({1})},
             axis_attrs(1),
             "index 3 at position 0 is outside axis 1 of extent 3"},
            {"cotangents", {x, label, Tensor::zeros({2})}, axis_attrs(1), "[2] and labels [1] differ"},
            {"labels", {x, Tensor({2}, i64), Tensor::zeros({1})}, axis_attrs(1), "labels must be [1], got [2]"}};
  }
};

}  // namespace

void register_label(OpRegistry& registry) {
  add_operations<LabelLogProbability, LabelLogProbabilityGradient>(registry);
}

}  // namespace xgrad::inline v0
