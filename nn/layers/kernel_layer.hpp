// KernelLayer: what Dense and the convolutions share, a kernel, a bias and an activation.
#pragma once

#include <optional>

#include <xgrad/nn/activations.hpp>
#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

class KernelLayer : public Layer {
 public:
  // Not valid before the first call.
  const Parameter& kernel() const { return kernel_.parameter(); }
  const Parameter& bias() const { return bias_.parameter(); }

 protected:
  // `Options` has the members that DenseOptions has.
  template <class Options>
  KernelLayer(const char* kind, Activation activation, const Options& options, SourceLocation at)
      : Layer(kind, options.name, options.trainable, at),
        activation_(activation),
        activity_regularizer_(options.activity_regularizer),
        use_bias_(options.use_bias),
        torch_kernel_(options.preset == Preset::torch && !options.kernel_initializer),
        torch_bias_(options.preset == Preset::torch && !options.bias_initializer),
        kernel_(weight("kernel", options.kernel_initializer.value_or(glorot_uniform),
                       {.regularizer = options.kernel_regularizer, .constraint = options.kernel_constraint})),
        bias_(weight("bias", options.bias_initializer.value_or(zeros),
                     {.regularizer = options.bias_regularizer, .constraint = options.bias_constraint})) {}

  // Throws ShapeError, naming the layer, unless x has the rank (or any, if 0) and as many features on its last axis as
  // `features_of_kernel` if the kernel exists.
  void check_input(Value x, int rank, Index features_of_kernel) const;
  bool has_kernel() const { return kernel_.exists(); }
  // The kernel's node. The shape is [..., in, out].
  Value kernel(Value x, const Shape& shape) const;
  // activation(y + bias) and its penalty, for a kernel of that shape.
  Value finish(Value y, const Shape& kernel_shape) const;

 private:
  Activation activation_;
  std::optional<Regularizer> activity_regularizer_;
  bool use_bias_, torch_kernel_, torch_bias_;
  Weight kernel_, bias_;
};

}  // namespace xgrad::inline v0::nn
