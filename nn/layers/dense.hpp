// Dense: every output is a weighted sum of all inputs.
//
//   nn::Dense(64, nn::relu)
//   nn::Dense(64, nn::tanh, {.kernel_initializer = nn::lecun_normal, .use_bias = false})
#pragma once

#include <optional>
#include <string>

#include <xgrad/nn/activations.hpp>
#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/module.hpp>

namespace xgrad::nn {

struct DenseOptions {
  // keras: kernel glorot_uniform, bias zeros. torch: both uniform within +-1 / sqrt(inputs).
  Preset preset = Preset::keras;
  std::optional<Initializer> kernel_initializer{};
  std::optional<Initializer> bias_initializer{};
  bool use_bias = true;
  std::string name{};  // of its scope; "dense" if empty
};

// activation(x . kernel + bias) for x [..., in], kernel [in, units], bias [units]. Throws ShapeError, naming the layer,
// for an input without axes or with another number of features than at the first call.
class Dense : public Layer {
 public:
  explicit Dense(Index units, Activation activation = linear, DenseOptions options = {});
  Value operator()(Value x) const;

  // Not valid before the first call.
  const Parameter& kernel() const { return kernel_.parameter(); }
  const Parameter& bias() const { return bias_.parameter(); }

 private:
  Index units_;
  Activation activation_;
  DenseOptions options_;
  Weight kernel_, bias_;
};

}  // namespace xgrad::nn
