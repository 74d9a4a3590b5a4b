// Defaults of nn, in one table.
//
//   nn::Adam{}                                  // defaults and formula of Keras
//   nn::Adam{.preset = nn::Preset::torch}       // defaults and formula of PyTorch
//
// `keras` is Keras 3 (keras/src/layers, optimizers), `torch` is PyTorch (torch/nn, torch/optim). A preset selects the
// defaults and, where the two libraries differ, the formula. Options that are set override the preset.
#pragma once

#include <xgrad/ops/defaults.hpp>

namespace xgrad::inline v0::nn {

// The library whose defaults and formulas apply.
enum class Preset { keras, torch };

// The defaults of one preset.
struct Defaults {
  struct {
    double learning_rate, momentum;
  } sgd;
  struct {
    double learning_rate, accumulator, epsilon;
  } adagrad;
  struct {
    double learning_rate, rho, epsilon;
  } adadelta;
  struct {
    double learning_rate, rho, momentum, epsilon;
  } rmsprop;
  struct {
    double learning_rate, beta_1, beta_2, epsilon;
  } adam;
  struct {
    double weight_decay;  // other defaults are those of adam
  } adamw;
  struct {
    double learning_rate, beta_1, beta_2, epsilon;
  } adamax;
  struct {
    double learning_rate, beta_1, beta_2, epsilon, momentum_decay;
  } nadam;
  struct {
    double learning_rate, beta_1, beta_2;
  } lion;
  struct {
    double epsilon;  // added to the norm by which gradients are divided
  } clip;
  struct {
    double momentum;  // weight of the old moving statistic; PyTorch's `momentum` is 1 minus this
    double epsilon;
    bool unbiased_variance;  // divisor of the moving variance: N - 1 if true, N if false
  } batch_norm;
  double norm_epsilon;          // for layer and group norm, added to the variance
  double prelu_slope;           // initial slope of PReLU
  bool average_counts_padding;  // whether average pooling includes the zero padding
  bool embedding_normal;        // initial embeddings: normal(0, 1) if true, uniform() if false
};

// The defaults of the preset.
constexpr Defaults defaults(Preset preset) {
  constexpr Defaults keras{
      .sgd = {.learning_rate = 0.01, .momentum = 0},
      .adagrad = {.learning_rate = 1e-3, .accumulator = 0.1, .epsilon = 1e-7},
      // Not 0.001, the learning rate of Keras 3, with which Adadelta hardly moves. 1 is that of Keras 2 and the paper.
      .adadelta = {.learning_rate = 1, .rho = 0.95, .epsilon = 1e-7},
      .rmsprop = {.learning_rate = 1e-3, .rho = 0.9, .momentum = 0, .epsilon = 1e-7},
      .adam = {.learning_rate = 1e-3, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-7},
      .adamw = {.weight_decay = 0.004},
      .adamax = {.learning_rate = 1e-3, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-7},
      .nadam = {.learning_rate = 1e-3, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-7, .momentum_decay = 1},
      .lion = {.learning_rate = 1e-3, .beta_1 = 0.9, .beta_2 = 0.99},
      .clip = {.epsilon = 0},
      .batch_norm = {.momentum = 0.99, .epsilon = 1e-3, .unbiased_variance = false},
      .norm_epsilon = default_norm_epsilon,
      .prelu_slope = 0,
      .average_counts_padding = default_count_padding,
      .embedding_normal = false,
  };
  constexpr Defaults torch{
      .sgd = {.learning_rate = 1e-3, .momentum = 0},
      .adagrad = {.learning_rate = 0.01, .accumulator = 0, .epsilon = 1e-10},
      .adadelta = {.learning_rate = 1, .rho = 0.9, .epsilon = 1e-6},
      .rmsprop = {.learning_rate = 0.01, .rho = 0.99, .momentum = 0, .epsilon = 1e-8},
      .adam = {.learning_rate = 1e-3, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-8},
      .adamw = {.weight_decay = 0.01},
      .adamax = {.learning_rate = 2e-3, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-8},
      .nadam = {.learning_rate = 2e-3, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-8, .momentum_decay = 4e-3},
      .lion = keras.lion,  // not in PyTorch
      .clip = {.epsilon = 1e-6},
      .batch_norm = {.momentum = 0.9, .epsilon = 1e-5, .unbiased_variance = true},
      .norm_epsilon = 1e-5,
      .prelu_slope = 0.25,
      .average_counts_padding = true,
      .embedding_normal = true,
  };
  return preset == Preset::keras ? keras : torch;
}

// Default arguments of initializers, regularizers and constraints, as in Keras.
inline constexpr double default_initial_stddev = 0.05;  // for normal and truncated_normal
inline constexpr double default_initial_bound = 0.05;   // for uniform, whose values are in [-bound, bound]
inline constexpr double default_penalty = 0.01;
inline constexpr double default_max_norm = 2;

// Default arguments of layers, as in Keras.
inline constexpr int default_groups = 32;  // for group norm
inline constexpr int default_window = 2;   // for pooling

// Default arguments of metrics, as in Keras.
inline constexpr double default_threshold = 0.5;  // larger probabilities are positive predictions
inline constexpr int default_top_k = 5;
inline constexpr int default_auc_thresholds = 200;
inline constexpr double default_auc_margin = 1e-7;  // distance of the outer thresholds beyond 0 and 1

// Default arguments of fit(), evaluate() and predict(), as in Keras.
inline constexpr int default_batch_size = 32;
inline constexpr int default_epochs = 1;

}  // namespace xgrad::inline v0::nn
