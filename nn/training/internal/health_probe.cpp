#include <xgrad/nn/training/internal/health_probe.hpp>

#include <algorithm>
#include <cmath>
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

constexpr Index enough_places = 32;  // at which a unit must be 0 to be called dead
constexpr double deviations_off = 0.5;
constexpr double factor_off = 2;
constexpr double least_variance = 1e-3;  // below it a feature is taken for one that hardly varies
constexpr double still = 0.9999;         // statistics of a larger momentum do not move

Value norm_of(Value x) { return sqrt(sum(square(x))); }
Value part_of(Value mask, DType dtype) { return mean(cast(mask, dtype)); }

// All axes but the last.
Axes places(Value x) {
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
    watch_steps();
    watch_statistics();
  }
  if (outputs_.empty()) return;
  plan_ = std::make_unique<Plan>(outputs_);
  memory_ = std::make_unique<Workspace>(*plan_);
  memory_->feed(graph_.feeds(batch));
}

std::size_t HealthProbe::output(Value number) {
  outputs_.push_back(number);
  return outputs_.size() - 1;
}

// What the prediction is made of that depends on both the rows and the weights, and is no part of a larger function of
// its layer, as the sigmoid in silu and the square in a variance are: these may well be saturated.
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
    // What puts numbers of different rows or units together by weights begins something new.
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
  // A prediction that is sure of itself is saturated, and should be.
  NodeId prediction = graph_.prediction.id();
  while (g.node(prediction).op->traits.view) prediction = g.inputs(prediction)[0];
  for (const NodeId id : candidates()) {
    const Value y = g.value(id);
    if (y.shape().rank() < 2 || y.shape().elements() == 0) continue;
    const Value stuck = saturated(y);
    if (!stuck.valid()) continue;
    const Index units = y.shape().back();
    const Units watched{g.scope_of(id), g.node(id).op->name.c_str(), units, 0};
    // A relu that gives 0 is saturated too, but that is its way of leaving things out, and well as long as it does not
    // leave out everything.
    const Value silent = logical_and(stuck, equal(y, 0));
    if (y.shape().elements() / units >= enough_places)
      dead_.push_back({watched, output(part_of(all(silent, places(y)), y.dtype()))});
    if (id == prediction) continue;
    const Value heard = sum(cast(logical_not(silent), y.dtype()));
    saturated_.push_back(
        {watched, output(sum(cast(logical_and(stuck, logical_not(silent)), y.dtype())) / maximum(heard, 1))});
  }
}

void HealthProbe::watch_steps() {
  Graph& g = *graph_.graph;
  for (const Update& update : graph_.updates) {
    const Parameter& p = update.parameter;
    const auto& own = g.parameters();
    // Of the optimizer's own numbers none is trainable. Shifts and scales begin at 0 or move freely.
    if (!g.trainable(p) || p.shape().rank() < 2 || std::find(own.begin(), own.end(), p) == own.end()) continue;
    const Value before = g.parameter(p);
    const std::size_t step = output(norm_of(update.value - before)), weight = output(norm_of(before));
    steps_.push_back({{p.name(), 0}, step, weight});
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
    // An update is momentum * moving + (1 - momentum) * batch: its derivative says how much the old numbers count, and
    // so what those of the batch are.
    const auto batch_of = [&](const Update& update, Value momentum) {
      const Value moving = g.parameter(update.parameter);
      return moving + (update.value - moving) / (1 - momentum);
    };
    const Value moving_mean = g.parameter(pair.mean->parameter);
    const Value moving_variance = g.parameter(pair.variance->parameter);
    const Value momentum = mean(gradients(sum(pair.mean->value), moving_mean));
    const Value off = abs(batch_of(*pair.mean, momentum) - moving_mean);
    const Value variance = maximum(batch_of(*pair.variance, momentum), 0) + least_variance;
    const Value ratio = (moving_variance + least_variance) / variance;
    const Value lags =
        logical_or(off > deviations_off * sqrt(variance), logical_or(ratio > factor_off, ratio < 1 / factor_off));
    lags_.push_back(
        {{layer, moving_mean.shape().elements(), 0, 0}, output(part_of(lags, moving_mean.dtype())), output(momentum)});
  }
}

HealthProbe::Numbers HealthProbe::measure() {
  Numbers out;
  if (!plan_) return out;
  plan_->run(*memory_);
  const auto number = [&](std::size_t i) { return memory_->output(static_cast<int>(i)).item(); };
  for (const auto& [watched, to] : {std::pair{&dead_, &out.dead}, std::pair{&saturated_, &out.saturated}}) {
    for (const WatchedUnits& w : *watched) {
      to->push_back(w.units);
      to->back().part = number(w.output);
    }
  }
  for (const WatchedStep& w : steps_) {
    const double weight = number(w.weight_norm);
    if (weight > 0) out.steps.push_back({w.step.weight, number(w.step_norm) / weight});
  }
  for (const WatchedLag& w : lags_) {
    Lag lag = w.lag;
    lag.part = number(w.part);
    lag.momentum = number(w.momentum);
    if (lag.momentum < still) out.lags.push_back(lag);
  }
  return out;
}

}  // namespace xgrad::inline v0::nn
