// Draws text into images, with lowercase letters and digits of 5 x 7 pixels.
#pragma once

#include <map>
#include <string>

#include <xgrad/xgrad.hpp>

namespace lettering {

// Each letter has seven rows of five pixels, and two more if it has a descender.
inline const std::map<char, std::string>& letters() {
  static const std::map<char, std::string> all{
      {'a', "..... ..... .###. ....# .#### #...# .####"},
      {'b', "#.... #.... ####. #...# #...# #...# ####."},
      {'c', "..... ..... .###. #...# #.... #...# .###."},
      {'d', "....# ....# .#### #...# #...# #...# .####"},
      {'e', "..... ..... .###. #...# ##### #.... .###."},
      {'f', "..##. .#... ####. .#... .#... .#... .#..."},
      {'g', "..... ..... .#### #...# #...# #...# .#### ....# .###."},
      {'h', "#.... #.... #.##. ##..# #...# #...# #...#"},
      {'i', "..#.. ..... .##.. ..#.. ..#.. ..#.. .###."},
      {'k', "#.... #.... #..#. #.#.. ##... #.#.. #..#."},
      {'l', ".##.. ..#.. ..#.. ..#.. ..#.. ..#.. .###."},
      {'m', "..... ..... ##.#. #.#.# #.#.# #.#.# #.#.#"},
      {'n', "..... ..... #.##. ##..# #...# #...# #...#"},
      {'o', "..... ..... .###. #...# #...# #...# .###."},
      {'p', "..... ..... ####. #...# #...# #...# ####. #.... #...."},
      {'r', "..... ..... #.##. ##..# #.... #.... #...."},
      {'s', "..... ..... .#### #.... .###. ....# ####."},
      {'t', ".#... .#... ####. .#... .#... .#..# ..##."},
      {'u', "..... ..... #...# #...# #...# #..## .##.#"},
      {'w', "..... ..... #...# #...# #.#.# #.#.# .#.#."},
      {'z', "..... ..... ##### ...#. ..#.. .#... #####"},
      {'0', ".###. #...# #..## #.#.# ##..# #...# .###."},
      {'1', "..#.. .##.. ..#.. ..#.. ..#.. ..#.. .###."},
      {'2', ".###. #...# ....# ...#. ..#.. .#... #####"},
      {'3', "##### ...#. ..#.. ...#. ....# #...# .###."},
      {'4', "...#. ..##. .#.#. #..#. ##### ...#. ...#."},
      {'5', "##### #.... ####. ....# ....# #...# .###."},
      {'6', "..##. .#... #.... ####. #...# #...# .###."},
      {'7', "##### ....# ...#. ..#.. .#... .#... .#..."},
      {'8', ".###. #...# #...# .###. #...# #...# .###."},
      {'9', ".###. #...# #...# .#### ....# ...#. .##.."},
  };
  return all;
}

// Width of a text in pixels, with letters enlarged by `scale`.
inline xgrad::Index width_of(const std::string& text, xgrad::Index scale) {
  return static_cast<xgrad::Index>(text.size()) * 6 * scale - scale;
}

// Writes text into an image [h, w, 3], with the upper left corner of the first letter at (y, x).
inline void write(xgrad::Tensor& image, const std::string& text, xgrad::Index y, xgrad::Index x, const float* color,
                  xgrad::Index scale) {
  using xgrad::Index;
  const Index height = image.shape()[0], width = image.shape()[1];
  const auto pixels = image.mutable_values<float>();
  for (const char c : text) {
    if (const auto found = letters().find(c); found != letters().end()) {
      const Index rows = static_cast<Index>(found->second.size() + 1) / 6;
      for (Index i = 0; i < rows * 5 * scale * scale; ++i) {
        const Index row = i / (5 * scale), column = i % (5 * scale);
        const bool ink = found->second[static_cast<std::size_t>(row / scale * 6 + column / scale)] == '#';
        const bool inside = y + row >= 0 && y + row < height && x + column >= 0 && x + column < width;
        if (!ink || !inside) continue;
        for (Index k = 0; k < 3; ++k)
          pixels[static_cast<std::size_t>(((y + row) * width + x + column) * 3 + k)] = color[k];
      }
    }
    x += 6 * scale;
  }
}

}  // namespace lettering
