// A reader and a writer of PGM files (P5), the gray images of Netpbm.
#pragma once

#include <filesystem>

#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

// Loads an image of 8 or 16 bits a pixel as f32[h, w] in [0, 1]. Throws FormatError if the file is damaged or not PGM,
// EnvironmentError if it cannot be read.
Tensor load_pgm(const std::filesystem::path& path);

// Writes an image f32[h, w] with 8 bits a pixel. 0 is black, 1 is white; other values are clamped. Throws ShapeError
// for a tensor of another type or rank, EnvironmentError if the file cannot be written; an existing file is then
// unchanged.
void save_pgm(const std::filesystem::path& path, const Tensor& image);

}  // namespace xgrad::inline v0::nn
