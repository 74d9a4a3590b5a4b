// Lines of equal height.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace xgrad::inline v0::nn::plots {

// Row-major.
struct Matrix {
  std::size_t rows = 0, columns = 0;
  std::vector<double> numbers;
  double at(std::size_t row, std::size_t column) const { return numbers[row * columns + column]; }
};

// (column, row), in parts of the distance between neighbors.
using ContourLine = std::vector<std::pair<double, double>>;
struct ContourLevel {
  double height;
  std::vector<ContourLine> lines;  // a closed one ends where it begins
};

// By marching squares; where two opposite corners are above the level and two below, the mean of the four decides. No
// line goes through a square that has a corner which is NaN or infinite.
ContourLevel contour_lines(const Matrix& heights, double level);

}  // namespace xgrad::inline v0::nn::plots
