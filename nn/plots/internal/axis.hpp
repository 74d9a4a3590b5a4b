// Axes of plots: from where to where they go, and where their ticks are.
#pragma once

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/nn/plots/plot.hpp>

namespace xgrad::inline v0::nn::plots {

// Whether a number has a place on an axis. Sums and differences of such numbers are finite.
bool has_place(double v, Scale scale);

// How far data reach along an axis.
struct Extent {
  Scale scale = Scale::linear;
  // Data that want some air around them, and edges that want none, such as the foot of bars.
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  double low_edge = std::numeric_limits<double>::infinity(), high_edge = -std::numeric_limits<double>::infinity();
  bool whole = true;  // all data are whole numbers

  // Numbers that have no place are left out.
  void add(double v);
  void add_edge(double v);
  bool empty() const { return low > high && low_edge > high_edge; }
};

struct Axis {
  Scale scale = Scale::linear;
  double low = 0, high = 1;
  bool whole = false;     // ticks at whole numbers only, if there are any
  bool reversed = false;  // the least number comes last

  // 0 at one end, 1 at the other; numbers that are not shown lie beyond. NaN for one that has no place.
  double share(double v) const;
};

// An axis that shows all of an extent, or, if it is not two equal numbers, a range.
Axis axis_over(const Extent& extent, std::pair<double, double> range);

struct Tick {
  double at;
  std::string label;  // empty: a line between two ticks
};

// At most about so many ticks at multiples of 1, 2 or 5 times a power of ten, or at powers of ten; where there are one
// or two of these, at some of their multiples as well.
std::vector<Tick> ticks_of(const Axis& axis, int at_most);

}  // namespace xgrad::inline v0::nn::plots
