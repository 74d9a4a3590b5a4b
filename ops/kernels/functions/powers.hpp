// Powers, roots and remainders of vectors. Included by simd.hpp, once per instruction set. Floats are computed in
// double, which is correctly rounded except for rare ties; doubles are computed element by element with the standard
// library. xsimd's pow is wrong at 0, at infinities and near the ends of the range, and elsewhere off by up to a
// thousand ulp.
#pragma once

namespace xgrad::inline v0::simd {
inline namespace XGRAD_ISA {

// Applies function(doubles ...) to vectors of floats.
template <class A, class F, class... Floats>
inline V<float, A> in_double(F function, V<float, A> x, Floats... more) {
  constexpr std::size_t n = V<float, A>::size;
  constexpr std::size_t half = V<double, A>::size;
  static_assert(2 * half == n);
  alignas(64) float out[n];
  alignas(64) double result[n];
  const auto widened = [&](V<float, A> v, std::size_t first) {
    alignas(64) float numbers[n];
    alignas(64) double wide[half];
    v.store_aligned(numbers);
    for (std::size_t i = 0; i < half; ++i) wide[i] = static_cast<double>(numbers[first + i]);
    return V<double, A>::load_aligned(wide);
  };
  for (std::size_t first = 0; first < n; first += half)
    function(widened(x, first), widened(more, first)...).store_aligned(result + first);
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(result[i]);
  return V<float, A>::load_aligned(out);
}

template <class A>
inline V<float, A> cbrt(V<float, A> x) {
  const auto root = [](V<double, A> size) { return simd::exp2(simd::log2(size) * V<double, A>(1.0 / 3)); };
  return simd::copysign(in_double<A>(root, xsimd::abs(x)), x);
}

template <class A>
inline V<float, A> hypot(V<float, A> x, V<float, A> y) {
  using B = V<float, A>;
  const auto root = [](V<double, A> a, V<double, A> b) { return simd::sqrt(simd::fma(a, a, b * b)); };
  const B inf(std::numeric_limits<float>::infinity());
  return xsimd::select((xsimd::abs(x) == inf) || (xsimd::abs(y) == inf), inf, in_double<A>(root, x, y));
}

// 2^(y log2 |x|), with the signs and special cases of C (annex F).
template <class A>
inline V<float, A> pow(V<float, A> x, V<float, A> y) {
  using B = V<float, A>;
  const B zero(0), one(1);
  const B inf(std::numeric_limits<float>::infinity());
  const B size = xsimd::abs(x);
  const B power = in_double<A>([](V<double, A> a, V<double, A> b) { return simd::exp2(simd::log2(a) * b); }, size, y);
  const auto whole = simd::trunc(y) == y;
  const B half = B(0.5F) * y;
  const auto odd = whole && !(simd::trunc(half) == half);
  const B is_negative = simd::copysign(one, x);  // -0 too
  B out = xsimd::select(odd, simd::copysign(power, is_negative), power);
  out = xsimd::select((x < zero) && (size < inf) && !whole && !simd::is_nan(y),
                      B(std::numeric_limits<float>::quiet_NaN()), out);
  return xsimd::select((y == zero) || (x == one) || ((size == one) && (xsimd::abs(y) == inf)), one, out);
}

// x - trunc(x / y) * y. A fused multiply-add makes it exact as long as the quotient is representable. If the quotient
// was rounded up to the next integer, the sign of the result shows it.
template <class T, class A>
inline V<T, A> fmod(V<T, A> x, V<T, A> y) {
  const auto exact = [](T a, T b) { return std::fmod(a, b); };
#ifdef XGRAD_FUSED_MULTIPLY_ADD
  using B = V<T, A>;
  constexpr T most = static_cast<T>(std::uint64_t{1} << (std::numeric_limits<T>::digits - 1));
  const B quotient = x / y;
  const auto fits = (xsimd::abs(quotient) < B(most)) && (xsimd::abs(y) < B(std::numeric_limits<T>::infinity()));
  if (!xsimd::all(fits)) return each(x, y, exact);
  const B rest = simd::fma(simd::neg(simd::trunc(quotient)), y, x) ^ (x & B(T(-0.0)));  // positive, as for |x|
  return simd::copysign(xsimd::select(rest < B(T(0)), rest + xsimd::abs(y), rest), x);
#else
  return each(x, y, exact);
#endif
}

}  // namespace XGRAD_ISA
}  // namespace xgrad::inline v0::simd
