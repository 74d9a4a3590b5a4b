// Optimizers: update rules as nodes of the training graph, with gradient accumulation and clipping, weight decay and
// weight averaging around every rule.
//
//   struct SignDescent {
//     static constexpr const char* name = "sign_descent";
//     double learning_rate = 0.01;
//     Value operator()(nn::ParameterStep& s) const { return s.parameter - s.rate() * sign(s.gradient); }
//   };
//   model.compile({.loss = nn::mean_squared_error, .optimizer = SignDescent{}});
//   model.compile({.loss = nn::mean_squared_error, .optimizer = {nn::Adam{}, {.global_clip_norm = 1}}});
//
// A training step without a Model:
//
//   const nn::Optimizer adam = nn::Adam{};
//   nn::OptimizerState state(adam);
//   const nn::TrainingStep step = adam.minimize(loss, state);
//   Plan plan({step.loss}, step.updates);
#pragma once

#include <concepts>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <xgrad/graph/graph.hpp>
#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/optimizers/learning_rate.hpp>
#include <xgrad/ops/parts.hpp>

namespace xgrad::inline v0::nn {

class Optimizer;
struct MetricOutput;

// The state of an optimizer between training steps, as Parameters, so that plans update it in place.
struct OptimizerState {
  Parameter learning_rate;  // scalar f64, for the next step; may be set unless a schedule sets it
  Parameter iterations;     // scalar i64: number of batches trained
  // The state of rules: a key is the name of the weight, "/" and the name of the state. Gradient accumulation adds the
  // slot "accumulated_weight" (f64), the sum of batch weights so far. AccumulationRest::apply adds "accumulated" and
  // "changes" (i64), the numbers of accumulated batches and of weight updates.
  std::map<std::string, Parameter> slots;
  // Whether the next step applies the gradients accumulated so far and its own, for AccumulationRest::apply. A scalar
  // bool, which each step resets to false. Not saved in checkpoints.
  Parameter apply_rest;

  explicit OptimizerState(double rate);
  explicit OptimizerState(const Optimizer& optimizer);
  // The Parameters that checkpoints save.
  std::vector<Parameter> parameters() const;
  // The slot of a weight, created at the first use and filled with `initial`.
  const Parameter& slot(const Parameter& weight, const std::string& name, const TensorType& type, double initial = 0);
  // The slot of a weight if it exists; otherwise an empty Parameter.
  Parameter find_slot(const Parameter& weight, const std::string& name) const;
};

// The arguments and state of an update rule for one parameter. For a sparse gradient, `parameter`, `gradient` and
// states hold the rows that were used instead of all rows: [n, ...] for n indices, of which rows beyond the distinct
// ones have zero gradient and are not stored.
class ParameterStep {
 public:
  Value parameter;
  Value gradient;
  // The learning rate, and the index of this step, counted from 1. Both are f64 scalars: compute in f64 and cast last.
  Value learning_rate;
  Value iteration;

  // The learning rate in the parameter's dtype.
  Value rate() const;
  // State of the type of `parameter`, kept between steps and initially filled with `initial`.
  Value state(const std::string& name, double initial = 0);
  // Scalar f64 state, kept between steps.
  Value scalar_state(const std::string& name, double initial = 0);
  // Sets the state after this step. Throws UserError unless state() or scalar_state() was called for `name`.
  void set_state(const std::string& name, Value next);

 private:
  friend class Optimizer;
  ParameterStep(Graph& graph, Parameter weight, OptimizerState& state, std::vector<Update>& updates);

  // The rows of a parameter that the step updates.
  Value read(const Parameter& from) const;
  void update(const Parameter& target, Value next);

  Graph& graph_;
  Parameter weight_;
  Value rows_;  // i64: the rows that the step updates, and -1 for none; empty: all rows
  Value due_;   // whether to update anything; empty: true
  OptimizerState& state_;
  std::vector<Update>& updates_;
};

// A struct with a name, a learning rate (or setup()) and an operator() that returns the new value of a parameter.
template <class R>
concept OptimizerRule = requires(const R& rule, ParameterStep& step) {
  { R::name } -> std::convertible_to<const char*>;
  { rule(step) } -> std::same_as<Value>;
}
&&(
    requires(R& rule) { rule.setup(); } || requires(const R& rule) { LearningRate(rule.learning_rate); });

// Settings of a rule of this library. Its `setup` checks the options and sets those that were not given.
struct RuleSetup {
  LearningRate learning_rate = 0;
  Preset preset = Preset::keras;         // formula of clipping and weight decay
  bool skips_zero_rows = false;          // a row of zero gradient changes neither weight nor state
  std::optional<double> weight_decay{};  // for rules with their own option; decoupled in both presets
};

// How to handle accumulated gradients at the end of an epoch, if fewer than OptimizerOptions::accumulate.
enum class AccumulationRest {
  carry,  // continue accumulating in the next epoch, as in Keras
  apply,  // update the weights with the mean of the gradients accumulated so far
};

// Options for any rule, all off by default. They apply in the order of Keras: accumulate gradients, clip them, decay
// weights, apply the rule, average weights.
struct OptimizerOptions {
  // Gradient clipping, of which at most one may be set. `clip_norm` limits the L2 norm of each gradient, by
  // g c / max(|g|, c); `global_clip_norm` limits the norm of all gradients together; `clip_value` limits each element
  // to the range [-c, c]. Preset torch adds 1e-6 to norms, as PyTorch does.
  std::optional<double> clip_norm{};
  std::optional<double> global_clip_norm{};
  std::optional<double> clip_value{};

