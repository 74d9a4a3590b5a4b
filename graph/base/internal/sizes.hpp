// Overflow-checked arithmetic on byte sizes, and conversion of allocation failures into OutOfMemoryError.
#pragma once

#include <cstddef>
#include <new>
#include <stdexcept>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0 {

// Throws OutOfMemoryError, beginning with `where`, if the sum exceeds std::size_t.
std::size_t add_sizes(const char* where, std::size_t a, std::size_t b);
// The next multiple of `alignment`, a power of two.
inline std::size_t round_up_size(const char* where, std::size_t bytes, std::size_t alignment) {
  return add_sizes(where, bytes, alignment - 1) & ~(alignment - 1);
}

// Reserved memory, which is free while a MemoryReserve lives, so that an error can be constructed when nothing else is.
class MemoryReserve {
 public:
  MemoryReserve();
  ~MemoryReserve();
  MemoryReserve(const MemoryReserve&) = delete;
  MemoryReserve& operator=(const MemoryReserve&) = delete;
};

// Calls f(). Converts a failed allocation, or a container beyond its maximum size, to OutOfMemoryError(what()), which
// says what the memory was for.
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
