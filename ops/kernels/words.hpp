// Vectors of 32-bit integers, for random numbers. Compiled once per instruction set.
#pragma once

#include <cstdint>
#include <cstring>

#include <xgrad/ops/kernels/simd.hpp>

#ifndef XGRAD_ISA
#error "words.hpp must be included with XGRAD_ISA set"
#endif

namespace xgrad::inline v0::simd {
inline namespace XGRAD_ISA {

// A vector of 32-bit words with a widening product, which xsimd lacks and compilers do not vectorize.
struct Words {
#if defined(__AVX512F__)
  static constexpr int size = 16;
  __m512i data;
  static Words load(const std::uint32_t* p) { return {_mm512_loadu_si512(p)}; }
  static Words all(std::uint32_t x) { return {_mm512_set1_epi32(static_cast<int>(x))}; }
  void store(std::uint32_t* p) const { _mm512_storeu_si512(p, data); }
  friend Words operator^(Words a, Words b) { return {_mm512_xor_si512(a.data, b.data)}; }
  // Computes the upper and lower words of the products.
  static void multiply(Words a, Words b, Words& high, Words& low) {
    const __m512i even = _mm512_mul_epu32(a.data, b.data);
    const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a.data, 32), b.data);
    high.data = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
    low.data = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
  }
#elif defined(__AVX2__)
  static constexpr int size = 8;
  __m256i data;
  static Words load(const std::uint32_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
  static Words all(std::uint32_t x) { return {_mm256_set1_epi32(static_cast<int>(x))}; }
  void store(std::uint32_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), data); }
  friend Words operator^(Words a, Words b) { return {_mm256_xor_si256(a.data, b.data)}; }
  static void multiply(Words a, Words b, Words& high, Words& low) {
    const __m256i even = _mm256_mul_epu32(a.data, b.data);
    const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a.data, 32), b.data);
    high.data = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    low.data = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
  }
#else
  static constexpr int size = 4;
  std::uint32_t data[4];
  static Words load(const std::uint32_t* p) { return {{p[0], p[1], p[2], p[3]}}; }
  static Words all(std::uint32_t x) { return {{x, x, x, x}}; }
  void store(std::uint32_t* p) const { std::memcpy(p, data, sizeof data); }
  friend Words operator^(Words a, Words b) {
    for (int i = 0; i < size; ++i) a.data[i] ^= b.data[i];
    return a;
  }
  static void multiply(Words a, Words b, Words& high, Words& low) {
    for (int i = 0; i < size; ++i) {
      const std::uint64_t product = std::uint64_t{a.data[i]} * b.data[i];
      high.data[i] = static_cast<std::uint32_t>(product >> 32);
      low.data[i] = static_cast<std::uint32_t>(product);
    }
  }
#endif
};

}  // namespace XGRAD_ISA
}  // namespace xgrad::inline v0::simd
