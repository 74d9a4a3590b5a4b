// Panel: lays out and draws one plot: axes, the box between them, title and legend.
#pragma once

#include <string>
#include <vector>

#include <xgrad/nn/plots/internal/draw.hpp>

namespace xgrad::inline v0::nn::plots {

class Panel {
 public:
  explicit Panel(const Plot& plot);
  double width() const { return plot_.options_.width; }
  double height() const { return plot_.options_.height; }
  const std::string& title() const { return plot_.options_.title; }
  // SVG elements with the upper left corner at the origin, without a background.
  std::string svg() const;

 private:
  struct Entry {
    const Mark* mark;
    CycleIndex cycle;
    double x, y;  // position of the swatch
    std::string name;
  };

  void measure(const Mark& mark);
  void measure_what(const Line& line) { measure_points(line.x, line.y); }
  void measure_what(const Points& points) { measure_points(points.x, points.y); }
  void measure_what(const Histogram& histogram);
  void measure_what(const Bars& bars);
  void measure_what(const Image& image);
  void measure_what(const Contours& contours);
  void measure_what(const Rule& rule);
  void measure_points(const std::vector<double>& x, const std::vector<double>& y);
  void lay_out();
  void lay_out_title();
  std::vector<Tick> ticks_of_x(double width) const;
  std::vector<Tick> ticks_of_y(double height) const;
  void write_x_ticks(std::string& out) const;
  void write_y_ticks(std::string& out) const;
  void write_titles(std::string& out) const;
  void write_colors(std::string& out) const;

  const Plot& plot_;
  Extent x_, y_, colors_;
  bool data_ = false;
  bool is_image_ = false;               // no grid lines, rows from top to bottom
  std::vector<std::string> row_names_;  // replace numeric labels
  std::vector<std::string> column_names_;
  View view_;
  double left_ = 0, top_ = 0, right_ = 0;  // margins around the box
  double title_left_ = 0, title_bottom_ = 0, names_below_ = 0;
  bool slanted_ = false;  // slant labels of the x axis, if they do not fit horizontally
  std::vector<std::string> title_lines_;
  std::vector<Entry> legend_;
};

}  // namespace xgrad::inline v0::nn::plots
