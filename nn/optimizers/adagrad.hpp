// Adagrad: gradients divided by the root of the sum of their past squares (Duchi, Hazan and Singer, "Adaptive
// subgradient methods", 2011).
//
//   nn::Adagrad{.learning_rate = 0.1}
//
// a <- a + g^2, initially `accumulator`
// keras: w <- w - rate g / sqrt(a + epsilon)
// torch: w <- w - rate g / (sqrt(a) + epsilon)         PyTorch's lr_decay is the schedule inverse_time_decay
#pragma once

#include <optional>

#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/optimizers/optimizer.hpp>

namespace xgrad::inline v0::nn {

struct Adagrad {
  static constexpr const char* name = "adagrad";
  Preset preset = Preset::keras;
  std::optional<LearningRate> learning_rate{};
  std::optional<double> accumulator{};
  std::optional<double> epsilon{};

  RuleSetup setup();
  Value operator()(ParameterStep& s) const;
};

}  // namespace xgrad::inline v0::nn
