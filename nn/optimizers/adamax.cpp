#include <xgrad/nn/optimizers/adamax.hpp>

#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

RuleSetup Adamax::setup() const {
  const auto from_preset = defaults(preset).adamax;
  require_fraction(name, "beta_1", beta_1.value_or(from_preset.beta_1));
  require_fraction(name, "beta_2", beta_2.value_or(from_preset.beta_2));
  require_not_negative(name, "epsilon", epsilon.value_or(from_preset.epsilon));
  return {.learning_rate = learning_rate.value_or(from_preset.learning_rate), .preset = preset};
}

Value Adamax::operator()(ParameterStep& s) const {
  const auto from_preset = defaults(preset).adamax;
  const double b1 = beta_1.value_or(from_preset.beta_1);
  const double b2 = beta_2.value_or(from_preset.beta_2);
  const double small = epsilon.value_or(from_preset.epsilon);
  const bool torch = preset == Preset::torch;

  const Value m = s.state("mean") + (1 - b1) * (s.gradient - s.state("mean"));
  const Value size = abs(s.gradient);
  const Value u = maximum(b2 * s.state("largest"), torch ? size + small : size);
  s.set_state("mean", m);
  s.set_state("largest", u);
  const Value rate = cast(s.learning_rate / (1 - pow(b1, s.iteration)), s.parameter.dtype());
  return s.parameter - rate * (m / (torch ? u : u + small));
}

}  // namespace xgrad::inline v0::nn
