#include <xgrad/nn/optimizers/yogi.hpp>

#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

RuleSetup Yogi::setup() const {
  require_fraction(name, "beta_1", beta_1);
  require_fraction(name, "beta_2", beta_2);
  require_not_negative(name, "epsilon", epsilon);
  return {.learning_rate = learning_rate};
}

Value Yogi::operator()(ParameterStep& s) const {
  const Value squares = square(s.gradient), before = s.state("square");
  const Value m = s.state("mean") + (1 - beta_1) * (s.gradient - s.state("mean"));
  const Value v = before - (1 - beta_2) * sign(before - squares) * squares;
  s.set_state("mean", m);
  s.set_state("square", v);
  const Value unbias = sqrt(1 - pow(beta_2, s.iteration)) / (1 - pow(beta_1, s.iteration));
  return s.parameter - cast(s.learning_rate * unbias, m.dtype()) * (m / (sqrt(v) + epsilon));
}

}  // namespace xgrad::inline v0::nn
