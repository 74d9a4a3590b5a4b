// A plot as it is drawn: its axes, their box, and what stands around it.
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
  // With the upper left corner at the origin, without the page under it.
  std::string svg() const;

 private:
  struct Entry {
    const Mark* mark;
    Turn turn;
    double x, y;  // of its swatch
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
  bool fields_ = false;                 // an image: no lines of the grid, rows go downwards
  std::vector<std::string> row_names_;  // instead of numbers
  std::vector<std::string> column_names_;
  View view_;
  double left_ = 0, top_ = 0, right_ = 0;  // of the box; to its right
  double title_left_ = 0, title_bottom_ = 0, names_below_ = 0;
  bool slanted_ = false;  // names on the x axis, where they would not fit otherwise
  std::vector<std::string> title_lines_;
  std::vector<Entry> legend_;
};

}  // namespace xgrad::inline v0::nn::plots
