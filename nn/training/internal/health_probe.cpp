#include <xgrad/nn/training/internal/health_probe.hpp>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/autodiff/saturation.hpp>
#include <xgrad/graph/print.hpp>
#include <xgrad/nn/training/internal/sample_rows.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {
namespace {

constexpr Index min_samples = 32;       // rows or pixels at which a dead unit must be 0
constexpr double max_mean_error = 0.5;  // largest error of a moving mean, in standard deviations
constexpr double max_variance_ratio = 2;
constexpr double min_variance = 1e-3;    // added to variances, so that nearly constant features do not lag
constexpr double max_momentum = 0.9999;  // statistics with a larger momentum are considered frozen

Value norm_of(Value x) { return sqrt(sum(square(x))); }
Value fraction_of(Value mask, DType dtype) { return mean(cast(mask, dtype)); }

// All axes except the last.
Axes leading_axes(Value x) {
  std::vector<Index> out(static_cast<std::size_t>(x.shape().rank() - 1));
  std::iota(out.begin(), out.end(), Index{0});
  return out;
}

}  // namespace

HealthProbe::HealthProbe(const Model& model, const Dataset& data, Index rows) {
  const Dataset batch = sample_rows(data, rows);
  graph_ = model.training_graph(batch.size(), !batch.weights.empty());
  {
    const auto scope = graph_.graph->scope("health");
    watch_activations();
    watch_updates();
    watch_statistics();
  }
  if (outputs_.empty()) return;
  plan_ = std::make_unique<Plan>(outputs_);
  memory_ = std::make_unique<Workspace>(*plan_);
  memory_->feed(graph_.feeds(batch));
}

std::function<double()> HealthProbe::output(Value number) {
  outputs_.push_back(number);
  return [this, i = static_cast<int>(outputs_.size()) - 1] { return memory_->output(i).item(); };
}

// Nodes of the prediction that depend on both rows and weights, except inner nodes of a larger function of the layer:
// the sigmoid in silu and the square in a variance may be saturated.
std::vector<NodeId> HealthProbe::candidates() const {
  const Graph& g = *graph_.graph;
  const NodeId end = graph_.prediction.id() + 1;
  const std::vector<bool> needed = needed_nodes(g, {&graph_.prediction, 1}, "health");
  std::vector<char> of_rows(end), of_weights(end), inner(end);
  const auto for_each_operand = [&](NodeId id, auto visit) {
    const auto inputs = g.inputs(id);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!g.node(id).op->shape_only(static_cast<int>(i))) visit(inputs[i]);
    }
  };
  for (NodeId id = 0; id < end; ++id) {
    of_rows[id] = static_cast<char>(id == graph_.input.id());
    of_weights[id] =
        static_cast<char>(g.node(id).op->traits.leaf == Leaf::parameter && g.trainable(g.parameter_of(id)));
    for_each_operand(id, [&](NodeId i) {
      of_rows[id] |= of_rows[i];
      of_weights[id] |= of_weights[i];
    });
  }
  for (NodeId user = end; user-- > 0;) {
    const OpDef& op = *g.node(user).op;
    // Other operations, such as matmul, combine rows or units, so their inputs are not inner nodes.
    if (!needed[user] ||
        !(op.traits.elementwise || op.traits.view || op.traits.broadcast || op.reduced_axes != nullptr))
      continue;
    int joined = 0;
    for_each_operand(user, [&](NodeId i) { joined += of_rows[i]; });
    for_each_operand(user, [&](NodeId i) {
      if (g.node(i).scope == g.node(user).scope && (inner[user] != 0 || joined > 1)) inner[i] = 1;
    });
  }
  std::vector<NodeId> out;
  for (NodeId id = 0; id < end; ++id) {
    if (needed[id] && of_rows[id] != 0 && of_weights[id] != 0 && inner[id] == 0) out.push_back(id);
  }
  return out;
}

