#include <xgrad/graph/float_mode.hpp>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace xgrad {

#if defined(__x86_64__)
namespace {
constexpr std::uint64_t flush = 1U << 15;  // MXCSR.FTZ
}
std::uint64_t float_mode() { return _mm_getcsr(); }
void set_float_mode(std::uint64_t mode) { _mm_setcsr(static_cast<unsigned>(mode)); }
#elif defined(__aarch64__)
namespace {
constexpr std::uint64_t flush = 1U << 24;  // FPCR.FZ
}
std::uint64_t float_mode() {
  std::uint64_t mode = 0;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
void set_float_mode(std::uint64_t mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
#else
namespace {
constexpr std::uint64_t flush = 0;
}
std::uint64_t float_mode() { return 0; }
void set_float_mode(std::uint64_t) {}
#endif

FlushDenormals::FlushDenormals() : before_(float_mode()) { set_float_mode(before_ | flush); }
KeepDenormals::KeepDenormals() : before_(float_mode()) { set_float_mode(before_ & ~flush); }

}  // namespace xgrad
