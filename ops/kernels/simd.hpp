// The one place that knows xsimd: vector types, loads, stores and vector mathematics under names of our own.
//
// Kernel files are compiled once per instruction set. The build sets XGRAD_ISA to the name of the set (sse2, avx2, ...)
// and `xsimd` itself to a name that differs per set, so that no inline function compiled for one set can stand in for
// the same function of another at link time. Everything here lives in an inline namespace of the set for the same
// reason. Where XGRAD_ISA is not set, only the scalar forms exist: they are the oracle the vector forms are tested
// against.
//
//   using B = simd::Batch<float>;
//   B y = simd::tanh(simd::load(x));
//   simd::store(out, simd::select(y > B(0), y, B(0)));
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#ifdef XGRAD_ISA
#include <xsimd/xsimd.hpp>
#endif

namespace xgrad::simd {
#ifdef XGRAD_ISA
inline namespace XGRAD_ISA {
#else
inline namespace scalar {
#endif

// ---- scalar forms

template <class T>
concept Scalar = std::is_arithmetic_v<T>;

template <Scalar T>
T abs(T x) {
  return x < T(0) ? static_cast<T>(T(0) - x) : x == T(0) ? T(0) : x;
}
// Written so that 0 becomes -0, which a subtraction from 0 does not give.
template <Scalar T>
T neg(T x) {
  return -x;
}
template <Scalar T>
T sqrt(T x) {
  return std::sqrt(x);
}
template <Scalar T>
T rsqrt(T x) {
  return T(1) / std::sqrt(x);
}
template <Scalar T>
T exp(T x) {
  return std::exp(x);
}
template <Scalar T>
T expm1(T x) {
  return std::expm1(x);
}
template <Scalar T>
T log(T x) {
  return std::log(x);
}
template <Scalar T>
T log1p(T x) {
  return std::log1p(x);
}
template <Scalar T>
T sin(T x) {
  return std::sin(x);
}
template <Scalar T>
T cos(T x) {
  return std::cos(x);
}
template <Scalar T>
T tanh(T x) {
  return std::tanh(x);
}
template <Scalar T>
T sigmoid(T x) {
  const T e = std::exp(-std::abs(x));  // in (0, 1]: never overflows
  return (x < T(0) ? e : T(1)) / (T(1) + e);
}
template <Scalar T>
T pow(T x, T y) {
  return std::pow(x, y);
}
template <Scalar T>
T select(bool condition, T a, T b) {
  return condition ? a : b;
}
// NaN is the one number that differs from itself. Written without !=, which xsimd 8 computes as "ordered and different"
// on AVX, so that NaN would equal itself there.
template <Scalar T>
bool is_nan(T x) {
  return !(x == x);
}
// NaN wins over numbers.
template <Scalar T>
T max(T a, T b) {
  return a > b || simd::is_nan(a) ? a : b;
}
template <Scalar T>
T min(T a, T b) {
  return a < b || simd::is_nan(a) ? a : b;
}
template <Scalar T>
T fma(T a, T b, T c) {
  return std::fma(a, b, c);
}

// The number as a V, be it one number or a vector of equal ones.
template <class V>
V constant(double number) {
  if constexpr (Scalar<V>)
    return static_cast<V>(number);
  else
    return V(static_cast<typename V::value_type>(number));
}

#ifdef XGRAD_ISA
// ---- vectors

template <class T>
using Batch = xsimd::batch<T, xsimd::default_arch>;
template <class T>
using Mask = xsimd::batch_bool<T, xsimd::default_arch>;
// Of vectors.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int registers = 32;
#else
inline constexpr int registers = 16;
#endif
template <class T>
inline constexpr std::ptrdiff_t width = static_cast<std::ptrdiff_t>(Batch<T>::size);

template <class T>
Batch<T> load(const T* p) {
  return Batch<T>::load_unaligned(p);
}
template <class T>
void store(T* p, Batch<T> v) {
  v.store_unaligned(p);
}

// The first `count` < width numbers; the rest of the vector is zero.
template <class T>
Batch<T> load_partial(const T* p, std::ptrdiff_t count) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  alignas(64) static constexpr std::int32_t ones_then_zeros[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
  if constexpr (std::is_same_v<T, float>) {
    return _mm256_maskload_ps(p, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ones_then_zeros + 8 - count)));
  } else if constexpr (std::is_same_v<T, double>) {
    return _mm256_maskload_pd(p, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ones_then_zeros + 8 - 2 * count)));
  }
