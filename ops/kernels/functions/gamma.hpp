// lgamma and digamma, for scalars; vectors are computed element by element, since each range has a different formula.
// Included by simd.hpp.
#pragma once

#include <cmath>
#include <iterator>
#include <limits>
#include <type_traits>

namespace xgrad::inline v0::simd {
inline namespace XGRAD_SIMD_SET {

// log |gamma(x)|; inf at 0 and at negative integers. Floats go through double: the standard library's float function is
// off by several ulp.
template <class T>
requires std::is_arithmetic_v<T> T lgamma(T x) {
  int sign = 0;  // std::lgamma writes it to a global variable
  return static_cast<T>(::lgamma_r(static_cast<double>(x), &sign));
}

// Roots of digamma below 0, one between each two integers, as sums of two doubles.
inline constexpr double digamma_roots[][2] = {
    {-0x1.02172b05ee26p-1, -0x1.2cd704405bff6p-57},  {-0x1.92d0cbc289d4ap+0, -0x1.2262d144a30e4p-56},
    {-0x1.4e2c19f679e5ap+1, 0x1.c7b999bd14f47p-54},  {-0x1.d1514b041b2a8p+1, 0x1.f71449c2a5446p-55},
    {-0x1.29cea5c1ccbdp+2, -0x1.25e92119a56a9p-52},  {-0x1.6ab2ca18e6ce3p+2, -0x1.da7ecae62c5bep-59},
    {-0x1.ab6b34398a4ffp+2, 0x1.9027e5b26e237p-52},  {-0x1.ec04b952a5368p+2, -0x1.37a62af51caacp-53},
    {-0x1.1643b3352a3f5p+3, -0x1.7ad951453a497p-52}, {-0x1.367c4b1f635e4p+3, -0x1.776d89f6e195p-52},
    {-0x1.56ae014434848p+3, -0x1.6a6ede6ee3df8p-51}, {-0x1.76da2d93df103p+3, 0x1.efa7c6ac12c96p-51},
    {-0x1.9701cf864ba95p+3, -0x1.11f3c0c1a3c48p-51}, {-0x1.b725a99120b77p+3, 0x1.05099936de9a6p-51},
    {-0x1.d74652d341c14p+3, -0x1.51bec0981dfc4p-55}, {-0x1.f76442d8ce088p+3, 0x1.e69f83449d24p-54},
    {-0x1.0bbfecd60fcd2p+4, -0x1.5b03d79730b5p-50},  {-0x1.1bccb2c0db753p+4, -0x1.277b1b18b6e89p-51},
    {-0x1.2bd89365e9bbcp+4, 0x1.bf2dff73ec7d7p-51},  {-0x1.3be3a99ba082fp+4, 0x1.7706c7df831ap-51},
    {-0x1.4bee0bf2c8a59p+4, 0x1.0e13b5b8642eep-50},  {-0x1.5bf7cd8e6df44p+4, -0x1.60f941f9df359p-50},
    {-0x1.6c00fec99a5e1p+4, -0x1.44cb98150508ap-50}, {-0x1.7c09adb82cab7p+4, 0x1.d63854e815fc4p-51}};

// digamma at a distance of at most 2^-7 from a root r, as digamma(x) - digamma(r) without cancellation. In the
// reflection formula the cotangents differ by sin(pi (x - r)) / (sin(pi x) sin(pi r)), and the other terms by the
// distance times the mean of trigamma (Abramowitz and Stegun 6.4.12).
template <class Real>
Real digamma_near_root(Real x, Real r, Real distance) {
  constexpr Real pi = static_cast<Real>(3.14159265358979323846264338327950288L);
  const Real whole = std::nearbyint(x);
  const Real sines = std::sin(pi * (x - whole)) * std::sin(pi * (r - whole));
  Real y = 1 - (x + r) / 2;
  Real trigamma = 0, third = 0, fifth = 0;  // derivatives of digamma
  for (int k = 0; k < 20; ++k, y += 1) {
    const Real square = 1 / (y * y);
    trigamma += square;
    third += 6 * square * square;
    fifth += 120 * square * square * square;
  }
  const Real z = 1 / y, zz = z * z;
  const Real series =
      Real(1) / 6 - zz * (Real(1) / 30 - zz * (Real(1) / 42 - zz * (Real(1) / 30 - zz * (Real(5) / 66))));
  trigamma += z + zz / 2 + zz * z * series;
  third += zz * (2 * z + 3 * zz + 2 * zz * z);
  fifth += zz * zz * (24 * z + 60 * zz);
  const Real square = distance * distance;
  return pi * std::sin(pi * distance) / sines - distance * (trigamma + square * (third / 24 + square / 1920 * fifth));
}

// The derivative of lgamma: -inf at 0, inf at -0, NaN at negative integers. On [1, 2] it is a polynomial times the
// distance to the root; elsewhere it uses psi(x) = psi(x + 1) - 1 / x; from 8 up the asymptotic series log x - 1 / (2
// x) - sum B(2k) / (2k x^2k) (Abramowitz and Stegun 6.3.18); below 0 the reflection psi(1 - x) - psi(x) = pi cot(pi x).
// Near roots below -24 the error is a few ulp of the terms of the reflection. Real is the precision of the computation.
template <class Real>
Real digamma_in(Real x) {
  if (x == 0) return std::copysign(std::numeric_limits<Real>::infinity(), -x);
  if (x < 0) {
    if (std::floor(x) == x) return std::numeric_limits<Real>::quiet_NaN();
    if (x > -static_cast<Real>(std::size(digamma_roots))) {
      const double* root = digamma_roots[static_cast<int>(-x)];
      const Real distance = (x - static_cast<Real>(root[0])) - static_cast<Real>(root[1]);
      if (std::abs(distance) < Real(0x1p-7)) return digamma_near_root(x, x - distance, distance);
    }
    constexpr Real pi = static_cast<Real>(3.14159265358979323846264338327950288L);
    const Real part = x - std::nearbyint(x);  // exact, in [-0.5, 0.5]; the cotangent has period 1
    const Real cotangent = std::abs(part) > Real(0.25)
                               ? std::copysign(std::tan(pi * (Real(0.5) - std::abs(part))), part)
                               : 1 / std::tan(pi * part);
    return digamma_in(1 - x) - pi * cotangent;
  }
  const auto polynomial = [](Real z, const auto& coefficients) {
    Real sum = 0;
    for (const double c : coefficients) sum = sum * z + static_cast<Real>(c);
    return sum;
  };
  if (!(x < 8)) {
    constexpr double bernoulli[] = {// B(2k) / (2k), highest first
                                    43867.0 / 14364, -3617.0 / 8160, 1.0 / 12,   -691.0 / 32760, 1.0 / 132,
                                    -1.0 / 240,      1.0 / 252,      -1.0 / 120, 1.0 / 12};
    const Real z = 1 / (x * x);
    return std::log(x) - (Real(0.5) / x + z * polynomial(z, bernoulli));
  }
  Real sum = 0;
  if (x < 1) {
    sum = -1 / x;
    x += 1;
  }
  for (; x > 2; x -= 1) sum += 1 / (x - 1);  // adds small terms first
  constexpr double root[] = {0x1.762d86356be3fp+0, 0x1.b86a722197829p-54};
  constexpr double psi[] = {
      // of x - 1.5, highest power first
      -0.00017335394489201975, 0.00026003181196724586, -0.00015121131928769676, 0.00022682134199654853,
      -0.00048233713110204616, 0.0007235337452395571,  -0.0010375990900920048,  0.001556574267756447,
      -0.0023452740352471317,  0.003519016005573106,   -0.005279964213925804,   0.007926943657405231,
      -0.011908218042703754,   0.017907252501153936,   -0.026975796754672356,   0.04076083381022189,
      -0.06192213327309089,    0.09498872445498074,    -0.14840492305390868,    0.24054248424077396,
      -0.4236274212814605,     0.951055876031833};
  return sum + ((x - static_cast<Real>(root[0])) - static_cast<Real>(root[1])) * polynomial(x - Real(1.5), psi);
}

// Doubles go through long double, so that the errors of the terms are below the last digit of the sum.
template <Scalar T>
T digamma(T number) {
  using Real = std::conditional_t<std::is_same_v<T, float>, double, long double>;
  return static_cast<T>(digamma_in(static_cast<Real>(number)));
}

}  // namespace XGRAD_SIMD_SET
}  // namespace xgrad::inline v0::simd
