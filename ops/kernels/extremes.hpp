// The larger and the smaller of two vectors. Included by simd.hpp, once per instruction set.
#pragma once

namespace xgrad::simd {
inline namespace XGRAD_ISA {

// Of two numbers, the second where they are equal (zeros of different signs too); anything where one is NaN.
#if defined(__x86_64__)
template <class T, class A>
V<T, A> max_of_numbers(V<T, A> a, V<T, A> b) {
  return xsimd::max(a, b);  // one instruction
}
template <class T, class A>
V<T, A> min_of_numbers(V<T, A> a, V<T, A> b) {
  return xsimd::min(a, b);
}
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

// NaN wins over numbers. The instruction gives b where either is NaN.
template <class T, class A>
V<T, A> max(V<T, A> a, V<T, A> b) {
  return xsimd::select(simd::is_nan(a), a, simd::max_of_numbers(a, b));
}
template <class T, class A>
V<T, A> min(V<T, A> a, V<T, A> b) {
  return xsimd::select(simd::is_nan(a), a, simd::min_of_numbers(a, b));
}

// Where a or b is NaN.
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

template <class T, class A>
bool any_lane(xsimd::batch_bool<T, A> mask) {
  return xsimd::any(mask);
}

}  // namespace XGRAD_ISA
}  // namespace xgrad::simd
