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
#define XGRAD_SIMD_SET XGRAD_ISA
#else
#define XGRAD_SIMD_SET scalar
#endif

namespace xgrad::simd {
inline namespace XGRAD_SIMD_SET {

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
#define XGRAD_SCALAR_FORM(name) \
  template <Scalar T>           \
  T name(T x) {                 \
    return std::name(x);        \
  }
XGRAD_SCALAR_FORM(floor)
XGRAD_SCALAR_FORM(ceil)
XGRAD_SCALAR_FORM(trunc)
XGRAD_SCALAR_FORM(exp2)
XGRAD_SCALAR_FORM(log2)
XGRAD_SCALAR_FORM(log10)
XGRAD_SCALAR_FORM(cbrt)
XGRAD_SCALAR_FORM(tan)
XGRAD_SCALAR_FORM(asin)
XGRAD_SCALAR_FORM(acos)
XGRAD_SCALAR_FORM(atan)
XGRAD_SCALAR_FORM(sinh)
XGRAD_SCALAR_FORM(cosh)
XGRAD_SCALAR_FORM(asinh)
XGRAD_SCALAR_FORM(acosh)
XGRAD_SCALAR_FORM(atanh)
XGRAD_SCALAR_FORM(erf)
XGRAD_SCALAR_FORM(erfc)
#undef XGRAD_SCALAR_FORM
// To the nearest whole number, of two equally near to the even one.
template <Scalar T>
T round(T x) {
  return std::nearbyint(x);
}
template <Scalar T>
T atan2(T y, T x) {
  return std::atan2(y, x);
}
template <Scalar T>
T hypot(T x, T y) {
  return std::hypot(x, y);
}
// The remainder of x / y with the sign of x, exact.
template <Scalar T>
T fmod(T x, T y) {
  return std::fmod(x, y);
}
template <Scalar T>
T copysign(T size, T sign) {
  return std::copysign(size, sign);
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

}  // namespace XGRAD_SIMD_SET
}  // namespace xgrad::simd

#include <xgrad/ops/kernels/erfinv.hpp>
#include <xgrad/ops/kernels/gamma.hpp>

namespace xgrad::simd {
inline namespace XGRAD_SIMD_SET {

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
  alignas(64) T whole[Batch<T>::size] = {};
  std::memcpy(whole, p, static_cast<std::size_t>(count) * sizeof(T));
  return Batch<T>::load_aligned(whole);
}
template <class T>
void store_partial(T* p, Batch<T> v, std::ptrdiff_t count) {
  alignas(64) T whole[Batch<T>::size];
  v.store_aligned(whole);
  std::memcpy(p, whole, static_cast<std::size_t>(count) * sizeof(T));
}

// A mask from bytes that are 0 or 1, and back.
template <class T>
Mask<T> load_mask(const std::uint8_t* bytes) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
    return Mask<T>(static_cast<__mmask16>(_mm_test_epi8_mask(x, x)));
  } else {
    const __m128i x = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes));
    return Mask<T>(static_cast<__mmask8>(_mm_test_epi8_mask(x, x)));
  }
#elif defined(__AVX2__)
  // 0 or 1 in each byte becomes 0 or -1 in each number.
  if constexpr (sizeof(T) == 4) {
    const __m128i x = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes));
    return Mask<T>(_mm256_castsi256_ps(_mm256_sub_epi32(_mm256_setzero_si256(), _mm256_cvtepu8_epi32(x))));
  } else {
    std::int32_t four;
    std::memcpy(&four, bytes, sizeof four);
    const __m256i x = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four));
    return Mask<T>(_mm256_castsi256_pd(_mm256_sub_epi64(_mm256_setzero_si256(), x)));
  }
#else
  alignas(64) T whole[Batch<T>::size];
  for (std::size_t i = 0; i < Batch<T>::size; ++i) whole[i] = static_cast<T>(bytes[i]);
  return !(Batch<T>::load_aligned(whole) == Batch<T>(T(0)));
#endif
}
template <class T>
void store_mask(std::uint8_t* bytes, Mask<T> mask) {
#if defined(__AVX512F__)
  const __m128i x = _mm_maskz_set1_epi8(static_cast<__mmask16>(mask.data), 1);
  if constexpr (sizeof(T) == 4)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), x);
  else
    _mm_storel_epi64(reinterpret_cast<__m128i*>(bytes), x);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    const __m256i x = _mm256_castps_si256(mask.data);
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    const __m128i ones = _mm_and_si128(_mm_packs_epi16(words, words), _mm_set1_epi8(1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(bytes), ones);
  } else {
    // Four bits spread over four bytes.
    const auto bits = static_cast<std::uint32_t>(_mm256_movemask_pd(mask.data));
    const std::uint32_t ones = bits * 0x00204081U & 0x01010101U;
    std::memcpy(bytes, &ones, sizeof ones);
  }
