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

#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/module.hpp>
#include <xgrad/ops/windows.hpp>

namespace xgrad::inline v0::nn {

struct Pool2DOptions {
  std::optional<HeightWidth> strides{};  // default: the window
  Padding padding = "valid";
  Preset preset = Preset::keras;  // torch: averages include the zero padding
  std::string name{};             // scope name
};

struct Pool1DOptions {
  std::optional<Index> stride{};
  Padding padding = "valid";
  Preset preset = Preset::keras;
  std::string name{};
};

// [batch, height, width, channels] to [batch, height', width', channels].
class MaxPool2D : public Layer {
 public:
  explicit MaxPool2D(HeightWidth window = default_window, Pool2DOptions options = {},
                     SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;

 private:
  HeightWidth window_;
  Pool2DOptions options_;
};

class AveragePool2D : public Layer {
 public:
  explicit AveragePool2D(HeightWidth window = default_window, Pool2DOptions options = {},
                         SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;

 private:
  HeightWidth window_;
  Pool2DOptions options_;
};

// [batch, length, channels] to [batch, length', channels].
class MaxPool1D : public Layer {
 public:
  explicit MaxPool1D(Index window = default_window, Pool1DOptions options = {},
                     SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;

 private:
  Index window_;
  Pool1DOptions options_;
};

class AveragePool1D : public Layer {
 public:
  explicit AveragePool1D(Index window = default_window, Pool1DOptions options = {},
                         SourceLocation at = SourceLocation::here());
  Value operator()(Operand x) const;

 private:
  Index window_;
  Pool1DOptions options_;
};

// Reduces all axes between batch and channels: [batch, ..., channels] to [batch, channels].
class GlobalAveragePool : public Layer {
 public:
  explicit GlobalAveragePool(const std::string& name = {}, SourceLocation at = SourceLocation::here())
      : Layer("global_average_pool", name, true, at) {}
  Value operator()(Operand x) const;
};

class GlobalMaxPool : public Layer {
 public:
  explicit GlobalMaxPool(const std::string& name = {}, SourceLocation at = SourceLocation::here())
      : Layer("global_max_pool", name, true, at) {}
  Value operator()(Operand x) const;
};

}  // namespace xgrad::inline v0::nn
