// What of a line of thousands of points can be seen.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace xgrad::inline v0::nn::plots {

struct Pixel {
  double x, y;
};

// Lines of more points are thinned.
constexpr std::size_t many_points = 2000;

// A line of fewer points that looks the same. Where it goes one way in x: of each column of pixels the first point, the
// lowest, the highest and the last. Otherwise without points within a third of a pixel of the one before.
std::vector<Pixel> decimate(const std::vector<Pixel>& line);

// A curve without the points that a straight line between others passes within a tenth of a pixel.
std::vector<Pixel> simplified(const std::vector<Pixel>& curve);

// The data of an SVG path; parts far outside a box of that size are left out.
std::string path_of(const std::vector<Pixel>& line, double width, double height);

}  // namespace xgrad::inline v0::nn::plots
