// Difference quotients of a weighted sum of values along directions in one input, with bounds of the rounding error.
#pragma once

#include <cstdint>
#include <vector>

#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/run/interpreter.hpp>

namespace xgrad::inline v0 {

// The linear end of a function. A sum over {exp(0), exp(100)} would hide the change of its first term, 1 next to 3e43,
// so finite differences are taken of the terms, and the linear operations are applied to the differences.
//
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

struct Estimate {
  double value = 0;  // NaN if the function is not finite, or throws, within two steps
  double noise = 0;  // bound of the rounding error
  double bend = 0;   // difference between the quotients at h and 2h: small if the function is smooth at this scale
  double size = 0;   // largest magnitude subtracted
};

class DifferenceQuotients {
 public:
  // Differentiates the sum over `outputs` of weights * output at the point given by `feeds`. All f64.
  DifferenceQuotients(const std::vector<Value>& outputs, std::vector<Tensor> weights, const std::vector<Value>& wrt,
                      const Feeds& feeds, std::uint64_t run_step);

  // Central difference with Richardson extrapolation, (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h, with error O(h^4).
  // Noise below `negligible` is not analyzed.
  Estimate central(Value input, const Tensor& direction, double h, double negligible);
  // One-sided difference, by the sign of h: (4 f(h) - 3 f(0) - f(2h)) / 2h, with error O(h^2).
  double one_sided(Value input, const Tensor& direction, double h);

 private:
  struct Moved {
    std::vector<Tensor> values;  // values of the frontier
    double by = 0;               // the actual step after rounding
    bool refused = false;        // the point is outside the function's domain; no values
  };
  Moved move(Value input, const Tensor& direction, double step);
  std::vector<char> dependents(Value input, const Tensor& direction);
  double weighted(const std::vector<Tensor>& outputs, bool absolute) const;

  LinearTail tail_;
  std::vector<Tensor> weights_;
  Feeds feeds_;
  std::uint64_t run_step_;
};

}  // namespace xgrad::inline v0
