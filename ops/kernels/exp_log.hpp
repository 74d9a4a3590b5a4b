// Exponential functions and logarithms of vectors. Included by simd.hpp, once per instruction set.
//
// Note [Exponential]. x = n log 2 + r with a whole number n and |r| <= log(2) / 2; exp(x) = 2^n exp(r), and exp(r) is a
// polynomial of least relative error. n is found by adding 1.5 * 2^(digits - 1): the sum's last bits are n, rounded as
// the processor rounds, and shifted to the place of the exponent they multiply by 2^n. Results below the smallest
// normal number are 0.
#pragma once

namespace xgrad::simd {
inline namespace XGRAD_ISA {

template <class T>
struct Exponential;

template <>
struct Exponential<float> {
  static constexpr float to_whole = 0x1.8p23F;
  static constexpr float log2_e = 0x1.715476p0F;
  static constexpr float log_2[] = {0x1.63p-1F, -0x1.bd0106p-13F};    // n times the first is exact
  static constexpr float highest = 0x1.62e42ep6F;                     // of those whose result is finite
  static constexpr float lowest = -0x1.5d589ep6F;                     // of those whose result is normal
  static constexpr float highest_2 = 0x1.fffffep6F, lowest_2 = -126;  // the same for powers of 2
  static constexpr float log_2_whole[] = {0x1.62e43p-1F, -0x1.05c61p-29F};
  static constexpr float p[] = {0x1.6a624cp-10F, 0x1.123abcp-7F, 0x1.55589ep-5F, 0x1.55549p-3F, 0x1.fffffcp-2F};
};

template <>
struct Exponential<double> {
  static constexpr double to_whole = 0x1.8p52;
  static constexpr double log2_e = 0x1.71547652b82fep0;
  static constexpr double log_2[] = {0x1.62e42feep-1, 0x1.a39ef35793c76p-33};
  static constexpr double highest = 0x1.62e42fefa39efp9;
  static constexpr double lowest = -0x1.6232bdd7abcd2p9;
  static constexpr double highest_2 = 0x1.fffffffffffffp9, lowest_2 = -1022;
  static constexpr double log_2_whole[] = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
  static constexpr double p[] = {
      0x1.ad904c24186d5p-26, 0x1.28ae252d7985dp-22, 0x1.71df1af29698ep-19, 0x1.a01999392aa6bp-16, 0x1.a01a012edf544p-13,
      0x1.6c16c18482215p-10, 0x1.1111111126ecbp-7,  0x1.555555555069cp-5,  0x1.55555555554fdp-3,  0x1.000000000000ap-1};
};

// The sum of c[i] x^(n - 1 - i).
template <class T, class A, std::size_t n>
V<T, A> polynomial(V<T, A> x, const T (&c)[n]) {
  V<T, A> sum(c[0]);
  for (std::size_t i = 1; i < n; ++i) sum = simd::fma(sum, x, V<T, A>(c[i]));
  return sum;
}

// y 2^n, where `shifted` is n + to_whole.
template <class T, class A>
V<T, A> times_power_of_2(V<T, A> y, V<T, A> shifted) {
  using Bits = xsimd::batch<xsimd::as_integer_t<T>, A>;
  const Bits power = xsimd::bitwise_cast<Bits>(shifted) << (std::numeric_limits<T>::digits - 1);
  return xsimd::bitwise_cast<V<T, A>>(xsimd::bitwise_cast<Bits>(y) + power);
}

// exp(r) 2^n, and the ends of the range: 0 below `lowest`, inf beyond `highest`, NaN.
template <class T, class A>
V<T, A> exponential(V<T, A> x, V<T, A> r, V<T, A> shifted, T lowest, T highest) {
  using B = V<T, A>;
  const B y = simd::fma(polynomial(r, Exponential<T>::p), r * r, r) + B(T(1));
  const B within = times_power_of_2(y, shifted);
  const B over = x * B(std::numeric_limits<T>::infinity());
  return xsimd::select(x < B(lowest), B(T(0)), xsimd::select(x <= B(highest), within, over));
}

template <class T, class A>
V<T, A> exp(V<T, A> x) {
  using B = V<T, A>;
  using Table = Exponential<T>;
  const B shifted = simd::fma(x, B(Table::log2_e), B(Table::to_whole));
  const B n = shifted - B(Table::to_whole);
  const B r = simd::fma(n, B(-Table::log_2[1]), simd::fma(n, B(-Table::log_2[0]), x));
  return exponential(x, r, shifted, Table::lowest, Table::highest);
}

template <class T, class A>
V<T, A> exp2(V<T, A> x) {
  using B = V<T, A>;
  using Table = Exponential<T>;
  const B shifted = x + B(Table::to_whole);
  const B part = x - (shifted - B(Table::to_whole));  // exact
  const B r = simd::fma(part, B(Table::log_2_whole[0]), part * B(Table::log_2_whole[1]));
  return exponential(x, r, shifted, Table::lowest_2, Table::highest_2);
}

template <class T, class A>
V<T, A> expm1(V<T, A> x) {
  const V<T, A> y = xsimd::select(x > V<T, A>(T(80)), simd::exp(x), xsimd::expm1(x));
  return xsimd::select(x == V<T, A>(T(0)), x, y);  // keeps the sign of 0
}
template <class T, class A>
V<T, A> sigmoid(V<T, A> x) {
  const V<T, A> one(T(1));
  const V<T, A> e = simd::exp(-xsimd::abs(x));
  return xsimd::select(x < V<T, A>(T(0)), e, one) / (one + e);
}

}  // namespace XGRAD_ISA
}  // namespace xgrad::simd
