#include <xgrad/nn/optimizers/rules.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {
namespace {

// Sets an option that was not given to the preset's value.
double resolve(std::optional<double>& option, double from_preset) {
  if (!option) option = from_preset;
  return *option;
}

// Updates the state `name`, an exponential moving average of x, and returns its new value.
Value moving_average(ParameterStep& s, const char* name, double keep, Value x) {
  const Value before = s.state(name);
  const Value after = before + (1 - keep) * (x - before);
  s.set_state(name, after);
  return after;
}

// Setup of Adam and AdamW, without weight decay.
template <class Rule>
RuleSetup adam_setup(Rule& rule) {
  const auto from_preset = defaults(rule.preset).adam;
  require_fraction(Rule::name, "beta_1", resolve(rule.beta_1, from_preset.beta_1));
  require_fraction(Rule::name, "beta_2", resolve(rule.beta_2, from_preset.beta_2));
  require_not_negative(Rule::name, "epsilon", resolve(rule.epsilon, from_preset.epsilon));
  return {.learning_rate = rule.learning_rate.value_or(from_preset.learning_rate), .preset = rule.preset};
}

template <class Rule>
Value adam_step(const Rule& rule, ParameterStep& s) {
  const DType dtype = s.parameter.dtype();
  const Value m = moving_average(s, "mean", *rule.beta_1, s.gradient);
  Value v = moving_average(s, "square", *rule.beta_2, square(s.gradient));
  if (rule.amsgrad) {
    v = maximum(s.state("square_max"), v);
    s.set_state("square_max", v);
  }
  // Use f64: 1 - beta_2^t is tiny in the first training steps, and f32 would cancel most of its digits.
  const Value unbias_1 = 1 - pow(*rule.beta_1, s.iteration);
  const Value unbias_2 = sqrt(1 - pow(*rule.beta_2, s.iteration));
  if (rule.preset == Preset::torch) {
    const Value rate = cast(s.learning_rate / unbias_1, dtype);
    return s.parameter - rate * (m / (sqrt(v) / cast(unbias_2, dtype) + *rule.epsilon));
  }
  const Value rate = cast(s.learning_rate * unbias_2 / unbias_1, dtype);
  return s.parameter - rate * (m / (sqrt(v) + *rule.epsilon));
}

}  // namespace

RuleSetup SGD::setup() {
  const auto from_preset = defaults(preset).sgd;
  require_fraction(name, "momentum", resolve(momentum, from_preset.momentum));
  require_within(name, "dampening", dampening, 0, 1);
  if (dampening != 0 && (momentum == 0 || nesterov)) {
    throw UserError(fmt::format("{}: dampening = {} requires {}", name, dampening,
                                nesterov ? "nesterov = false" : "momentum above 0"));
  }
  return {.learning_rate = learning_rate.value_or(from_preset.learning_rate),
          .preset = preset,
          .skips_zero_rows = momentum == 0};
}

Value SGD::operator()(ParameterStep& s) const {
  const Value step = s.rate() * s.gradient;
  if (momentum == 0) return s.parameter - step;
  // The first step is not dampened, as in PyTorch.
  const auto dampened = [&](Value v) {
    return dampening == 0 ? v : v * cast(1 - dampening * cast(s.iteration > 1, f64), v.dtype());
  };
  if (preset == Preset::torch) {
    const Value velocity = *momentum * s.state("momentum") + dampened(s.gradient);
    s.set_state("momentum", velocity);
    return s.parameter - s.rate() * (nesterov ? s.gradient + *momentum * velocity : velocity);
  }
  const Value velocity = *momentum * s.state("momentum") - dampened(step);
  s.set_state("momentum", velocity);
  return s.parameter + (nesterov ? *momentum * velocity - step : velocity);
}

RuleSetup Adagrad::setup() {
  const auto from_preset = defaults(preset).adagrad;
  require_not_negative(name, "accumulator", resolve(accumulator, from_preset.accumulator));
  require_not_negative(name, "epsilon", resolve(epsilon, from_preset.epsilon));
  return {.learning_rate = learning_rate.value_or(from_preset.learning_rate),
          .preset = preset,
          .skips_zero_rows = *accumulator > 0 || *epsilon > 0};
}

Value Adagrad::operator()(ParameterStep& s) const {
  const Value total = s.state("square_sum", *accumulator) + square(s.gradient);
  s.set_state("square_sum", total);
  const Value divisor = preset == Preset::torch ? sqrt(total) + *epsilon : sqrt(total + *epsilon);
  return s.parameter - s.rate() * s.gradient / divisor;
}

RuleSetup Adadelta::setup() {
  const auto from_preset = defaults(preset).adadelta;
  require_fraction(name, "rho", resolve(rho, from_preset.rho));
  require_not_negative(name, "epsilon", resolve(epsilon, from_preset.epsilon));
  return {.learning_rate = learning_rate.value_or(from_preset.learning_rate), .preset = preset};
}

