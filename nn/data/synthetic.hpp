// Synthetic data sets for examples and tests; a function of the seed, bit-identical on every machine.
#pragma once

#include <cstdint>

#include <xgrad/nn/data/dataset.hpp>

namespace xgrad::inline v0::nn {

// Options of make_friedman.
struct FriedmanOptions {
  Index features = 10;  // at least 5; y depends on the first five
  double noise = 1;     // standard deviation of the noise added to y
};
// Regression data: x uniform in [0, 1), f32 [rows, features], and
//   y = 10 sin(pi x0 x1) + 20 (x2 - 1/2)^2 + 10 x3 + 5 x4 + noise, f32 [rows, 1].
// The least possible mean squared error is noise^2. Friedman: "Multivariate adaptive regression splines", 1991, problem
// 1 of 3. Row i is a function of the seed, i and the number of features. All functions here throw UserError for an
// argument out of range.
Dataset make_friedman(Index rows, std::uint64_t seed, const FriedmanOptions& options = {});

// Two classes on interleaving half circles of radius 1, with noise of the given standard deviation: x f32 [rows, 2],
// y i64 [rows] in {0, 1}; even rows have class 0.
Dataset make_moons(Index rows, std::uint64_t seed, double noise = 0.1);

// One class per arm of a spiral of 1.5 turns and radius 1, with noise of the given standard deviation: x f32 [rows, 2],
// y i64 [rows]; row i has class i % arms.
Dataset make_spirals(Index rows, std::uint64_t seed, Index arms = 2, double noise = 0.02);

}  // namespace xgrad::inline v0::nn
