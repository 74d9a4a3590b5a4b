// How the processor treats results below the smallest normal number, and results that are not finite, in kernels.
//
// Running means that decay, such as those of optimizers, end there, and arithmetic with such numbers is up to a hundred
// times slower. So while a graph is evaluated they become 0, in all threads that take part; the caller's own arithmetic
// is as before afterwards. 64-bit ARM takes such numbers for 0 where they are operands, too; x86 does not.
//
// Traps that the program has enabled, as feenableexcept does, are off meanwhile: kernels compute with lanes of vectors
// whose results nobody asked for, and with infinities on the way to finite results. RunOptions::check_finite says where
// numbers stop being finite. On x86, flags of exceptions are as before afterwards.
#pragma once

#include <cstdint>

namespace xgrad::inline v0 {

// The mode of the calling thread; 0 where there is none to choose.
std::uint64_t float_mode();
void set_float_mode(std::uint64_t mode);

class KernelFloatMode {
 public:
  KernelFloatMode();
  ~KernelFloatMode() { set_float_mode(before_); }
  KernelFloatMode(const KernelFloatMode&) = delete;
  KernelFloatMode& operator=(const KernelFloatMode&) = delete;

 private:
  std::uint64_t before_;
};

// The opposite, for what must not depend on whether a run is under way, such as rounding a constant to f32.
class KeepDenormals {
 public:
  KeepDenormals();
  ~KeepDenormals() { set_float_mode(before_); }
  KeepDenormals(const KeepDenormals&) = delete;
  KeepDenormals& operator=(const KeepDenormals&) = delete;

 private:
  std::uint64_t before_;
};

}  // namespace xgrad::inline v0
