// Adadelta: gradients scaled by the ratio of running root mean squares of updates and gradients (Zeiler, "ADADELTA",
// 2012).
//
//   nn::Adadelta{}
//
// e <- rho e + (1 - rho) g^2;  u = g sqrt(d + epsilon) / sqrt(e + epsilon);  d <- rho d + (1 - rho) u^2
// w <- w - rate u
#pragma once

#include <optional>

#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/optimizers/optimizer.hpp>

namespace xgrad::inline v0::nn {

struct Adadelta {
  static constexpr const char* name = "adadelta";
  Preset preset = Preset::keras;
  std::optional<LearningRate> learning_rate{};
  std::optional<double> rho{};
  std::optional<double> epsilon{};

  RuleSetup setup();
  Value operator()(ParameterStep& s) const;
};

}  // namespace xgrad::inline v0::nn
