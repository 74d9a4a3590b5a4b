// Performance targets of the project.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "results.hpp"

namespace bench {

// Peers that are only compared in matrix multiplication.
inline constexpr std::array<const char*, 5> product_peers{"openblas", "blis", "onednn", "libxsmm", "eigen"};
inline constexpr double target_of_best = 0.9;   // fraction of the best peer's speed, for each shape
inline constexpr double target_planning = 5e6;  // nanoseconds to plan a training step of the MNIST net

// The least time of a peer relative to ours; nothing without a target.
std::optional<double> target_ratio(const std::string& job, const std::string& who, int threads);
// The upper limit of our result, in its unit; nothing without a target.
std::optional<double> target_limit(const std::string& job);

// The best peer's time of a matrix product over ours; NaN if no peer was measured.
double fraction_of_best(const Result& product);

}  // namespace bench
