// Elementwise maximum and minimum of vectors. Included by simd.hpp, once per instruction set.
#pragma once

namespace xgrad::inline v0::simd {
inline namespace XGRAD_ISA {

// a > b ? a : b: returns b if they are equal (zeros of different signs too) or if either is NaN. One instruction on
// x86. xsimd::max and xsimd::min pass it the operands in this order in some versions only.
#if defined(__x86_64__)
#if defined(__AVX512F__)
#define XGRAD_INSTRUCTION(name) _mm512_##name
#elif defined(__AVX__)
#define XGRAD_INSTRUCTION(name) _mm256_##name
#else
#define XGRAD_INSTRUCTION(name) _mm_##name
#endif
template <class T, class A>
V<T, A> max_of_numbers(V<T, A> a, V<T, A> b) {
  if constexpr (sizeof(T) == 4)
    return XGRAD_INSTRUCTION(max_ps)(a, b);
  else
    return XGRAD_INSTRUCTION(max_pd)(a, b);
}
template <class T, class A>
V<T, A> min_of_numbers(V<T, A> a, V<T, A> b) {
  if constexpr (sizeof(T) == 4)
    return XGRAD_INSTRUCTION(min_ps)(a, b);
  else
    return XGRAD_INSTRUCTION(min_pd)(a, b);
}
#undef XGRAD_INSTRUCTION
#else
template <class T, class A>
V<T, A> max_of_numbers(V<T, A> a, V<T, A> b) {
  return xsimd::select(a > b, a, b);
}
template <class T, class A>
V<T, A> min_of_numbers(V<T, A> a, V<T, A> b) {
  return xsimd::select(a < b, a, b);
}
#endif

// max and min that propagate NaN.
template <class T, class A>
V<T, A> max(V<T, A> a, V<T, A> b) {
  return xsimd::select(simd::is_nan(a), a, simd::max_of_numbers(a, b));
}
template <class T, class A>
V<T, A> min(V<T, A> a, V<T, A> b) {
  return xsimd::select(simd::is_nan(a), a, simd::min_of_numbers(a, b));
}

// Lanes where a or b is NaN.
template <class T, class A>
xsimd::batch_bool<T, A> either_nan(V<T, A> a, V<T, A> b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q);
  else
    return _mm512_cmp_pd_mask(a, b, _CMP_UNORD_Q);
#elif defined(__AVX__)
  if constexpr (sizeof(T) == 4)
    return _mm256_cmp_ps(a, b, _CMP_UNORD_Q);
  else
    return _mm256_cmp_pd(a, b, _CMP_UNORD_Q);
#elif defined(__SSE2__)
  if constexpr (sizeof(T) == 4)
    return _mm_cmpunord_ps(a, b);
  else
    return _mm_cmpunord_pd(a, b);
#else
  return simd::is_nan(a) || simd::is_nan(b);
#endif
}

}  // namespace XGRAD_ISA
}  // namespace xgrad::inline v0::simd
