// Adam: running mean of the gradient, divided by the root of a running mean of its square (Kingma and Ba, "Adam",
// 2015). AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, "Decoupled weight decay", 2019).
//
//   nn::Adam{}
//   nn::Adam{.learning_rate = 3e-4, .beta_2 = 0.99}
//   nn::Adam{.preset = nn::Preset::torch}
//   nn::AdamW{.weight_decay = 0.01}
//
// m <- m + (1 - beta_1) (g - m);  v <- v + (1 - beta_2) (g^2 - v);  t = 1, 2, ... is the iteration
// keras: w <- w - rate sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)
// torch: w <- w - rate / (1 - beta_1^t) * m / (sqrt(v) / sqrt(1 - beta_2^t) + epsilon)
// AMSGrad (Reddi, Kale and Kumar, 2018) uses the maximum of all v so far instead of v.
// AdamW: w <- w - rate weight_decay w first.
#pragma once

#include <optional>

#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/optimizers/optimizer.hpp>

namespace xgrad::inline v0::nn {

struct Adam {
  static constexpr const char* name = "adam";
  Preset preset = Preset::keras;
  std::optional<LearningRate> learning_rate{};
  std::optional<double> beta_1{};
  std::optional<double> beta_2{};
  std::optional<double> epsilon{};
  bool amsgrad = false;

  RuleSetup setup();
  Value operator()(ParameterStep& s) const;
};

struct AdamW {
  static constexpr const char* name = "adamw";
  Preset preset = Preset::keras;
  std::optional<LearningRate> learning_rate{};
  std::optional<double> weight_decay{};
  std::optional<double> beta_1{};
  std::optional<double> beta_2{};
  std::optional<double> epsilon{};
  bool amsgrad = false;

  RuleSetup setup();
  Value operator()(ParameterStep& s) const;
};

}  // namespace xgrad::inline v0::nn
