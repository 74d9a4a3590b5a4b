// Adam: steps scaled by running means of the gradient and of its square (Kingma and Ba, "Adam", 2015).
//
//   nn::Adam{}
//   nn::Adam{.learning_rate = 3e-4, .beta_2 = 0.99}
//   nn::Adam{.preset = nn::Preset::torch}
//
// m <- m + (1 - beta_1) (g - m);  v <- v + (1 - beta_2) (g^2 - v);  t counts the steps from 1
// keras: w <- w - rate sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)
// torch: w <- w - rate / (1 - beta_1^t) * m / (sqrt(v) / sqrt(1 - beta_2^t) + epsilon)
#pragma once

#include <optional>

#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/optimizers/optimizer.hpp>

namespace xgrad::nn {

struct Adam {
  static constexpr const char* name = "adam";
  Preset preset = Preset::keras;
  std::optional<double> learning_rate{};
  std::optional<double> beta_1{};
  std::optional<double> beta_2{};
  std::optional<double> epsilon{};

  double initial_learning_rate() const { return learning_rate.value_or(defaults(preset).adam.learning_rate); }
  Value operator()(ParameterStep& s) const;
};

}  // namespace xgrad::nn
