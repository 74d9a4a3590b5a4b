// erf and erfc of vectors. Included by simd.hpp, once per instruction set. Doubles are computed element by element with
// the standard library.
#pragma once

namespace xgrad::inline v0::simd {
inline namespace XGRAD_ISA {

// erf(x) / x - 1 for |x| < 0.93.
template <class A>
inline V<float, A> near_erf(V<float, A> x) {
  constexpr float p[] = {0x1.06eba6p-3F,  -0x1.8126ecp-2F, 0x1.ce1b6cp-4F,
                         -0x1.b6989ep-6F, 0x1.47833ap-8F,  -0x1.3b2554p-11F};
  return polynomial(x * x, p);
}

// erf(x). For |x| > 0.92 it is 1 - 2^-p, where the polynomial p approximates -log2(erfc(x)).
template <class A>
inline V<float, A> erf(V<float, A> x) {
  using B = V<float, A>;
  constexpr float far[] = {0x1.3d80a8p-12F, 0x1.a07652p0F,  0x1.d6bcbcp-1F,  0x1.32ce9ep-3F,
                           -0x1.062738p-5F, 0x1.1ea29ap-8F, -0x1.2697a4p-12F};
  constexpr float power[] = {0x1.000002p0F,  0x1.62e42ap-1F, 0x1.ebf8aep-3F,
                             0x1.c6b56ep-5F, 0x1.3d21bep-7F, 0x1.5ca9a2p-10F};
  const B size = xsimd::abs(x);
  // Note [Exponential] for 2^-p.
  const B log = polynomial(simd::min_of_numbers(B(4), size), far);
  const B round_magic(Exponential<float>::round_magic);
  const B shifted = round_magic - log;
  const B r = (round_magic - shifted) - log;
  const B large = B(1) - times_power_of_2(polynomial(r, power), shifted);
  const B small = simd::fma(near_erf(x), size, size);  // propagates NaN
  return simd::copysign(xsimd::select(size > B(0.921875F), large, small), x);
}

// erfc(x). For x > 0 it is exp(-x^2) / (1 + 2 x) times a polynomial of u = (x - 2) / (x + 2). A factor corrects the
// rounding error of x^2.
template <class A>
inline V<float, A> erfc(V<float, A> x) {
  using B = V<float, A>;
  constexpr float p[] = {0x1.46e80ep0F,   -0x1.7bf618p-4F, -0x1.5407fap-3F, 0x1.4ffc62p-3F,  -0x1.bc1414p-5F,
                         -0x1.082ed6p-7F, 0x1.1b41bcp-7F,  0x1.5a7c5cp-10F, -0x1.4586cp-10F, -0x1.adc5ap-12F};
  const B one(1);
  const B size = simd::min_of_numbers(B(10.5F), xsimd::abs(x));
  const B u = (size - B(2)) / (size + B(2));
  const B square = size * size;
  const B e = simd::exp(simd::neg(square));
  const B corrected = simd::fma(e, simd::neg(square_error(size, square)), e);
  const B y = corrected * (polynomial(u, p) / simd::fma(size, B(2), one));
  const B far = xsimd::select(x < B(0), B(2) - y, y);
  const B near = one - simd::fma(near_erf(x), x, x);  // without neg, whose NaN has another sign, which fma may take
  return xsimd::select(size > B(0.5F), far, near);
}

}  // namespace XGRAD_ISA
}  // namespace xgrad::inline v0::simd
