// The only wrapper of xsimd: vector types, loads, stores and vector math functions.
//
// Kernel files are compiled once per instruction set. The build defines XGRAD_ISA as the name of the set (sse2, avx2,
// ...) and `xsimd` as a name that differs per set, so that the linker cannot merge inline functions compiled for
// different sets. For the same reason this file uses an inline namespace per set. Without XGRAD_ISA only the scalar
// forms exist; they are the reference for tests of the vector forms.
//
//   using B = simd::Batch<float>;
//   B y = simd::tanh(simd::load(x));
//   simd::store(out, simd::select(y > B(0), y, B(0)));
#pragma once

#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#ifdef XGRAD_ISA
#include <xsimd/xsimd.hpp>
#define XGRAD_SIMD_SET XGRAD_ISA
#if defined(__aarch64__)
// Correctly rounded division; xsimd multiplies floats by an approximate reciprocal.
template <>
inline xsimd::batch<float, xsimd::neon64>& xsimd::batch<float, xsimd::neon64>::operator/=(
    const xsimd::batch<float, xsimd::neon64>& other) noexcept {
  return *this = vdivq_f32(*this, other);
}
#endif
#else
#define XGRAD_SIMD_SET scalar
#endif

namespace xgrad::inline v0::simd {
inline namespace XGRAD_SIMD_SET {

// ---- scalar forms

template <class T>
concept Scalar = std::is_arithmetic_v<T>;

template <Scalar T>
T abs(T x) {
  return x < T(0) ? static_cast<T>(T(0) - x) : x == T(0) ? T(0) : x;
}
// Maps 0 to -0, unlike 0 - x.
template <Scalar T>
T neg(T x) {
  return -x;
}
template <Scalar T>
T rsqrt(T x) {
  return T(1) / std::sqrt(x);
}
template <Scalar T>
T sigmoid(T x) {
  const T e = std::exp(-std::abs(x));  // in (0, 1], so that nothing overflows
  return (x < T(0) ? e : T(1)) / (T(1) + e);
}
// Rounds to the nearest integer, ties to even.
template <Scalar T>
T round(T x) {
  return std::nearbyint(x);
}
// Functions of one or more numbers that the standard library has.
#define XGRAD_SCALAR_FORM(name)                \
  template <Scalar T, std::same_as<T>... More> \
  T name(T x, More... more) {                  \
    return std::name(x, more...);              \
  }
XGRAD_SCALAR_FORM(sqrt)
XGRAD_SCALAR_FORM(exp)
XGRAD_SCALAR_FORM(exp2)
XGRAD_SCALAR_FORM(expm1)
XGRAD_SCALAR_FORM(log)
XGRAD_SCALAR_FORM(log2)
XGRAD_SCALAR_FORM(log10)
XGRAD_SCALAR_FORM(log1p)
XGRAD_SCALAR_FORM(cbrt)
XGRAD_SCALAR_FORM(pow)
XGRAD_SCALAR_FORM(hypot)
XGRAD_SCALAR_FORM(fma)
XGRAD_SCALAR_FORM(sin)
XGRAD_SCALAR_FORM(cos)
XGRAD_SCALAR_FORM(tan)
XGRAD_SCALAR_FORM(asin)
XGRAD_SCALAR_FORM(acos)
XGRAD_SCALAR_FORM(atan)
XGRAD_SCALAR_FORM(atan2)
XGRAD_SCALAR_FORM(sinh)
XGRAD_SCALAR_FORM(cosh)
XGRAD_SCALAR_FORM(tanh)
XGRAD_SCALAR_FORM(asinh)
XGRAD_SCALAR_FORM(acosh)
XGRAD_SCALAR_FORM(atanh)
XGRAD_SCALAR_FORM(erf)
XGRAD_SCALAR_FORM(erfc)
XGRAD_SCALAR_FORM(floor)
XGRAD_SCALAR_FORM(ceil)
XGRAD_SCALAR_FORM(trunc)
XGRAD_SCALAR_FORM(copysign)
XGRAD_SCALAR_FORM(fmod)  // remainder of x / y with the sign of x, exact
#undef XGRAD_SCALAR_FORM
template <Scalar T>
T select(bool condition, T a, T b) {
  return condition ? a : b;
}
// NaN is the only value that differs from itself. Avoids !=, which xsimd 8 implements as an ordered comparison on AVX,
// so that NaN would equal itself.
template <Scalar T>
bool is_nan(T x) {
  return !(x == x);
}
// max and min that propagate NaN.
template <Scalar T>
T max(T a, T b) {
  return a > b || simd::is_nan(a) ? a : b;
}
template <Scalar T>
T min(T a, T b) {
  return a < b || simd::is_nan(a) ? a : b;
}

}  // namespace XGRAD_SIMD_SET
}  // namespace xgrad::inline v0::simd

