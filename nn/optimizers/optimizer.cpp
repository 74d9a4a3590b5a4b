#include <xgrad/nn/optimizers/optimizer.hpp>

#include <set>

#include <fmt/format.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/nn/internal/names.hpp>
#include <xgrad/nn/metrics.hpp>
#include <xgrad/nn/regularizers.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {
namespace {

constexpr const char* average = "weight_average";
constexpr const char* gradient_mean = "gradient_mean";

// The sum of squares, in f64, since it may overflow in f32.
Value sum_of_squares(Value x) { return sum(square(cast(x, f64))); }

// The moving average of a weight, initially the weight itself.
Parameter average_of(const Parameter& weight, OptimizerState& state) {
  Parameter kept = state.find_slot(weight, average);
  if (kept.valid()) return kept;
  kept = state.slot(weight, average, weight.type());
  kept.set(weight.view());
  return kept;
}

}  // namespace

OptimizerState::OptimizerState(double rate)
    : learning_rate("learning_rate", Tensor(rate), false),
      iterations("iterations", Tensor(std::int64_t{0}), false),
      apply_rest("apply_rest", Tensor(false), false) {}

OptimizerState::OptimizerState(const Optimizer& optimizer) : OptimizerState(optimizer.learning_rate()) {}

std::vector<Parameter> OptimizerState::parameters() const {
  std::vector<Parameter> out{learning_rate, iterations};
  for (const auto& [name, slot] : slots) out.push_back(slot);
  return out;
}

const Parameter& OptimizerState::slot(const Parameter& weight, const std::string& name, const TensorType& type,
                                      double initial) {
  const std::string full = weight.name() + "/" + name;
  auto found = slots.find(full);
  if (found == slots.end()) {
    const Tensor start = Tensor::full(type.shape, initial, type.dtype);
    found = slots.emplace(full, Parameter(full, start, false)).first;
  }
  return found->second;
}

Parameter OptimizerState::find_slot(const Parameter& weight, const std::string& name) const {
  const auto found = slots.find(weight.name() + "/" + name);
  return found == slots.end() ? Parameter() : found->second;
}

ParameterStep::ParameterStep(Graph& graph, Parameter weight, OptimizerState& state, std::vector<Update>& updates)
    : graph_(graph), weight_(std::move(weight)), state_(state), updates_(updates) {}

Value ParameterStep::read(const Parameter& from) const {
  const Value all = graph_.parameter(from);
  return rows_.valid() ? gather(all, maximum(rows_, 0)) : all;
}

void ParameterStep::update(const Parameter& target, Value next) {
  const Value before = graph_.parameter(target);
  if (rows_.valid() && target.type() == weight_.type())
    next = scatter_update(before, rows_, next);
  else if (due_.valid())
    next = where(due_, next, before);
  updates_.push_back({target, next});
}

Value ParameterStep::rate() const { return cast(learning_rate, weight_.type().dtype); }

Value ParameterStep::state(const std::string& name, double initial) {
  return read(state_.slot(weight_, name, weight_.type(), initial));
}

Value ParameterStep::scalar_state(const std::string& name, double initial) {
  return graph_.parameter(state_.slot(weight_, name, {f64, {}}, initial));
}

void ParameterStep::set_state(const std::string& name, Value next) {
  const Parameter slot = state_.find_slot(weight_, name);
  if (!slot.valid()) {
    throw UserError(
        fmt::format("set_state: the rule did not declare the state \"{}\" of \"{}\"\n  hint: call state(\"{}\") "
                    "first",
                    name, weight_.name(), name));
  }
  update(slot, next);
}

