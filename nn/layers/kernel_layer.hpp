// KernelLayer.
#pragma once

#include <optional>
#include <utility>

#include <xgrad/nn/activations.hpp>
#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

// The base of Dense and the convolutions, with kernel, bias and activation.
class KernelLayer : public Layer {
 public:
  // These are not valid before the first call.
  const Parameter& kernel() const { return kernel_.parameter(); }
  const Parameter& bias() const { return bias_.parameter(); }

 protected:
  // `Options` must have the members of DenseOptions.
  template <class Options>
  KernelLayer(const char* kind, Activation activation, const Options& options, SourceLocation at)
      : Layer(kind, options.name, options.trainable, at),
        activation_(std::move(activation)),
        activity_regularizer_(options.activity_regularizer),
        use_bias_(options.use_bias),
        torch_kernel_(options.preset == Preset::torch && !options.kernel_initializer),
        torch_bias_(options.preset == Preset::torch && !options.bias_initializer),
        kernel_(weight("kernel", options.kernel_initializer.value_or(glorot_uniform),
                       {.regularizer = options.kernel_regularizer, .constraint = options.kernel_constraint})),
        bias_(weight("bias", options.bias_initializer.value_or(zeros),
                     {.regularizer = options.bias_regularizer, .constraint = options.bias_constraint})) {}

  // Throws ShapeError, naming the layer, unless x has the given rank (0: at least 1) and, if the kernel exists,
  // `features_of_kernel` features on its last axis.
  void check_input(Value x, int rank, Index features_of_kernel) const;
  bool has_kernel() const { return kernel_.exists(); }
  // The kernel's node, of shape [..., in, out].
  Value kernel(Value x, const Shape& shape) const;
  // Returns activation(y + bias) and adds the activity penalty.
  Value finish(Value y, const Shape& kernel_shape) const;

 private:
  Activation activation_;
  std::optional<Regularizer> activity_regularizer_;
  bool use_bias_, torch_kernel_, torch_bias_;
  Weight kernel_, bias_;
};

}  // namespace xgrad::inline v0::nn
