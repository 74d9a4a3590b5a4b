// Flatten: all axes but the first become one. ActivationLayer: an activation that stands alone.
//
//   nn::Sequential{nn::Flatten(), nn::Dense(64), nn::BatchNorm(), nn::ActivationLayer(nn::relu)}
#pragma once

#include <string>

#include <xgrad/nn/activations.hpp>
#include <xgrad/nn/module.hpp>

namespace xgrad::nn {

class Flatten : public Layer {
 public:
  explicit Flatten(const std::string& name = {}) : Layer("flatten", name) {}
  Value operator()(Value x) const {
    const auto scope = open(x);
    return flatten(x);
  }
};

class ActivationLayer : public Layer {
 public:
  explicit ActivationLayer(Activation activation, const std::string& name = {})
      : Layer(activation.name(), name), activation_(activation) {}
  Value operator()(Value x) const {
    const auto scope = open(x);
    return activation_(x);
  }

 private:
  Activation activation_;
};

}  // namespace xgrad::nn