#include <xgrad/ops/kernels/functions/erfinv.hpp>
#include <xgrad/ops/kernels/functions/gamma.hpp>

namespace xgrad::inline v0::simd {
inline namespace XGRAD_SIMD_SET {

// The number as a V: a scalar, or a vector with the number in all lanes.
template <class V>
V constant(double number) {
  if constexpr (Scalar<V>)
    return static_cast<V>(number);
  else
    return V(static_cast<typename V::value_type>(number));
}

// f(a, b) for vectors and scalars. Integers wrap around on overflow.
template <class V, class F>
V wrapping(V a, V b, F f) {
  if constexpr (std::is_same_v<V, std::int64_t>)
    return static_cast<V>(f(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b)));
  else
    return f(a, b);
}

#ifdef XGRAD_ISA
// ---- vectors

template <class T>
using Batch = xsimd::batch<T, xsimd::default_arch>;
template <class T>
using Mask = xsimd::batch_bool<T, xsimd::default_arch>;
// Number of vector registers.
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

#if defined(__AVX2__) && !defined(__AVX512F__)
// Masks of the lanes below `count`, for masked loads and stores of 4-byte and 8-byte elements.
inline __m256i first_lanes_4(std::ptrdiff_t count) {
  alignas(64) static constexpr std::int32_t lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lanes + 8 - count));
}
inline __m256i first_lanes_8(std::ptrdiff_t count) {
  alignas(64) static constexpr std::int64_t lanes[8] = {-1, -1, -1, -1};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lanes + 4 - count));
}
#endif

// Whether partial vectors are loaded and stored by one masked instruction.
#if defined(__AVX2__)
inline constexpr bool masked = true;
#else
inline constexpr bool masked = false;
#endif
// Loads the first `count` < width elements; the other lanes are zero.
template <class T>
Batch<T> load_partial(const T* p, std::ptrdiff_t count) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<T, float>)
    return Batch<T>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1), p));
  if constexpr (std::is_same_v<T, double>)
    return Batch<T>(_mm512_maskz_loadu_pd(static_cast<__mmask8>((1U << count) - 1), p));
#elif defined(__AVX2__)
  if constexpr (std::is_same_v<T, float>) return Batch<T>(_mm256_maskload_ps(p, first_lanes_4(count)));
  if constexpr (std::is_same_v<T, double>) return Batch<T>(_mm256_maskload_pd(p, first_lanes_8(count)));
#endif
  alignas(64) T whole[Batch<T>::size] = {};
  std::memcpy(whole, p, static_cast<std::size_t>(count) * sizeof(T));
  return Batch<T>::load_aligned(whole);
}

// Copies in pieces of `piece`, piece / 2, ... 1 elements, as selected by the bits of `count`, so that sizes are
// constants.
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
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<T, float>) return _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << count) - 1), v);
  if constexpr (std::is_same_v<T, double>) return _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1U << count) - 1), v);
#elif defined(__AVX2__)
  if constexpr (std::is_same_v<T, float>) return _mm256_maskstore_ps(p, first_lanes_4(count), v);
  if constexpr (std::is_same_v<T, double>) return _mm256_maskstore_pd(p, first_lanes_8(count), v);
#endif
  alignas(64) T whole[Batch<T>::size];
  v.store_aligned(whole);
  copy_in_pieces<Batch<T>::size / 2>(p, whole, static_cast<std::size_t>(count));
}

// Transposes: to[j][i] = from[i][j] for i, j < transpose_side<T>; strides are between rows.
#if defined(__AVX2__)
template <class T>
inline constexpr std::ptrdiff_t transpose_side = 32 / sizeof(T);
inline void transpose_block(const float* from, std::ptrdiff_t from_stride, float* to, std::ptrdiff_t to_stride) {
  // Load halves of rows i and i + 4 side by side, so that no element changes 128-bit lanes later.
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

// Converts bytes that are 0 or 1 to a mask, and back.
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
  // Sign-extend: 0 or 1 per byte becomes 0 or -1 per element.
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
    // Spread four bits over four bytes.
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
  return x ^ V<T, A>(T(-0.0));
}
#if defined(__aarch64__)
// Defines functions by instructions: xsimd approximates square roots of floats, and rounds via integers, which loses
// the sign of 0.
#define XGRAD_INSTRUCTION(name, instruction) \
  template <class T, class A>                \
  V<T, A> name(V<T, A> x) {                  \
    if constexpr (sizeof(T) == 4)            \
      return instruction##_f32(x);           \
    else                                     \
      return instruction##_f64(x);           \
  }
