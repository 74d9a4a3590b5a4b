// Losses, composed of operations, and the one operation that lets a loss see through softmax.
#include <algorithm>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/ops/define.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/registry.hpp>

namespace xgrad {
namespace {

// Note [Softmax and cross-entropy]. The logarithm of a probability that softmax has rounded to 0 or clipped is lost,
// and with it the gradient of a badly wrong answer. So softmax ends in this view, which also names the logits; a
// cross-entropy that meets it uses log_softmax of the logits instead, and the picture of the graph shows that it does.
struct Probabilities : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "probabilities";
  static constexpr const char* doc =
      "The first input: probabilities along an axis, which softmax made of the second input. Cross-entropies read the "
      "second.";
  static Traits traits() { return {.view = true, .shape_only = 2}; }
  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {f32, f64});
    if (in.shape(0) != in.shape(1))
      in.fail_shape(fmt::format("{} and {} differ", in.shape(0).str(), in.shape(1).str()));
    return in.type(0);
  }
  static void kernel(const KernelCall& call) {
    std::copy_n(call.inputs[0].as<char>(), call.output.type.bytes(), call.output.as<char>());
  }
  static Cotangents vjp(const Vjp& r) { return {r.cotangent(), Value{}}; }
  static std::vector<Sample> samples() {
    return {{"matrix", {{{3, 5}}, {{3, 5}}}, {{"axis", Index{1}}}, 0, false, true}};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"shapes", {Tensor({3, 5}), Tensor({3, 4})}, {{"axis", Index{1}}}, "differ"}};
  }
};

// The logits behind the output of softmax over the last axis; empty for other values.
Value logits_behind(Value prediction) {
  const Node& node = prediction.node();
  if (node.op != &builtin_op("probabilities")) return {};
  Graph& graph = prediction.graph();
  if (graph.attrs(prediction.id()).integer("axis") != prediction.shape().rank() - 1) return {};
  return graph.value(graph.inputs(prediction.id())[1]);
}

void require_classes(const char* name, Value prediction) {
  if (!is_floating(prediction.dtype())) {
    throw DTypeError(
        fmt::format("{}: predictions must be floating numbers\n  prediction: {}", name, prediction.describe()));
  }
  if (prediction.shape().rank() == 0) {
    throw ShapeError(
        fmt::format("{}: predictions need an axis of classes\n  prediction: {}", name, prediction.describe()));
  }
}

void require_same_shape(const char* name, Value prediction, Value target) {
  prediction.graph().require(target, fmt::format("{}: target", name));
  if (prediction.shape() != target.shape()) {
    throw ShapeError(
        fmt::format("{}: prediction and target must have the same shape: {} and {}\n  prediction: {}\n  target: {}",
                    name, prediction.shape().str(), target.shape().str(), prediction.describe(), target.describe()));
  }
  if (prediction.dtype() != target.dtype()) {
    throw DTypeError(fmt::format("{}: prediction and target have different dtypes\n  prediction: {}\n  target: {}",
                                 name, prediction.describe(), target.describe()));
  }
}

// Probabilities as Keras reads them: normalised, then kept away from 0 and 1.
Value log_of_probabilities(Value prediction) {
  constexpr double epsilon = 1e-7;
  return log(clip(prediction / sum(prediction, {-1}, true), epsilon, 1 - epsilon));
}

Value mean_of_rows(Value log_probabilities, Value weights) { return mean(-sum(weights * log_probabilities, {-1})); }

Value hot(const char* name, Value prediction, Value labels) {
  prediction.graph().require(labels, fmt::format("{}: labels", name));
  Shape expected;
  for (int axis = 0; axis + 1 < prediction.shape().rank(); ++axis) expected.push_back(prediction.shape()[axis]);
  if (labels.dtype() != i64 || labels.shape() != expected) {
    throw ShapeError(fmt::format("{}: for predictions {} labels must be i64{}\n  prediction: {}\n  labels: {}", name,
                                 prediction.shape().str(), expected.str(), prediction.describe(), labels.describe()));
  }
  return one_hot(labels, prediction.shape().back(), prediction.dtype());
}

}  // namespace

void register_losses(OpRegistry& registry) { registry.add(define<Probabilities>()); }

Value mse(Value prediction, Value target) {
  require_same_shape("mse", prediction, target);
  return mean(square(prediction - target));
}

Value categorical_crossentropy(Value prediction, Value target) {
  require_classes("categorical_crossentropy", prediction);
  require_same_shape("categorical_crossentropy", prediction, target);
  const Value logits = logits_behind(prediction);
  return mean_of_rows(logits.valid() ? log_softmax(logits) : log_of_probabilities(prediction), target);
}

Value categorical_crossentropy_from_logits(Value logits, Value target) {
  require_classes("categorical_crossentropy_from_logits", logits);
  require_same_shape("categorical_crossentropy_from_logits", logits, target);
  return mean_of_rows(log_softmax(logits), target);
}

Value sparse_categorical_crossentropy(Value prediction, Value labels) {
  require_classes("sparse_categorical_crossentropy", prediction);
  const Value logits = logits_behind(prediction);
  return mean_of_rows(logits.valid() ? log_softmax(logits) : log_of_probabilities(prediction),
                      hot("sparse_categorical_crossentropy", prediction, labels));
}

Value sparse_categorical_crossentropy_from_logits(Value logits, Value labels) {
  require_classes("sparse_categorical_crossentropy_from_logits", logits);
  return mean_of_rows(log_softmax(logits), hot("sparse_categorical_crossentropy_from_logits", logits, labels));
}

}  // namespace xgrad
