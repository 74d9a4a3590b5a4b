// Mark: a drawable element of a plot.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include <xgrad/nn/plots/internal/contour_lines.hpp>
#include <xgrad/nn/plots/plot.hpp>

namespace xgrad::inline v0::nn::plots {

struct Line {
  std::vector<double> x, y;
  LineOptions options;
};
struct Points {
  std::vector<double> x, y;
};
struct Histogram {
  std::vector<double> edges, counts;  // one edge more than counts
};
struct Bars {
  std::vector<std::string> names;
  std::vector<double> values;
};
struct Image {
  Matrix matrix;
  ImageOptions options;
};
struct Contours {
  std::vector<ContourLevel> levels;
  ContourOptions options;
  std::size_t rows, columns;
};
struct Rule {
  bool vertical;
  double at;
};

struct Mark {
  std::string name;
  std::variant<Line, Points, Histogram, Bars, Image, Contours, Rule> what;
};

// Counts the values in each bin.
Histogram count(const std::vector<double>& values, const HistogramOptions& options);

}  // namespace xgrad::inline v0::nn::plots
