// Draws a confusion matrix as an image: rows are true classes, columns predicted ones.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include <xgrad/xgrad.hpp>

#include "lettering.hpp"

namespace confusion_picture {

using Color = std::array<float, 3>;

// Interpolates from white to a color, by the square root, so that a few errors among thousands are visible.
inline Color shade(const Color& full, double fraction) {
  const auto t = static_cast<float>(std::sqrt(std::clamp(fraction, 0.0, 1.0)));
  Color out{};
  for (std::size_t k = 0; k < 3; ++k) out[k] = 1 + (full[k] - 1) * t;
  return out;
}

inline void fill(xgrad::Tensor& image, xgrad::Index top, xgrad::Index left, xgrad::Index height, xgrad::Index width,
                 const Color& color) {
  const auto pixels = image.mutable_values<float>();
  for (xgrad::Index y = top; y < top + height; ++y) {
    for (xgrad::Index x = left; x < left + width; ++x)
      std::copy(color.begin(), color.end(), pixels.begin() + (y * image.shape()[1] + x) * 3);
  }
}

// Draws counts [classes, classes] of nn::confusion_matrix as [height, width, 3]. Correct predictions are blue, errors
// orange; the shade is the fraction of the row.
inline xgrad::Tensor draw(const xgrad::Tensor& counts) {
  using xgrad::Index;
  constexpr Index cell_width = 54, cell_height = 32, gap = 2, left = 44, top = 56, scale = 2, letter = 7 * scale;
  constexpr Color right{0.13F, 0.40F, 0.67F}, wrong{0.85F, 0.37F, 0.01F}, ink{0.15F, 0.15F, 0.15F}, paper{1, 1, 1};
  const Index n = counts.shape()[0];
  xgrad::Tensor image =
      xgrad::Tensor::full({top + n * (cell_height + gap) + 8, left + n * (cell_width + gap) + 8, 3}, 1);
  lettering::write(image, "predicted", 10, left, ink.data(), scale);
  lettering::write(image, "true", top - letter - 8, 0, ink.data(), 1);
  for (Index row = 0; row < n; ++row) {
    double total = 0;
    for (Index column = 0; column < n; ++column) total += counts.at(row * n + column);
    const Index y = top + row * (cell_height + gap);
    const auto centered = [&](const std::string& text, Index at, Index x, const Color& color) {
      lettering::write(image, text, at, x + (cell_width - lettering::width_of(text, scale)) / 2, color.data(), scale);
    };
    centered(std::to_string(row), y + (cell_height - letter) / 2, left - cell_width, ink);
    centered(std::to_string(row), top - letter - 6, left + row * (cell_width + gap), ink);
    for (Index column = 0; column < n; ++column) {
      const double count = counts.at(row * n + column), fraction = total > 0 ? count / total : 0;
      const Index x = left + column * (cell_width + gap);
      const bool dark = fraction > 0.3;
      fill(image, y, x, cell_height, cell_width,
           count > 0 ? shade(row == column ? right : wrong, fraction) : Color{0.96F, 0.96F, 0.96F});
      if (count > 0)
        centered(std::to_string(static_cast<long long>(count)), y + (cell_height - letter) / 2, x, dark ? paper : ink);
    }
  }
  return image;
}

}  // namespace confusion_picture
