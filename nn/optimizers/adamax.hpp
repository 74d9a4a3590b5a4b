// Adamax: Adam with a decaying maximum of |g| instead of the root of mean squares (Kingma and Ba, "Adam", 2015,
// section 7).
//
//   nn::Adamax{}
//
// m <- m + (1 - beta_1) (g - m);  t = 1, 2, ... is the iteration
// keras: u <- max(beta_2 u, |g|);            w <- w - rate / (1 - beta_1^t) * m / (u + epsilon)
// torch: u <- max(beta_2 u, |g| + epsilon);  w <- w - rate / (1 - beta_1^t) * m / u
#pragma once

#include <optional>

#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/optimizers/optimizer.hpp>

namespace xgrad::inline v0::nn {

struct Adamax {
  static constexpr const char* name = "adamax";
  Preset preset = Preset::keras;
  std::optional<LearningRate> learning_rate{};
  std::optional<double> beta_1{};
  std::optional<double> beta_2{};
  std::optional<double> epsilon{};

  RuleSetup setup();
  Value operator()(ParameterStep& s) const;
};

}  // namespace xgrad::inline v0::nn
