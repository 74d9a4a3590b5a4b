// Prints forward and backward pass of a small graph as formulas with numbers filled in.
//
//   Value y = tanh(x * w + b).named("y");
//   std::cout << derivation(y, {x, w, b}, {{x, Tensor(2.f)}, ...}).str();
//
//   forward
//     x  = 2
//     w  = -3
//     v1 = x * w            = 2 * -3                 = -6
//   ...
//   backward: dv is the derivative of y with respect to v
//     dy = 1
//     dv2 = dy * (1 - square(y)) = 1 * (1 - square(0.7071)) = 0.5
//
// Forward lines are nodes of the graph; backward lines are the vjps of operations, with the contributions of several
// users added. Unnamed values are called v1, v2 ... in tape order. A formula is filled in with numbers if all operands
// are scalars. Small tensors are printed in full, large ones as shape and norm.
#pragma once

#include <string>
#include <vector>

#include <xgrad/graph/run/interpreter.hpp>

namespace xgrad::inline v0 {

// The formulas of one derivation, as text and as LaTeX.
class Derivation {
 public:
  // Aligned text with the headings "forward" and "backward".
  std::string str() const { return text_; }
  // An `aligned` environment for display math, such as \[ ... \]; needs the package amsmath. The derivative with
  // respect to v is written as v with a bar. Names are escaped; non-ASCII characters become `?`.
  std::string latex() const { return latex_; }

 private:
  friend Derivation derivation(Value loss, const std::vector<Value>& wrt, const Feeds& feeds,
                               const RunOptions& options);
  std::string text_, latex_;
};

// Differentiates the scalar `loss` with respect to `wrt` and fills in the values of one run. Leaves the graph
// unchanged. Throws GraphError and GradientError as `gradients` does, and the errors of `evaluate`.
Derivation derivation(Value loss, const std::vector<Value>& wrt, const Feeds& feeds = {},
                      const RunOptions& options = {});

}  // namespace xgrad::inline v0
