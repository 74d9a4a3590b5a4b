// BatchNorm.
#pragma once

#include <optional>
#include <string>

#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

// Options of BatchNorm.
struct BatchNormOptions {
  Preset preset = Preset::keras;
  std::optional<double> momentum{};  // weight of the old moving statistic, in [0, 1]
  std::optional<double> epsilon{};   // added to the variance
  int axis = -1;                     // feature axis, in both presets; statistics are over all other axes
  bool center = true;                // add a learned shift, beta
  bool scale = true;                 // multiply by a learned scale, gamma
  Initializer gamma_initializer = ones;
  Initializer beta_initializer = zeros;
  std::optional<Regularizer> gamma_regularizer{};
  std::optional<Regularizer> beta_regularizer{};
  std::optional<Constraint> gamma_constraint{};
  std::optional<Constraint> beta_constraint{};
  bool trainable = true;  // if false, training also uses the moving statistics and does not update them, as in Keras 3
  std::string name{};     // scope name; "batch_norm" if empty
};

// Normalizes each feature to mean 0 and variance 1 over the batch, then applies a learned scale and shift:
// gamma * (x - mean) / sqrt(variance + epsilon) + beta (Ioffe and Szegedy, "Batch normalization", 2015).
//
//   nn::BatchNorm()
//   nn::BatchNorm({.momentum = 0.9})
//   nn::BatchNorm({.preset = nn::Preset::torch})
//
// Training graphs use the mean and biased variance of the batch, and update the moving statistics:
// moving <- momentum * moving + (1 - momentum) * batch, once for each call of the layer, in sequence. Inference graphs
// and layers that are not trainable use the moving statistics. Throws ShapeError for an input of rank below 2, or with
// another number of features than at the first call.
class BatchNorm : public Layer {
 public:
  explicit BatchNorm(BatchNormOptions options = {}, SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;

  // These are not valid before the first call.
  const Parameter& gamma() const { return gamma_.parameter(); }
  const Parameter& beta() const { return beta_.parameter(); }
  const Parameter& moving_mean() const { return moving_mean_.parameter(); }
  const Parameter& moving_variance() const { return moving_variance_.parameter(); }

 private:
  BatchNormOptions options_;
  Weight gamma_, beta_, moving_mean_, moving_variance_;
};

}  // namespace xgrad::inline v0::nn
