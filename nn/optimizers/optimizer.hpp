// Optimizers: rules that say what a parameter becomes, as nodes of the training graph, and what is done around every
// rule: gradients are accumulated and clipped, weights decay and are averaged.
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

namespace xgrad::inline v0::nn {

class Optimizer;
struct MetricOutput;

// What an optimizer remembers between steps: Parameters, so that plans update them in place with all others.
struct OptimizerState {
  Parameter learning_rate;  // scalar f64, of the next step; may be set unless a schedule does
  Parameter iterations;     // scalar i64: the number of batches seen
  // By the name of the weight, "/" and the name the rule gave. While gradients are accumulated also
  // "accumulated_weight" (f64), the sum of the weights of the batches so far, and with AccumulationRest::apply
  // "accumulated" and "changes", the numbers (i64) of these batches and of changes of the weights.
  std::map<std::string, Parameter> slots;
  // Scalar bool, false after each step. While true, the next step applies the gradients accumulated so far with its
  // own, however many these are. For AccumulationRest::apply; not part of checkpoints.
  Parameter apply_rest;

  explicit OptimizerState(double rate);
  explicit OptimizerState(const Optimizer& optimizer);
  // All Parameters above that are kept in checkpoints.
  std::vector<Parameter> parameters() const;
  // A slot of the weight, which is made at its first use with `initial` everywhere.
  const Parameter& slot(const Parameter& weight, const std::string& name, const TensorType& type, double initial = 0);
  // A slot that is there; not valid if there is none.
  Parameter find_slot(const Parameter& weight, const std::string& name) const;
};

// One step of one parameter, as a rule sees it.
class ParameterStep {
 public:
  Value parameter;
  Value gradient;
  // Scalars f64: the learning rate, and the number of this step, from 1. Compute with them in f64 and cast last.
  Value learning_rate;
  Value iteration;

  // The learning rate in the parameter's dtype.
  Value rate() const;
  // A tensor like the parameter that is kept between steps; `initial` everywhere before the first.
  Value state(const std::string& name, double initial = 0);
  // A number (f64) that is kept between steps.
  Value scalar_state(const std::string& name, double initial = 0);
  // What either becomes after this step; it must have been asked for before.
  void set_state(const std::string& name, Value next);

 private:
  friend class Optimizer;
  ParameterStep(Parameter weight, OptimizerState& state, std::vector<Update>& updates);

  Parameter weight_;
  OptimizerState& state_;
  std::vector<Update>& updates_;
};

template <class R>
concept OptimizerRule = requires(const R& rule, ParameterStep& step) {
  { R::name } -> std::convertible_to<const char*>;
  { rule(step) } -> std::same_as<Value>;
}
&&(
    requires(const R& rule) { rule.setup(); } || requires(const R& rule) { LearningRate(rule.learning_rate); });

// What a rule of this library says of itself, once its own options are checked.
struct RuleSetup {
  LearningRate learning_rate = 0;
  Preset preset = Preset::keras;         // whose way of clipping and decay is taken
  std::optional<double> weight_decay{};  // of a rule that has its own: decoupled in both presets
};

// What becomes of the gradients of the last batches of an epoch, where these are fewer than
// OptimizerOptions::accumulate.
enum class AccumulationRest {
  carry,  // the next epoch goes on adding to them, as in Keras
  apply,  // the last batch of each epoch changes the weights by the mean over the batches accumulated so far
};

// What is done around any rule, in the order of Keras: gradients are accumulated, then clipped; weights decay; the rule
// makes its step; weights are averaged. All of it is off unless asked for.
struct OptimizerOptions {
  // One of three ways to clip gradients g. By norm: g c / max(|g|, c) with the norm of each tensor, or with that of all
  // together; rules with the preset of torch take |g| + 1e-6, as PyTorch does. By value: each number to [-c, c].
  std::optional<double> clip_norm{};
  std::optional<double> global_clip_norm{};
  std::optional<double> clip_value{};

  // Decoupled (Loshchilov and Hutter, 2019): w <- w - rate weight_decay w before the rule's own step. Rules with the
  // preset of torch do as PyTorch does, which adds weight_decay w to the clipped gradient.
  std::optional<double> weight_decay{};
  std::function<bool(const Parameter&)> decay_mask{};  // which weights decay; all if empty

  // Weights are averaged: a <- ema_momentum a + (1 - ema_momentum) w after each step, a = w after the first. See
  // swap_averages.
  std::optional<double> ema_momentum{};

  // The weights change with every n-th batch only, by the mean of n gradients. In a Model, and for a loss with a
  // weight, batches count by their weights (rows, unless rows or labels have weights), so that the step is that of one
  // batch of all their rows; a batch of weight 0 is none of the n. What a rule counts as a step, and a schedule too, is
  // a change of the weights.
  int accumulate = 1;
  AccumulationRest accumulation_rest = AccumulationRest::carry;
};

// A whole training step, for a Plan.
struct TrainingStep {
  Value loss;  // with the penalties of its graph
  std::vector<Update> updates;
  std::vector<Parameter> trained;    // the weights that the step changes
  std::vector<Parameter> unreached;  // trainable, but the loss does not depend on them: these stay unchanged
};

class Optimizer {
 public:
  // Throws UserError, naming the optimizer and the option, for numbers that have no meaning.
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
  // Of the first step.
  double learning_rate() const { return setup_.learning_rate.at(0); }
  // Throws UserError, beginning with `where`, if the learning rate is that of a schedule.
  void require_settable_rate(const std::string& where) const;
  // Whether steps average the gradients of several batches.
  bool accumulates() const { return options_.accumulate > 1; }
  // Whether the last batch of an epoch is to be announced by OptimizerState::apply_rest.
  bool applies_rest() const { return accumulates() && options_.accumulation_rest == AccumulationRest::apply; }

  // The whole training step that makes the scalar `loss` small: the penalties of its graph, the gradients, the weights,
  // what the optimizer remembers, and the graph's own updates, such as moving statistics. Changes the trainable
  // parameters of the graph, or those of `weights`. Throws what gradients() throws, and GradientError if the loss
  // depends on none of them.
  TrainingStep minimize(Operand loss, OptimizerState& state) const;
  TrainingStep minimize(Operand loss, OptimizerState& state, std::vector<Parameter> weights) const;
  // Of the loss of a batch as Loss::measure gives it, with its weight beside other batches: accumulated gradients are
  // averaged by the weights, and a batch of weight 0 changes nothing. Without a weight all batches count alike.
  TrainingStep minimize(const MetricOutput& loss, OptimizerState& state) const;
  // The same from gradients that the caller has made: one for each weight, of its type, or an empty Value for a weight
  // that is to stay unchanged, as those that are not trainable do. Throws GraphError or ShapeError if these do not
  // match, or a weight is given twice. Penalties are part of the step only if the gradients are those of
  // with_penalties(loss).
  std::vector<Update> updates(Graph& graph, std::vector<Parameter> weights, std::vector<Value> gradients,
                              OptimizerState& state) const;

 private:
  template <class R>
  static RuleSetup setup_of(const R& rule) {
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
  void decay(ParameterStep& step) const;

  std::string name_;
  RuleSetup setup_;
  OptimizerOptions options_;
  std::function<Value(ParameterStep&)> apply_;
};

// Exchanges weights and their averages, for instance to judge or save the averages; a second call puts the weights back
// to train on. Throws UserError, with nothing exchanged, if the optimizer keeps no averages or has seen no batch
// yet.
void swap_averages(const std::vector<Parameter>& weights, OptimizerState& state);

}  // namespace xgrad::inline v0::nn
