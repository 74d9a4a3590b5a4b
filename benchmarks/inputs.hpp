// Synthetic inputs of jobs. All workers fill them by the same rules, so that their results can be compared.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace bench {

using Extents = std::vector<std::int64_t>;

inline std::int64_t elements(const Extents& shape) {
  std::int64_t out = 1;
  for (const std::int64_t extent : shape) out *= extent;
  return out;
}

// "32x64x32x32"
inline std::string text(const Extents& shape) {
  std::string out;
  for (const std::int64_t extent : shape) out += (out.empty() ? "" : "x") + std::to_string(extent);
  return out;
}

// Scrambles the lowest 24 bits one to one.
inline std::uint32_t scramble(std::uint32_t x) {
  constexpr std::uint32_t mask = 0xFFFFFF;
  x = (x & mask) * 0x9E3779B1U & mask;
  x = (x ^ (x >> 11)) * 0x85EBCA6BU & mask;
  x = (x ^ (x >> 13)) * 0xC2B2AE35U & mask;
  return x ^ (x >> 12);
}

// Pseudo-random values in (0, 1], distinct within 2^24 elements, so that they have one order. `seed` is the position of
// the input among the inputs of its job.
template <class T>
void fill(T* to, std::int64_t count, std::size_t seed = 0) {
  const auto first = static_cast<std::uint32_t>(seed) * 7368787U;
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] = static_cast<T>(scramble(static_cast<std::uint32_t>(i) + first) + 1) * static_cast<T>(0x1p-24);
  }
}
inline std::vector<float> values(std::int64_t count, std::size_t seed = 0) {
  std::vector<float> out(static_cast<std::size_t>(count));
  fill(out.data(), count, seed);
  return out;
}

enum class Kind {
  positive,  // in (0, 1]
  values,    // in (-1, 1]
  image,     // values [batch, height, width, channels] or [batch, length, channels]
  weight,    // values [..., in, out] of variance 1 / (elements per output)
  kernel,    // weights of a convolution [height, width, in, out] or [length, in, out]
  indices,   // i64, in [0, limit)
  labels,    // i64, the classes 0, 1, ... limit - 1, 0, ...
  one_hot,   // the same as rows [batch, classes]
  mask,      // bool
  causal,    // the mask of attention [n, n]: 0 up to the diagonal, -1e30 above
};

struct Input {
  Kind kind = Kind::positive;
  Extents shape{};
  std::int64_t limit = 1;  // of indices
  bool fixed = false;      // has no gradient; indices and masks never have one
  bool wide = false;       // f64
};

// The factor of a weight's values, which are uniform in (-1, 1]. The fan-in of [..., in, out] is all but `out`.
inline double weight_scale(const Extents& shape) {
  return std::sqrt(3.0 * static_cast<double>(shape.back()) / static_cast<double>(elements(shape)));
}

// Fills a floating-point input.
template <class T>
void fill(T* to, Kind kind, const Extents& shape, std::size_t seed) {
  const std::int64_t count = elements(shape);
  if (kind == Kind::one_hot) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = i / shape.back() % shape.back() == i % shape.back() ? T(1) : T(0);
    return;
  }
  if (kind == Kind::causal) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = i % shape.back() > i / shape.back() ? T(-1e30) : T(0);
    return;
  }
  fill(to, count, seed);
  if (kind == Kind::positive) return;
  const auto scale = static_cast<T>(kind == Kind::weight || kind == Kind::kernel ? weight_scale(shape) : 1);
  for (std::int64_t i = 0; i < count; ++i) to[i] = (2 * to[i] - 1) * scale;
}

inline void fill_indices(std::int64_t* to, std::int64_t count, const Input& rule, std::size_t seed) {
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] = rule.kind == Kind::labels
                ? i % rule.limit
                : scramble(static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(seed) * 7368787U) % rule.limit;
  }
}

template <class Bool>
void fill_mask(Bool* to, std::int64_t count, std::size_t seed) {
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] = scramble(static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(seed) * 7368787U) % 2 == 1;
  }
}

// The seed of a network's weight, by its position among the trainable parameters. Weights with several axes are filled
// as Kind::weight; scales are 1, biases 0.
inline std::size_t weight_seed(std::size_t position) { return 100 + position; }

}  // namespace bench
