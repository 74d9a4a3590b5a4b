#include <xgrad/nn/optimizers/rmsprop.hpp>

#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

RuleSetup RMSprop::setup() const {
  const auto from_preset = defaults(preset).rmsprop;
  require_fraction(name, "rho", rho.value_or(from_preset.rho));
  require_fraction(name, "momentum", momentum.value_or(from_preset.momentum));
  require_not_negative(name, "epsilon", epsilon.value_or(from_preset.epsilon));
  return {.learning_rate = learning_rate.value_or(from_preset.learning_rate), .preset = preset};
}

Value RMSprop::operator()(ParameterStep& s) const {
  const auto from_preset = defaults(preset).rmsprop;
  const double forget = 1 - rho.value_or(from_preset.rho);
  const double keep = momentum.value_or(from_preset.momentum);
  const double small = epsilon.value_or(from_preset.epsilon);
  const bool torch = preset == Preset::torch;

  const Value squares = s.state("square") + forget * (square(s.gradient) - s.state("square"));
  s.set_state("square", squares);
  Value spread = squares;
  if (centered) {
    const Value mean = s.state("mean") + forget * (s.gradient - s.state("mean"));
    s.set_state("mean", mean);
    spread = maximum(squares - square(mean), 0);
  }
  Value step = torch ? s.gradient / (sqrt(spread) + small) : s.rate() * s.gradient / sqrt(spread + small);
  if (keep != 0) {
    step = keep * s.state("momentum") + step;
    s.set_state("momentum", step);
  }
  return s.parameter - (torch ? s.rate() * step : step);
}

}  // namespace xgrad::inline v0::nn
