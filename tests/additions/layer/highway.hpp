// Highway layer: a learned gate mixes the output of a dense layer with its input (Srivastava, Greff and Schmidhuber,
// "Highway networks", 2015).
#pragma once

#include <optional>
#include <string>

#include <xgrad/nn/activations.hpp>
#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

struct HighwayOptions {
  double gate_bias = -1;  // initial bias of the gate: if negative, the output is mostly the input
  std::optional<Regularizer> kernel_regularizer{};
  bool trainable = true;
  std::string name{};  // name of its scope; "highway" if empty
};

// Computes gate * activation(x . kernel + bias) + (1 - gate) * x with gate = sigmoid(x . gate_kernel + gate_bias), for
// x of shape [rows, features]. Throws ShapeError if x has another rank, or other features than at the first call.
class Highway : public Layer {
 public:
  explicit Highway(Activation activation = relu, const HighwayOptions& options = {},
                   SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;

 private:
  Activation activation_;
  Weight kernel_, bias_, gate_kernel_, gate_bias_;
};

}  // namespace xgrad::inline v0::nn
