#include <xgrad/nn/optimizers/lion.hpp>

#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

namespace {
constexpr auto standard = defaults(Preset::keras).lion;
}  // namespace

RuleSetup Lion::setup() const {
  require_fraction(name, "beta_1", beta_1.value_or(standard.beta_1));
  require_fraction(name, "beta_2", beta_2.value_or(standard.beta_2));
  return {.learning_rate = learning_rate.value_or(standard.learning_rate)};
}

Value Lion::operator()(ParameterStep& s) const {
  const double b1 = beta_1.value_or(standard.beta_1);
  const double b2 = beta_2.value_or(standard.beta_2);
  const Value m = s.state("mean");
  s.set_state("mean", b2 * m + (1 - b2) * s.gradient);
  return s.parameter - s.rate() * sign(b1 * m + (1 - b1) * s.gradient);
}

}  // namespace xgrad::inline v0::nn
