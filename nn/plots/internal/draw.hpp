// Draws marks as SVG elements, in pixel coordinates of the box between the axes.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <xgrad/nn/plots/internal/axis.hpp>
#include <xgrad/nn/plots/internal/mark.hpp>

namespace xgrad::inline v0::nn::plots {

// The box that marks are drawn into.
struct View {
  Axis x, y, colors;
  double width = 0, height = 0;
  std::vector<std::string> categories;  // names of bars, centered at 0, 1, 2 ...
  std::size_t bars = 0;                 // bars per category

  double px(double v) const { return x.position(v) * width; }
  double py(double v) const { return (1 - y.position(v)) * height; }
};

// The position of a mark among those that share a color cycle, selecting its color or dash pattern.
struct CycleIndex {
  std::size_t color = 0, rule = 0, bar = 0;
};

bool takes_color(const Mark& mark);
void draw_mark(std::string& out, const Mark& mark, const View& view, const CycleIndex& cycle);
// The width of a mark's legend symbol, and the symbol itself, centered vertically at y.
double swatch_width(const Mark& mark);
void draw_swatch(std::string& out, const Mark& mark, const CycleIndex& cycle, double x, double y);

}  // namespace xgrad::inline v0::nn::plots
