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

// The least ratio of a peer's time to that of xgrad; nothing without a target.
std::optional<double> target_ratio(const std::string& job, const std::string& who, int threads);
// The upper limit of xgrad's result, in the unit of the job; nothing without a target.
std::optional<double> target_limit(const std::string& job);

// Time of the fastest peer in a matrix product, divided by that of xgrad; NaN if no peer was measured.
double fraction_of_best(const Result& product);

}  // namespace bench
