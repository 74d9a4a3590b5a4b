// Dense.
#pragma once

#include <optional>
#include <string>

#include <xgrad/nn/layers/kernel_layer.hpp>

namespace xgrad::inline v0::nn {

// Options of Dense.
struct DenseOptions {
  // keras: kernel glorot_uniform, bias zeros. torch: both uniform on [-1, 1] / sqrt(inputs).
  Preset preset = Preset::keras;
  std::optional<Initializer> kernel_initializer{};
  std::optional<Initializer> bias_initializer{};
  std::optional<Regularizer> kernel_regularizer{};
  std::optional<Regularizer> bias_regularizer{};
  std::optional<Regularizer> activity_regularizer{};  // penalty on the layer output
  std::optional<Constraint> kernel_constraint{};
  std::optional<Constraint> bias_constraint{};
  bool use_bias = true;
  bool trainable = true;
  std::string name{};  // scope name; "dense" if empty
};

// A fully connected layer: activation(x . kernel + bias) for x [..., in], kernel [in, units], bias [units].
//
//   nn::Dense(64, nn::relu)
//   nn::Dense(64, nn::tanh, {.kernel_initializer = nn::lecun_normal, .use_bias = false})
//   nn::Dense(64, nn::relu, {.kernel_regularizer = nn::l2(0.01), .kernel_constraint = nn::max_norm(3)})
//
// Throws ShapeError, naming the layer, for a scalar input or another number of features than at the first call.
class Dense : public KernelLayer {
 public:
  explicit Dense(Index units, Activation activation = linear, const DenseOptions& options = {},
                 SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;

 private:
  Index units_;
};

}  // namespace xgrad::inline v0::nn
