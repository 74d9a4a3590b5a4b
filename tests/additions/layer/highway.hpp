// Highway: as much of a dense layer as a learned gate lets through, and the input for the rest (Srivastava, Greff and
// Schmidhuber, "Highway networks", 2015). A layer with weights is these two files.
#pragma once

#include <optional>
#include <string>

#include <xgrad/nn/activations.hpp>
#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

struct HighwayOptions {
  double gate_bias = -1;  // of the gate before it learns: below 0 it lets little through
  std::optional<Regularizer> kernel_regularizer{};
  bool trainable = true;
  std::string name{};  // of its scope; "highway" if empty
};

// gate * activation(x . kernel + bias) + (1 - gate) * x with gate = sigmoid(x . gate_kernel + gate_bias), for x
// [rows, features]. Throws ShapeError for an input of another rank, or with other features than at the first call.
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
