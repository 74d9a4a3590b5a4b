// Digests of results, with which the driver checks that two workers compute the same before it compares their times.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace bench {

// The digest of one result, in the logical order of its elements.
struct Digest {
  double count = 0;       // elements
  double projection = 0;  // sum of the elements with pseudo-random signs and weights, which depend on their positions
  double norm = 0;        // root of the sum of squares
};

// The weight of an element in a projection, in [-1, 1).
inline double projection_weight(std::int64_t index) {
  auto x = static_cast<std::uint64_t>(index) + 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return static_cast<double>(static_cast<std::int64_t>(x ^ (x >> 31))) * 0x1p-63;
}

template <class T>
Digest digest(const T* data, std::int64_t count) {
  Digest out{static_cast<double>(count)};
  double squares = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<double>(data[i]);
    out.projection += projection_weight(i) * value;
    squares += value * value;
  }
  out.norm = std::sqrt(squares);
  return out;
}

// The digest of random numbers: of the statistics 1 + mean and mean square, which do not depend on the generator.
template <class T>
Digest digest_random(const T* data, std::int64_t count) {
  double statistics[2] = {0, 0};
  for (std::int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<double>(data[i]);
    statistics[0] += value;
    statistics[1] += value * value;
  }
  for (double& s : statistics) s /= static_cast<double>(count);
  statistics[0] += 1;
  Digest out = digest(statistics, 2);
  out.count = static_cast<double>(count);
  return out;
}

// Whether the results are equal within the tolerance, relative to their norms. NaN and infinity are equal to nothing.
inline bool equal(const Digest& a, const Digest& b, double tolerance) {
  const double allowed = tolerance * std::max(a.norm, b.norm);
  return a.count == b.count && std::abs(a.norm - b.norm) <= allowed && std::abs(a.projection - b.projection) <= allowed;
}

}  // namespace bench
