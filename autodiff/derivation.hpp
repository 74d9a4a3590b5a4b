// Forward and backward of a small graph as formulas with the numbers filled in, to be read by people.
//
//   Value y = tanh(x * w + b).named("y");
//   std::cout << derivation(y, {x, w, b}, {{x, Tensor(2.f)}, ...}).str();
//
//   forward
//     x  = 2
//     w  = -3
//     v1 = x * w            = 2 * -3                 = -6
//   ...
//   backward: dv is the derivative of y by v
//     dy = 1
//     dv2 = dy * (1 - square(y)) = 1 * (1 - square(0.7071)) = 0.5
//
// Every line is what the graph computes: forward lines are its nodes, backward lines the rules of its operations, with
// what several users of a value give added up. What has no name of its own is called v1, v2 ... in the order of the
// tape. Numbers stand in the formula where all of it are single ones. Small tensors are printed whole, large ones by
// their shape and norm.
#pragma once

#include <string>
#include <vector>

#include <xgrad/graph/run/interpreter.hpp>

namespace xgrad::inline v0 {

class Derivation {
 public:
  // In columns, with "forward" and "backward" above.
  std::string str() const { return text_; }
  // An `aligned` environment for a display in math mode, such as \[ ... \]; needs the package amsmath. The derivative
  // by v is written with a bar over v. Names are escaped; what is not ASCII in them is written as `?`.
  std::string latex() const { return latex_; }

 private:
  friend Derivation derivation(Value loss, const std::vector<Value>& wrt, const Feeds& feeds,
                               const RunOptions& options);
  std::string text_, latex_;
};

// Of the scalar `loss` by `wrt`, in the numbers of one run. The graph is as before. Throws GraphError and GradientError
// as `gradients` does, and what `evaluate` throws.
Derivation derivation(Value loss, const std::vector<Value>& wrt, const Feeds& feeds = {},
                      const RunOptions& options = {});

}  // namespace xgrad::inline v0
