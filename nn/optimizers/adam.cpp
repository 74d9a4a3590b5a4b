#include <xgrad/nn/optimizers/adam.hpp>

#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

namespace {

// Setup of Adam and AdamW, without weight decay.
template <class Rule>
RuleSetup adam_setup(const Rule& rule) {
  const auto from_preset = defaults(rule.preset).adam;
  require_fraction(Rule::name, "beta_1", rule.beta_1.value_or(from_preset.beta_1));
  require_fraction(Rule::name, "beta_2", rule.beta_2.value_or(from_preset.beta_2));
  require_not_negative(Rule::name, "epsilon", rule.epsilon.value_or(from_preset.epsilon));
  return {.learning_rate = rule.learning_rate.value_or(from_preset.learning_rate), .preset = rule.preset};
}

template <class Rule>
Value adam_step(const Rule& rule, ParameterStep& s) {
  const auto from_preset = defaults(rule.preset).adam;
  const double b1 = rule.beta_1.value_or(from_preset.beta_1);
  const double b2 = rule.beta_2.value_or(from_preset.beta_2);
  const double small = rule.epsilon.value_or(from_preset.epsilon);
  const DType dtype = s.parameter.dtype();

  const Value m = s.state("mean") + (1 - b1) * (s.gradient - s.state("mean"));
  Value v = s.state("square") + (1 - b2) * (square(s.gradient) - s.state("square"));
  s.set_state("mean", m);
  s.set_state("square", v);
  if (rule.amsgrad) {
    v = maximum(s.state("square_max"), v);
    s.set_state("square_max", v);
  }

  // In f64: 1 - beta_2^t is tiny in the first training steps, and f32 would cancel most of its digits.
  const Value unbias_1 = 1 - pow(b1, s.iteration);
  const Value unbias_2 = sqrt(1 - pow(b2, s.iteration));
  if (rule.preset == Preset::torch) {
    const Value rate = cast(s.learning_rate / unbias_1, dtype);
    return s.parameter - rate * (m / (sqrt(v) / cast(unbias_2, dtype) + small));
  }
  const Value rate = cast(s.learning_rate * unbias_2 / unbias_1, dtype);
  return s.parameter - rate * (m / (sqrt(v) + small));
}

}  // namespace

RuleSetup Adam::setup() const { return adam_setup(*this); }
Value Adam::operator()(ParameterStep& s) const { return adam_step(*this, s); }

RuleSetup AdamW::setup() const {
  RuleSetup out = adam_setup(*this);
  out.weight_decay = weight_decay.value_or(defaults(preset).adamw.weight_decay);
  require_not_negative(name, "weight_decay", *out.weight_decay);
  return out;
}
Value AdamW::operator()(ParameterStep& s) const { return adam_step(*this, s); }

}  // namespace xgrad::inline v0::nn
