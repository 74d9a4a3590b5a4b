// PNG files, and contact sheets of many images.
//
//   Tensor cat = load_png("cat.png", {.channels = 3});                   // f32 [h, w, 3] in [0, 1]
//   save_png("digits.png", contact_sheet(images, {.columns = 10}));      // images: [n, h, w] or [n, h, w, channels]
#pragma once

#include <cstdint>
#include <filesystem>

#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

// Writes an 8-bit PNG: [h, w] or [h, w, 1] as gray, [h, w, 3] as RGB, [h, w, 4] as RGBA. Values are clipped to [0, 1],
// dark to bright. Throws ShapeError or DTypeError for an invalid image, ValueError for NaN, EnvironmentError if the
// file cannot be written; an old file is then unchanged.
void save_png(const std::filesystem::path& file, const Tensor& image);

// The format and the largest size of images that load_png returns.
struct PngOptions {
  Index channels = 0;  // 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA; 0 as in the file
  // Larger images throw, since a file of a few kilobytes may unpack to gigabytes.
  std::uint64_t max_pixels = 178'956'970;
};
// Reads an image as f32 in [0, 1], [h, w] if gray, otherwise [h, w, channels]. Supports 1 to 16 bits per channel,
// palettes and interlacing; ignores gamma and color profiles. Gray is 0.299 red + 0.587 green + 0.114 blue (ITU-R
// BT.601). Missing alpha is 1; alpha that is not requested is dropped. Throws FormatError if the file is not a PNG,
// damaged or too large, EnvironmentError if it cannot be read, UserError for an invalid number of channels.
Tensor load_png(const std::filesystem::path& file, const PngOptions& options = {});

// The layout of a contact sheet.
struct SheetOptions {
  Index columns = 10;
  Index gap = 2;          // pixels between and around images
  Index scale = 1;        // side of the square that each pixel becomes
  double background = 1;  // value of the gaps and empty cells
};
// Arranges images, f32 or f64 [n, h, w] or [n, h, w, channels], in rows of `columns`, as one image of the same dtype.
// Throws ShapeError or DTypeError for invalid images, UserError for invalid options.
Tensor contact_sheet(const Tensor& images, const SheetOptions& options = {});

}  // namespace xgrad::inline v0::nn
