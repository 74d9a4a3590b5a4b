#include <xgrad/graph/pictures/internal/coloring.hpp>

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/pictures/internal/dot_text.hpp>

namespace xgrad::inline v0 {
namespace {

using Rgb = std::array<double, 3>;

// From ColorBrewer (colorbrewer2.org): YlOrRd, and RdBu reversed.
constexpr std::array<Rgb, 5> heat{{{255, 252, 232}, {254, 217, 118}, {253, 141, 60}, {227, 26, 28}, {128, 0, 38}}};
constexpr std::array<Rgb, 7> cold_hot{{{33, 102, 172},
                                       {103, 169, 207},
                                       {209, 229, 240},
                                       {247, 247, 247},
                                       {253, 219, 199},
                                       {239, 138, 98},
                                       {178, 24, 43}}};

const NodeColor dark_gray{"#6b7280", "#ffffff"};  // zero and negative values on a logarithmic scale
const NodeColor alarm{"#c026d3", "#ffffff"};      // NaN and infinities

template <std::size_t N>
Rgb between(const std::array<Rgb, N>& stops, double position) {
  const double at = std::clamp(position, 0.0, 1.0) * static_cast<double>(N - 1);
  const auto i = std::min(static_cast<std::size_t>(at), N - 2);
  const double part = at - static_cast<double>(i);
  Rgb out{};
  for (std::size_t c = 0; c < 3; ++c) out[c] = stops[i][c] + part * (stops[i + 1][c] - stops[i][c]);
  return out;
}

}  // namespace

ColorMap::ColorMap(const Annotations& annotations, std::span<const NodeNote> notes, std::string_view where)
    : annotations_(annotations) {
  const bool log = annotations.logarithmic;
  const auto fail = [&](const std::string& what) {
    throw GraphError(fmt::format("{}: the colors of {:?}: {}", where, annotations.legend, what));
  };
  for (const auto& [limit, name] : {std::pair{annotations.low, "low"}, std::pair{annotations.high, "high"}}) {
    if (limit && !std::isfinite(*limit)) fail(fmt::format("{} must be finite, got {}", name, *limit));
    if (limit && log && *limit <= 0)
      fail(fmt::format("{} must be positive on a logarithmic scale, got {}", name, *limit));
  }
  if (annotations.low && annotations.high && *annotations.low >= *annotations.high)
    fail(fmt::format("low must be less than high, got {} and {}", *annotations.low, *annotations.high));
  bool first = true;
  for (const NodeNote& note : notes) {
    if (!note.number) continue;
    const double number = *note.number;
    any_ = true;
    if (!std::isfinite(number)) {
      alarms_ = true;
    } else if (log && number <= 0) {
      zeros_ = true;
    } else {
      low_ = first ? number : std::min(low_, number);
      high_ = first ? number : std::max(high_, number);
      first = false;
    }
  }
  if (first) low_ = high_ = 1;
  if (log) {
    // Full decades, and a minimum range, so that random differences do not look large.
    double from = std::floor(std::log10(low_) + 1e-9), to = std::ceil(std::log10(high_) - 1e-9);
    const double least = annotations.colors == ColorScale::cold_hot ? 6 : 2;
    while (to - from < least) to - std::log10(high_) < std::log10(low_) - from ? ++to : --from;
    low_ = std::pow(10.0, from);
    high_ = std::pow(10.0, to);
  } else if (annotations.colors == ColorScale::heat) {
    low_ = std::min(low_, 0.0);  // the pale end of the scale is 0
  }
  if (annotations.low) low_ = *annotations.low;
  if (annotations.high) high_ = *annotations.high;
  if (!(low_ < high_)) {
    if (annotations.low)
      high_ = log ? low_ * 10 : low_ + 1;
    else
      low_ = log ? high_ / 10 : high_ - 1;
  }
}

double ColorMap::position(double number) const {
  if (annotations_.logarithmic) return (std::log10(number) - std::log10(low_)) / (std::log10(high_) - std::log10(low_));
  return (number - low_) / (high_ - low_);
}

NodeColor ColorMap::at(double position) const {
  const Rgb rgb = annotations_.colors == ColorScale::heat ? between(heat, position) : between(cold_hot, position);
  const double light = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
  return {fmt::format("#{:02x}{:02x}{:02x}", std::lround(rgb[0]), std::lround(rgb[1]), std::lround(rgb[2])),
          light < 135 ? "#ffffff" : dot::dark};
}

NodeColor ColorMap::color(double number) const {
  if (!std::isfinite(number)) return alarm;
  if (annotations_.logarithmic && number <= 0) return dark_gray;
  return at(position(number));
}

std::string ColorMap::annotate(const NodeNote& note, std::string& label, std::string& fill) const {
  const NodeColor color = note.number ? this->color(*note.number) : NodeColor{"#ffffff", dot::dark};
  fill = color.fill;
  for (const std::string& line : note.lines) label += "<BR/>" + dot::small_text(dot::escaped(line, 200));
  if (note.number) label = dot::on_color(label, color.text);
  return color.text == dot::dark ? "" : fmt::format(", fontcolor=\"{}\"", color.text);
}

std::string ColorMap::legend_rows() const {
  if (!any_) return "";
  constexpr int cells = 25;
  const auto cell = [](const NodeColor& color, const std::string& text, int width) {
    return fmt::format(
        "<TD BGCOLOR=\"{}\" WIDTH=\"{}\" HEIGHT=\"11\" FIXEDSIZE=\"{}\"><FONT POINT-SIZE=\"8\" COLOR=\"{}\">{}"
        "</FONT></TD>",
        color.fill, width, text.empty() ? "TRUE" : "FALSE", color.text, text.empty() ? " " : text);
  };
  std::string strip;
  for (int i = 0; i < cells; ++i) strip += cell(at(static_cast<double>(i) / (cells - 1)), "", 9);
  std::string apart;
  if (zeros_) apart += "<TD WIDTH=\"6\"></TD>" + cell(dark_gray, "&#160;0&#160;", 20);
  if (alarms_) apart += "<TD WIDTH=\"6\"></TD>" + cell(alarm, "&#160;NaN, Inf&#160;", 48);

  // The labels below the color bar are its ends and its middle, or full decades.
  const bool log = annotations_.logarithmic;
  const double mid = log ? std::pow(10.0, (std::log10(low_) + std::log10(high_)) / 2) : (low_ + high_) / 2;
  const auto tick = [&](double number, const char* align, int span) {
    return fmt::format("<TD COLSPAN=\"{}\" ALIGN=\"{}\"><FONT POINT-SIZE=\"8\" COLOR=\"#6b7280\">{:.3g}</FONT></TD>",
                       span, align, number);
  };
  const std::string ticks = tick(low_, "LEFT", 8) + tick(mid, "CENTER", 9) + tick(high_, "RIGHT", 8);
  return fmt::format(
      "<TR><TD><FONT POINT-SIZE=\"10\" COLOR=\"#4b5563\">{}{}</FONT></TD></TR>"
      "<TR><TD><TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" "
      "CELLPADDING=\"0\"><TR>{}{}</TR><TR>{}</TR></TABLE>"
      "</TD></TR>",
      dot::escaped(annotations_.legend, 200), log ? "&#160;(logarithmic)" : "", strip, apart, ticks);
}

}  // namespace xgrad::inline v0
