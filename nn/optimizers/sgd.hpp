// SGD: stochastic gradient descent, with or without momentum.
//
//   nn::SGD{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true}
//
// keras: v <- momentum v - rate g;  w <- w + v          with nesterov: w <- w + momentum v - rate g
// torch: b <- momentum b + g;       w <- w - rate b     with nesterov: w <- w - rate (g + momentum b)
// Both agree unless the learning rate changes during training: the velocity of keras includes the old one. With
// dampening d, g is replaced by (1 - d) g in v and b from the second step on, as in PyTorch.
#pragma once

#include <optional>

#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/optimizers/optimizer.hpp>

namespace xgrad::inline v0::nn {

struct SGD {
  static constexpr const char* name = "sgd";
  Preset preset = Preset::keras;
  std::optional<LearningRate> learning_rate{};
  std::optional<double> momentum{};
  bool nesterov = false;
  double dampening = 0;  // in [0, 1]; needs momentum, and excludes nesterov

  RuleSetup setup();
  Value operator()(ParameterStep& s) const;
};

}  // namespace xgrad::inline v0::nn