#endif
  alignas(64) T whole[Batch<T>::size] = {};
  std::memcpy(whole, p, static_cast<std::size_t>(count) * sizeof(T));
  return Batch<T>::load_aligned(whole);
}

// Copies in pieces of `piece`, half of it, ... 1 numbers, as the bits of `count` say: sizes known when compiled.
template <std::size_t piece, class T>
void copy_in_pieces(T* to, const T* from, std::size_t count) {
  if constexpr (piece > 0) {
    if ((count & piece) != 0) {
      std::memcpy(to, from, piece * sizeof(T));
      to += piece;
      from += piece;
    }
    copy_in_pieces<piece / 2>(to, from, count);
  }
}
template <class T>
void store_partial(T* p, Batch<T> v, std::ptrdiff_t count) {
  alignas(64) T whole[Batch<T>::size];
  v.store_aligned(whole);
  copy_in_pieces<Batch<T>::size / 2>(p, whole, static_cast<std::size_t>(count));
}

// to[j][i] = from[i][j] for i, j < transpose_side<T>; strides are between rows.
#if defined(__AVX2__)
template <class T>
inline constexpr std::ptrdiff_t transpose_side = 32 / sizeof(T);
inline void transpose_block(const float* from, std::ptrdiff_t from_stride, float* to, std::ptrdiff_t to_stride) {
  // Halves of rows i and i + 4 side by side, so that no number has to change sides later.
  const auto halves = [&](std::ptrdiff_t i, std::ptrdiff_t column) {
    const float* at = from + i * from_stride + column;
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(at)), _mm_loadu_ps(at + 4 * from_stride), 1);
  };
  for (std::ptrdiff_t column = 0; column < 8; column += 4) {
    const __m256 r0 = halves(0, column), r1 = halves(1, column), r2 = halves(2, column), r3 = halves(3, column);
    const __m256 a = _mm256_unpacklo_ps(r0, r1), b = _mm256_unpackhi_ps(r0, r1);
    const __m256 c = _mm256_unpacklo_ps(r2, r3), d = _mm256_unpackhi_ps(r2, r3);
    float* at = to + column * to_stride;
    _mm256_storeu_ps(at, _mm256_shuffle_ps(a, c, 0x44));
    _mm256_storeu_ps(at + to_stride, _mm256_shuffle_ps(a, c, 0xEE));
    _mm256_storeu_ps(at + 2 * to_stride, _mm256_shuffle_ps(b, d, 0x44));
    _mm256_storeu_ps(at + 3 * to_stride, _mm256_shuffle_ps(b, d, 0xEE));
  }
}
inline void transpose_block(const double* from, std::ptrdiff_t from_stride, double* to, std::ptrdiff_t to_stride) {
  const auto halves = [&](std::ptrdiff_t i, std::ptrdiff_t column) {
    const double* at = from + i * from_stride + column;
    return _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(at)), _mm_loadu_pd(at + 2 * from_stride), 1);
  };
  for (std::ptrdiff_t column = 0; column < 4; column += 2) {
    const __m256d r0 = halves(0, column), r1 = halves(1, column);
    _mm256_storeu_pd(to + column * to_stride, _mm256_unpacklo_pd(r0, r1));
    _mm256_storeu_pd(to + (column + 1) * to_stride, _mm256_unpackhi_pd(r0, r1));
  }
}
#else
template <class T>
inline constexpr std::ptrdiff_t transpose_side = width<T>;
template <class T>
void transpose_block(const T* from, std::ptrdiff_t from_stride, T* to, std::ptrdiff_t to_stride) {
  static_assert(transpose_side<T> == 2 || transpose_side<T> == 4);
  if constexpr (transpose_side<T> == 2) {
    const Batch<T> r0 = simd::load(from), r1 = simd::load(from + from_stride);
    simd::store(to, xsimd::zip_lo(r0, r1));
    simd::store(to + to_stride, xsimd::zip_hi(r0, r1));
  } else {
    const Batch<T> r0 = simd::load(from), r1 = simd::load(from + from_stride);
    const Batch<T> r2 = simd::load(from + 2 * from_stride), r3 = simd::load(from + 3 * from_stride);
    const Batch<T> even_lo = xsimd::zip_lo(r0, r2), even_hi = xsimd::zip_hi(r0, r2);
    const Batch<T> odd_lo = xsimd::zip_lo(r1, r3), odd_hi = xsimd::zip_hi(r1, r3);
    simd::store(to, xsimd::zip_lo(even_lo, odd_lo));
    simd::store(to + to_stride, xsimd::zip_hi(even_lo, odd_lo));
    simd::store(to + 2 * to_stride, xsimd::zip_lo(even_hi, odd_hi));
    simd::store(to + 3 * to_stride, xsimd::zip_hi(even_hi, odd_hi));
  }
}
#endif

