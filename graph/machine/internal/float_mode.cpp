#include <xgrad/graph/machine/internal/float_mode.hpp>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace xgrad::inline v0 {

#if defined(__x86_64__)
namespace {
constexpr std::uint64_t flush = 1U << 15;    // MXCSR.FTZ
constexpr std::uint64_t masks = 0x3fU << 7;  // mask all exceptions
constexpr std::uint64_t traps = 0;
}  // namespace
std::uint64_t float_mode() { return _mm_getcsr(); }
void set_float_mode(std::uint64_t mode) { _mm_setcsr(static_cast<unsigned>(mode)); }
#elif defined(__aarch64__)
namespace {
constexpr std::uint64_t flush = 1U << 24;  // FPCR.FZ
constexpr std::uint64_t masks = 0;
constexpr std::uint64_t traps = 0x1fU << 8 | 1U << 15;  // trap enable bits of all exceptions
}  // namespace
std::uint64_t float_mode() {
  std::uint64_t mode = 0;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
void set_float_mode(std::uint64_t mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
#else
namespace {
constexpr std::uint64_t flush = 0, masks = 0, traps = 0;
}
std::uint64_t float_mode() { return 0; }
void set_float_mode(std::uint64_t) {}
#endif

KernelFloatMode::KernelFloatMode() : FloatModeScope((float_mode() | flush | masks) & ~traps) {}
KeepDenormals::KeepDenormals() : FloatModeScope(float_mode() & ~flush) {}

}  // namespace xgrad::inline v0
