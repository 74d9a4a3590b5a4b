#include <xgrad/nn/plots/internal/axis.hpp>

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include <fmt/format.h>

#include <xgrad/nn/plots/internal/svg.hpp>

namespace xgrad::inline v0::nn::plots {
namespace {

// Values are limited to 1e300 and, on logarithmic axes, 1e-300, so that axis lengths are finite. The margin allows for
// rounding of ticks at the ends.
constexpr double largest = 1.000000001e300, smallest = 0.999999999e-300;

double along(double v, Scale scale) { return scale == Scale::logarithmic ? std::log10(v) : v; }
double back(double v, Scale scale) { return scale == Scale::logarithmic ? std::pow(10.0, v) : v; }

// v * 10^exponent, exact if the result is a double; std::pow need not be.
double times_power(double v, int exponent) {
  double power = 1;
  for (int i = 0; i < std::abs(exponent); ++i) power *= 10;
  return exponent < 0 ? v / power : v * power;
}

struct TickSpacing {
  int mantissa;  // 1, 2 or 5
  int exponent;
};

// The smallest spacing that gives at most `at_most` intervals.
TickSpacing spacing_for(double length, int at_most) {
  const double wanted = length / std::max(1, at_most);
  int exponent = static_cast<int>(std::floor(std::log10(wanted)));
  for (const int mantissa : {1, 2, 5}) {
    if (times_power(mantissa, exponent) >= wanted * (1 - 1e-9)) return {mantissa, exponent};
  }
  return {1, exponent + 1};
}

std::string with_minus(const std::string& text) { return text.starts_with('-') ? "\u2212" + text.substr(1) : text; }

// Formats the labels of an axis, which share their number of decimals and power of ten.
std::vector<Tick> labeled(const std::vector<double>& at, int last_digit) {
  double most = 0;
  for (const double v : at) most = std::max(most, std::abs(v));
  const int first_digit = most > 0 ? static_cast<int>(std::floor(std::log10(most) + 1e-12)) : 0;
  const bool plain = first_digit < 6 && last_digit >= -5;
  std::vector<Tick> out;
  for (const double v : at) {
    if (v == 0)
      out.push_back({0, "0"});
    else if (plain)
      out.push_back({v, with_minus(fmt::format("{:.{}f}", v, std::max(0, -last_digit)))});
    else
      out.push_back(
          {v, with_minus(fmt::format("{:.{}f}", times_power(v, -first_digit), std::max(0, first_digit - last_digit))) +
                  "\u00b710" + superscript(first_digit)});
  }
  return out;
}

std::vector<Tick> even_ticks(const Axis& axis, int at_most) {
  TickSpacing spacing = spacing_for(axis.high - axis.low, at_most);
  if (axis.whole && spacing.exponent < 0 && std::floor(axis.high) >= std::ceil(axis.low)) spacing = {1, 0};
  // Multiples of the spacing, with a tolerance for rounding at the ends.
  const double length = times_power(spacing.mantissa, spacing.exponent);
  const double slack = 1e-9 * (axis.high - axis.low);
  const double first = std::ceil((axis.low - slack) / length), last = std::floor((axis.high + slack) / length);
  std::vector<double> at;
  for (double k = first; k <= last && at.size() < 1000; ++k)
    at.push_back(times_power(k * spacing.mantissa, spacing.exponent));
  return labeled(at, spacing.exponent);
}

// Ticks at multiples of powers of ten, with labels at the given multiples.
std::vector<Tick> close_ticks(const Axis& axis, int first, int last, std::initializer_list<int> named) {
  std::vector<Tick> out;
  for (int decade = first; decade <= last; ++decade) {
    for (int i = 1; i < 10; ++i) {
      const double at = times_power(i, decade);
      if (at < axis.low * (1 - 1e-9) || at > axis.high * (1 + 1e-9)) continue;
      const bool has_name = std::find(named.begin(), named.end(), i) != named.end();
      out.push_back({at, has_name ? readable(at) : ""});
    }
  }
  return out;
}

int names(const std::vector<Tick>& ticks) {
  return static_cast<int>(std::count_if(ticks.begin(), ticks.end(), [](const Tick& t) { return !t.label.empty(); }));
}

std::vector<Tick> decade_ticks(const Axis& axis, int at_most) {
  const double from = std::log10(axis.low), to = std::log10(axis.high);
  // Tolerance for the rounding of logarithms, so that ends at powers of ten get ticks.
  const int first = static_cast<int>(std::ceil(from - 1e-9)), last = static_cast<int>(std::floor(to + 1e-9));
  constexpr int enough = 3;
  if (last - first < 2) {
    // With one or two powers of ten, label their multiples by 2 and 5 too, or by 3 if these are too many. If there are
    // still too few labels, use linear ticks.
    std::vector<Tick> close = close_ticks(axis, first - 1, last, {1, 2, 5});
    if (names(close) > std::max(enough + 1, at_most + at_most / 2)) close = close_ticks(axis, first - 1, last, {1, 3});
    while (names(close) < enough && at_most < 3 * enough) close = even_ticks(axis, at_most++);
    return close;
  }
  const int most = std::max(1, at_most);
  int every = std::max(1, (last - first + most - 1) / most);
  const auto named_decades = [&] {
    int count = 0;
    for (int decade = first; decade <= last; ++decade) count += static_cast<int>(decade % every == 0);
    return count;
  };
  while (every > 1 && named_decades() < enough) --every;
  const bool plain = first >= -3 && last <= 4;
  std::vector<Tick> out;
  for (int decade = first - 1; decade <= last; ++decade) {
    const double at = times_power(1, decade);
    if (decade >= first) {
      const bool named = decade % every == 0;
      std::string label;
      if (named) label = plain ? fmt::format("{:.{}f}", at, std::max(0, -decade)) : "10" + superscript(decade);
      if (named || every == 1) out.push_back({at, std::move(label)});
    }
    for (int i = 2; i < 10 && every == 1 && last - first <= 8; ++i) {
      if (at * i >= axis.low && at * i <= axis.high) out.push_back({at * i, ""});
    }
  }
  return out;
}

}  // namespace

bool has_place(double v, Scale scale) {
  return scale == Scale::logarithmic ? v >= smallest && v <= largest : std::abs(v) <= largest;
}

void Extent::add(double v) {
  if (!has_place(v, scale)) return;
  low = std::min(low, v);
  high = std::max(high, v);
  whole = whole && std::floor(v) == v;
}

void Extent::add_edge(double v) {
  if (!has_place(v, scale)) return;
  low_edge = std::min(low_edge, v);
  high_edge = std::max(high_edge, v);
}

double Axis::position(double v) const {
  if (!has_place(v, scale)) return std::numeric_limits<double>::quiet_NaN();
  const double from = along(low, scale), to = along(high, scale);
  // Limit coordinates outside the axis to a drawable range.
  const double position = std::clamp((along(v, scale) - from) / (to - from), -1e6, 1e6);
  return reversed ? 1 - position : position;
}

Axis axis_over(const Extent& extent, std::pair<double, double> range) {
  Axis axis{.scale = extent.scale, .whole = extent.whole && !extent.empty()};
  if (range.first != range.second) {
    axis.low = range.first;
    axis.high = range.second;
    return axis;
  }
  if (extent.empty()) {
    if (axis.scale == Scale::logarithmic) axis.low = 0.1, axis.high = 10;
    return axis;
  }
  double low = along(std::min(extent.low, extent.low_edge), extent.scale);
  double high = along(std::max(extent.high, extent.high_edge), extent.scale);
  const double magnitude = std::max(std::abs(low), std::abs(high));
  if (high - low <= 1e-12 * magnitude || high - low < smallest) {
    // A single value: center it.
    double air = extent.scale == Scale::logarithmic ? 0.5 : magnitude < smallest ? 1 : 0.1 * magnitude;
    if (extent.whole && extent.scale == Scale::linear) air = std::max(air, 0.6);
    low -= air;
    high += air;
  } else {
    const double air = 0.04 * (high - low);
    if (extent.low < extent.low_edge) low -= air;
    if (extent.high > extent.high_edge) high += air;
  }
  axis.low = std::max(back(low, extent.scale), extent.scale == Scale::logarithmic ? smallest : -largest);
  axis.high = std::min(back(high, extent.scale), largest);
  return axis;
}

std::vector<Tick> ticks_of(const Axis& axis, int at_most) {
  return axis.scale == Scale::logarithmic ? decade_ticks(axis, at_most) : even_ticks(axis, at_most);
}

}  // namespace xgrad::inline v0::nn::plots
