#include <xgrad/nn/layers/highway.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

Highway::Highway(Activation activation, const HighwayOptions& options, SourceLocation at)
    : Layer("highway", options.name, options.trainable, at),
      activation_(activation),
      kernel_(weight("kernel", glorot_uniform, {.regularizer = options.kernel_regularizer})),
      bias_(weight("bias", zeros)),
      gate_kernel_(weight("gate_kernel", glorot_uniform)),
      gate_bias_(weight("gate_bias", constant(options.gate_bias))) {}

Value Highway::operator()(Operand x) const {
  const auto scope = open(x);
  if (x.shape().rank() != 2) {
    throw ShapeError(
        fmt::format("{}: the input must be [rows, features]\n  input: {}", x.graph().current_scope(), x.describe()));
  }
  const Index features = x.shape()[1];
  const auto dense = [&](const Weight& kernel, const Weight& bias) {
    return matmul(x, kernel(x.graph(), {features, features}, x.dtype())) + bias(x.graph(), {features}, x.dtype());
  };
  const Value gate = sigmoid(dense(gate_kernel_, gate_bias_));
  return gate * activation_(dense(kernel_, bias_)) + (1 - gate) * x;
}

}  // namespace xgrad::inline v0::nn
