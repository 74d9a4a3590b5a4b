#include <xgrad/nn/optimizers/adagrad.hpp>

#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

RuleSetup Adagrad::setup() const {
  const auto from_preset = defaults(preset).adagrad;
  require_not_negative(name, "accumulator", accumulator.value_or(from_preset.accumulator));
  require_not_negative(name, "epsilon", epsilon.value_or(from_preset.epsilon));
  return {.learning_rate = learning_rate.value_or(from_preset.learning_rate), .preset = preset};
}

Value Adagrad::operator()(ParameterStep& s) const {
  const auto from_preset = defaults(preset).adagrad;
  const double small = epsilon.value_or(from_preset.epsilon);
  const Value total = s.state("square_sum", accumulator.value_or(from_preset.accumulator)) + square(s.gradient);
  s.set_state("square_sum", total);
  const Value divisor = preset == Preset::torch ? sqrt(total) + small : sqrt(total + small);
  return s.parameter - s.rate() * s.gradient / divisor;
}

}  // namespace xgrad::inline v0::nn
