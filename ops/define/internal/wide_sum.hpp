// WideSum: a sequential sum with the accuracy of a pairwise one, for kernels that cannot add pairwise as `sum` does.
#pragma once

#include <cmath>
#include <cstdint>

#include <xgrad/graph/shape.hpp>

namespace xgrad::inline v0 {

// Up to this many terms need no WideSum: the rounding error of their plain sum is not larger than that of `sum`.
inline constexpr Index few_terms = 64;

// a + b and its rounding error (Knuth, "The Art of Computer Programming", volume 2, section 4.2.2).
struct TwoSum {
  TwoSum(double a, double b) : sum(a + b) {
    const double of_b = sum - a;
    error = (a - (sum - of_b)) + (b - of_b);
  }
  double sum, error;
};

// Sums floats in double, and doubles together with the errors of all roundings (compensated). Integers wrap around.
template <class T>
class WideSum;

template <>
class WideSum<float> {
 public:
  void add(float x) { sum_ += static_cast<double>(x); }
  explicit operator float() const { return static_cast<float>(sum_); }

 private:
  double sum_ = 0;
};

template <>
class WideSum<double> {
 public:
  void add(double x) {
    const TwoSum next(sum_, x);
    sum_ = next.sum;
    error_ += next.error;
  }
  explicit operator double() const { return std::isfinite(error_) ? sum_ + error_ : sum_; }

 private:
  double sum_ = 0;
  double error_ = 0;  // NaN once the sum is infinite
};

template <>
class WideSum<std::int64_t> {
 public:
  void add(std::int64_t x) { sum_ += static_cast<std::uint64_t>(x); }
  explicit operator std::int64_t() const { return static_cast<std::int64_t>(sum_); }

 private:
  std::uint64_t sum_ = 0;
};

}  // namespace xgrad::inline v0
