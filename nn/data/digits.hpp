// A built-in generator of handwritten-looking digits, so that everything runs without data and without a network.
//
//   Dataset digits = make_digits(60000, 1);     // x: f32 [60000, 784] in [0, 1], y: i64 [60000]
//
// Each image is 28 x 28 pixels, ink 1 on paper 0, in the manner of MNIST: one of several skeletons of strokes per
// class, its points jittered, then slanted, rotated, scaled and shifted, drawn with a pen of random width, slightly
// blurred and noisy. Image i is a function of the seed and i alone; classes are balanced within one image.
#pragma once

#include <cstdint>

#include <xgrad/nn/data/dataset.hpp>

namespace xgrad::inline v0::nn {

Dataset make_digits(Index count, std::uint64_t seed);

}  // namespace xgrad::inline v0::nn