Value Adadelta::operator()(ParameterStep& s) const {
  const Value squares = moving_average(s, "square", *rho, square(s.gradient));
  const Value step = s.gradient * (sqrt(s.state("step_square") + *epsilon) / sqrt(squares + *epsilon));
  moving_average(s, "step_square", *rho, square(step));
  return s.parameter - s.rate() * step;
}

RuleSetup RMSprop::setup() {
  const auto from_preset = defaults(preset).rmsprop;
  require_fraction(name, "rho", resolve(rho, from_preset.rho));
  require_fraction(name, "momentum", resolve(momentum, from_preset.momentum));
  require_not_negative(name, "epsilon", resolve(epsilon, from_preset.epsilon));
  return {.learning_rate = learning_rate.value_or(from_preset.learning_rate), .preset = preset};
}

Value RMSprop::operator()(ParameterStep& s) const {
  const bool torch = preset == Preset::torch;
  const Value squares = moving_average(s, "square", *rho, square(s.gradient));
  Value spread = squares;
  if (centered) spread = maximum(squares - square(moving_average(s, "mean", *rho, s.gradient)), 0);
  Value step = torch ? s.gradient / (sqrt(spread) + *epsilon) : s.rate() * s.gradient / sqrt(spread + *epsilon);
  if (momentum != 0) {
    step = *momentum * s.state("momentum") + step;
    s.set_state("momentum", step);
  }
  return s.parameter - (torch ? s.rate() * step : step);
}

RuleSetup Adam::setup() { return adam_setup(*this); }

Value Adam::operator()(ParameterStep& s) const { return adam_step(*this, s); }

RuleSetup AdamW::setup() {
  RuleSetup out = adam_setup(*this);
  out.weight_decay = resolve(weight_decay, defaults(preset).adamw.weight_decay);
  require_not_negative(name, "weight_decay", *weight_decay);
  return out;
}

Value AdamW::operator()(ParameterStep& s) const { return adam_step(*this, s); }

RuleSetup Adamax::setup() {
  const auto from_preset = defaults(preset).adamax;
  require_fraction(name, "beta_1", resolve(beta_1, from_preset.beta_1));
  require_fraction(name, "beta_2", resolve(beta_2, from_preset.beta_2));
  require_not_negative(name, "epsilon", resolve(epsilon, from_preset.epsilon));
  return {.learning_rate = learning_rate.value_or(from_preset.learning_rate), .preset = preset};
}

Value Adamax::operator()(ParameterStep& s) const {
  const bool torch = preset == Preset::torch;
  const Value m = moving_average(s, "mean", *beta_1, s.gradient);
  const Value size = abs(s.gradient);
  const Value u = maximum(*beta_2 * s.state("largest"), torch ? size + *epsilon : size);
  s.set_state("largest", u);
  const Value rate = cast(s.learning_rate / (1 - pow(*beta_1, s.iteration)), s.parameter.dtype());
  return s.parameter - rate * (m / (torch ? u : u + *epsilon));
}

RuleSetup Nadam::setup() {
  const auto from_preset = defaults(preset).nadam;
  require_fraction(name, "beta_1", resolve(beta_1, from_preset.beta_1));
  require_fraction(name, "beta_2", resolve(beta_2, from_preset.beta_2));
  require_not_negative(name, "epsilon", resolve(epsilon, from_preset.epsilon));
  require_not_negative(name, "momentum_decay", resolve(momentum_decay, from_preset.momentum_decay));
  return {.learning_rate = learning_rate.value_or(from_preset.learning_rate), .preset = preset};
}

Value Nadam::operator()(ParameterStep& s) const {
  const DType dtype = s.parameter.dtype();
  const Value m = moving_average(s, "mean", *beta_1, s.gradient);
  const Value v = moving_average(s, "square", *beta_2, square(s.gradient));
  // Compute scalars in f64, as in Adam.
  const auto momentum = [&](Value t) { return *beta_1 * (1 - 0.5 * pow(0.96, *momentum_decay * t)); };
  const Value now = momentum(s.iteration), next = momentum(s.iteration + 1);
  const Value product = s.scalar_state("momentum_product", 1) * now;
  s.set_state("momentum_product", product);
  const Value of_mean = cast(s.learning_rate * next / (1 - product * next), dtype);
  const Value of_gradient = cast(s.learning_rate * (1 - now) / (1 - product), dtype);
  const Value unbias = cast(sqrt(1 - pow(*beta_2, s.iteration)), dtype);
  return s.parameter - (of_mean * m + of_gradient * s.gradient) / (sqrt(v) / unbias + *epsilon);
}

RuleSetup Lion::setup() {
  const auto standard = defaults(Preset::keras).lion;
  require_fraction(name, "beta_1", resolve(beta_1, standard.beta_1));
  require_fraction(name, "beta_2", resolve(beta_2, standard.beta_2));
  return {.learning_rate = learning_rate.value_or(standard.learning_rate)};
}

Value Lion::operator()(ParameterStep& s) const {
  const Value m = s.state("mean");
  s.set_state("mean", *beta_2 * m + (1 - *beta_2) * s.gradient);
  return s.parameter - s.rate() * sign(*beta_1 * m + (1 - *beta_1) * s.gradient);
}

}  // namespace xgrad::inline v0::nn
