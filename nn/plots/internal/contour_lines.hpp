// Contour lines of a height field.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace xgrad::inline v0::nn::plots {

// A row-major matrix.
struct Matrix {
  std::size_t rows = 0, columns = 0;
  std::vector<double> numbers;
  double at(std::size_t row, std::size_t column) const { return numbers[row * columns + column]; }
};

// Points as (column, row) coordinates, fractional between grid points.
using ContourLine = std::vector<std::pair<double, double>>;
struct ContourLevel {
  double height;
  std::vector<ContourLine> lines;  // closed lines end at their first point
};

// Computes contour lines by marching squares. At saddle points the mean of the four corners decides. Squares with a NaN
// or infinite corner have no lines.
ContourLevel contour_lines(const Matrix& heights, double level);

}  // namespace xgrad::inline v0::nn::plots