// A mask from bytes that are 0 or 1, and back.
template <class T>
Mask<T> load_mask(const std::uint8_t* bytes) {
  alignas(64) T whole[Batch<T>::size];
  for (std::size_t i = 0; i < Batch<T>::size; ++i) whole[i] = static_cast<T>(bytes[i]);
  return !(Batch<T>::load_aligned(whole) == Batch<T>(T(0)));
}
template <class T>
void store_mask(std::uint8_t* bytes, Mask<T> mask) {
  alignas(64) T whole[Batch<T>::size];
  xsimd::select(mask, Batch<T>(T(1)), Batch<T>(T(0))).store_aligned(whole);
  for (std::size_t i = 0; i < Batch<T>::size; ++i) bytes[i] = static_cast<std::uint8_t>(whole[i]);
}

template <class T, class A>
using V = xsimd::batch<T, A>;

template <class T, class A>
V<T, A> abs(V<T, A> x) {
  return xsimd::abs(x);
}
template <class T, class A>
V<T, A> neg(V<T, A> x) {
  return V<T, A>(T(-0.0)) - x;
}
template <class T, class A>
V<T, A> sqrt(V<T, A> x) {
  return xsimd::sqrt(x);
}
// Not the approximate instruction: 1 / sqrt to the last bit but one.
template <class T, class A>
V<T, A> rsqrt(V<T, A> x) {
  return V<T, A>(T(1)) / xsimd::sqrt(x);
}
template <class T, class A>
V<T, A> select(xsimd::batch_bool<T, A> c, V<T, A> a, V<T, A> b) {
  return xsimd::select(c, a, b);
}
template <class T, class A>
xsimd::batch_bool<T, A> is_nan(V<T, A> x) {
  return !(x == x);
}
// xsimd's exp gives inf a little too early; there the last factor of e is taken out. Results below the smallest normal
// number are 0.
template <class T, class A>
V<T, A> exp(V<T, A> x) {
  const auto large = x > V<T, A>(std::is_same_v<T, float> ? T(88) : T(709));
  const V<T, A> y = xsimd::exp(xsimd::select(large, x - V<T, A>(T(1)), x));
  return xsimd::select(large, y * V<T, A>(T(2.718281828459045235)), y);
}
template <class T, class A>
V<T, A> expm1(V<T, A> x) {
  const V<T, A> y = xsimd::select(x > V<T, A>(T(80)), simd::exp(x), xsimd::expm1(x));
  return xsimd::select(x == V<T, A>(T(0)), x, y);  // keeps the sign of 0
}
// xsimd's log of doubles is wrong below the smallest normal number: those are scaled up first.
template <class T, class A>
V<T, A> log(V<T, A> x) {
  if constexpr (std::is_same_v<T, float>) return xsimd::log(x);
  const auto tiny = x < V<T, A>(std::numeric_limits<T>::min()) && x > V<T, A>(T(0));
  const V<T, A> y = xsimd::log(xsimd::select(tiny, x * V<T, A>(T(0x1p54)), x));
  return xsimd::select(tiny, y - V<T, A>(T(37.429947750237048)), y);  // 54 log 2
}
template <class T, class A>
V<T, A> log1p(V<T, A> x) {
  return xsimd::select(x == V<T, A>(T(0)), x, xsimd::log1p(x));
}
template <class T, class A>
V<T, A> tanh(V<T, A> x) {
  return xsimd::tanh(x);
}
template <class T, class A>
V<T, A> sigmoid(V<T, A> x) {
  const V<T, A> one(T(1));
  const V<T, A> e = xsimd::exp(-xsimd::abs(x));
  return xsimd::select(x < V<T, A>(T(0)), e, one) / (one + e);
}
// Number by number: xsimd's pow is wrong at 0, at infinities and near the ends of the range, and off by up to a
// thousand units in the last place elsewhere.
template <class T, class A>
V<T, A> pow(V<T, A> x, V<T, A> y) {
  alignas(64) T a[V<T, A>::size];
  alignas(64) T b[V<T, A>::size];
  x.store_aligned(a);
  y.store_aligned(b);
  for (std::size_t i = 0; i < V<T, A>::size; ++i) a[i] = std::pow(a[i], b[i]);
  return V<T, A>::load_aligned(a);
}
template <class T, class A>
V<T, A> max(V<T, A> a, V<T, A> b) {
  return xsimd::select((a > b) || simd::is_nan(a), a, b);
}
template <class T, class A>
V<T, A> min(V<T, A> a, V<T, A> b) {
  return xsimd::select((a < b) || simd::is_nan(a), a, b);
}
template <class T, class A>
V<T, A> fma(V<T, A> a, V<T, A> b, V<T, A> c) {
  return xsimd::fma(a, b, c);
}