  // Decoupled weight decay (Loshchilov and Hutter, 2019): w <- w - rate weight_decay w before the rule. Preset torch
  // adds weight_decay w to the clipped gradient instead, as PyTorch.
  std::optional<double> weight_decay{};
  std::function<bool(const Parameter&)> decay_mask{};  // returns whether a weight decays; all do if empty

  // Exponential moving average of weights: a <- ema_momentum a + (1 - ema_momentum) w after each step, initially a = w
  // after the first step. See swap_averages.
  std::optional<double> ema_momentum{};

  // Gradient accumulation: updates the weights after every `accumulate` batches, by the mean of their gradients. The
  // mean is weighted by the weight of each batch (in a Model: the total weight of its rows), so that the update equals
  // that of one batch of all rows; batches of weight 0 do not count. Rules and schedules count weight updates as steps.
  int accumulate = 1;
  AccumulationRest accumulation_rest = AccumulationRest::carry;
};

// The loss and updates of a training step, for a Plan.
struct TrainingStep {
  Value loss;  // includes the penalties of its graph
  std::vector<Update> updates;
  std::vector<Parameter> trained;    // weights that the step updates
  std::vector<Parameter> unreached;  // trainable weights that the loss does not depend on, which stay unchanged
};

// An update rule with its options.
class Optimizer {
 public:
  // Throws UserError, naming the optimizer and the option, for an invalid option.
  template <class R>
  requires(!std::is_same_v<R, Optimizer>) Optimizer(R rule, OptimizerOptions options = {})
      : options_(std::move(options)) {
    static_assert(OptimizerRule<R>,
                  "an optimizer rule is a struct with static constexpr const char* name, a LearningRate or double "
                  "learning_rate, and Value operator()(nn::ParameterStep&) const");
    if constexpr (OptimizerRule<R>) {
      name_ = R::name;
      setup_ = setup_of(rule);
      apply_ = [rule = std::move(rule)](ParameterStep& step) { return rule(step); };
      check();
    }
  }

  const std::string& name() const { return name_; }
  // The learning rate of the first step.
  double learning_rate() const { return setup_.learning_rate.at(0); }
  // Throws UserError if a schedule sets the learning rate. The message begins with `where`.
  void require_settable_rate(const std::string& where) const;
  // Whether gradients of several batches are accumulated.
  bool accumulates() const { return options_.accumulate > 1; }
  // Whether the caller must set OptimizerState::apply_rest before the last batch of an epoch.
  bool applies_rest() const { return accumulates() && options_.accumulation_rest == AccumulationRest::apply; }

  // Builds the training step for the scalar `loss`: adds the penalties of its graph, and returns updates of the
  // weights, of the optimizer state and of the graph, such as moving statistics. Trains the trainable parameters of the
  // graph, or those in `weights`. Throws as gradients(), and GradientError if the loss depends on none of them.
  TrainingStep minimize(Operand loss, OptimizerState& state) const;
  TrainingStep minimize(Operand loss, OptimizerState& state, std::vector<Parameter> weights) const;
  // The same for the output of Loss::measure. Its weight is the weight of the batch: the mean of accumulated gradients
  // is weighted by it, and a batch of weight 0 has no effect. If it is not valid, all batches count equally.
  TrainingStep minimize(const MetricOutput& loss, OptimizerState& state) const;
  // Builds the updates from given gradients: one per weight, of its type, or an empty Value to leave the weight
  // unchanged. Weights that are not trainable are also unchanged. Throws GraphError or ShapeError for gradients that do
  // not match or duplicate weights. To include penalties, differentiate with_penalties(loss).
  std::vector<Update> updates(Graph& graph, std::vector<Parameter> weights, std::vector<Value> gradients,
                              OptimizerState& state) const;

 private:
  template <class R>
  static RuleSetup setup_of(R& rule) {
    if constexpr (requires { rule.setup(); })
      return rule.setup();
    else
      return {.learning_rate = rule.learning_rate};
  }
  TrainingStep minimize(Operand loss, Value batch_weight, OptimizerState& state, std::vector<Parameter> weights) const;
  std::vector<Update> updates(Graph& graph, std::vector<Parameter> weights, std::vector<Value> gradients,
                              Value batch_weight, OptimizerState& state) const;
  void check();
  void check(const Graph& graph, const std::vector<Parameter>& weights, const std::vector<Value>& gradients) const;
  void clip(std::vector<Value>& gradients) const;
  double decay_of(const Parameter& weight) const;
  void decay(ParameterStep& step) const;
  // The rows of the gradient if the other rows of the weight stay unchanged; otherwise `rows` is empty.
  SparseRows rows_to_update(const Parameter& weight, Value gradient) const;

  std::string name_;
  RuleSetup setup_;
  OptimizerOptions options_;
  std::function<Value(ParameterStep&)> apply_;
};

// Swaps weights with their averages, for example to evaluate or save the averages; a second call swaps them back.
// Throws UserError, without a change, if ema_momentum is not set or no batch was trained.
void swap_averages(const std::vector<Parameter>& weights, OptimizerState& state);

}  // namespace xgrad::inline v0::nn