void Optimizer::check() {
  require_not_negative(name_, "learning_rate", learning_rate());
  if (options_.clip_norm) require_positive(name_, "clip_norm", *options_.clip_norm);
  if (options_.global_clip_norm) require_positive(name_, "global_clip_norm", *options_.global_clip_norm);
  if (options_.clip_value) require_positive(name_, "clip_value", *options_.clip_value);
  if (options_.clip_norm.has_value() + options_.global_clip_norm.has_value() + options_.clip_value.has_value() > 1) {
    throw UserError(fmt::format("{}: only one of clip_norm, global_clip_norm and clip_value may be set", name_));
  }
  if (options_.weight_decay) require_not_negative(name_, "weight_decay", *options_.weight_decay);
  if (options_.weight_decay && setup_.weight_decay) {
    throw UserError(fmt::format("{}: set weight_decay of the rule, not of OptimizerOptions", name_));
  }
  if (options_.ema_momentum) require_fraction(name_, "ema_momentum", *options_.ema_momentum);
  require_at_least(name_, "accumulate", options_.accumulate, 1);
}

void Optimizer::require_settable_rate(const std::string& where) const {
  if (!setup_.learning_rate.is_schedule()) return;
  throw UserError(
      fmt::format("{}: the learning rate of {} is set by the schedule \"{}\"\n  hint: compile with a constant "
                  "learning rate to change it",
                  where, name_, setup_.learning_rate.name()));
}

void Optimizer::clip(std::vector<Value>& gradients) const {
  if (gradients.empty()) return;
  const double epsilon = defaults(setup_.preset).clip.epsilon;
  const auto shrink = [&](Value g, Value squares, double limit) {
    return g * cast(limit / maximum(sqrt(squares) + epsilon, limit), g.dtype());
  };
  if (options_.clip_norm) {
    for (Value& g : gradients) g = shrink(g, sum_of_squares(g), *options_.clip_norm);
  } else if (options_.global_clip_norm) {
    Value squares = sum_of_squares(gradients[0]);
    for (std::size_t i = 1; i < gradients.size(); ++i) squares = squares + sum_of_squares(gradients[i]);
    for (Value& g : gradients) g = shrink(g, squares, *options_.global_clip_norm);
  } else if (options_.clip_value) {
    for (Value& g : gradients) g = xgrad::clip(g, -*options_.clip_value, *options_.clip_value);
  }
}

double Optimizer::decay_of(const Parameter& weight) const {
  const double part = setup_.weight_decay.value_or(options_.weight_decay.value_or(0));
  return options_.decay_mask && !options_.decay_mask(weight) ? 0 : part;
}

SparseRows Optimizer::rows_to_update(const Parameter& weight, Value gradient) const {
  const SparseRows found = sparse_rows(gradient);
  // Means of gradients, averages of weights and constraints change all rows.
  if (!found.rows.valid() || accumulates() || options_.ema_momentum || weight.constrained(gradient) != gradient)
    return {};
  // Sorting the indices of many rows costs more than an update of all rows.
  const bool few = found.indices.shape().elements() <= gradient.shape()[0] / 4;
  const bool exact = setup_.skips_zero_rows && decay_of(weight) == 0;
  return found.sparse || (exact && few) ? merged(found) : SparseRows();
}

void Optimizer::decay(ParameterStep& step) const {
  const double part = decay_of(step.weight_);
  if (part == 0) return;
  if (setup_.preset == Preset::torch && !setup_.weight_decay)
    step.gradient = step.gradient + part * step.parameter;
  else
    step.parameter = step.parameter - cast(step.learning_rate * part, step.parameter.dtype()) * step.parameter;
}

TrainingStep Optimizer::minimize(Operand loss, OptimizerState& state) const {
  if (!loss.valid()) throw GraphError(fmt::format("{}: minimize: the loss is an empty Value", name_));
  return minimize(loss, state, loss.graph().trainable_parameters());
}

TrainingStep Optimizer::minimize(Operand loss, OptimizerState& state, std::vector<Parameter> weights) const {
  return minimize(loss, Value(), state, std::move(weights));
}

TrainingStep Optimizer::minimize(const MetricOutput& loss, OptimizerState& state) const {
  if (!loss.value.valid()) throw GraphError(fmt::format("{}: minimize: the loss is an empty Value", name_));
  return minimize(loss.value, loss.weight, state, loss.value.graph().trainable_parameters());
}

