#include <xgrad/nn/optimizers/sgd.hpp>

#include <xgrad/nn/optimizers/options.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::nn {

RuleSetup SGD::setup() const {
  const auto from_preset = defaults(preset).sgd;
  require_fraction(name, "momentum", momentum.value_or(from_preset.momentum));
  return {.learning_rate = learning_rate.value_or(from_preset.learning_rate), .preset = preset};
}

Value SGD::operator()(ParameterStep& s) const {
  const double keep = momentum.value_or(defaults(preset).sgd.momentum);
  const Value step = s.rate() * s.gradient;
  if (keep == 0) return s.parameter - step;
  if (preset == Preset::torch) {
    const Value velocity = keep * s.state("momentum") + s.gradient;
    s.set_state("momentum", velocity);
    return s.parameter - s.rate() * (nesterov ? s.gradient + keep * velocity : velocity);
  }
  const Value velocity = keep * s.state("momentum") - step;
  s.set_state("momentum", velocity);
  return s.parameter + (nesterov ? keep * velocity - step : velocity);
}

}  // namespace xgrad::nn
