#include <xgrad/nn/layers/kernel_layer.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0::nn {

void KernelLayer::check_input(Value x, int rank, Index features_of_kernel) const {
  const std::string& where = x.graph().current_scope();
  if (rank == 0 && x.shape().rank() < 1) {
    throw ShapeError(fmt::format("{}: the input must have a feature axis\n  input: {}", where, x.describe()));
  }
  if (rank != 0 && x.shape().rank() != rank) {
    throw ShapeError(fmt::format("{}: the input must be [batch, {}channels]\n  input: {}", where,
                                 rank == 4 ? "height, width, " : "length, ", x.describe()));
  }
  if (has_kernel() && x.shape().back() != features_of_kernel) {
    throw ShapeError(fmt::format(
        "{}: the input has {} features on axis -1, but the kernel was built for {}\n  input: {}\n  kernel: \"{}\" {}",
        where, x.shape().back(), features_of_kernel, x.describe(), kernel().name(), kernel().type().str()));
  }
}

Value KernelLayer::kernel(Value x, const Shape& shape) const {
  return torch_kernel_ ? kernel_(x.graph(), shape, x.dtype(), torch_linear(fans_of(shape).in))
                       : kernel_(x.graph(), shape, x.dtype());
}

Value KernelLayer::finish(Value y, const Shape& kernel_shape) const {
  if (use_bias_) {
    const Shape features{y.shape().back()};
    y = y + (torch_bias_ ? bias_(y.graph(), features, y.dtype(), torch_linear(fans_of(kernel_shape).in))
                         : bias_(y.graph(), features, y.dtype()));
  }
  const Value activity = activation_(y);
  add_activity_penalty(activity_regularizer_, activity);
  return activity;
}

}  // namespace xgrad::inline v0::nn
