// Activations: named functions of one value, to hand to a layer.
//
//   nn::Dense(64, nn::relu)
//   nn::Dense(64, [](Value x) { return x * sigmoid(x); })     // any function without captures
#pragma once

#include <concepts>

#include <xgrad/ops/ops.hpp>

namespace xgrad::nn {

class Activation {
 public:
  using Function = Value (*)(Value);
  using Operation = Value (*)(Operand);  // such as xgrad::relu

  template <class F>
  requires std::convertible_to<F, Function>
  constexpr Activation(F function, const char* name = "activation") : function_(function), name_(name) {}
  template <class F>
  requires(std::convertible_to<F, Operation> &&
           !std::convertible_to<F, Function>) constexpr Activation(F operation, const char* name = "activation")
      : operation_(operation), name_(name) {}

  Value operator()(Operand x) const {
    const LineGuard line(x);
    return function_ != nullptr ? function_(x) : operation_(x);
  }
  const char* name() const { return name_; }
  friend bool operator==(const Activation& a, const Activation& b) {
    return a.function_ == b.function_ && a.operation_ == b.operation_;
  }

 private:
  Function function_ = nullptr;  // one of the two
  Operation operation_ = nullptr;
  const char* name_;
};

inline constexpr Activation linear{[](Value x) { return x; }, "linear"};
inline constexpr Activation relu{[](Value x) { return xgrad::relu(x); }, "relu"};
inline constexpr Activation sigmoid{[](Value x) { return xgrad::sigmoid(x); }, "sigmoid"};
inline constexpr Activation tanh{[](Value x) { return xgrad::tanh(x); }, "tanh"};
inline constexpr Activation exponential{[](Value x) { return xgrad::exp(x); }, "exponential"};

// Over the last axis.
inline constexpr Activation softmax{[](Value x) { return xgrad::softmax(x); }, "softmax"};
inline constexpr Activation log_softmax{[](Value x) { return xgrad::log_softmax(x); }, "log_softmax"};

// The functions of the same names in ops/activations.hpp with their default numbers; for others write
// `[](Value x) { return leaky_relu(x, 0.3); }`. For a slope that is learned see nn::PRelu.
inline constexpr Activation logsigmoid{[](Value x) { return xgrad::logsigmoid(x); }, "logsigmoid"};
inline constexpr Activation hardsigmoid{[](Value x) { return xgrad::hardsigmoid(x); }, "hardsigmoid"};
inline constexpr Activation softplus{[](Value x) { return xgrad::softplus(x); }, "softplus"};
inline constexpr Activation softsign{[](Value x) { return xgrad::softsign(x); }, "softsign"};
inline constexpr Activation silu{[](Value x) { return xgrad::silu(x); }, "silu"};
inline constexpr Activation gelu{[](Value x) { return xgrad::gelu(x); }, "gelu"};
inline constexpr Activation gelu_tanh{[](Value x) { return xgrad::gelu_tanh(x); }, "gelu_tanh"};
inline constexpr Activation hardswish{[](Value x) { return xgrad::hardswish(x); }, "hardswish"};
inline constexpr Activation mish{[](Value x) { return xgrad::mish(x); }, "mish"};
inline constexpr Activation relu6{[](Value x) { return xgrad::relu6(x); }, "relu6"};
inline constexpr Activation leaky_relu{[](Value x) { return xgrad::leaky_relu(x); }, "leaky_relu"};
inline constexpr Activation elu{[](Value x) { return xgrad::elu(x); }, "elu"};
inline constexpr Activation selu{[](Value x) { return xgrad::selu(x); }, "selu"};

}  // namespace xgrad::nn
