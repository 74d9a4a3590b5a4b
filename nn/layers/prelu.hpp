// PReLU: x above 0, a learned slope times x elsewhere (He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015).
//
//   nn::Sequential{nn::Conv2D(32, 3), nn::PReLU({.shared_axes = {1, 2}})}
#pragma once

#include <optional>
#include <string>

#include <xgrad/graph/shape.hpp>
#include <xgrad/nn/defaults.hpp>
#include <xgrad/nn/module.hpp>

namespace xgrad::inline v0::nn {

struct PReLUOptions {
  Preset preset = Preset::keras;  // of the first slope: 0, or 0.25 with torch
  Axes shared_axes = {};          // along which, beside that of the rows, all elements have one slope
  std::optional<Initializer> slope_initializer{};
  std::optional<Regularizer> slope_regularizer{};
  std::optional<Constraint> slope_constraint{};
  bool trainable = true;
  std::string name{};  // of its scope; "prelu" if empty
};

class PReLU : public Layer {
 public:
  explicit PReLU(const PReLUOptions& options = {}, SourceLocation at = SourceLocation::here());
  // Throws ShapeError, naming the layer, for an input without axes and for axes that it does not have.
  Value operator()(Operand x) const;
  const Parameter& slope() const { return slope_.parameter(); }  // not valid before the first call

 private:
  Axes shared_axes_;
  Weight slope_;
};

}  // namespace xgrad::inline v0::nn
