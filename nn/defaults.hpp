// Every default of the neural-network layer, in one table.
//
//   nn::Adam{}                                  // as Keras has it
//   nn::Adam{.preset = nn::Preset::torch}       // as PyTorch has it
//
// The Keras column is Keras 3 (keras/src/layers, optimizers), whose defaults the book's programs rely on; the torch
// column is PyTorch (torch/nn, torch/optim). A preset chooses the numbers and, where the two differ, the formula; an
// option that is set wins over the preset.
#pragma once

#include <xgrad/ops/defaults.hpp>

namespace xgrad::inline v0::nn {

enum class Preset { keras, torch };

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
    double weight_decay;  // and the rest as adam
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
    double epsilon;  // added to a norm that gradients are divided by
  } clip;
  struct {
    double momentum;  // the weight of the OLD moving statistic; PyTorch's own `momentum` is one minus this
    double epsilon;
    bool unbiased_variance;  // whether the moving variance is of the population (N - 1) or of the batch (N)
  } batch_norm;
  double norm_epsilon;          // of layer and group norm, added to the variance
  double prelu_slope;           // of PReLU, before it learns
  bool average_counts_padding;  // whether average pooling counts the zeros around its input
  bool embedding_normal;        // whether embeddings begin as normal(0, 1) or as uniform()
};

constexpr Defaults defaults(Preset preset) {
  constexpr Defaults keras{
      .sgd = {.learning_rate = 0.01, .momentum = 0},
      .adagrad = {.learning_rate = 1e-3, .accumulator = 0.1, .epsilon = 1e-7},
      // Keras 3 has a learning rate of 0.001, with which this rule hardly moves; 1 is that of Keras 2 and of the paper.
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
      .lion = keras.lion,  // PyTorch has none
      .clip = {.epsilon = 1e-6},
      .batch_norm = {.momentum = 0.9, .epsilon = 1e-5, .unbiased_variance = true},
      .norm_epsilon = 1e-5,
      .prelu_slope = 0.25,
      .average_counts_padding = true,
      .embedding_normal = true,
  };
  return preset == Preset::keras ? keras : torch;
}

// Of initializers, regularizers and constraints whose call names no number, as in Keras.
inline constexpr double default_initial_deviation = 0.05;  // of normal and truncated normal numbers
inline constexpr double default_initial_bound = 0.05;      // of uniform numbers, on both sides of 0
inline constexpr double default_penalty = 0.01;
inline constexpr double default_max_norm = 2;

// Of layers, as in Keras.
inline constexpr int default_groups = 32;  // of group norm
inline constexpr int default_window = 2;   // of pooling

// Of metrics, as in Keras.
inline constexpr double default_threshold = 0.5;  // above which a probability counts as yes
inline constexpr int default_top_k = 5;
inline constexpr int default_auc_thresholds = 200;
inline constexpr double default_auc_margin = 1e-7;  // of the outer thresholds, beyond 0 and 1

// Of fit(), evaluate() and predict(), as in Keras.
inline constexpr int default_batch_size = 32;
inline constexpr int default_epochs = 1;

}  // namespace xgrad::inline v0::nn
