#include <xgrad/graph/base/internal/sizes.hpp>

#include <fmt/format.h>

namespace xgrad {

std::size_t add_sizes(const char* where, std::size_t a, std::size_t b) {
  std::size_t out = 0;
  if (__builtin_add_overflow(a, b, &out))
    throw OutOfMemoryError(fmt::format("{}: out of memory: {} and {} bytes cannot be addressed", where, a, b));
  return out;
}

std::size_t multiply_sizes(const char* where, std::size_t a, std::size_t b) {
  std::size_t out = 0;
  if (__builtin_mul_overflow(a, b, &out))
    throw OutOfMemoryError(fmt::format("{}: out of memory: {} times {} bytes cannot be addressed", where, a, b));
  return out;
}

}  // namespace xgrad
