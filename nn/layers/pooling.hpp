// Pooling: maximum or mean over windows, for each channel.
//
//   nn::MaxPool2D()                                        // window 2 x 2, strides 2
//   nn::AveragePool1D(3, {.stride = 1, .padding = "same"})
//   nn::GlobalAveragePool()
//
// Channels are last: [batch, height, width, channels], or [batch, length, channels]. All layers throw ShapeError,
// naming the layer, for an input of another rank. See ops/windows.hpp for padding, strides and output extents.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/module.hpp>
#include <xgrad/ops/windows.hpp>

namespace xgrad::inline v0::nn {

// Options of 2-D pooling.
struct Pool2DOptions {
  std::optional<HeightWidth> strides{};  // default: the window
  Padding padding = "valid";
  Preset preset = Preset::keras;  // torch: averages include the zero padding
  std::string name{};             // scope name
};

// Options of 1-D pooling.
struct Pool1DOptions {
  std::optional<Index> stride{};
  Padding padding = "valid";
  Preset preset = Preset::keras;
  std::string name{};
};

// The base of pooling layers with a window.
template <class Window, class Options>
class Pool : public Layer {
 protected:
  Pool(const char* kind, Window window, Options options, SourceLocation at)
      : Layer(kind, options.name, true, at), window_(window), options_(std::move(options)) {}

  Window window_;
  Options options_;
};

// Maximum of each window, [batch, height, width, channels] to [batch, height', width', channels].
class MaxPool2D : public Pool<HeightWidth, Pool2DOptions> {
 public:
  explicit MaxPool2D(HeightWidth window = default_window, Pool2DOptions options = {},
                     SourceLocation at = SourceLocation::here())
      : Pool("max_pool2d", window, std::move(options), at) {}
  Value operator()(Operand x) const;
};

// Mean of each window, [batch, height, width, channels] to [batch, height', width', channels].
class AveragePool2D : public Pool<HeightWidth, Pool2DOptions> {
 public:
  explicit AveragePool2D(HeightWidth window = default_window, Pool2DOptions options = {},
                         SourceLocation at = SourceLocation::here())
      : Pool("average_pool2d", window, std::move(options), at) {}
  Value operator()(Operand x) const;
};

// Maximum of each window, [batch, length, channels] to [batch, length', channels].
class MaxPool1D : public Pool<Index, Pool1DOptions> {
 public:
  explicit MaxPool1D(Index window = default_window, Pool1DOptions options = {},
                     SourceLocation at = SourceLocation::here())
      : Pool("max_pool1d", window, std::move(options), at) {}
  Value operator()(Operand x) const;
};

// Mean of each window, [batch, length, channels] to [batch, length', channels].
class AveragePool1D : public Pool<Index, Pool1DOptions> {
 public:
  explicit AveragePool1D(Index window = default_window, Pool1DOptions options = {},
                         SourceLocation at = SourceLocation::here())
      : Pool("average_pool1d", window, std::move(options), at) {}
  Value operator()(Operand x) const;
};

// Mean over all axes between batch and channels: [batch, ..., channels] to [batch, channels].
class GlobalAveragePool : public Layer {
 public:
  explicit GlobalAveragePool(const std::string& name = {}, SourceLocation at = SourceLocation::here())
      : Layer("global_average_pool", name, true, at) {}
  Value operator()(Operand x) const;
};

// Maximum over all axes between batch and channels: [batch, ..., channels] to [batch, channels].
class GlobalMaxPool : public Layer {
 public:
  explicit GlobalMaxPool(const std::string& name = {}, SourceLocation at = SourceLocation::here())
      : Layer("global_max_pool", name, true, at) {}
  Value operator()(Operand x) const;
};

}  // namespace xgrad::inline v0::nn
