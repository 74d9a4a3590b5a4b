// Numbers as colors, and the legend that explains them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <xgrad/graph/pictures/annotations.hpp>

namespace xgrad::inline v0 {

struct NodeColor {
  std::string fill;  // such as "#f7f7f7"
  std::string text;  // dark or light, to be read on it
};

// The colors of some numbers. Keeps a reference to the annotations.
class ColorMap {
 public:
  // Throws GraphError, beginning with `where`, if the limits are not finite, not in order, or not positive where they
  // must be.
  ColorMap(const Annotations& annotations, std::span<const double> numbers, std::string_view where);

  NodeColor color(double number) const;
  // Rows of a table in Graphviz' HTML-like labels: the legend and a strip of colors with numbers below. Empty if there
  // were no numbers.
  std::string legend_rows() const;

 private:
  // 0 at one end of the scale, 1 at the other.
  double position(double number) const;
  NodeColor at(double position) const;

  const Annotations& annotations_;
  double low_ = 0, high_ = 1;
  bool any_ = false, zeros_ = false, alarms_ = false;
};

}  // namespace xgrad::inline v0
