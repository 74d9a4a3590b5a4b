// LayerNorm and GroupNorm: normalize each row, or each group of its channels, to mean 0 and variance 1, then apply a
// learned scale and shift. They have no moving statistics: training and inference are the same.
//
//   nn::LayerNorm()
//   nn::LayerNorm({.axes = {-3, -2, -1}})
//   nn::GroupNorm(8)
#pragma once

#include <optional>
#include <string>

#include <xgrad/graph/shape.hpp>
#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

// Options of LayerNorm and GroupNorm.
struct LayerNormOptions {
  Preset preset = Preset::keras;
  std::optional<double> epsilon{};  // added to the variance
  Axes axes = {-1};                 // axes of mean and variance; ignored by GroupNorm
  bool center = true;               // add a learned shift, beta
  bool scale = true;                // multiply by a learned scale, gamma
  Initializer gamma_initializer = ones;
  Initializer beta_initializer = zeros;
  std::optional<Regularizer> gamma_regularizer{};
  std::optional<Regularizer> beta_regularizer{};
  std::optional<Constraint> gamma_constraint{};
  std::optional<Constraint> beta_constraint{};
  bool trainable = true;
  std::string name{};  // scope name; "layer_norm" or "group_norm" if empty
};

// Base of LayerNorm and GroupNorm. Throws UserError for a negative epsilon.
class RowNorm : public Layer {
 public:
  // These are not valid before the first call.
  const Parameter& gamma() const { return gamma_.parameter(); }
  const Parameter& beta() const { return beta_.parameter(); }

 protected:
  RowNorm(const char* kind, LayerNormOptions options, SourceLocation at);
  double epsilon() const { return *options_.epsilon; }
  const Axes& axes() const { return options_.axes; }
  // Returns normalized * gamma + beta. Both weights have the extents of `axes`, which must be ascending and
  // non-negative.
  Value scale_and_shift(Value normalized, const Axes& axes) const;

 private:
  LayerNormOptions options_;
  Weight gamma_, beta_;
};

// Layer normalization gamma * (x - mean) / sqrt(variance + epsilon) + beta, with mean and biased variance over the axes
// of each row; gamma and beta have the shape of these axes (Ba, Kiros and Hinton, "Layer normalization", 2016). Throws
// ShapeError, naming the layer, for axes that x does not have and for the batch axis.
class LayerNorm : public RowNorm {
 public:
  explicit LayerNorm(LayerNormOptions options = {}, SourceLocation at = SourceLocation::here())
      : RowNorm("layer_norm", std::move(options), at) {}
  Value operator()(Operand x) const;
};

// Group normalization: normalizes each group of channels (the last axis) over the group and all axes between batch and
// channels, with one gamma and beta per channel (Wu and He, "Group normalization", 2018). Throws ShapeError, naming the
// layer, if channels are not a multiple of `groups`.
class GroupNorm : public RowNorm {
 public:
  explicit GroupNorm(Index groups = default_groups, LayerNormOptions options = {},
                     SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;

 private:
  Index groups_;
};

}  // namespace xgrad::inline v0::nn
