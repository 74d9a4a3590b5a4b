// Optimizers: rules that say what a parameter becomes, as nodes of the training graph.
//
//   struct SignDescent {
//     static constexpr const char* name = "sign_descent";
//     double learning_rate = 0.01;
//     Value operator()(nn::ParameterStep& s) const { return s.parameter - s.rate() * sign(s.gradient); }
//   };
//   model.compile({.loss = nn::mean_squared_error, .optimizer = SignDescent{}});
#pragma once

#include <concepts>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::nn {

// What an optimizer remembers between steps: Parameters, so that plans update them in place with all others.
struct OptimizerState {
  Parameter learning_rate;                 // scalar f64; may be set between steps
  Parameter iterations;                    // scalar i64: the number of steps taken
  std::map<std::string, Parameter> slots;  // by the name of the weight, "/" and the name the rule gave

  explicit OptimizerState(double rate = 0);
  // All Parameters above.
  std::vector<Parameter> parameters() const;
};

// One step of one parameter, as a rule sees it.
class ParameterStep {
 public:
  ParameterStep(Parameter weight, Value gradient_of_loss, OptimizerState& state, std::vector<Update>& updates);

  Value parameter;
  Value gradient;
  // Scalars f64: the learning rate, and the number of this step, from 1. Compute with them in f64 and cast last.
  Value learning_rate;
  Value iteration;

  // The learning rate in the parameter's dtype.
  Value rate() const;
  // A tensor like the parameter that is kept between steps; `initial` everywhere before the first.
  Value state(const std::string& name, double initial = 0);
  // What it becomes after this step.
  void set_state(const std::string& name, Value next);

 private:
  const Parameter& slot(const std::string& name, double initial);

  Parameter weight_;
  OptimizerState& state_;
  std::vector<Update>& updates_;
};

template <class R>
concept OptimizerRule = requires(const R& rule, ParameterStep& step) {
  { R::name } -> std::convertible_to<const char*>;
  { rule(step) } -> std::same_as<Value>;
};

class Optimizer {
 public:
  template <OptimizerRule R>
  Optimizer(R rule) : name_(R::name) {
    if constexpr (requires { rule.initial_learning_rate(); })
      learning_rate_ = rule.initial_learning_rate();
    else
      learning_rate_ = rule.learning_rate;
    apply_ = [rule = std::move(rule)](ParameterStep& step) { return rule(step); };
    check();
  }

  const std::string& name() const { return name_; }
  double learning_rate() const { return learning_rate_; }
  // The updates of one step: weights, what the rule keeps, and the count of steps. `weights` and `gradients` go
  // together.
  std::vector<Update> updates(Graph& graph, const std::vector<Parameter>& weights, const std::vector<Value>& gradients,
                              OptimizerState& state) const;

 private:
  void check() const;  // throws UserError for a learning rate that is negative or not finite

  std::string name_;
  double learning_rate_ = 0;
  std::function<Value(ParameterStep&)> apply_;
};

}  // namespace xgrad::nn