#else
  alignas(64) T whole[Batch<T>::size];
  xsimd::select(mask, Batch<T>(T(1)), Batch<T>(T(0))).store_aligned(whole);
  for (std::size_t i = 0; i < Batch<T>::size; ++i) bytes[i] = static_cast<std::uint8_t>(whole[i]);
#endif
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

// Number by number, for functions that are rare or for which a vector form is not worth it.
template <class T, class A, class F>
V<T, A> each(V<T, A> x, F function) {
  alignas(64) T a[V<T, A>::size];
  x.store_aligned(a);
  for (T& number : a) number = function(number);
  return V<T, A>::load_aligned(a);
}
template <class T, class A, class F>
V<T, A> each(V<T, A> x, V<T, A> y, F function) {
  alignas(64) T a[V<T, A>::size];
  alignas(64) T b[V<T, A>::size];
  x.store_aligned(a);
  y.store_aligned(b);
  for (std::size_t i = 0; i < V<T, A>::size; ++i) a[i] = function(a[i], b[i]);
  return V<T, A>::load_aligned(a);
}
#define XGRAD_NUMBER_BY_NUMBER(name)                             \
  template <class T, class A>                                    \
  V<T, A> name(V<T, A> x) {                                      \
    return each(x, [](T number) { return simd::name(number); }); \
  }
#define XGRAD_PAIR_BY_PAIR(name)                                  \
  template <class T, class A>                                     \
  V<T, A> name(V<T, A> x, V<T, A> y) {                            \
    return each(x, y, [](T a, T b) { return simd::name(a, b); }); \
  }
XGRAD_NUMBER_BY_NUMBER(log2)
XGRAD_NUMBER_BY_NUMBER(log10)
XGRAD_NUMBER_BY_NUMBER(cbrt)
XGRAD_NUMBER_BY_NUMBER(tan)
XGRAD_NUMBER_BY_NUMBER(asin)
XGRAD_NUMBER_BY_NUMBER(acos)
XGRAD_NUMBER_BY_NUMBER(atan)
XGRAD_NUMBER_BY_NUMBER(sinh)
XGRAD_NUMBER_BY_NUMBER(cosh)
XGRAD_NUMBER_BY_NUMBER(asinh)
XGRAD_NUMBER_BY_NUMBER(acosh)
XGRAD_NUMBER_BY_NUMBER(atanh)
XGRAD_NUMBER_BY_NUMBER(erf)
XGRAD_NUMBER_BY_NUMBER(erfc)
XGRAD_NUMBER_BY_NUMBER(erfinv)
XGRAD_NUMBER_BY_NUMBER(lgamma)
XGRAD_NUMBER_BY_NUMBER(digamma)
// xsimd's pow is wrong at 0, at infinities and near the ends of the range, and off by up to a thousand units in the
// last place elsewhere.
XGRAD_PAIR_BY_PAIR(pow)
XGRAD_PAIR_BY_PAIR(atan2)
XGRAD_PAIR_BY_PAIR(hypot)
XGRAD_PAIR_BY_PAIR(fmod)
#undef XGRAD_NUMBER_BY_NUMBER
#undef XGRAD_PAIR_BY_PAIR

template <class T, class A>
V<T, A> copysign(V<T, A> size, V<T, A> sign) {
  const V<T, A> bit(T(-0.0));
  return (size & ~bit) | (sign & bit);
}
// To the nearest whole number, of two equally near to the even one.
template <class T, class A>
V<T, A> round(V<T, A> x) {
  return xsimd::nearbyint(x);
}
// SSE2 has no instruction for these, and what xsimd does instead loses the sign of 0.
template <class T, class A>
V<T, A> floor(V<T, A> x) {
#if defined(__SSE4_1__) || defined(__aarch64__)
  return xsimd::floor(x);
#else
  const V<T, A> near = simd::round(x);
  return simd::copysign(near - xsimd::select(near > x, V<T, A>(T(1)), V<T, A>(T(0))), x);
#endif
}
template <class T, class A>
V<T, A> ceil(V<T, A> x) {
#if defined(__SSE4_1__) || defined(__aarch64__)
  return xsimd::ceil(x);
#else
  const V<T, A> near = simd::round(x);
  return simd::copysign(near + xsimd::select(near < x, V<T, A>(T(1)), V<T, A>(T(0))), x);
#endif
}
template <class T, class A>
V<T, A> trunc(V<T, A> x) {
#if defined(__SSE4_1__) || defined(__aarch64__)
  return xsimd::trunc(x);
#else
  return simd::copysign(simd::floor(xsimd::abs(x)), x);
#endif
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

}  // namespace XGRAD_SIMD_SET
}  // namespace xgrad::simd

#ifdef XGRAD_ISA
#include <xgrad/ops/kernels/exp_log.hpp>
#include <xgrad/ops/kernels/sin_cos.hpp>
#endif
