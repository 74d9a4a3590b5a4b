// Yogi: Adam with an additive update of the mean of squares, whose step depends only on g^2 (Zaheer, Reddi, Sachan,
// Kale and Kumar, "Adaptive methods for nonconvex optimization", 2018).
//
//   m <- m + (1 - beta_1) (g - m);  v <- v - (1 - beta_2) sign(v - g^2) g^2;  t = 1, 2, ... is the iteration
//   w <- w - rate sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)
#pragma once

#include <xgrad/nn/optimizers/optimizer.hpp>

namespace xgrad::inline v0::nn {

struct Yogi {
  static constexpr const char* name = "yogi";
  LearningRate learning_rate = 0.01;
  double beta_1 = 0.9;
  double beta_2 = 0.999;
  double epsilon = 1e-3;

  RuleSetup setup() const;
  Value operator()(ParameterStep& s) const;
};

}  // namespace xgrad::inline v0::nn
