// PGM, the gray images of Netpbm (P5): a reader and a writer. A file format is these two files.
#pragma once

#include <filesystem>

#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

// The image as f32 [h, w] in [0, 1], from 8 or 16 bits a pixel. Throws FormatError for a file that is no PGM or is
// damaged, EnvironmentError if it cannot be read.
Tensor load_pgm(const std::filesystem::path& path);

// Writes f32 [h, w] with eight bits a pixel; 0 is dark and 1 is bright, and what lies beyond is cut off. Throws
// ShapeError for what is no image, EnvironmentError if the file cannot be written; then what was there is there still.
void save_pgm(const std::filesystem::path& path, const Tensor& image);

}  // namespace xgrad::inline v0::nn
