// Non-temporal stores, for results too large to stay in cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace xgrad::inline v0 {

// Larger results use non-temporal stores. About the size of the last-level cache, in bytes.
inline constexpr std::size_t nontemporal_min_bytes = std::size_t{32} << 20;

// Whether non-temporal stores are faster on this processor. Older Intel cores have about ten line fill buffers
// for them: a chain of eight operations on 64 MiB took 1.4 times as long as a copy with them, and 1.1 times with
// prefetched normal stores (Cascade Lake). Newer Intel cores have more (Emerald Rapids: 0.94 and 1.18 times), as AMD's
// do. AVX512-BF16 came between the two kinds of Intel cores and tells them apart.
inline bool prefer_nontemporal_stores() {
#if defined(__x86_64__)
  static const bool pays = __builtin_cpu_is("intel") == 0 || __builtin_cpu_supports("avx512bf16") != 0;
  return pays;
#else
  return false;  // stream_copy is memcpy
#endif
}

// memcpy with non-temporal stores. Other threads may read the bytes after `end_streams` on this thread.
inline void stream_copy(void* to, const void* from, std::size_t bytes) {
#if defined(__SSE2__)
  auto* out = static_cast<char*>(to);
  const auto* in = static_cast<const char*>(from);
  const std::size_t before = (16 - reinterpret_cast<std::uintptr_t>(out) % 16) % 16;
  if (before < bytes) {
    std::memcpy(out, in, before);
    std::size_t i = before;
    for (; i + 16 <= bytes; i += 16) {
      _mm_stream_si128(reinterpret_cast<__m128i*>(out + i), _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i)));
    }
    std::memcpy(out + i, in + i, bytes - i);
    return;
  }
#endif
  std::memcpy(to, from, bytes);
}

inline void end_streams() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

}  // namespace xgrad::inline v0
