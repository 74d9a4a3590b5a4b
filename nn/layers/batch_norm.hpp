// BatchNorm: each feature is shifted and scaled to mean 0 and variance 1 over the batch, then to a learned mean and
// deviation (Ioffe and Szegedy, "Batch normalization", 2015).
//
//   nn::BatchNorm()
//   nn::BatchNorm({.momentum = 0.9})
//   nn::BatchNorm({.preset = nn::Preset::torch})
#pragma once

#include <optional>
#include <string>

#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

struct BatchNormOptions {
  Preset preset = Preset::keras;
  std::optional<double> momentum{};  // weight of the old moving statistic, in [0, 1]
  std::optional<double> epsilon{};   // added to the variance
  int axis = -1;                     // of the features, in both presets; all others are averaged over
  bool center = true;                // has a learned shift, beta
  bool scale = true;                 // has a learned scale, gamma
  Initializer gamma_initializer = ones;
  Initializer beta_initializer = zeros;
  std::optional<Regularizer> gamma_regularizer{};
  std::optional<Regularizer> beta_regularizer{};
  std::optional<Constraint> gamma_constraint{};
  std::optional<Constraint> beta_constraint{};
  bool trainable = true;  // if not, the moving statistics are used and kept in training, too, as in Keras 3
  std::string name{};     // of its scope; "batch_norm" if empty
};

// gamma * (x - mean) / sqrt(variance + epsilon) + beta. In a graph that trains, mean and (biased) variance are those of
// the batch, and the graph's updates move the moving statistics: moving <- momentum * moving + (1 - momentum) * batch.
// A layer that is called several times in one graph moves them once for each call, one after the other. In other
// graphs, and while the layer is not trainable, the moving statistics are used. Throws ShapeError for an input of rank
// less than 2, or with other features than at the first call.
class BatchNorm : public Layer {
 public:
  explicit BatchNorm(BatchNormOptions options = {}, SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;

  // Not valid before the first call.
  const Parameter& gamma() const { return gamma_.parameter(); }
  const Parameter& beta() const { return beta_.parameter(); }
  const Parameter& moving_mean() const { return moving_mean_.parameter(); }
  const Parameter& moving_variance() const { return moving_variance_.parameter(); }

 private:
  BatchNormOptions options_;
  Weight gamma_, beta_, moving_mean_, moving_variance_;
};

}  // namespace xgrad::inline v0::nn
