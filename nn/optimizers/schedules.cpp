#include <xgrad/nn/optimizers/schedules.hpp>

#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

namespace {

double positive_steps(const char* schedule, Index steps) {
  require_positive(schedule, "steps", static_cast<double>(steps));
  return static_cast<double>(steps);
}

// Half a cosine: falls from 1 to 0 while `progress` rises from 0 to 1.
Value half_cosine(Value progress) { return 0.5 * (1 + cos(std::numbers::pi * progress)); }

void require_warmup(const char* schedule, Index warmup, double from, double alpha) {
  require_not_negative(schedule, "warmup", static_cast<double>(warmup));
  require_not_negative(schedule, "warmup_from", from);
  require_not_negative(schedule, "alpha", alpha);
}

// A linear warm-up, then `decay` of the number of steps since its end.
template <class Decay>
Value after_warmup(Value step, double rate, double warmup, double from, const Decay& decay) {
  if (warmup == 0) return decay(step);
  const Value line = from + (rate - from) * (step / warmup);
  return where(step < warmup, line, decay(maximum(step - warmup, 0)));
}

}  // namespace

LearningRate step_decay(double rate, Index every, double factor) {
  require_not_negative("step_decay", "rate", rate);
  require_not_negative("step_decay", "factor", factor);
  const double steps = positive_steps("step_decay", every);
  return {"step_decay", [=](Value step) { return rate * pow(factor, floor(step / steps)); }};
}

LearningRate piecewise_constant(const std::vector<Index>& steps, const std::vector<double>& rates) {
  const char* name = "piecewise_constant";
  if (rates.size() != steps.size() + 1)
    throw UserError(
        fmt::format("{}: {} steps need {} rates, got {}", name, steps.size(), steps.size() + 1, rates.size()));
  for (const double rate : rates) require_not_negative(name, "rate", rate);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i] < (i == 0 ? 0 : steps[i - 1] + 1))
      throw UserError(
          fmt::format("{}: steps must be ascending and at least 0, but steps[{}] is {}", name, i, steps[i]));
  }
  return {name, [=](Value step) {
            Value rate = step.graph().constant(rates[0], f64);
            for (std::size_t i = 0; i < steps.size(); ++i)
              rate = where(step >= static_cast<double>(steps[i]), rates[i + 1], rate);
            return rate;
          }};
}

LearningRate multi_step_decay(double rate, const std::vector<Index>& steps, double factor) {
  require_not_negative("multi_step_decay", "rate", rate);
  require_not_negative("multi_step_decay", "factor", factor);
  std::vector<double> rates;
  for (std::size_t n = 0; n <= steps.size(); ++n) rates.push_back(rate * std::pow(factor, static_cast<double>(n)));
  return piecewise_constant(steps, rates);
}

LearningRate exponential_decay(double rate, Index steps, double factor, const DecayOptions& options) {
  require_not_negative("exponential_decay", "rate", rate);
  require_not_negative("exponential_decay", "factor", factor);
  const double n = positive_steps("exponential_decay", steps);
  return {"exponential_decay", [=](Value step) {
            const Value passed = step / n;
            return rate * pow(factor, options.staircase ? floor(passed) : passed);
          }};
}

LearningRate inverse_time_decay(double rate, Index steps, double factor, const DecayOptions& options) {
  require_not_negative("inverse_time_decay", "rate", rate);
  require_not_negative("inverse_time_decay", "factor", factor);
  const double n = positive_steps("inverse_time_decay", steps);
  return {"inverse_time_decay", [=](Value step) {
            const Value passed = step / n;
            return rate / (1 + factor * (options.staircase ? floor(passed) : passed));
          }};
}

LearningRate polynomial_decay(double rate, Index steps, const PolynomialOptions& options) {
  require_not_negative("polynomial_decay", "rate", rate);
  require_not_negative("polynomial_decay", "end", options.end);
  require_not_negative("polynomial_decay", "power", options.power);
  const double n = positive_steps("polynomial_decay", steps);
  return {"polynomial_decay", [=](Value step) {
            const Value rounds = options.cycle ? maximum(ceil(step / n), 1) : step.graph().constant(1, f64);
            const Value passed = minimum(step / (n * rounds), 1);
            return (rate - options.end) * pow(1 - passed, options.power) + options.end;
          }};
}

