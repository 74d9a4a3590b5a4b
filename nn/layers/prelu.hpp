// PReLU.
#pragma once

#include <optional>
#include <string>

#include <xgrad/graph/shape.hpp>
#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

// Options of PReLU.
struct PReLUOptions {
  Preset preset = Preset::keras;  // initial slope: keras 0, torch 0.25
  Axes shared_axes = {};          // axes that share a slope, in addition to the batch axis
  std::optional<Initializer> slope_initializer{};
  std::optional<Regularizer> slope_regularizer{};
  std::optional<Constraint> slope_constraint{};
  bool trainable = true;
  std::string name{};  // scope name; "prelu" if empty
};

// Returns x for x > 0, otherwise slope * x with a learned slope (He, Zhang, Ren and Sun, "Delving deep into
// rectifiers", 2015).
//
//   nn::Sequential{nn::Conv2D(32, 3), nn::PReLU({.shared_axes = {1, 2}})}
class PReLU : public Layer {
 public:
  explicit PReLU(const PReLUOptions& options = {}, SourceLocation at = SourceLocation::here());
  // Throws ShapeError, naming the layer, for a scalar input and for shared axes that the input does not have.
  Value operator()(Operand x) const;
  const Parameter& slope() const { return slope_.parameter(); }  // not valid before the first call

 private:
  Axes shared_axes_;
  Weight slope_;
};

}  // namespace xgrad::inline v0::nn
