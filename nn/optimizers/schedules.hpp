// Schedules: learning rates as functions of the training step, counted from 0.
//
//   nn::Adam{.learning_rate = nn::cosine_decay(1e-3, 10000, {.warmup = 500})}
//   nn::cosine_decay(1e-3, 10000).at(5000)      // 5e-4
//
// A step is one weight update: one batch, or several with gradient accumulation. Formulas and defaults are those of
// keras.optimizers.schedules, or of torch.optim.lr_scheduler where noted. All throw UserError for rates, steps and
// factors that are negative or not finite.
#pragma once

#include <vector>

#include <xgrad/nn/optimizers/learning_rate.hpp>

namespace xgrad::inline v0::nn {

// ---- steps

// The rate times factor^floor(step / every); StepLR of PyTorch.
LearningRate step_decay(double rate, Index every, double factor = 0.1);
// The rate times factor^n, where n is the number of `steps` (ascending) reached so far; MultiStepLR of PyTorch.
LearningRate multi_step_decay(double rate, const std::vector<Index>& steps, double factor = 0.1);
// A constant rate between steps: rates[0] before steps[0], rates[1] from steps[0] on, and so on. Needs one rate more
// than steps. In Keras, a boundary is instead the last step of the old rate.
LearningRate piecewise_constant(const std::vector<Index>& steps, const std::vector<double>& rates);

// ---- exponential, inverse-time and polynomial decay

// Options of exponential and inverse-time decay.
struct DecayOptions {
  bool staircase = false;  // use floor(step / steps)
};
// Exponential decay rate factor^(step / steps).
LearningRate exponential_decay(double rate, Index steps, double factor, const DecayOptions& options = {});
// Inverse-time decay rate / (1 + factor step / steps).
LearningRate inverse_time_decay(double rate, Index steps, double factor, const DecayOptions& options = {});

// Options of polynomial decay.
struct PolynomialOptions {
  double end = 1e-4;   // the last rate
  double power = 1;    // 1 is linear
  bool cycle = false;  // after `steps`, replace `steps` by its next multiple; otherwise keep `end`
};
// Polynomial decay (rate - end) (1 - step / steps)^power + end.
LearningRate polynomial_decay(double rate, Index steps, const PolynomialOptions& options = {});

// ---- cosine schedules

// Options of cosine decay.
struct CosineOptions {
  Index warmup = 0;        // steps of linear warm-up to `rate` before the decay
  double warmup_from = 0;  // initial rate of the warm-up
  double alpha = 0;        // final rate as a fraction of `rate`
};
// Cosine decay rate ((1 - alpha) (1 + cos(pi step / steps)) / 2 + alpha), then the constant rate * alpha. `steps`
// counts from the end of the warm-up (Loshchilov and Hutter, "SGDR", 2017; the warm-up: Goyal et al., "Accurate, large
// minibatch SGD", 2017).
LearningRate cosine_decay(double rate, Index steps, const CosineOptions& options = {});

// Options of cosine restarts.
struct RestartOptions {
  double t_mul = 2;  // ratio of the lengths of consecutive decays
  double m_mul = 1;  // ratio of the initial rates of consecutive decays
  Index warmup = 0;
  double warmup_from = 0;
  double alpha = 0;
};
// Cosine decays with warm restarts: the first of length `steps` from `rate`, each next one t_mul times as long from an
// m_mul times higher rate.
LearningRate cosine_restarts(double rate, Index steps, const RestartOptions& options = {});

// Options of one_cycle.
struct OneCycleOptions {
  double rise = 0.3;          // fraction of the steps in which the rate rises
  double start_divisor = 25;  // initial rate: rate / start_divisor
  double end_divisor = 1e4;   // final rate: initial rate / end_divisor
  bool straight = false;      // linear instead of cosine interpolation
};
// Rises to `rate` and falls again within `steps`, like OneCycleLR of PyTorch, but without changing the momentum (Smith
// and Topin, "Super-convergence", 2018).
LearningRate one_cycle(double rate, Index steps, const OneCycleOptions& options = {});

}  // namespace xgrad::inline v0::nn
