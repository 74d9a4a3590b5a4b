// Hyperbolic functions of vectors and their inverses. Included by simd.hpp, once per instruction set.
#pragma once

namespace xgrad::inline v0::simd {
inline namespace XGRAD_ISA {

template <class T>
struct Hyperbolic;

template <>
struct Hyperbolic<float> {
  static constexpr float large = 0x1p24F;  // x^2 + 1 rounds to x^2 above
  static constexpr float sinh[] = {0x1.555556p-3F, 0x1.1110c6p-7F, 0x1.a03554p-13F, 0x1.725236p-19F};  // up to 1
};

template <>
struct Hyperbolic<double> {
  static constexpr double large = 0x1p54;
  static constexpr double sinh[] = {0x1.5555555555555p-3,  0x1.11111111111d8p-7,  0x1.a01a019ff8728p-13,
                                    0x1.71de3a7d5ee0ep-19, 0x1.ae6425abe539cp-26, 0x1.6144585cbbb2cp-33,
                                    0x1.992cdcdf2aecfp-41, 0x1.d1d69147e3e26p-47};
};

template <class T, class A>
inline V<T, A> cosh(V<T, A> x) {
  const V<T, A> half = half_exp(xsimd::abs(x));
  return half + V<T, A>(T(0.25)) / half;
}

template <class T, class A>
inline V<T, A> sinh(V<T, A> x) {
  using B = V<T, A>;
  const B size = xsimd::abs(x);
  const B half = half_exp(size);
  const B square = size * size;
  const B near = simd::fma(polynomial(square, Hyperbolic<T>::sinh), square * size, size);
  return simd::copysign(xsimd::select(size < B(T(1)), near, half - B(T(0.25)) / half), x);
}

// log(x + sqrt(x^2 + 1)) by log1p, which is accurate for small x; log(2 x) for large x.
template <class T, class A>
inline V<T, A> asinh(V<T, A> x) {
  using B = V<T, A>;
  const B one(T(1));
  const B size = xsimd::abs(x);
  const auto large = size > B(Hyperbolic<T>::large);
  const B square = size * size;
  const B y = size + square / (one + simd::sqrt(one + square));
  const B log_2 = xsimd::select(large, B(T(0.6931471805599453094)), B(T(0)));
  return simd::copysign(log_2 + simd::log1p(xsimd::select(large, size, y)), x);
}

template <class T, class A>
inline V<T, A> acosh(V<T, A> x) {
  using B = V<T, A>;
  const auto large = x > B(Hyperbolic<T>::large);
  const B t = x - B(T(1));
  const B y = t + simd::sqrt(t * (t + B(T(2))));
  const B log_2 = xsimd::select(large, B(T(0.6931471805599453094)), B(T(0)));
  const B z = log_2 + simd::log1p(xsimd::select(large, x, y));
  return xsimd::select(t < B(T(0)), B(std::numeric_limits<T>::quiet_NaN()), z);
}

template <class T, class A>
inline V<T, A> atanh(V<T, A> x) {
  using B = V<T, A>;
  const B size = xsimd::abs(x);
  return simd::copysign(B(T(0.5)) * simd::log1p((size + size) / (B(T(1)) - size)), x);
}

}  // namespace XGRAD_ISA
}  // namespace xgrad::inline v0::simd
