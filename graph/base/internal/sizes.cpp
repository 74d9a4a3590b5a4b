#include <xgrad/graph/base/internal/sizes.hpp>

#include <atomic>

#include <fmt/format.h>

namespace xgrad::inline v0 {
namespace {

constexpr std::size_t reserve_bytes = std::size_t{64} * 1024;
std::atomic<char*> kept = new (std::nothrow) char[reserve_bytes];

}  // namespace

MemoryReserve::MemoryReserve() { delete[] kept.exchange(nullptr); }
MemoryReserve::~MemoryReserve() { delete[] kept.exchange(new (std::nothrow) char[reserve_bytes]); }

std::size_t add_sizes(const char* where, std::size_t a, std::size_t b) {
  std::size_t out = 0;
  if (__builtin_add_overflow(a, b, &out))
    throw OutOfMemoryError(fmt::format("{}: out of memory: {} and {} bytes cannot be addressed", where, a, b));
  return out;
}

}  // namespace xgrad::inline v0
