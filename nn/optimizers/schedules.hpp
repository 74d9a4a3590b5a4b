// Schedules: learning rates that change with the step of the weights, which is counted from 0.
//
//   nn::Adam{.learning_rate = nn::cosine_decay(1e-3, 10000, {.warmup = 500})}
//   nn::cosine_decay(1e-3, 10000).at(5000)      // 5e-4
//
// A step is one change of the weights: a batch, or several where gradients are accumulated. Formulas and defaults are
// those of keras.optimizers.schedules, and of torch.optim.lr_scheduler where it is named. All throw UserError for
// rates, steps and factors that are negative or not finite.
#pragma once

#include <vector>

#include <xgrad/nn/optimizers/learning_rate.hpp>

namespace xgrad::inline v0::nn {

// ---- steps

// rate factor^floor(step / every): torch's StepLR.
LearningRate step_decay(double rate, Index every, double factor = 0.1);
// rate factor^n after n of the steps named, which rise: torch's MultiStepLR.
LearningRate multi_step_decay(double rate, const std::vector<Index>& steps, double factor = 0.1);
// rates[0] before steps[0], then rates[1] from that step on, and so forth: one rate more than steps. A boundary of
// Keras is the last step of the old rate.
LearningRate piecewise_constant(const std::vector<Index>& steps, const std::vector<double>& rates);

// ---- curves

struct DecayOptions {
  bool staircase = false;  // floor(step / steps) in place of step / steps
};
// rate factor^(step / steps).
LearningRate exponential_decay(double rate, Index steps, double factor, const DecayOptions& options = {});
// rate / (1 + factor step / steps).
LearningRate inverse_time_decay(double rate, Index steps, double factor, const DecayOptions& options = {});

struct PolynomialOptions {
  double end = 1e-4;   // the last rate
  double power = 1;    // 1 is a straight line
  bool cycle = false;  // after `steps`, go on with the next multiple of them; otherwise stay at the end
};
// (rate - end) (1 - step / steps)^power + end.
LearningRate polynomial_decay(double rate, Index steps, const PolynomialOptions& options = {});

// ---- cosines

struct CosineOptions {
  Index warmup = 0;        // steps of a straight line up to `rate`, before the decay begins
  double warmup_from = 0;  // the rate at its start
  double alpha = 0;        // the last rate as a part of `rate`
};
// rate ((1 - alpha) (1 + cos(pi step / steps)) / 2 + alpha), then rate alpha. `steps` counts from the end of the
// warm-up. (Loshchilov and Hutter, "SGDR", 2017; the warm-up: Goyal et al., "Accurate, large minibatch SGD", 2017.)
LearningRate cosine_decay(double rate, Index steps, const CosineOptions& options = {});

struct RestartOptions {
  double t_mul = 2;  // how much longer each decay is than the one before
  double m_mul = 1;  // how much higher it starts
  Index warmup = 0;
  double warmup_from = 0;
  double alpha = 0;
};
// The same again and again: a decay of `steps`, then one of t_mul steps that starts at rate m_mul, and so forth.
LearningRate cosine_restarts(double rate, Index steps, const RestartOptions& options = {});

struct OneCycleOptions {
  double rise = 0.3;          // part of the steps in which the rate rises
  double start_divisor = 25;  // it starts at rate / start_divisor
  double end_divisor = 1e4;   // and ends at what it started at, divided by this
  bool straight = false;      // straight lines in place of half cosines
};
// Up to `rate` and down again within `steps`, as torch's OneCycleLR does with the rate; momentum stays as it is.
// (Smith and Topin, "Super-convergence", 2018.)
LearningRate one_cycle(double rate, Index steps, const OneCycleOptions& options = {});

}  // namespace xgrad::inline v0::nn
