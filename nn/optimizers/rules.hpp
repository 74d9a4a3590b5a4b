// The optimizers: SGD, Adagrad, Adadelta, RMSprop, Adam, AdamW, Adamax, Nadam and Lion.
//
// Options that are not given are those of the preset. w is a weight, g its gradient, rate the learning rate.
#pragma once

#include <optional>

#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/optimizers/optimizer.hpp>

namespace xgrad::inline v0::nn {

// Stochastic gradient descent, with or without momentum.
//
//   nn::SGD{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true}
//
//   keras: v <- momentum v - rate g;  w <- w + v          with nesterov: w <- w + momentum v - rate g
//   torch: b <- momentum b + g;       w <- w - rate b     with nesterov: w <- w - rate (g + momentum b)
//
// Both agree unless the learning rate changes during training: the velocity of keras includes the old one. With
// dampening d, g is replaced by (1 - d) g in v and b from the second step on, as in PyTorch.
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

// Divides gradients by the root of the sum of their past squares (Duchi, Hazan and Singer, "Adaptive subgradient
// methods", 2011). PyTorch's lr_decay is the schedule inverse_time_decay.
//
//   nn::Adagrad{.learning_rate = 0.1}
//
//   a <- a + g^2, initially `accumulator`
//   keras: w <- w - rate g / sqrt(a + epsilon)
//   torch: w <- w - rate g / (sqrt(a) + epsilon)
struct Adagrad {
  static constexpr const char* name = "adagrad";
  Preset preset = Preset::keras;
  std::optional<LearningRate> learning_rate{};
  std::optional<double> accumulator{};
  std::optional<double> epsilon{};

  RuleSetup setup();
  Value operator()(ParameterStep& s) const;
};

// Scales gradients by the ratio of running root mean squares of updates and gradients (Zeiler, "ADADELTA", 2012).
//
//   nn::Adadelta{}
//
//   e <- rho e + (1 - rho) g^2;  u = g sqrt(d + epsilon) / sqrt(e + epsilon);  d <- rho d + (1 - rho) u^2
//   w <- w - rate u
struct Adadelta {
  static constexpr const char* name = "adadelta";
  Preset preset = Preset::keras;
  std::optional<LearningRate> learning_rate{};
  std::optional<double> rho{};
  std::optional<double> epsilon{};

  RuleSetup setup();
  Value operator()(ParameterStep& s) const;
};

// Divides gradients by the root of a running mean of their squares (Tieleman and Hinton, 2012); `centered` uses the
// variance instead of the mean square (Graves, "Generating sequences", 2013).
//
//   nn::RMSprop{.rho = 0.95, .momentum = 0.9}
//
//   v <- rho v + (1 - rho) g^2;  centered: a <- rho a + (1 - rho) g, and v - a^2 in place of v below
//   keras: s = rate g / sqrt(v + epsilon);   w <- w - s         with momentum: m <- momentum m + s;  w <- w - m
//   torch: s = g / (sqrt(v) + epsilon);      w <- w - rate s    with momentum: m <- momentum m + s;  w <- w - rate m
//
// v - a^2 is clamped to at least 0, since rounding may make it negative.
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

// Divides a running mean of the gradient by the root of a running mean of its square (Kingma and Ba, "Adam", 2015).
//
//   nn::Adam{}
//   nn::Adam{.learning_rate = 3e-4, .beta_2 = 0.99}
//   nn::Adam{.preset = nn::Preset::torch}
//
//   m <- m + (1 - beta_1) (g - m);  v <- v + (1 - beta_2) (g^2 - v);  t = 1, 2, ... is the iteration
//   keras: w <- w - rate sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)
//   torch: w <- w - rate / (1 - beta_1^t) * m / (sqrt(v) / sqrt(1 - beta_2^t) + epsilon)
//
// AMSGrad (Reddi, Kale and Kumar, 2018) uses the maximum of all v so far instead of v.
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

// Adam with decoupled weight decay: first w <- w - rate weight_decay w (Loshchilov and Hutter, "Decoupled weight
// decay", 2019).
//
//   nn::AdamW{.weight_decay = 0.01}
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

// Adam with a decaying maximum of |g| instead of the root of mean squares (Kingma and Ba, "Adam", 2015, section 7).
//
//   nn::Adamax{}
//
//   m <- m + (1 - beta_1) (g - m);  t = 1, 2, ... is the iteration
//   keras: u <- max(beta_2 u, |g|);            w <- w - rate / (1 - beta_1^t) * m / (u + epsilon)
//   torch: u <- max(beta_2 u, |g| + epsilon);  w <- w - rate / (1 - beta_1^t) * m / u
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

// Adam with Nesterov's momentum (Dozat, "Incorporating Nesterov momentum into Adam", 2016).
//
//   nn::Nadam{}
//
//   m, v and t as in Adam;  c(t) = beta_1 (1 - 0.96^(t momentum_decay) / 2);  p <- p c(t), initially 1
//   h = c(t + 1) m / (1 - p c(t + 1)) + (1 - c(t)) g / (1 - p)
//   w <- w - rate h / (sqrt(v / (1 - beta_2^t)) + epsilon)
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

// Updates weights by the sign of a running mean of gradients (Chen et al., "Symbolic discovery of optimization
// algorithms", 2023). Use a learning rate 3 to 10 times smaller than for AdamW, and a weight decay larger by the same
// factor.
//
//   nn::Lion{.learning_rate = 1e-4}
//
//   w <- w - rate sign(beta_1 m + (1 - beta_1) g);  m <- beta_2 m + (1 - beta_2) g
struct Lion {
  static constexpr const char* name = "lion";
  std::optional<LearningRate> learning_rate{};
  std::optional<double> beta_1{};
  std::optional<double> beta_2{};

  RuleSetup setup();
  Value operator()(ParameterStep& s) const;
};

}  // namespace xgrad::inline v0::nn
