#include <xgrad/nn/optimizers/nadam.hpp>

#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

RuleSetup Nadam::setup() const {
  const auto from_preset = defaults(preset).nadam;
  require_fraction(name, "beta_1", beta_1.value_or(from_preset.beta_1));
  require_fraction(name, "beta_2", beta_2.value_or(from_preset.beta_2));
  require_not_negative(name, "epsilon", epsilon.value_or(from_preset.epsilon));
  require_not_negative(name, "momentum_decay", momentum_decay.value_or(from_preset.momentum_decay));
  return {.learning_rate = learning_rate.value_or(from_preset.learning_rate), .preset = preset};
}

Value Nadam::operator()(ParameterStep& s) const {
  const auto from_preset = defaults(preset).nadam;
  const double b1 = beta_1.value_or(from_preset.beta_1);
  const double b2 = beta_2.value_or(from_preset.beta_2);
  const double small = epsilon.value_or(from_preset.epsilon);
  const double decay = momentum_decay.value_or(from_preset.momentum_decay);
  const DType dtype = s.parameter.dtype();

  const Value m = s.state("mean") + (1 - b1) * (s.gradient - s.state("mean"));
  const Value v = s.state("square") + (1 - b2) * (square(s.gradient) - s.state("square"));
  s.set_state("mean", m);
  s.set_state("square", v);

  // Scalars in f64, as in Adam.
  const auto momentum = [&](Value t) { return b1 * (1 - 0.5 * pow(0.96, decay * t)); };
  const Value now = momentum(s.iteration), next = momentum(s.iteration + 1);
  const Value product = s.scalar_state("momentum_product", 1) * now;
  s.set_state("momentum_product", product);
  const Value of_mean = cast(s.learning_rate * next / (1 - product * next), dtype);
  const Value of_gradient = cast(s.learning_rate * (1 - now) / (1 - product), dtype);
  const Value unbias = cast(sqrt(1 - pow(b2, s.iteration)), dtype);
  return s.parameter - (of_mean * m + of_gradient * s.gradient) / (sqrt(v) / unbias + small);
}

}  // namespace xgrad::inline v0::nn
