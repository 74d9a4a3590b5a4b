// Maps values to colors, and draws the legend.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <xgrad/graph/pictures/annotations.hpp>

namespace xgrad::inline v0 {

struct NodeColor {
  std::string fill;  // such as "#f7f7f7"
  std::string text;  // dark or light, for contrast
};

// The color map of the values of some notes. Keeps a reference to the annotations.
class ColorMap {
 public:
  // Throws GraphError, beginning with `where`, if the limits are not finite, not in order, or not positive on a
  // logarithmic scale.
  ColorMap(const Annotations& annotations, std::span<const NodeNote> notes, std::string_view where);

  // Adds the note to a box: its lines to the label, and its color. Returns the attribute of the font's color, or "".
  std::string annotate(const NodeNote& note, std::string& label, std::string& fill) const;
  // Table rows for a Graphviz HTML-like label: legend, strip of colors, and values below. Empty without values.
  std::string legend_rows() const;

 private:
  NodeColor color(double number) const;
  // 0 at the low end of the scale, 1 at the high end.
  double position(double number) const;
  NodeColor at(double position) const;

  const Annotations& annotations_;
  double low_ = 0, high_ = 1;
  bool any_ = false, zeros_ = false, alarms_ = false;
};

}  // namespace xgrad::inline v0
