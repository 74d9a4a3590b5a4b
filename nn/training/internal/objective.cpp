#include <xgrad/nn/training/internal/objective.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/regularizers.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {
namespace {

// Softmax over a single unit is constant 1, so nothing would be learned.
void require_no_lone_softmax(Value prediction, const std::string& where) {
  const Node& node = prediction.node();
  if (node.op != &builtin_op("probabilities")) return;
  const auto axis = static_cast<int>(prediction.graph().attrs(prediction.id()).integer("axis"));
  if (prediction.shape()[axis] != 1) return;
  throw ShapeError(
      fmt::format("{}: the prediction is softmax over a single unit, which is always 1\n  prediction: {}\n  hint: for "
                  "one probability per row use nn::sigmoid and binary_crossentropy",
                  where, prediction.describe()));
}

}  // namespace

void add_objective(ModelGraph& out, const CompileOptions& compiled, const std::string& where) {
  Graph& g = *out.graph;
  const auto require_scalar = [&](const char* kind, const std::string& name, Value value) {
    if (value.shape().rank() == 0 && is_floating(value.dtype())) return value;
    throw ShapeError(fmt::format("{}: the {} \"{}\" must be a floating-point scalar\n  got: {}", where, kind, name,
                                 value.describe()));
  };
  require_no_lone_softmax(out.prediction, where);
  const MetricInput batch{.prediction = out.prediction,
                          .target = out.target,
                          .weights = out.weights,
                          .prediction_kind = compiled.loss.prediction,
                          .target_kind = compiled.loss.target};
  {
    const auto scope = g.scope("loss");
    const MetricOutput loss = compiled.loss.measure(batch);
    const Value data_loss = require_scalar("loss", compiled.loss.name, loss.value);
    out.loss = with_penalties(data_loss);
    out.loss_weight = loss.weight;
    if (out.loss_weight.valid() && out.loss != data_loss) out.penalty = out.loss - data_loss;
  }
  if (compiled.metrics.empty()) return;
  const MetricInput seen = compiled.loss.counted(batch);
  for (const Metric& metric : compiled.metrics) {
    const auto scope = g.scope(metric.name);
    const MetricOutput output =
        metric.measure ? metric.measure(seen) : MetricOutput{metric.apply(out.prediction, out.target)};
    out.metrics.push_back(metric.result ? output.value : require_scalar("metric", metric.name, output.value));
    out.metric_weights.push_back(output.weight);
  }
}

}  // namespace xgrad::inline v0::nn
