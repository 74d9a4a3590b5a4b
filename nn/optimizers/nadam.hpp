// Nadam: Adam with Nesterov's momentum (Dozat, "Incorporating Nesterov momentum into Adam", 2016).
//
//   nn::Nadam{}
//
// m, v and t as in Adam;  c(t) = beta_1 (1 - 0.96^(t momentum_decay) / 2);  p <- p c(t), initially 1
// h = c(t + 1) m / (1 - p c(t + 1)) + (1 - c(t)) g / (1 - p)
// w <- w - rate h / (sqrt(v / (1 - beta_2^t)) + epsilon)
#pragma once

#include <optional>

#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/optimizers/optimizer.hpp>

namespace xgrad::inline v0::nn {

struct Nadam {
  static constexpr const char* name = "nadam";
  Preset preset = Preset::keras;
  std::optional<LearningRate> learning_rate{};
  std::optional<double> beta_1{};
  std::optional<double> beta_2{};
  std::optional<double> epsilon{};
  std::optional<double> momentum_decay{};

  RuleSetup setup();
  Value operator()(ParameterStep& s) const;
};

}  // namespace xgrad::inline v0::nn
