// Sine and cosine of vectors. Included by simd.hpp, once per instruction set.
//
// xsimd chooses how to reduce an argument by the largest of a vector, so what comes out for a number depends on its
// neighbours, and with it the last bit of a result on how a tensor is cut into vectors. Here each number goes its own
// way.
//
// Note [Reduction]. x = n pi / 2 + r with |r| <= pi / 4 (Cody and Waite, "Software manual for the elementary
// functions", 1980): pi / 2 is split into parts so short that n times each of the first is exact, up to a largest x.
// The few numbers beyond it are left to the standard library, one by one. Polynomials for r are those of Cephes
// (Moshier, 1989).
#pragma once

namespace xgrad::simd {
inline namespace XGRAD_ISA {

template <class T>
struct Trigonometry;

template <>
struct Trigonometry<float> {
  static constexpr float largest = 8192;
  static constexpr float half_pi[] = {0x1.9200000000000p+0F, 0x1.fb40000000000p-12F, 0x1.4440000000000p-24F,
                                      0x1.68c2340000000p-39F};
  static constexpr float sine[] = {-1.9515295891e-4F, 8.3321608736e-3F, -1.6666654611e-1F};
  static constexpr float cosine[] = {2.443315711809948e-5F, -1.388731625493765e-3F, 4.166664568298827e-2F};
};

template <>
struct Trigonometry<double> {
  static constexpr double largest = 1048576;
  static constexpr double half_pi[] = {0x1.921fb54400000p+0, 0x1.0b4611a600000p-34, 0x1.3198a2e037073p-69};
  static constexpr double sine[] = {1.58962301576546568060e-10, -2.50507477628578072866e-8, 2.75573136213857245213e-6,
                                    -1.98412698295895385996e-4, 8.33333333332211858878e-3,  -1.66666666666666307295e-1};
  static constexpr double cosine[] = {-1.13585365213876817300e-11, 2.08757008419747316778e-9,
                                      -2.75573141792967388112e-7,  2.48015872888517045348e-5,
                                      -1.38888888888730564116e-3,  4.16666666666665929218e-2};
};

// sin(x + quarters * pi / 2).
template <class T, class A>
V<T, A> sine_from(V<T, A> x, T quarters) {
  using Table = Trigonometry<T>;
  using B = V<T, A>;
  const B n = xsimd::nearbyint(x * B(T(0.636619772367581343)));  // 2 / pi
  B r = x;
  for (const T part : Table::half_pi) r = r - n * B(part);
  const B z = r * r;
  const B sine = r + r * z * polynomial(z, Table::sine);
  const B cosine = (B(T(1)) - z * B(T(0.5))) + z * z * polynomial(z, Table::cosine);
  // Which quarter of the circle: 0 sine, 1 cosine, 2 -sine, 3 -cosine.
  const B q = n + B(quarters);
  const B quarter = q - B(T(4)) * xsimd::floor(q * B(T(0.25)));
  const auto odd = (quarter == B(T(1))) || (quarter == B(T(3)));
  const B y = xsimd::select(odd, cosine, sine);
  return xsimd::select(quarter >= B(T(2)), B(T(-0.0)) - y, y);
}

// Replaces the results of numbers beyond the largest, infinities and NaN by those of `function`.
template <class T, class A, class F>
V<T, A> mend_large(V<T, A> x, V<T, A> y, F function) {
  const auto fits = xsimd::abs(x) <= V<T, A>(Trigonometry<T>::largest);
  if (xsimd::all(fits)) return y;
  alignas(64) T in[V<T, A>::size];
  alignas(64) T out[V<T, A>::size];
  x.store_aligned(in);
  y.store_aligned(out);
  for (std::size_t i = 0; i < V<T, A>::size; ++i) {
    if (!(std::abs(in[i]) <= Trigonometry<T>::largest)) out[i] = function(in[i]);
  }
  return V<T, A>::load_aligned(out);
}

template <class T, class A>
V<T, A> sin(V<T, A> x) {
  const V<T, A> y = mend_large(x, sine_from(x, T(0)), [](T v) { return std::sin(v); });
  return xsimd::select(x == V<T, A>(T(0)), x, y);  // keeps the sign of 0
}
template <class T, class A>
V<T, A> cos(V<T, A> x) {
  return mend_large(x, sine_from(x, T(1)), [](T v) { return std::cos(v); });
}

}  // namespace XGRAD_ISA
}  // namespace xgrad::simd