TrainingStep Optimizer::minimize(Operand loss, Value batch_weight, OptimizerState& state,
                                 std::vector<Parameter> weights) const {
  const SourceLocationScope line(loss, nullptr);
  if (!loss.valid()) throw GraphError(fmt::format("{}: minimize: the loss is an empty Value", name_));
  Graph& graph = loss.graph();
  TrainingStep out;
  out.loss = with_penalties(loss);
  std::erase_if(weights, [&](const Parameter& p) { return p.valid() && !graph.trainable(p); });
  const std::vector<Value> slopes = xgrad::gradients(out.loss, weights, {.unconnected = Unconnected::empty});
  for (std::size_t i = 0; i < weights.size(); ++i) {
    (slopes[i].valid() ? out.trained : out.unreached).push_back(weights[i]);
  }
  if (!weights.empty() && out.trained.empty()) {
    throw GradientError(fmt::format("{}: minimize: the loss depends on none of the trainable weights: {}\n  loss: {}",
                                    name_, quoted_names(weights), out.loss.describe()));
  }
  out.updates = updates(graph, std::move(weights), slopes, batch_weight, state);
  return out;
}

void Optimizer::check(const Graph& graph, const std::vector<Parameter>& weights,
                      const std::vector<Value>& gradients) const {
  if (weights.size() != gradients.size()) {
    throw GraphError(
        fmt::format("{}: updates: expected one gradient per weight, got {} for {} weights\n  hint: "
                    "gradients(loss, weights) returns them",
                    name_, gradients.size(), weights.size()));
  }
  std::set<const void*> seen;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Parameter& w = weights[i];
    if (!w.valid()) throw GraphError(fmt::format("{}: updates: weight {} is an empty Parameter", name_, i));
    if (!seen.insert(w.raw()).second)
      throw GraphError(fmt::format("{}: updates: the weight {:?} is given twice", name_, w.name()));
    if (!gradients[i].valid()) continue;
    graph.require(gradients[i], fmt::format("{}: updates: the gradient of {:?}", name_, w.name()));
    if (gradients[i].type() != w.type()) {
      throw ShapeError(fmt::format("{}: updates: the gradient of {:?} must have the weight's type {}\n  gradient: {}",
                                   name_, w.name(), w.type().str(), gradients[i].describe()));
    }
  }
}

std::vector<Update> Optimizer::updates(Graph& graph, std::vector<Parameter> weights, std::vector<Value> gradients,
                                       OptimizerState& state) const {
  return updates(graph, std::move(weights), std::move(gradients), Value(), state);
}