XGRAD_INSTRUCTION(sqrt, vsqrtq)
XGRAD_INSTRUCTION(round, vrndnq)
XGRAD_INSTRUCTION(floor, vrndmq)
XGRAD_INSTRUCTION(ceil, vrndpq)
XGRAD_INSTRUCTION(trunc, vrndq)
#undef XGRAD_INSTRUCTION
#else
template <class T, class A>
V<T, A> sqrt(V<T, A> x) {
  return xsimd::sqrt(x);
}
#endif
// 1 / sqrt(x), accurate to 1 ulp. Does not use the approximate instruction.
template <class T, class A>
V<T, A> rsqrt(V<T, A> x) {
  return V<T, A>(T(1)) / simd::sqrt(x);
}
template <class T, class A>
V<T, A> select(xsimd::batch_bool<T, A> c, V<T, A> a, V<T, A> b) {
  return xsimd::select(c, a, b);
}
template <class T, class A>
xsimd::batch_bool<T, A> is_nan(V<T, A> x) {
  return xsimd::isnan(x);
}

// Applies a scalar function lane by lane, for rare functions.
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
// Floats have faster forms of some of these functions, in the headers included below.
#define XGRAD_NUMBER_BY_NUMBER(name)                                                 \
  template <class T, class A, std::same_as<V<T, A>>... More>                         \
  V<T, A> name(V<T, A> x, More... more) {                                            \
    return each(x, more..., [](auto... numbers) { return simd::name(numbers...); }); \
  }
XGRAD_NUMBER_BY_NUMBER(erf)
XGRAD_NUMBER_BY_NUMBER(erfc)
XGRAD_NUMBER_BY_NUMBER(erfinv)
XGRAD_NUMBER_BY_NUMBER(lgamma)
XGRAD_NUMBER_BY_NUMBER(digamma)
XGRAD_NUMBER_BY_NUMBER(atan)
XGRAD_NUMBER_BY_NUMBER(atan2)
XGRAD_NUMBER_BY_NUMBER(asin)
XGRAD_NUMBER_BY_NUMBER(acos)
XGRAD_NUMBER_BY_NUMBER(cbrt)
XGRAD_NUMBER_BY_NUMBER(hypot)
XGRAD_NUMBER_BY_NUMBER(pow)
#undef XGRAD_NUMBER_BY_NUMBER

