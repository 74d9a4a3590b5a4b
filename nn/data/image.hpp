// Images to look at: PNG files, and sheets that show many images side by side.
//
//   save_png("digits.png", contact_sheet(images, {.columns = 10}));      // images: [n, h, w] or [n, h, w, channels]
#pragma once

#include <filesystem>

#include <xgrad/graph/tensor.hpp>

namespace xgrad::nn {

// Writes [h, w] or [h, w, 1] as shades of grey, [h, w, 3] as red, green and blue, [h, w, 4] with opacity; 0 is dark and
// 1 is bright, and what lies beyond is cut off. Eight bits a number. Throws ShapeError or DTypeError for what is no
// image, ValueError for NaN, EnvironmentError if the file cannot be written; then what was there is there still.
void save_png(const std::filesystem::path& file, const Tensor& image);

struct SheetOptions {
  Index columns = 10;
  Index gap = 2;          // pixels between images and around them
  Index scale = 1;        // each pixel becomes a square of that side
  double background = 1;  // of the gaps, and of places without an image
};
// All images of f32 or f64 [n, h, w] or [n, h, w, channels] in rows of `columns`, as one image of the same dtype.
// Throws ShapeError or DTypeError for what are no images, UserError for options without a meaning.
Tensor contact_sheet(const Tensor& images, const SheetOptions& options = {});

}  // namespace xgrad::nn
