// The floating-point mode of kernels: denormal results are flushed to zero, and exceptions do not trap.
//
// Decaying running means, as in optimizers, reach denormal values, and arithmetic with these is up to a hundred times
// slower. They are flushed to 0 on all threads that evaluate a graph; the caller's mode is restored afterwards. 64-bit
// ARM also reads denormal operands as 0; x86 does not.
//
// Traps that the program has enabled, as by feenableexcept, are disabled meanwhile: kernels compute unused vector lanes
// and pass through infinities on the way to finite results. RunOptions::check_finite finds the first non-finite value.
// On x86 the exception flags are restored afterwards.
#pragma once

#include <cstdint>

namespace xgrad::inline v0 {

// The mode of the calling thread; 0 on processors without one.
std::uint64_t float_mode();
void set_float_mode(std::uint64_t mode);

// Sets a mode in a scope.
class FloatModeScope {
 public:
  explicit FloatModeScope(std::uint64_t mode) : before_(float_mode()) { set_float_mode(mode); }
  ~FloatModeScope() { set_float_mode(before_); }
  FloatModeScope(const FloatModeScope&) = delete;
  FloatModeScope& operator=(const FloatModeScope&) = delete;

 private:
  std::uint64_t before_;
};

struct KernelFloatMode : FloatModeScope {
  KernelFloatMode();
};

// Disables flushing in a scope, for code whose result must not depend on being called in a run, such as rounding a
// constant to f32.
struct KeepDenormals : FloatModeScope {
  KeepDenormals();
};

}  // namespace xgrad::inline v0
