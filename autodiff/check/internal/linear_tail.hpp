// LinearTail: the linear end of a function. A sum over {exp(0), exp(100)} would hide the change of its first term, 1
// next to 3e43, so finite differences are taken of the terms, and the linear operations are applied to the differences.
#pragma once

#include <vector>

#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/run/interpreter.hpp>

namespace xgrad::inline v0 {

// outputs = L(frontier) + a part independent of wrt, where L consists of built-in linear operations.
class LinearTail {
 public:
  // Appends L to the graph of the outputs, with an input for each value of the frontier.
  LinearTail(const std::vector<Value>& outputs, const std::vector<Value>& wrt);

  const std::vector<Value>& frontier() const { return frontier_; }
  // Applies L to changes of the frontier's values, one f64 tensor each; returns the changes of the outputs. `absolute`:
  // with all signs positive, which maps bounds of the frontier's changes to bounds of the outputs' changes.
  std::vector<Tensor> apply(const std::vector<Tensor>& changes, Feeds feeds, bool absolute = false) const;

 private:
  std::vector<Value> frontier_;
  std::vector<Value> slots_;   // inputs for the frontier's changes
  std::vector<Value> images_;  // changes of the outputs
  std::vector<Value> bounds_;
  bool identity_ = false;  // no linear operation follows the frontier
};

}  // namespace xgrad::inline v0
