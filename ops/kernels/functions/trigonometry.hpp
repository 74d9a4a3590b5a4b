// Trigonometric functions of vectors and their inverses. Included by simd.hpp, once per instruction set.
//
// xsimd selects the argument reduction by the largest element of a vector, so a result would depend on neighboring
// elements. Here each lane is reduced independently.
//
// Note [Reduction]. x = n pi / 2 + r with |r| <= pi / 4 (Cody and Waite, "Software manual for the elementary
// functions", 1980): pi / 2 is split into parts, and n times each part is subtracted from x in turn. With a fused
// multiply-add the first step is exact; without, the first parts are so short that n times each is exact for x up to a
// limit. Elements beyond the limit are computed with the standard library. n is found as in Note [Exponential]; its
// last two bits are the quadrant.
#pragma once

namespace xgrad::inline v0::simd {
inline namespace XGRAD_ISA {

template <class T>
struct Trigonometry;

template <>
struct Trigonometry<float> {
#ifdef XGRAD_FUSED_MULTIPLY_ADD
  static constexpr float largest = 0x1p17F;
  static constexpr float half_pi[] = {0x1.921fb4p+0F, 0x1.4442d0p-24F, 0x1.846988p-48F};
#else
  static constexpr float largest = 0x1.4p13F;
  static constexpr float half_pi[] = {0x1.92p+0F, 0x1.fb4p-12F, 0x1.444p-24F, 0x1.68c234p-39F};
#endif
  static constexpr float sine[] = {-0x1.555552p-3F, 0x1.110bdep-7F, -0x1.9aaee4p-13F};
  static constexpr float cosine[] = {0x1.555554p-5F, -0x1.6c1298p-10F, 0x1.9bc37cp-16F};
};

template <>
struct Trigonometry<double> {
  static constexpr double largest = 0x1p20;
#ifdef XGRAD_FUSED_MULTIPLY_ADD
  static constexpr double half_pi[] = {0x1.921fb54442d18p+0, 0x1.1a62633145c06p-54, 0x1.c1cd129024e08p-107};
#else
  static constexpr double half_pi[] = {0x1.921fb54400000p+0, 0x1.0b4611a600000p-34, 0x1.3198a2e037073p-69};
#endif
  static constexpr double sine[] = {-0x1.5555555555555p-3, 0x1.1111111110c6bp-7, -0x1.a01a019e9a701p-13,
                                    0x1.71de37a8762a1p-19, -0x1.ae6016f95fep-26, 0x1.5e0ddfe0fe1c6p-33};
  static constexpr double cosine[] = {0x1.5555555555555p-5,   -0x1.6c16c16c168c1p-10, 0x1.a01a019f359cep-16,
                                      -0x1.27e4f9ff3296dp-22, 0x1.1eeb53c6eb1bdp-29,  -0x1.9070812d2c178p-37};
};

template <class T, class A>
struct QuarterTurns {
  V<T, A> sine, cosine;  // sine and cosine of r
  Bits<T, A> n;          // number of quarter turns in the last bits
};
template <class T, class A>
inline QuarterTurns<T, A> reduce_by_quarter_turns(V<T, A> x) {
  using B = V<T, A>;
  using Table = Trigonometry<T>;
  const B round_magic(Exponential<T>::round_magic);
  const B shifted = simd::fma(x, B(T(0.636619772367581343)), round_magic);  // 2 / pi
  const B n = shifted - round_magic;
  B r = x;
  for (const T part : Table::half_pi) r = simd::fma(n, B(-part), r);
  const B z = r * r;
  const B sine = r * simd::fma(polynomial(z, Table::sine), z, B(T(1)));  // a product keeps the sign of 0
  const B cosine = simd::fma(simd::fma(polynomial(z, Table::cosine), z, B(T(-0.5))), z, B(T(1)));
  return {sine, cosine, bits(shifted)};
}

template <class T, class A>
inline auto is_odd(QuarterTurns<T, A> turns) {
  using I = Bits<T, A>;
  const I sign = turns.n << (std::numeric_limits<typename I::value_type>::digits - 1);
  return from_bits<T, A>(sign | bits(V<T, A>(T(1)))) < V<T, A>(T(0));
}

// Sine of n quarter turns plus the rest: sine, cosine, -sine, -cosine for n = 0, 1, 2, 3.
template <class T, class A>
inline V<T, A> sine_of(QuarterTurns<T, A> turns) {
  using I = Bits<T, A>;
  const V<T, A> y = xsimd::select(is_odd(turns), turns.cosine, turns.sine);
  const I sign = (turns.n & I(2)) << (std::numeric_limits<typename I::value_type>::digits - 2);
  return from_bits<T, A>(bits(y) ^ sign);
}

// Replaces the results of elements beyond the limit, infinities and NaN by those of `function`.
template <class T, class A, class F>
[[gnu::noinline]] V<T, A> mend_some(V<T, A> x, V<T, A> y, F function) {
  return each(x, y, [&](T in, T out) { return std::abs(in) <= Trigonometry<T>::largest ? out : function(in); });
}
template <class T, class A, class F>
inline V<T, A> mend_large(V<T, A> x, V<T, A> y, F function) {
  if (xsimd::all(xsimd::abs(x) <= V<T, A>(Trigonometry<T>::largest))) [[likely]]
    return y;
  return mend_some(x, y, function);
}

template <class T, class A>
inline V<T, A> sin(V<T, A> x) {
  return mend_large(x, sine_of(reduce_by_quarter_turns(x)), [](T v) { return std::sin(v); });
}
template <class T, class A>
inline V<T, A> cos(V<T, A> x) {
  QuarterTurns<T, A> turns = reduce_by_quarter_turns(x);
  turns.n = turns.n + Bits<T, A>(1);
  return mend_large(x, sine_of(turns), [](T v) { return std::cos(v); });
}
template <class T, class A>
inline V<T, A> tan(V<T, A> x) {
  const QuarterTurns<T, A> turns = reduce_by_quarter_turns(x);
  const auto odd = is_odd(turns);
  const V<T, A> above = xsimd::select(odd, simd::neg(turns.cosine), turns.sine);
  const V<T, A> below = xsimd::select(odd, turns.sine, turns.cosine);
  return mend_large(x, above / below, [](T v) { return std::tan(v); });
}

// ---- inverses: polynomials for floats, element by element for doubles

// pi / 2 and its rounding error.
inline constexpr float half_pi[] = {0x1.921fb6p+0F, -0x1.777a5cp-25F};
// pi * halves / 2 - angle.
template <class A>
inline V<float, A> from_pi(float halves, V<float, A> angle) {
  using B = V<float, A>;
  return B(halves * half_pi[0]) - (angle - B(halves * half_pi[1]));
}

// Angle of (x, y) for 0 <= y <= x, from the quotient q = y / x.
template <class A>
inline V<float, A> small_atan(V<float, A> q) {
  constexpr float p[] = {-0x1.55555p-2F,  0x1.9993ecp-3F, -0x1.240faep-3F, 0x1.bdfa6cp-4F,
                         -0x1.4aad5cp-4F, 0x1.984998p-5F, -0x1.531654p-6F, 0x1.09e3bap-8F};
  const V<float, A> z = q * q;
  return simd::fma(polynomial(z, p), z * q, q);
}
// Arc sine for 0 <= x <= 1/2.
template <class A>
inline V<float, A> small_asin(V<float, A> x, V<float, A> square) {
  constexpr float p[] = {0x1.55555ep-3F, 0x1.332624p-4F, 0x1.70d2a2p-5F, 0x1.b0cee2p-6F, 0x1.3a4ff8p-5F};
  return simd::fma(polynomial(square, p), square * x, x);
}

template <class A>
inline V<float, A> atan(V<float, A> x) {
  using B = V<float, A>;
  const B size = xsimd::abs(x);
  const auto steep = size > B(1);
  const B angle = small_atan(xsimd::select(steep, B(1) / size, size));
  return simd::copysign(xsimd::select(steep, from_pi(1, angle), angle), x);
}

// Angle of (x, y) from the positive x axis, computed from the angle to the nearest axis.
template <class A>
inline V<float, A> atan2(V<float, A> y, V<float, A> x) {
  using B = V<float, A>;
  const B zero(0);
  const B across = xsimd::abs(x);
  const B up = xsimd::abs(y);
  const auto steep = up > across;
  const B larger = xsimd::select(steep, up, across);
  const B smaller = xsimd::select(steep, across, up);
  B q = smaller / larger;
  q = xsimd::select(larger == zero, zero, xsimd::select(smaller == B(std::numeric_limits<float>::infinity()), B(1), q));
  const B angle = small_atan(q);
  const B first = xsimd::select(steep, from_pi(1, angle), angle);
  const auto left = simd::copysign(B(1), x) < zero;  // -0 too
  const B whole = simd::copysign(xsimd::select(left, from_pi(2, first), first), y);
  return xsimd::select((x == x) && (y == y), whole, x + y);
}

// Above 1/2: asin(x) = pi / 2 - 2 asin(sqrt((1 - x) / 2)).
template <class A>
inline V<float, A> asin(V<float, A> x) {
  using B = V<float, A>;
  const B size = xsimd::abs(x);
  const auto large = size > B(0.5F);
  const B square = xsimd::select(large, simd::fma(size, B(-0.5F), B(0.5F)), size * size);
  const B angle = small_asin(xsimd::select(large, simd::sqrt(square), size), square);
  return simd::copysign(xsimd::select(large, from_pi(1, angle + angle), angle), x);
}
template <class A>
inline V<float, A> acos(V<float, A> x) {
  using B = V<float, A>;
  const B size = xsimd::abs(x);
  const auto large = size > B(0.5F);
  const B square = xsimd::select(large, simd::fma(size, B(-0.5F), B(0.5F)), size * size);
  const B angle = small_asin(xsimd::select(large, simd::sqrt(square), size), square);
  const B twice = angle + angle;
  const B outer = xsimd::select(x < B(0), from_pi(2, twice), twice);
  return xsimd::select(large, outer, from_pi(1, simd::copysign(angle, x)));
}

}  // namespace XGRAD_ISA
}  // namespace xgrad::inline v0::simd
