// Images to look at: PNG files, and sheets that show many images side by side.
//
//   Tensor cat = load_png("cat.png", {.channels = 3});                   // f32 [h, w, 3] in [0, 1]
//   save_png("digits.png", contact_sheet(images, {.columns = 10}));      // images: [n, h, w] or [n, h, w, channels]
#pragma once

#include <cstdint>
#include <filesystem>

#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

// Writes [h, w] or [h, w, 1] as shades of gray, [h, w, 3] as red, green and blue, [h, w, 4] with opacity; 0 is dark and
// 1 is bright, and what lies beyond is cut off. Eight bits a number. Throws ShapeError or DTypeError for what is no
// image, ValueError for NaN, EnvironmentError if the file cannot be written; then what was there is there still.
void save_png(const std::filesystem::path& file, const Tensor& image);

struct PngOptions {
  Index channels = 0;  // 1 gray, 2 gray and opacity, 3 color, 4 color and opacity; 0 as in the file
  // A file of more pixels is refused: a few kilobytes may claim, and unpack to, gigabytes.
  std::uint64_t max_pixels = 178'956'970;
};
// The image as f32 in [0, 1], [h, w] if it is gray and [h, w, channels] otherwise; of 1 to 16 bits a number, with a
// palette or without, interlaced or not. Numbers are as the file has them, whatever it says of gamma and color
// profile. Gray is 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601); opacity that the file does not have is 1, and
// such that is not asked for is left out. Throws FormatError for a file that is no PNG, damaged or too large,
// EnvironmentError if it cannot be read, UserError for other channels.
Tensor load_png(const std::filesystem::path& file, const PngOptions& options = {});

struct SheetOptions {
  Index columns = 10;
  Index gap = 2;          // pixels between images and around them
  Index scale = 1;        // each pixel becomes a square of that side
  double background = 1;  // of the gaps, and of places without an image
};
// All images of f32 or f64 [n, h, w] or [n, h, w, channels] in rows of `columns`, as one image of the same dtype.
// Throws ShapeError or DTypeError for what are no images, UserError for options without a meaning.
Tensor contact_sheet(const Tensor& images, const SheetOptions& options = {});

}  // namespace xgrad::inline v0::nn
