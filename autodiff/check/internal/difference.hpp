// Difference quotients of a weighted sum of values, along directions in one input, with what rounding may do to them.
#pragma once

#include <cstdint>
#include <vector>

#include <xgrad/autodiff/check/internal/linear_tail.hpp>

namespace xgrad::inline v0 {

struct Estimate {
  double value = 0;  // NaN if the function is not finite within two steps, or refuses a point there
  double noise = 0;  // a bound on the error by rounding
  double bend = 0;   // how far the quotients at h and 2h are apart: small where the function is smooth at this scale
  double size = 0;   // the largest magnitude subtracted
};

class DifferenceQuotients {
 public:
  // Of the sum over `outputs` of weights * output, around the numbers in `feeds`. All f64.
  DifferenceQuotients(const std::vector<Value>& outputs, std::vector<Tensor> weights, const std::vector<Value>& wrt,
                      const Feeds& feeds, std::uint64_t run_step);

  // By Richardson's extrapolation of central differences, (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h, whose error is
  // of the order h^4. Noise below `negligible` is not looked into.
  Estimate central(Value input, const Tensor& direction, double h, double negligible);
  // Right or left of the point, by the sign of h: (4 f(h) - 3 f(0) - f(2h)) / 2h, whose error is of the order h^2.
  double one_sided(Value input, const Tensor& direction, double h);

 private:
  struct Moved {
    std::vector<Tensor> values;  // of the frontier
    double by = 0;               // the step really taken, after rounding
    bool refused = false;        // the point lies outside of the function's domain; there are no values
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
