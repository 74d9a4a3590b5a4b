// Axes of plots: data ranges, axis limits and ticks.
#pragma once

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/nn/plots/plot.hpp>

namespace xgrad::inline v0::nn::plots {

// Whether a value can be shown on an axis. Sums and differences of such values are finite.
bool has_place(double v, Scale scale);

// The range of the data along an axis.
struct Extent {
  Scale scale = Scale::linear;
  // The range of the data, which gets a margin, and the range of edges such as the base of bars, which get none.
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  double low_edge = std::numeric_limits<double>::infinity(), high_edge = -std::numeric_limits<double>::infinity();
  bool whole = true;  // all data are integers

  // Ignores values that cannot be shown.
  void add(double v);
  void add_edge(double v);
  bool empty() const { return low > high && low_edge > high_edge; }
};

struct Axis {
  Scale scale = Scale::linear;
  double low = 0, high = 1;
  bool whole = false;     // ticks at integers only, if the axis has any
  bool reversed = false;  // values descend along the axis

  // The position of a value along the axis: 0 and 1 at the ends; NaN if the value cannot be shown.
  double position(double v) const;
};

// An axis over `range`, or over the extent if both ends of `range` are equal.
Axis axis_over(const Extent& extent, std::pair<double, double> range);

struct Tick {
  double at;
  std::string label;  // empty for a minor tick
};

// Returns about `at_most` ticks or fewer: on a linear axis at multiples of 1, 2 or 5 times a power of ten, on a
// logarithmic axis at powers of ten and, if the axis has only one or two, at some of their multiples.
std::vector<Tick> ticks_of(const Axis& axis, int at_most);

}  // namespace xgrad::inline v0::nn::plots