void HealthProbe::watch_activations() {
  Graph& g = *graph_.graph;
  // Exclude the prediction: a confident one is saturated, which is not an issue.
  NodeId prediction = graph_.prediction.id();
  while (g.node(prediction).op->traits.view) prediction = g.inputs(prediction)[0];
  for (const NodeId id : candidates()) {
    const Value y = g.value(id);
    if (y.shape().rank() < 2 || y.shape().elements() == 0) continue;
    const Value stuck = saturated(y);
    if (!stuck.valid()) continue;
    const Index units = y.shape().back();
    const auto watch = [&](std::vector<Units> Measurements::*kind, Value fraction) {
      readers_.push_back(
          [=, layer = g.scope_of(id), op = g.node(id).op->name.c_str(), read = output(fraction)](Measurements& out) {
            (out.*kind).push_back({layer, op, units, read()});
          });
    };
    // An output of 0 with zero slope is normal for relu: the unit counts as dead only if all rows have such outputs.
    const Value silent = logical_and(stuck, equal(y, 0));
    if (y.shape().elements() / units >= min_samples)
      watch(&Measurements::dead, fraction_of(all(silent, leading_axes(y)), y.dtype()));
    if (id == prediction) continue;
    const Value active = sum(cast(logical_not(silent), y.dtype()));
    watch(&Measurements::saturated, sum(cast(logical_and(stuck, logical_not(silent)), y.dtype())) / maximum(active, 1));
  }
}

void HealthProbe::watch_updates() {
  Graph& g = *graph_.graph;
  for (const Update& update : graph_.updates) {
    const Parameter& p = update.parameter;
    const auto& own = g.parameters();
    // Skip optimizer state, which is not trainable, and vectors: biases start at 0, so their ratios mean little.
    if (!g.trainable(p) || p.shape().rank() < 2 || std::find(own.begin(), own.end(), p) == own.end()) continue;
    const Value before = g.parameter(p);
    readers_.push_back([name = p.name(), change = output(norm_of(update.value - before)),
                        weight = output(norm_of(before))](Measurements& out) {
      if (weight() > 0) out.steps.push_back({name, change() / weight()});
    });
  }
}

void HealthProbe::watch_statistics() {
  Graph& g = *graph_.graph;
  struct Pair {
    std::optional<Update> mean, variance;
  };
  std::map<std::string, Pair> pairs;
  for (const Update& update : graph_.updates) {
    const std::string& name = update.parameter.name();
    for (const auto& [ending, member] :
         {std::pair{"/moving_mean", &Pair::mean}, std::pair{"/moving_variance", &Pair::variance}}) {
      if (name.ends_with(ending)) pairs[name.substr(0, name.rfind('/'))].*member = update;
    }
  }
  for (const auto& [layer, pair] : pairs) {
    if (!pair.mean || !pair.variance) continue;
    // An update is momentum * moving + (1 - momentum) * batch. Its derivative with respect to `moving` is the momentum,
    // from which the batch statistics follow.
    const auto batch_of = [&](const Update& update, Value momentum) {
      const Value moving = g.parameter(update.parameter);
      return moving + (update.value - moving) / (1 - momentum);
    };
    const Value moving_mean = g.parameter(pair.mean->parameter);
    const Value moving_variance = g.parameter(pair.variance->parameter);
    const Value momentum = mean(gradients(sum(pair.mean->value), moving_mean));
    const Value off = abs(batch_of(*pair.mean, momentum) - moving_mean);
    const Value variance = maximum(batch_of(*pair.variance, momentum), 0) + min_variance;
    const Value ratio = (moving_variance + min_variance) / variance;
    const Value lags = logical_or(off > max_mean_error * sqrt(variance),
                                  logical_or(ratio > max_variance_ratio, ratio < 1 / max_variance_ratio));
    readers_.push_back([name = layer, features = moving_mean.shape().elements(),
                        fraction = output(fraction_of(lags, moving_mean.dtype())),
                        weight = output(momentum)](Measurements& out) {
      if (weight() < max_momentum) out.lags.push_back({name, features, fraction(), weight()});
    });
  }
}

HealthProbe::Measurements HealthProbe::measure() {
  Measurements out;
  if (!plan_) return out;
  plan_->run(*memory_);
  for (const auto& read : readers_) read(out);
  return out;
}

}  // namespace xgrad::inline v0::nn