std::vector<Update> Optimizer::updates(Graph& graph, std::vector<Parameter> weights, std::vector<Value> gradients,
                                       Value batch_weight, OptimizerState& state) const {
  check(graph, weights, gradients);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!gradients[i].valid() || !graph.trainable(weights[i])) continue;
    weights[kept] = weights[i];
    gradients[kept++] = gradients[i];
  }
  weights.resize(kept);
  gradients.resize(kept);

  std::vector<Update> out = graph.updates();
  const auto scope = graph.scope(name_);
  const auto role = graph.role(Role::update);
  const int n = options_.accumulate;
  const LearningRate& rate = setup_.learning_rate;
  const auto counter = [&](const char* name, const Tensor& zero) {
    return state.slots.try_emplace(name, name, zero, false).first->second;
  };
  const Tensor none(std::int64_t{0});
  // Whether the batch weight is above 0; true if not valid.
  Value counts;
  if (batch_weight.valid() && batch_weight.node().op->traits.leaf != Leaf::constant) counts = batch_weight > 0;
  const auto plus_this = [&](Value batches) { return counts.valid() ? batches + cast(counts, i64) : batches + 1; };
  const Value batches = graph.parameter(state.iterations);
  // `step`: number of weight updates before this batch. `next_step`: number after it, valid if gradients are
  // accumulated. `due`: whether this batch updates the weights; true if not valid.
  Value step = batches, next_step, due = counts;
  std::vector<Update> progress;
  if (applies_rest()) {
    const Parameter accumulated = counter("accumulated", none), changes = counter("changes", none);
    const Value count = plus_this(graph.parameter(accumulated));
    // The last batch of an epoch may have weight 0.
    due = logical_or(equal(count, n), logical_and(graph.parameter(state.apply_rest), count > 0));
    step = graph.parameter(changes);
    next_step = step + cast(due, i64);
    progress = {{accumulated, where(due, 0, count)},
                {changes, next_step},
                {state.apply_rest, graph.constant(0, DType::boolean)}};
  } else if (n > 1) {
    step = floor_divide(batches, n);
    next_step = floor_divide(plus_this(batches), n);
    due = next_step > step;
  }
  const Value learning_rate = rate.is_schedule() ? rate(cast(step, f64)) : graph.parameter(state.learning_rate);

  std::vector<Update> means;
  if (n > 1) {
    // Running mean: move toward each gradient by the batch's fraction of the total weight. No sum can overflow, and the
    // mean of equal gradients is bit-identical to them.
    const Parameter accumulated = counter("accumulated_weight", Tensor(0.0));
    const Value weight = batch_weight.valid() ? cast(batch_weight, f64) : graph.constant(1, f64);
    const Value total = graph.parameter(accumulated) + weight;
    const Value part = counts.valid() ? weight / where(counts, total, 1) : weight / total;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const Parameter& mean = state.slot(weights[i], gradient_mean, weights[i].type());
      const Value before = graph.parameter(mean);
      Value after = before + (gradients[i] - before) * cast(part, before.dtype());
      if (counts.valid()) after = where(counts, after, before);
      means.push_back({mean, where(due, 0, after)});
      gradients[i] = after;
    }
    progress.push_back({accumulated, where(due, 0, total)});
  }
  std::vector<Value> rows(weights.size());  // by weight: indices of the rows to update; empty: all
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const SparseRows sparse = rows_to_update(weights[i], gradients[i]);
    if (!sparse.rows.valid()) continue;
    gradients[i] = sparse.rows;
    rows[i] = due.valid() ? where(due, sparse.indices, -1) : sparse.indices;
  }
  clip(gradients);

  std::vector<Update> learned;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    ParameterStep s(graph, weights[i], state, learned);
    s.rows_ = rows[i];
    s.due_ = due;
    s.parameter = s.read(weights[i]);
    s.gradient = gradients[i];
    s.learning_rate = learning_rate;
    s.iteration = cast(step + 1, f64);
    decay(s);
    const Value next = weights[i].constrained(apply_(s));
    if (next.type() != s.gradient.type()) {
      throw ShapeError(fmt::format("{}: the rule returned {} for the parameter \"{}\" {}", name_, next.type().str(),
                                   weights[i].name(), s.gradient.type().str()));
    }
    s.update(weights[i], next);
    if (options_.ema_momentum) {
      const Parameter kept_average = average_of(weights[i], state);
      const Value keep = cast(*options_.ema_momentum * cast(step > 0, f64), next.dtype());
      s.update(kept_average, next + keep * (graph.parameter(kept_average) - next));
    }
  }
  // A plan has no branches: compute the updates for every batch and select them if it counts.
  for (Update& u : out) {
    if (counts.valid()) u.value = where(counts, u.value, graph.parameter(u.parameter));
  }
  for (const auto* more : {&learned, &means, &progress}) out.insert(out.end(), more->begin(), more->end());
  const Value next_batches = plus_this(batches);
  if (rate.is_schedule())
    out.push_back({state.learning_rate, rate(cast(next_step.valid() ? next_step : next_batches, f64))});
  out.push_back({state.iterations, next_batches});
  return out;
}

void swap_averages(const std::vector<Parameter>& weights, OptimizerState& state) {
  std::vector<std::pair<Parameter, Parameter>> pairs;
  for (const Parameter& weight : weights) {
    if (const Parameter kept = state.find_slot(weight, average); kept.valid()) pairs.emplace_back(weight, kept);
  }
  if (pairs.empty()) {
    throw UserError(
        "swap_averages: the optimizer keeps no averages\n  hint: .optimizer = {nn::Adam{}, {.ema_momentum = 0.99}}");
  }
  if (state.iterations.value().item() == 0) throw UserError("swap_averages: train at least 1 batch first");
  for (auto& [weight, kept] : pairs) {
    const Tensor value = weight.value();
    weight.set(kept.view());
    kept.set(value);
  }
}

}  // namespace xgrad::inline v0::nn
