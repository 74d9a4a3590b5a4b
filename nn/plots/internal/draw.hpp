// Marks as SVG elements, in the pixels of the box between the axes.
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
  std::vector<std::string> categories;  // names of bars, whose middles lie at 0, 1, 2 ...
  std::size_t bars = 0;                 // how many stand side by side

  double px(double v) const { return x.share(v) * width; }
  double py(double v) const { return (1 - y.share(v)) * height; }
};

// What tells marks apart: how many of a kind were there before.
struct Turn {
  std::size_t color = 0, rule = 0, bar = 0;
};

bool takes_color(const Mark& mark);
void draw_mark(std::string& out, const Mark& mark, const View& view, const Turn& turn);
// What stands for it in the legend, with its middle at that height, and how wide that is.
double swatch_width(const Mark& mark);
void draw_swatch(std::string& out, const Mark& mark, const Turn& turn, double x, double y);

}  // namespace xgrad::inline v0::nn::plots