LearningRate cosine_decay(double rate, Index steps, const CosineOptions& options) {
  require_not_negative("cosine_decay", "rate", rate);
  require_warmup("cosine_decay", options.warmup, options.warmup_from, options.alpha);
  const double n = positive_steps("cosine_decay", steps);
  return {"cosine_decay", [=](Value step) {
            const auto decay = [&](Value s) {
              return rate * ((1 - options.alpha) * half_cosine(minimum(s, n) / n) + options.alpha);
            };
            return after_warmup(step, rate, static_cast<double>(options.warmup), options.warmup_from, decay);
          }};
}

LearningRate cosine_restarts(double rate, Index steps, const RestartOptions& options) {
  const char* name = "cosine_restarts";
  require_not_negative(name, "rate", rate);
  require_warmup(name, options.warmup, options.warmup_from, options.alpha);
  require_not_negative(name, "m_mul", options.m_mul);
  if (!(options.t_mul >= 1) || !std::isfinite(options.t_mul))
    throw UserError(fmt::format("{}: t_mul must be finite and at least 1, got {}", name, options.t_mul));
  const double n = positive_steps(name, steps);
  return {name, [=](Value step) {
            const auto decay = [&](Value s) {
              const double longer = options.t_mul;
              // The index of the current decay, and the progress in it. Decays have the lengths n, n longer, n longer^2
              // ...
              Value round, progress;
              const Value passed = s / n;
              if (longer == 1) {
                round = floor(passed);
                progress = passed - round;
              } else {
                // Add a tolerance: at a restart, rounding may put the logarithm just below an integer.
                round = floor(log(1 + passed * (longer - 1)) / std::log(longer) + 1e-9);
                const Value length = pow(longer, round);
                progress = (passed - (length - 1) / (longer - 1)) / length;
              }
              const Value height = (1 - options.alpha) * pow(options.m_mul, round);
              return rate * (height * half_cosine(progress) + options.alpha);
            };
            return after_warmup(step, rate, static_cast<double>(options.warmup), options.warmup_from, decay);
          }};
}

LearningRate one_cycle(double rate, Index steps, const OneCycleOptions& options) {
  const char* name = "one_cycle";
  require_not_negative(name, "rate", rate);
  require_positive(name, "start_divisor", options.start_divisor);
  require_positive(name, "end_divisor", options.end_divisor);
  require_fraction(name, "rise", options.rise);
  // Subtract 1, as PyTorch does: the first and the last step have the rates of the ends.
  const double top = options.rise * positive_steps(name, steps) - 1;
  const double end = static_cast<double>(steps) - 1;
  if (!(top > 0))
    throw UserError(fmt::format("{}: rise = {} of {} steps leaves no step for the rise", name, options.rise, steps));
  const double low = rate / options.start_divisor;
  return {name, [=](Value step) {
            const auto between = [&](double from, double to, Value progress) {
              return to + (from - to) * (options.straight ? 1 - progress : half_cosine(progress));
            };
            const Value up = between(low, rate, step / top);
            const Value down = between(rate, low / options.end_divisor, minimum((step - top) / (end - top), 1));
            return where(step <= top, up, down);
          }};
}

Value LearningRate::operator()(Value step) const {
  if (!is_schedule()) return step.graph().constant(number_, f64);
  const Value rate = function_(step);
  if (rate.type() != TensorType{f64, {}}) {
    throw ShapeError(
        fmt::format("schedule \"{}\": the learning rate must be a scalar f64\n  got: {}", name_, rate.describe()));
  }
  return rate;
}

double LearningRate::at(Index step) const {
  Graph graph({.dtype = f64});
  return evaluate((*this)(graph.constant(static_cast<double>(step), f64))).item();
}

}  // namespace xgrad::inline v0::nn
