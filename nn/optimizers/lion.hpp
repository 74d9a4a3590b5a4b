// Lion: updates by the sign of a running mean (Chen et al., "Symbolic discovery of optimization algorithms", 2023). Use
// a learning rate 3 to 10 times smaller than for AdamW, and a weight decay larger by the same factor.
//
//   nn::Lion{.learning_rate = 1e-4}
//
// w <- w - rate sign(beta_1 m + (1 - beta_1) g);  m <- beta_2 m + (1 - beta_2) g
#pragma once

#include <optional>

#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/optimizers/optimizer.hpp>

namespace xgrad::inline v0::nn {

struct Lion {
  static constexpr const char* name = "lion";
  std::optional<LearningRate> learning_rate{};
  std::optional<double> beta_1{};
  std::optional<double> beta_2{};

  RuleSetup setup();
  Value operator()(ParameterStep& s) const;
};

}  // namespace xgrad::inline v0::nn
