// LayerNorm and GroupNorm: each row, or each group of its channels, is shifted and scaled to mean 0 and variance 1,
// then to a learned mean and deviation. They know no moving statistics: training and use are the same.
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

struct LayerNormOptions {
  Preset preset = Preset::keras;
  std::optional<double> epsilon{};  // added to the variance
  Axes axes = {-1};                 // that mean and variance are taken over; not for GroupNorm
  bool center = true;               // has a learned shift, beta
  bool scale = true;                // has a learned scale, gamma
  Initializer gamma_initializer = ones;
  Initializer beta_initializer = zeros;
  std::optional<Regularizer> gamma_regularizer{};
  std::optional<Regularizer> beta_regularizer{};
  std::optional<Constraint> gamma_constraint{};
  std::optional<Constraint> beta_constraint{};
  bool trainable = true;
  std::string name{};  // of its scope; "layer_norm" or "group_norm" if empty
};

// What both share. Throws UserError for an epsilon below 0.
class RowNorm : public Layer {
 public:
  // Not valid before the first call.
  const Parameter& gamma() const { return gamma_.parameter(); }
  const Parameter& beta() const { return beta_.parameter(); }

 protected:
  RowNorm(const char* kind, LayerNormOptions options, SourceLocation at);
  double epsilon() const { return *options_.epsilon; }
  const Axes& axes() const { return options_.axes; }
  // normalized * gamma + beta, which have the extents of the axes (in order, not negative).
  Value scale_and_shift(Value normalized, const Axes& axes) const;

 private:
  LayerNormOptions options_;
  Weight gamma_, beta_;
};

// gamma * (x - mean) / sqrt(variance + epsilon) + beta, mean and (biased) variance over the axes of each row, gamma and
// beta in the shape of these axes (Ba, Kiros and Hinton, "Layer normalization", 2016). Throws ShapeError, naming the
// layer, for axes that x does not have and for the axis of rows.
class LayerNorm : public RowNorm {
 public:
  explicit LayerNorm(LayerNormOptions options = {}, SourceLocation at = SourceLocation::here())
      : RowNorm("layer_norm", std::move(options), at) {}
  Value operator()(Operand x) const;
};

// The same over each group of the channels, which are the last axis, and all axes between rows and channels, with one
// gamma and beta for each channel (Wu and He, "Group normalization", 2018). Throws ShapeError, naming the layer, for
// channels that do not fall into the groups.
class GroupNorm : public RowNorm {
 public:
  explicit GroupNorm(Index groups = default_groups, LayerNormOptions options = {},
                     SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;

 private:
  Index groups_;
};

}  // namespace xgrad::inline v0::nn
