// HostRandom: a small random generator for data and initial weights; bit-identical on every machine, cheap to
// construct.
#pragma once

#include <cstdint>

namespace xgrad::inline v0::nn {

// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
class HostRandom {
 public:
  explicit HostRandom(std::uint64_t seed, std::uint64_t stream = 0)
      : state_(mix(seed ^ mix(stream + 0x632BE59BD9B4E019))) {}

  std::uint64_t bits() { return mix(state_ += 0x9E3779B97F4A7C15); }
  // Uniform in [0, 1), with 53 random bits.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double between(double low, double high) { return low + (high - low) * uniform(); }
  // Uniform integer in [0, n), by rejection sampling.
  std::uint64_t below(std::uint64_t n) {
    const std::uint64_t reject = (0 - n) % n;
    std::uint64_t draw = bits();
    while (draw < reject) draw = bits();
    return draw % n;
  }
  // Approximately normal with mean 0 and standard deviation 1: a scaled sum of four uniform values, within +-3.5.
  double near_normal() { return (uniform() + uniform() + uniform() + uniform() - 2) * 1.7320508075688772; }

 private:
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

}  // namespace xgrad::inline v0::nn
