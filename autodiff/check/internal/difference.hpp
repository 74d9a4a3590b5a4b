// Difference quotients of a weighted sum of values along directions in one input, with bounds of the rounding error.
#pragma once

#include <cstdint>
#include <vector>

#include <xgrad/autodiff/check/internal/linear_tail.hpp>

namespace xgrad::inline v0 {

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
