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

  template <class F>
  requires std::convertible_to<F, Function>
  constexpr Activation(F function, const char* name = "activation") : function_(function), name_(name) {}

  Value operator()(Value x) const { return function_(x); }
  const char* name() const { return name_; }
  friend bool operator==(const Activation& a, const Activation& b) { return a.function_ == b.function_; }

 private:
  Function function_;
  const char* name_;
};

inline constexpr Activation linear{[](Value x) { return x; }, "linear"};
inline constexpr Activation relu{[](Value x) { return xgrad::relu(x); }, "relu"};
inline constexpr Activation sigmoid{[](Value x) { return xgrad::sigmoid(x); }, "sigmoid"};
inline constexpr Activation tanh{[](Value x) { return xgrad::tanh(x); }, "tanh"};
inline constexpr Activation softmax{[](Value x) { return xgrad::softmax(x); }, "softmax"};  // over the last axis

}  // namespace xgrad::nn
