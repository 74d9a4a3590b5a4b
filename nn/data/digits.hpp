// Synthetic handwritten digits, for examples and tests without a data file.
#pragma once

#include <cstdint>

#include <xgrad/nn/data/dataset.hpp>

namespace xgrad::inline v0::nn {

// Generates synthetic handwritten digits.
//
//   Dataset digits = make_digits(60000, 1);     // x: f32 [60000, 784] in [0, 1], y: i64 [60000]
//
// Images are 28 x 28 pixels, ink 1 on paper 0, like MNIST: a stroke skeleton of the class with jittered points,
// slanted, rotated, scaled and shifted, drawn with a pen of random width, slightly blurred and noisy. Image i is a
// function of the seed and i. Class counts differ by at most 1. Throws UserError for a negative count.
Dataset make_digits(Index count, std::uint64_t seed);

}  // namespace xgrad::inline v0::nn
