// Convolution layers: Conv1D, Conv2D and Conv2DTranspose.
//
//   nn::Conv2D(32, 3, nn::relu)
//   nn::Conv2D(64, {5, 3}, nn::relu, {.strides = 2, .padding = "same", .kernel_regularizer = nn::l2(1e-4)})
//   nn::Conv1D(16, 7, nn::tanh)
//   nn::Conv2DTranspose(8, 3, nn::relu, {.strides = 2, .padding = "same"})
//
// Channels are last, as in Keras: images are [batch, height, width, channels], sequences [batch, length, channels]. See
// ops/windows.hpp for padding, strides, dilation, groups and output extents.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include <xgrad/nn/layers/kernel_layer.hpp>

namespace xgrad::inline v0::nn {

// Options of Conv2D and Conv2DTranspose.
struct Conv2DOptions {
  HeightWidth strides = 1;
  Padding padding = "valid";
  HeightWidth dilation = 1;
  Index groups = 1;
  // keras: kernel glorot_uniform, bias zeros. torch: both uniform on [-1, 1] / sqrt(elements per window).
  Preset preset = Preset::keras;
  std::optional<Initializer> kernel_initializer{};
  std::optional<Initializer> bias_initializer{};
  std::optional<Regularizer> kernel_regularizer{};
  std::optional<Regularizer> bias_regularizer{};
  std::optional<Regularizer> activity_regularizer{};  // penalty on the layer output
  std::optional<Constraint> kernel_constraint{};
  std::optional<Constraint> bias_constraint{};
  bool use_bias = true;
  bool trainable = true;
  std::string name{};  // scope name; "conv2d" or "conv2d_transpose" if empty
};

// Base of Conv2D and Conv2DTranspose.
class ImageConv : public KernelLayer {
 protected:
  ImageConv(const char* kind, Index filters, HeightWidth window, Activation activation, const Conv2DOptions& options,
            SourceLocation at);

  Index filters_;
  HeightWidth window_;
  xgrad::ConvWindow2D options_;
};

// 2-D convolution, [batch, height, width, channels] to [batch, height', width', filters], with kernel [kernel height,
// kernel width, channels / groups, filters]. All convolution layers throw ShapeError, naming the layer, for an input of
// another rank, another number of channels than at the first call, or channels that are not a multiple of `groups`.
class Conv2D : public ImageConv {
 public:
  Conv2D(Index filters, HeightWidth window, Activation activation = linear, const Conv2DOptions& options = {},
         SourceLocation at = SourceLocation::here())
      : ImageConv("conv2d", filters, window, std::move(activation), options, at) {}
  Value operator()(Operand x) const;
};

// Transposed 2-D convolution: with strides s the output is s times as high and wide. The kernel is [kernel height,
// kernel width, filters / groups, channels].
class Conv2DTranspose : public ImageConv {
 public:
  Conv2DTranspose(Index filters, HeightWidth window, Activation activation = linear, const Conv2DOptions& options = {},
                  SourceLocation at = SourceLocation::here())
      : ImageConv("conv2d_transpose", filters, window, std::move(activation), options, at) {}
  Value operator()(Operand x) const;
};

// Options of Conv1D.
struct Conv1DOptions {
  Index stride = 1;
  Padding padding = "valid";
  Index dilation = 1;
  Index groups = 1;
  Preset preset = Preset::keras;  // as for Conv2D
  std::optional<Initializer> kernel_initializer{};
  std::optional<Initializer> bias_initializer{};
  std::optional<Regularizer> kernel_regularizer{};
  std::optional<Regularizer> bias_regularizer{};
  std::optional<Regularizer> activity_regularizer{};
  std::optional<Constraint> kernel_constraint{};
  std::optional<Constraint> bias_constraint{};
  bool use_bias = true;
  bool trainable = true;
  std::string name{};  // scope name; "conv1d" if empty
};

// 1-D convolution, [batch, length, channels] to [batch, length', filters], with kernel [kernel length, channels /
// groups, filters].
class Conv1D : public KernelLayer {
 public:
  Conv1D(Index filters, Index window, Activation activation = linear, const Conv1DOptions& options = {},
         SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;

 private:
  Index filters_, window_;
  xgrad::ConvWindow1D options_;
};

}  // namespace xgrad::inline v0::nn
