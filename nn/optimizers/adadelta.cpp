#include <xgrad/nn/optimizers/adadelta.hpp>

#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

RuleSetup Adadelta::setup() const {
  const auto from_preset = defaults(preset).adadelta;
  require_fraction(name, "rho", rho.value_or(from_preset.rho));
  require_not_negative(name, "epsilon", epsilon.value_or(from_preset.epsilon));
  return {.learning_rate = learning_rate.value_or(from_preset.learning_rate), .preset = preset};
}

Value Adadelta::operator()(ParameterStep& s) const {
  const auto from_preset = defaults(preset).adadelta;
  const double keep = rho.value_or(from_preset.rho);
  const double small = epsilon.value_or(from_preset.epsilon);
  const Value squares = s.state("square") + (1 - keep) * (square(s.gradient) - s.state("square"));
  const Value step = s.gradient * (sqrt(s.state("step_square") + small) / sqrt(squares + small));
  s.set_state("square", squares);
  s.set_state("step_square", s.state("step_square") + (1 - keep) * (square(step) - s.state("step_square")));
  return s.parameter - s.rate() * step;
}

}  // namespace xgrad::inline v0::nn