template <class T, class A>
V<T, A> copysign(V<T, A> size, V<T, A> sign) {
  const V<T, A> bit(T(-0.0));
  return (size & ~bit) | (sign & bit);
}
#if !defined(__aarch64__)
// Rounds to the nearest integer, ties to even.
template <class T, class A>
V<T, A> round(V<T, A> x) {
  return xsimd::nearbyint(x);
}
// SSE2 lacks these instructions, and xsimd's replacement loses the sign of 0.
template <class T, class A>
V<T, A> floor(V<T, A> x) {
#if defined(__SSE4_1__)
  return xsimd::floor(x);
#else
  const V<T, A> near = simd::round(x);
  return simd::copysign(near - xsimd::select(near > x, V<T, A>(T(1)), V<T, A>(T(0))), x);
#endif
}
template <class T, class A>
V<T, A> ceil(V<T, A> x) {
#if defined(__SSE4_1__)
  return xsimd::ceil(x);
#else
  const V<T, A> near = simd::round(x);
  return simd::copysign(near + xsimd::select(near < x, V<T, A>(T(1)), V<T, A>(T(0))), x);
#endif
}
template <class T, class A>
V<T, A> trunc(V<T, A> x) {
#if defined(__SSE4_1__)
  return xsimd::trunc(x);
#else
  return simd::copysign(simd::floor(xsimd::abs(x)), x);
#endif
}
#endif
// a * b + c, rounded once if the set has a fused multiply-add (then XGRAD_FUSED_MULTIPLY_ADD is defined), else twice.
template <class T, class A>
V<T, A> fma(V<T, A> a, V<T, A> b, V<T, A> c) {
#if defined(__AVX512F__)  // xsimd uses a multiplication and an addition here
  if constexpr (sizeof(T) == 4)
    return _mm512_fmadd_ps(a, b, c);
  else
    return _mm512_fmadd_pd(a, b, c);
#else
  return xsimd::fma(a, b, c);
#endif
}
#if defined(__FMA__) || defined(__aarch64__)
#define XGRAD_FUSED_MULTIPLY_ADD
#endif
// Bit casts between a vector and its integers. Not xsimd::bitwise_cast, whose template argument is a batch in some
// versions and an element in others.
template <class T, class A>
using Bits = xsimd::batch<xsimd::as_unsigned_integer_t<T>, A>;
template <class T, class A>
inline Bits<T, A> bits(V<T, A> x) {
  return std::bit_cast<Bits<T, A>>(x);
}
template <class T, class A>
inline V<T, A> from_bits(xsimd::batch<xsimd::as_unsigned_integer_t<T>, A> x) {
  return std::bit_cast<V<T, A>>(x);
}
// x * x - square, where `square` is x * x rounded.
template <class A>
V<float, A> square_error(V<float, A> x, V<float, A> square) {
#ifdef XGRAD_FUSED_MULTIPLY_ADD
  return simd::fma(x, x, simd::neg(square));
#else
  // Products of the upper and the lower half of the digits are exact.
  const V<float, A> high = from_bits<float, A>(bits<float, A>(x) & Bits<float, A>(0xFFFFF000U));
  const V<float, A> low = x - high;
  return ((high * high - square) + (high + high) * low) + low * low;
#endif
}

// Permutes lanes: lane j takes lane j ^ distance, where distance is a power of two below the width.
template <int distance, class T>
Batch<T> exchange(Batch<T> v) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<T, float>) {
    if constexpr (distance == 8) return _mm512_shuffle_f32x4(v, v, 0x4E);
    if constexpr (distance == 4) return _mm512_shuffle_f32x4(v, v, 0xB1);
    if constexpr (distance == 2) return _mm512_permute_ps(v, 0x4E);
    if constexpr (distance == 1) return _mm512_permute_ps(v, 0xB1);
  } else {
    if constexpr (distance == 4) return _mm512_shuffle_f64x2(v, v, 0x4E);
    if constexpr (distance == 2) return _mm512_shuffle_f64x2(v, v, 0xB1);
    if constexpr (distance == 1) return _mm512_permute_pd(v, 0x55);
  }
#elif defined(__AVX2__)
  if constexpr (std::is_same_v<T, float>) {
    if constexpr (distance == 4) return _mm256_permute2f128_ps(v, v, 1);
    if constexpr (distance == 2) return _mm256_permute_ps(v, 0x4E);
    if constexpr (distance == 1) return _mm256_permute_ps(v, 0xB1);
  } else {
    if constexpr (distance == 2) return _mm256_permute2f128_pd(v, v, 1);
    if constexpr (distance == 1) return _mm256_permute_pd(v, 0x5);
  }
#else
  alignas(64) T from[Batch<T>::size];
  alignas(64) T to[Batch<T>::size];
  v.store_aligned(from);
  for (std::size_t i = 0; i < Batch<T>::size; ++i) to[i] = from[i ^ static_cast<std::size_t>(distance)];
  return Batch<T>::load_aligned(to);
#endif
}

// Keeps the first `count` lanes of v and sets the others to `rest`.
template <class T>
Batch<T> keep_first(Batch<T> v, std::ptrdiff_t count, T rest) {
  alignas(64) static constexpr T lanes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return xsimd::select(Batch<T>::load_aligned(lanes) < Batch<T>(static_cast<T>(count)), v, Batch<T>(rest));
}

// Sums the lanes pairwise in a fixed order.
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
}  // namespace xgrad::inline v0::simd

#ifdef XGRAD_ISA
#include <xgrad/ops/kernels/extremes.hpp>

#include <xgrad/ops/kernels/functions/exp_log.hpp>

#include <xgrad/ops/kernels/functions/erf.hpp>
#include <xgrad/ops/kernels/functions/hyperbolic.hpp>
#include <xgrad/ops/kernels/functions/powers.hpp>
#include <xgrad/ops/kernels/functions/trigonometry.hpp>
#endif