// high and low words of factor * x[i], for a count that is a multiple of 8. xsimd has no such product, and without it
// compilers take the numbers one by one.
inline void multiply_wide(std::uint32_t factor, const std::uint32_t* x, std::uint32_t* high, std::uint32_t* low,
                          int count) {
#if defined(__AVX2__)
  const __m256i f = _mm256_set1_epi32(static_cast<int>(factor));
  for (int i = 0; i < count; i += 8) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i));
    const __m256i even = _mm256_mul_epu32(v, f);
    const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(v, 32), f);
    const __m256i lows = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
    const __m256i highs = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(low + i), lows);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(high + i), highs);
  }
#else
  for (int i = 0; i < count; ++i) {
    const std::uint64_t product = std::uint64_t{factor} * x[i];
    high[i] = static_cast<std::uint32_t>(product >> 32);
    low[i] = static_cast<std::uint32_t>(product);
  }
#endif
}

// The sum of the numbers, pairwise in a fixed order.
template <class T, class A>
T reduce_add(V<T, A> v) {
  alignas(64) T x[V<T, A>::size];
  v.store_aligned(x);
  for (std::size_t half = V<T, A>::size / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) x[i] = x[i] + x[i + half];
  }
  return x[0];
}
#endif

}  // namespace
}  // namespace xgrad::simd

#ifdef XGRAD_ISA
#include <xgrad/ops/kernels/sin_cos.hpp>
#endif
