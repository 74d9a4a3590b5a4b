// Sums and products of sizes in bytes that throw where they would wrap around, and memory that cannot be had.
// Internal: not installed.
#pragma once

#include <cstddef>
#include <new>
#include <stdexcept>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>

namespace xgrad {

// Throw OutOfMemoryError, beginning with `where`, beyond what std::size_t holds.
inline std::size_t add_sizes(const char* where, std::size_t a, std::size_t b) {
  std::size_t out = 0;
  if (__builtin_add_overflow(a, b, &out))
    throw OutOfMemoryError(fmt::format("{}: out of memory: {} and {} bytes cannot be addressed", where, a, b));
  return out;
}
inline std::size_t multiply_sizes(const char* where, std::size_t a, std::size_t b) {
  std::size_t out = 0;
  if (__builtin_mul_overflow(a, b, &out))
    throw OutOfMemoryError(fmt::format("{}: out of memory: {} times {} bytes cannot be addressed", where, a, b));
  return out;
}
// The next multiple of `unit`, a power of two.
inline std::size_t round_up_size(const char* where, std::size_t bytes, std::size_t unit) {
  return add_sizes(where, bytes, unit - 1) & ~(unit - 1);
}

// Calls f(). Where the standard library finds no memory, or a container would be longer than it can be, throws
// OutOfMemoryError(what()), which says what the memory was for.
template <class F, class What>
decltype(auto) with_memory(F f, What what) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    throw OutOfMemoryError(what());
  } catch (const std::length_error&) {
    throw OutOfMemoryError(what());
  }
}

}  // namespace xgrad
