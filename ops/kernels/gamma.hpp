// The logarithm of the gamma function and its derivative, for single numbers. Included by simd.hpp. Vectors take them
// number by number: they are rare, and each of their ranges has a formula of its own.
#pragma once

#include <cmath>
#include <limits>

namespace xgrad::simd {
inline namespace XGRAD_SIMD_SET {

// log |gamma(x)|. inf at 0 and at negative whole numbers. Floats go through double: the library's own float function
// is off by several units in the last place.
template <class T>
requires std::is_arithmetic_v<T> T lgamma(T x) {
  int sign = 0;  // std::lgamma would write it to a variable that all threads share
  return static_cast<T>(::lgamma_r(static_cast<double>(x), &sign));
}

// The derivative of lgamma: -inf at 0, inf at -0, NaN at negative whole numbers. On [1, 2] it is its root's distance
// times a polynomial; below and above by psi(x) = psi(x + 1) - 1 / x; from 8 by the asymptotic series log x - 1 / (2 x)
// - sum B(2k) / (2k x^2k) (Abramowitz and Stegun 6.3.18); below 0 by reflection, psi(1 - x) - psi(x) = pi cot(pi x), so
// that next to its roots there the error is a few units in the last place of those terms.
template <Scalar T>
T digamma(T number) {
  double x = static_cast<double>(number);
  if (x == 0) return static_cast<T>(std::copysign(std::numeric_limits<double>::infinity(), -x));
  if (x < 0) {
    if (std::floor(x) == x) return std::numeric_limits<T>::quiet_NaN();
    const double pi = 3.14159265358979323846;
    const double part = x - std::nearbyint(x);  // in [-0.5, 0.5]: exact, and the cotangent has period 1
    const double cotangent =
        std::abs(part) > 0.25 ? std::copysign(std::tan(pi * (0.5 - std::abs(part))), part) : 1 / std::tan(pi * part);
    return static_cast<T>(simd::digamma(1 - x) - pi * cotangent);
  }
  const auto polynomial = [](double z, const auto& coefficients) {
    double sum = 0;
    for (const double c : coefficients) sum = sum * z + c;
    return sum;
  };
  if (!(x < 8)) {
    constexpr double bernoulli[] = {// B(2k) / (2k), highest first
                                    43867.0 / 14364, -3617.0 / 8160, 1.0 / 12,   -691.0 / 32760, 1.0 / 132,
                                    -1.0 / 240,      1.0 / 252,      -1.0 / 120, 1.0 / 12};
    const double z = 1 / (x * x);
    return static_cast<T>(std::log(x) - (0.5 / x + z * polynomial(z, bernoulli)));
  }
  double sum = 0;
  if (x < 1) {
    sum = -1 / x;
    x += 1;
  }
  for (; x > 2; x -= 1) sum += 1 / (x - 1);  // from the smallest to the largest
  constexpr double root[] = {0x1.762d86356be3fp+0, 0x1.b86a722197829p-54};
  constexpr double psi[] = {
      // of x - 1.5, highest power first
      -0.00017335394489201975, 0.00026003181196724586, -0.00015121131928769676, 0.00022682134199654853,
      -0.00048233713110204616, 0.0007235337452395571,  -0.0010375990900920048,  0.001556574267756447,
      -0.0023452740352471317,  0.003519016005573106,   -0.005279964213925804,   0.007926943657405231,
      -0.011908218042703754,   0.017907252501153936,   -0.026975796754672356,   0.04076083381022189,
      -0.06192213327309089,    0.09498872445498074,    -0.14840492305390868,    0.24054248424077396,
      -0.4236274212814605,     0.951055876031833};
  return static_cast<T>(sum + ((x - root[0]) - root[1]) * polynomial(x - 1.5, psi));
}

}  // namespace XGRAD_SIMD_SET
}  // namespace xgrad::simd
