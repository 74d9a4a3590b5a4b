#include <xgrad/nn/optimizers/optimizer.hpp>

#include <cmath>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::nn {

OptimizerState::OptimizerState(double rate)
    : learning_rate("learning_rate", Tensor(rate), false), iterations("iterations", Tensor(std::int64_t{0}), false) {}

std::vector<Parameter> OptimizerState::parameters() const {
  std::vector<Parameter> out{learning_rate, iterations};
  for (const auto& [name, slot] : slots) out.push_back(slot);
  return out;
}

ParameterStep::ParameterStep(Parameter weight, Value gradient_of_loss, OptimizerState& state,
                             std::vector<Update>& updates)
    : gradient(gradient_of_loss), weight_(std::move(weight)), state_(state), updates_(updates) {
  Graph& graph = gradient.graph();
  parameter = graph.parameter(weight_);
  learning_rate = graph.parameter(state_.learning_rate);
  iteration = cast(graph.parameter(state_.iterations) + 1, f64);
}

Value ParameterStep::rate() const { return cast(learning_rate, parameter.dtype()); }

const Parameter& ParameterStep::slot(const std::string& name, double initial) {
  const std::string full = weight_.name() + "/" + name;
  auto found = state_.slots.find(full);
  if (found == state_.slots.end()) {
    const Tensor start = Tensor::full(weight_.shape(), initial, weight_.type().dtype);
    found = state_.slots.emplace(full, Parameter(full, start, false)).first;
  }
  return found->second;
}

Value ParameterStep::state(const std::string& name, double initial) {
  return gradient.graph().parameter(slot(name, initial));
}

void ParameterStep::set_state(const std::string& name, Value next) { updates_.push_back({slot(name, 0), next}); }

void Optimizer::check() const {
  if (!(learning_rate_ >= 0) || !std::isfinite(learning_rate_)) {
    throw UserError(fmt::format("{}: a learning rate of {} has no meaning", name_, learning_rate_));
  }
}

std::vector<Update> Optimizer::updates(Graph& graph, const std::vector<Parameter>& weights,
                                       const std::vector<Value>& gradients, OptimizerState& state) const {
  const auto scope = graph.scope(name_);
  const auto role = graph.role(Role::update);
  std::vector<Update> out;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    ParameterStep step(weights[i], gradients[i], state, out);
    const Value next = apply_(step);
    if (next.type() != weights[i].type()) {
      throw ShapeError(fmt::format("{}: the rule gives {} for the parameter \"{}\" {}", name_, next.type().str(),
                                   weights[i].name(), weights[i].type().str()));
    }
    out.push_back({weights[i], next});
  }
  out.push_back({state.iterations, graph.parameter(state.iterations) + 1});
  return out;
}

}  // namespace xgrad::nn
