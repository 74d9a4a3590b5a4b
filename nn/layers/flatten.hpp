// Flatten, Reshape and ActivationLayer.
//
//   nn::Sequential{nn::Flatten(), nn::Dense(64), nn::BatchNorm(), nn::ActivationLayer(nn::relu)}
//   nn::Sequential{nn::Reshape({28, 28, 1}), nn::Conv2D(32, 3)}
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <xgrad/nn/activations.hpp>
#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

// Merges all axes except the first.
class Flatten : public Layer {
 public:
  explicit Flatten(const std::string& name = {}, SourceLocation at = SourceLocation::here())
      : Layer("flatten", name, true, at) {}
  Value operator()(Operand x) const {
    const auto scope = open(x);
    return flatten(x);
  }
};

// Reshapes rows to `extents`, a shape without the batch axis; one extent may be -1 and is inferred. Throws ShapeError,
// naming the layer, if a row has another number of elements.
class Reshape : public Layer {
 public:
  explicit Reshape(std::vector<Index> extents, const std::string& name = {}, SourceLocation at = SourceLocation::here())
      : Layer("reshape", name, true, at), extents_(std::move(extents)) {}
  Value operator()(Operand x) const;

 private:
  std::vector<Index> extents_;
};

// Applies an activation, as a layer of its own.
class ActivationLayer : public Layer {
 public:
  explicit ActivationLayer(Activation activation, const std::string& name = {},
                           SourceLocation at = SourceLocation::here())
      : Layer(activation.name(), name, true, at), activation_(activation) {}
  Value operator()(Operand x) const {
    const auto scope = open(x);
    return activation_(x);
  }

 private:
  Activation activation_;
};

}  // namespace xgrad::inline v0::nn
