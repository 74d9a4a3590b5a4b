// How the processor treats results below the smallest normal number.
//
// Running means that decay, such as those of optimizers, end there, and arithmetic with such numbers is up to a hundred
// times slower. So while a graph is evaluated they become 0, in all threads that take part; the caller's own arithmetic
// is as before afterwards. 64-bit ARM takes such numbers for 0 where they are operands, too; x86 does not.
#pragma once

#include <cstdint>

namespace xgrad {

// The mode of the calling thread; 0 where there is none to choose.
std::uint64_t float_mode();
void set_float_mode(std::uint64_t mode);

class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals() { set_float_mode(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

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

}  // namespace xgrad
