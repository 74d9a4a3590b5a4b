// Reduces lines of thousands of points to those that are visible.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace xgrad::inline v0::nn::plots {

struct Pixel {
  double x, y;
};

// Lines with more points are decimated.
constexpr std::size_t many_points = 2000;

// Returns a line of fewer points that looks the same. If x is monotonic, keeps the first, last, lowest and highest
// point of each pixel column. Otherwise drops points within a third of a pixel of the previous one.
std::vector<Pixel> decimate(const std::vector<Pixel>& line);

// Drops points that are within a tenth of a pixel of the line between the kept ones.
std::vector<Pixel> simplified(const std::vector<Pixel>& curve);

// The data attribute of an SVG path, without the parts far outside a box of that size.
std::string path_of(const std::vector<Pixel>& line, double width, double height);

}  // namespace xgrad::inline v0::nn::plots
