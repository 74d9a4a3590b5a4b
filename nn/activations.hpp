// Activation: the activation function of a layer.
#pragma once

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

// A named elementwise or row function, passed to layers.
//
//   nn::Dense(64, nn::relu)
//   nn::Dense(64, [](Value x) { return x * sigmoid(x); })
//   nn::Dense(64, [slope](Value x) { return leaky_relu(x, slope); })
class Activation {
 public:
  using Function = Value (*)(Value);
  using Operation = Value (*)(Operand);  // such as xgrad::relu

  // Holds any function from Value to Value.
  template <class F>
  requires(!std::is_same_v<F, Activation>) constexpr Activation(F function, const char* name = "activation")
      : name_(name) {
    if constexpr (std::is_convertible_v<F, Function>)
      function_ = function;
    else if constexpr (std::is_convertible_v<F, Operation>)
      operation_ = function;
    else if constexpr (std::is_invocable_r_v<Value, F&, Value>)
      held_ = std::make_shared<const std::function<Value(Value)>>(std::move(function));
    else
      static_assert(std::is_invocable_r_v<Value, F&, Value>,
                    "an activation is a function that takes a Value and returns a Value: [](Value x) { return ...; }");
  }

  Value operator()(Operand x) const {
    const SourceLocationScope line(x, nullptr);
    if (held_ != nullptr) return (*held_)(x);
    return function_ != nullptr ? function_(x) : operation_(x);
  }
  const char* name() const { return name_; }
  // Equal if both hold the same function; a function with captures equals only its copies.
  friend bool operator==(const Activation& a, const Activation& b) {
    return a.function_ == b.function_ && a.operation_ == b.operation_ && a.held_ == b.held_;
  }

 private:
  Function function_ = nullptr;  // exactly one of function_, operation_, held_ is set
  Operation operation_ = nullptr;
  std::shared_ptr<const std::function<Value(Value)>> held_;
  const char* name_;
};

inline constinit const Activation linear{[](Value x) { return x; }, "linear"};
inline constinit const Activation relu{[](Value x) { return xgrad::relu(x); }, "relu"};
inline constinit const Activation sigmoid{[](Value x) { return xgrad::sigmoid(x); }, "sigmoid"};
inline constinit const Activation tanh{[](Value x) { return xgrad::tanh(x); }, "tanh"};
inline constinit const Activation exponential{[](Value x) { return xgrad::exp(x); }, "exponential"};

// softmax and log_softmax are along the last axis.
inline constinit const Activation softmax{[](Value x) { return xgrad::softmax(x); }, "softmax"};
inline constinit const Activation log_softmax{[](Value x) { return xgrad::log_softmax(x); }, "log_softmax"};

// The functions of ops/activations.hpp with their default arguments. For other arguments write
// `[](Value x) { return leaky_relu(x, 0.3); }`; for a learned slope use nn::PReLU.
inline constinit const Activation logsigmoid{[](Value x) { return xgrad::logsigmoid(x); }, "logsigmoid"};
inline constinit const Activation hardsigmoid{[](Value x) { return xgrad::hardsigmoid(x); }, "hardsigmoid"};
inline constinit const Activation softplus{[](Value x) { return xgrad::softplus(x); }, "softplus"};
inline constinit const Activation softsign{[](Value x) { return xgrad::softsign(x); }, "softsign"};
inline constinit const Activation silu{[](Value x) { return xgrad::silu(x); }, "silu"};
inline constinit const Activation gelu{[](Value x) { return xgrad::gelu(x); }, "gelu"};
inline constinit const Activation gelu_tanh{[](Value x) { return xgrad::gelu_tanh(x); }, "gelu_tanh"};
inline constinit const Activation hardswish{[](Value x) { return xgrad::hardswish(x); }, "hardswish"};
inline constinit const Activation mish{[](Value x) { return xgrad::mish(x); }, "mish"};
inline constinit const Activation relu6{[](Value x) { return xgrad::relu6(x); }, "relu6"};
inline constinit const Activation leaky_relu{[](Value x) { return xgrad::leaky_relu(x); }, "leaky_relu"};
inline constinit const Activation elu{[](Value x) { return xgrad::elu(x); }, "elu"};
inline constinit const Activation selu{[](Value x) { return xgrad::selu(x); }, "selu"};

}  // namespace xgrad::inline v0::nn
