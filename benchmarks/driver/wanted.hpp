// What the project wants to reach: the numbers that a run is held against.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "results.hpp"

namespace bench {

// The peers that are compared by products of matrices alone.
inline constexpr std::array<const char*, 5> product_peers{"openblas", "blis", "onednn", "libxsmm", "eigen"};
inline constexpr double wanted_of_best = 0.9;   // of the best of them, at each shape
inline constexpr double wanted_planning = 5e6;  // nanoseconds, for the seed net's step of training

// Times that a peer must need at least, in units of ours; none where nothing is wanted.
std::optional<double> wanted_ratio(const std::string& job, const std::string& who, int threads);
// What we may need at most, in the result's unit.
std::optional<double> wanted_limit(const std::string& job);

// How fast a product is in comparison: the best peer's time over ours; NaN if no peer was measured.
double part_of_best(const Result& product);

}  // namespace bench
