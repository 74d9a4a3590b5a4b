// Sums and products of sizes in bytes that throw where they would wrap around, and memory that cannot be had.
#pragma once

#include <cstddef>
#include <new>
#include <stdexcept>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0 {

// Throw OutOfMemoryError, beginning with `where`, beyond what std::size_t holds.
std::size_t add_sizes(const char* where, std::size_t a, std::size_t b);
std::size_t multiply_sizes(const char* where, std::size_t a, std::size_t b);
// The next multiple of `unit`, a power of two.
inline std::size_t round_up_size(const char* where, std::size_t bytes, std::size_t unit) {
  return add_sizes(where, bytes, unit - 1) & ~(unit - 1);
}

// Memory kept aside, which is free while a MemoryReserve lives: an error must be told when nothing else is left.
class MemoryReserve {
 public:
  MemoryReserve();
  ~MemoryReserve();
  MemoryReserve(const MemoryReserve&) = delete;
  MemoryReserve& operator=(const MemoryReserve&) = delete;
};

// Calls f(). Where the standard library finds no memory, or a container would be longer than it can be, throws
// OutOfMemoryError(what()), which says what the memory was for.
template <class F, class What>
decltype(auto) with_memory(F f, What what) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    const MemoryReserve reserve;
    throw OutOfMemoryError(what());
  } catch (const std::length_error&) {
    throw OutOfMemoryError(what());
  }
}

}  // namespace xgrad::inline v0
