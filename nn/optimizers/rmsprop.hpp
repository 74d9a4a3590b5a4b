// RMSprop: gradients divided by the root of a running mean of their squares (Tieleman and Hinton, 2012); `centered`
// uses the variance instead of the mean square (Graves, "Generating sequences", 2013).
//
//   nn::RMSprop{.rho = 0.95, .momentum = 0.9}
//
// v <- rho v + (1 - rho) g^2;  centered: a <- rho a + (1 - rho) g, and v - a^2 in place of v below
// keras: s = rate g / sqrt(v + epsilon);   w <- w - s          with momentum: m <- momentum m + s;  w <- w - m
// torch: s = g / (sqrt(v) + epsilon);      w <- w - rate s     with momentum: m <- momentum m + s;  w <- w - rate m
// v - a^2 is clamped at 0 against rounding.
#pragma once

#include <optional>

#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/optimizers/optimizer.hpp>

namespace xgrad::inline v0::nn {

struct RMSprop {
  static constexpr const char* name = "rmsprop";
  Preset preset = Preset::keras;
  std::optional<LearningRate> learning_rate{};
  std::optional<double> rho{};
  std::optional<double> momentum{};
  std::optional<double> epsilon{};
  bool centered = false;

  RuleSetup setup();
  Value operator()(ParameterStep& s) const;
};

}  // namespace xgrad::inline v0::nn
