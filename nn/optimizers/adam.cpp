#include <xgrad/nn/optimizers/adam.hpp>

#include <xgrad/ops/ops.hpp>

namespace xgrad::nn {

Value Adam::operator()(ParameterStep& s) const {
  const auto from_preset = defaults(preset).adam;
  const double b1 = beta_1.value_or(from_preset.beta_1);
  const double b2 = beta_2.value_or(from_preset.beta_2);
  const double small = epsilon.value_or(from_preset.epsilon);
  const DType dtype = s.parameter.dtype();

  const Value m = s.state("mean") + (1 - b1) * (s.gradient - s.state("mean"));
  const Value v = s.state("square") + (1 - b2) * (square(s.gradient) - s.state("square"));
  s.set_state("mean", m);
  s.set_state("square", v);

  // In f64, since 1 - beta_2^t is tiny in the first steps: what f32 would lose there is far more than rounding.
  const Value unbias_1 = 1 - pow(b1, s.iteration);
  const Value unbias_2 = sqrt(1 - pow(b2, s.iteration));
  if (preset == Preset::torch) {
    const Value rate = cast(s.learning_rate / unbias_1, dtype);
    return s.parameter - rate * (m / (sqrt(v) / cast(unbias_2, dtype) + small));
  }
  const Value rate = cast(s.learning_rate * unbias_2 / unbias_1, dtype);
  return s.parameter - rate * (m / (sqrt(v) + small));
}

}  // namespace xgrad::nn
