// Sets of data that are drawn, for examples and tests: each is a function of the seed on every machine.
#pragma once

#include <cstdint>

#include <xgrad/nn/data/dataset.hpp>

namespace xgrad::inline v0::nn {

struct FriedmanOptions {
  Index features = 10;  // of which the first five matter
  double noise = 1;     // the deviation of what is added to y
};
// A regression: x uniform in [0, 1), f32 [rows, features], and
//   y = 10 sin(pi x0 x1) + 20 (x2 - 1/2)^2 + 10 x3 + 5 x4 + noise, f32 [rows, 1].
// The best possible mean squared error is noise^2. Friedman: "Multivariate adaptive regression splines", 1991, where it
// is the first of three. Row i is a function of the seed, i and the number of features. All three throw UserError for
// options without a meaning.
Dataset make_friedman(Index rows, std::uint64_t seed, const FriedmanOptions& options = {});

// Two classes as two half circles of radius 1 that hook into each other, with noise of that deviation: x f32 [rows, 2],
// y i64 [rows] in 0 to 1, class 0 on even rows.
Dataset make_moons(Index rows, std::uint64_t seed, double noise = 0.1);

// As many classes as arms of a spiral that winds once and a half around the middle out to a radius of 1, with noise of
// that deviation: x f32 [rows, 2], y i64 [rows], row i of class i modulo `arms`.
Dataset make_spirals(Index rows, std::uint64_t seed, Index arms = 2, double noise = 0.02);

}  // namespace xgrad::inline v0::nn
