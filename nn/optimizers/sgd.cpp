#include <xgrad/nn/optimizers/sgd.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

RuleSetup SGD::setup() const {
  const auto from_preset = defaults(preset).sgd;
  const double keep = momentum.value_or(from_preset.momentum);
  require_fraction(name, "momentum", keep);
  require_within(name, "dampening", dampening, 0, 1);
  if (dampening != 0 && (keep == 0 || nesterov)) {
    throw UserError(fmt::format("{}: dampening = {} requires {}", name, dampening,
                                nesterov ? "nesterov = false" : "momentum above 0"));
  }
  return {.learning_rate = learning_rate.value_or(from_preset.learning_rate), .preset = preset};
}

Value SGD::operator()(ParameterStep& s) const {
  const double keep = momentum.value_or(defaults(preset).sgd.momentum);
  const Value step = s.rate() * s.gradient;
  if (keep == 0) return s.parameter - step;
  // The first step is not dampened, as in PyTorch.
  const auto dampened = [&](Value v) {
    return dampening == 0 ? v : v * cast(1 - dampening * cast(s.iteration > 1, f64), v.dtype());
  };
  if (preset == Preset::torch) {
    const Value velocity = keep * s.state("momentum") + dampened(s.gradient);
    s.set_state("momentum", velocity);
    return s.parameter - s.rate() * (nesterov ? s.gradient + keep * velocity : velocity);
  }
  const Value velocity = keep * s.state("momentum") - dampened(step);
  s.set_state("momentum", velocity);
  return s.parameter + (nesterov ? keep * velocity - step : velocity);
}

}  // namespace xgrad::inline v0::nn
