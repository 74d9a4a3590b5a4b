// A small random generator for data on the host: the same numbers on every machine, and cheap to start anywhere.
#pragma once

#include <cstdint>

namespace xgrad::inline v0::nn {

// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
class HostRandom {
 public:
  explicit HostRandom(std::uint64_t seed, std::uint64_t stream = 0)
      : state_(mix(seed ^ mix(stream + 0x632BE59BD9B4E019))) {}

  std::uint64_t bits() { return mix(state_ += 0x9E3779B97F4A7C15); }
  // In [0, 1), with 53 random bits.
  double unit() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double between(double low, double high) { return low + (high - low) * unit(); }
  // In [0, n), every number equally likely: draws that would favor small numbers are repeated.
  std::uint64_t below(std::uint64_t n) {
    const std::uint64_t reject = (0 - n) % n;
    std::uint64_t draw = bits();
    while (draw < reject) draw = bits();
    return draw % n;
  }
  // Nearly normal with mean 0 and deviation 1: the sum of four uniform numbers, within 3.5 deviations.
  double bell() { return (unit() + unit() + unit() + unit() - 2) * 1.7320508075688772; }

 private:
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

}  // namespace xgrad::inline v0::nn
