#include <xgrad/nn/plots/internal/draw.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>

#include <fmt/format.h>

#include <xgrad/nn/plots/internal/decimate.hpp>
#include <xgrad/nn/plots/internal/svg.hpp>

namespace xgrad::inline v0::nn::plots {
namespace {

// Opens a group whose `currentColor` is the palette color of index `index`.
std::string colored(std::size_t index, std::string_view more) {
  const std::size_t i = index % palette_size;
  return fmt::format(R"(<g class="c{}" color="{}" {}>)", i, palette[i].light, more);
}

// The dash pattern of a line; it changes each time the palette repeats.
std::string dashes(std::size_t index, bool dashed) {
  constexpr std::string_view patterns[] = {"", "7 3", "2 3", "9 3 2 3"};
  const std::string_view pattern = dashed ? "5 4" : patterns[index / palette_size % std::size(patterns)];
  return pattern.empty() ? "" : fmt::format(R"( stroke-dasharray="{}")", pattern);
}

// Draws a marker. Its shape changes each time the palette repeats.
void draw_point(std::string& out, double x, double y, double r, std::size_t index) {
  switch (index / palette_size % 3) {
    case 0: write_line(out, R"(<circle cx="{}" cy="{}" r="{}"/>)", coordinate(x), coordinate(y), coordinate(r)); break;
    case 1:
      out += fmt::format(R"(<path d="M{} {}h{}v{}h-{}z"/>)", coordinate(x - r), coordinate(y - r), coordinate(2 * r),
                         coordinate(2 * r), coordinate(2 * r));
      break;
    default:
      out += fmt::format(R"(<path d="M{} {}l{} {}h-{}z"/>)", coordinate(x), coordinate(y - 1.2 * r),
                         coordinate(1.2 * r), coordinate(2 * r), coordinate(2.4 * r));
  }
}

void draw_points(std::string& out, const std::vector<Pixel>& points, const View& view, double r, std::size_t index) {
  // Draw at most one point per half pixel.
  std::set<std::pair<long, long>> seen;
  const bool thin = points.size() > many_points;
  for (const Pixel& p : points) {
    if (p.x < -r || p.y < -r || p.x > view.width + r || p.y > view.height + r) continue;
    if (thin && !seen.emplace(std::lround(2 * p.x), std::lround(2 * p.y)).second) continue;
    draw_point(out, p.x, p.y, r, index);
  }
}

// Splits a line at points that cannot be shown.
std::vector<std::vector<Pixel>> runs_of(const std::vector<double>& x, const std::vector<double>& y, const View& view) {
  std::vector<std::vector<Pixel>> runs;
  bool gap = true;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Pixel p{view.px(x[i]), view.py(y[i])};
    if (std::isnan(p.x) || std::isnan(p.y)) {
      gap = true;
      continue;
    }
    if (gap) runs.emplace_back();
    gap = false;
    runs.back().push_back(p);
  }
  return runs;
}

void draw(std::string& out, const Line& line, const View& view, const CycleIndex& cycle) {
  std::string path;
  std::vector<Pixel> dots;
  for (const auto& run : runs_of(line.x, line.y, view)) {
    path += path_of(line.x.size() > many_points ? decimate(run) : run, view.width, view.height);
    // Draw single points as dots: a path of one point is invisible.
    if (run.size() == 1 || line.options.markers) dots.insert(dots.end(), run.begin(), run.end());
  }
  out += colored(cycle.color, "");
  if (!path.empty()) {
    out += fmt::format(R"(<path d="{}" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linejoin="round")"
                       R"( stroke-linecap="round"{}/>)",
                       path, dashes(cycle.color, line.options.dashed));
  }
  if (!dots.empty()) {
    out += R"(<g fill="currentColor">)";
    draw_points(out, dots, view, 2.8, cycle.color);
    out += "</g>";
  }
  out += "</g>\n";
}

void draw(std::string& out, const Points& points, const View& view, const CycleIndex& cycle) {
  std::vector<Pixel> dots;
  for (const auto& run : runs_of(points.x, points.y, view)) dots.insert(dots.end(), run.begin(), run.end());
  // Transparency shows where many points overlap.
  out += colored(cycle.color, fmt::format(R"(fill="currentColor" fill-opacity="{}")", dots.size() > 200 ? 0.6 : 0.85));
  draw_points(out, dots, view, dots.size() > 500 ? 2 : 3.2, cycle.color);
  out += "</g>\n";
}

void draw(std::string& out, const Histogram& histogram, const View& view, const CycleIndex& cycle) {
  // One outline for all bins, so that no seams are visible between them.
  const double foot = std::isnan(view.py(0)) ? view.height : view.py(0);
  std::string path;
  bool open = false;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const double top = histogram.counts[i] > 0 ? view.py(histogram.counts[i]) : std::nan("");
    const double left = view.px(histogram.edges[i]), right = view.px(histogram.edges[i + 1]);
    if (std::isnan(top) || std::isnan(left) || std::isnan(right)) {
      if (open) path += fmt::format("V{}Z", coordinate(foot));
      open = false;
      continue;
    }
    if (!open) path += fmt::format("M{} {}", coordinate(left), coordinate(foot));
    path += fmt::format("V{}H{}", coordinate(top), coordinate(right));
    open = true;
  }
  if (open) path += fmt::format("V{}Z", coordinate(foot));
  if (path.empty()) return;
  out += colored(cycle.color, "");
  out += fmt::format(
      R"(<path d="{}" fill="currentColor" fill-opacity="0.35" stroke="currentColor" stroke-width="1.4"{}/></g>)", path,
      dashes(cycle.color, false));
}

void draw(std::string& out, const Bars& bars, const View& view, const CycleIndex& cycle) {
  const double foot = std::isnan(view.py(0)) ? view.height : view.py(0);
  const double width = 0.76 / static_cast<double>(std::max<std::size_t>(view.bars, 1));
  out += colored(cycle.color, R"(fill="currentColor" fill-opacity="0.85")");
  for (std::size_t i = 0; i < bars.names.size(); ++i) {
    const auto name = std::find(view.categories.begin(), view.categories.end(), bars.names[i]);
    const double left =
        static_cast<double>(name - view.categories.begin()) - 0.38 + width * static_cast<double>(cycle.bar);
    const double top = view.py(bars.values[i]);
    if (std::isnan(top) || top == foot) continue;
    write_line(out, R"(<rect x="{}" y="{}" width="{}" height="{}"/>)", coordinate(view.px(left)),
               coordinate(std::min(top, foot)), coordinate(view.px(left + width * 0.94) - view.px(left)),
               coordinate(std::abs(top - foot)));
  }
  out += "</g>\n";
}

// The number of rows or columns that are averaged into one cell.
std::size_t cell_size(std::size_t n) { return (n + 255) / 256; }

double mean_of(const Matrix& m, std::size_t row, std::size_t column, std::size_t rows, std::size_t columns) {
  double sum = 0;
  std::size_t n = 0;
  for (std::size_t i = row; i < std::min(row + rows, m.rows); ++i) {
    for (std::size_t j = column; j < std::min(column + columns, m.columns); ++j) {
      if (std::isnan(m.at(i, j))) continue;
      ++n;
      sum += (m.at(i, j) - sum) / static_cast<double>(n);
    }
  }
  return n == 0 ? std::nan("") : sum;
}

void draw_numbers(std::string& out, const Matrix& m, const View& view) {
  const double width = view.width / static_cast<double>(m.columns), height = view.height / static_cast<double>(m.rows);
  double widest = 1;
  for (const double v : m.numbers) {
    if (!std::isnan(v)) widest = std::max(widest, width_of(readable(v), 1));
  }
  const double size = std::min({0.9 * width / widest, 0.6 * height, 13.0});
  if (size < 5) return;
  out += fmt::format(R"(<g font-size="{}" text-anchor="middle">)", coordinate(size));
  for (std::size_t i = 0; i < m.rows; ++i) {
    for (std::size_t j = 0; j < m.columns; ++j) {
      if (std::isnan(m.at(i, j))) continue;
      out +=
          fmt::format(R"(<text x="{}" y="{}" fill="{}">{}</text>)", coordinate(view.px(static_cast<double>(j))),
                      coordinate(view.py(static_cast<double>(i)) + 0.36 * size),
                      wants_black_text(view.colors.position(m.at(i, j))) ? "#000000" : "#ffffff", readable(m.at(i, j)));
    }
  }
  out += "</g>\n";
}

void draw(std::string& out, const Image& image, const View& view, const CycleIndex& /*cycle*/) {
  const Matrix& m = image.matrix;
  const std::size_t rows = cell_size(m.rows), columns = cell_size(m.columns);
  constexpr int shades = 129;
  std::map<int, std::string> cells;  // one path per shade, which is shorter than many rectangles
  for (std::size_t i = 0; i < m.rows; i += rows) {
    const auto edge = [](std::size_t at, std::size_t end) { return static_cast<double>(std::min(at, end)) - 0.5; };
    const std::string top = coordinate(view.py(edge(i, m.rows))), foot = coordinate(view.py(edge(i + rows, m.rows)));
    const auto shade = [&](std::size_t j) {
      const double position = view.colors.position(mean_of(m, i, j, rows, columns));
      return std::isnan(position) ? -1 : static_cast<int>(std::lround(std::clamp(position, 0.0, 1.0) * (shades - 1)));
    };
    // Merge adjacent cells of one shade.
    for (std::size_t j = 0; j < m.columns;) {
      const int here = shade(j);
      std::size_t end = j + columns;
      while (end < m.columns && shade(end) == here) end += columns;
      if (here >= 0) {
        const std::string left = coordinate(view.px(edge(j, m.columns)));
        cells[here] +=
            fmt::format("M{} {}H{}V{}H{}Z", left, top, coordinate(view.px(edge(end, m.columns))), foot, left);
      }
      j = end;
    }
  }
  out += R"(<g shape-rendering="crispEdges">)";
  for (const auto& [shade, path] : cells)
    out += fmt::format(R"(<path fill="{}" d="{}"/>)", scale_color(static_cast<double>(shade) / (shades - 1)), path);
  out += "</g>\n";
  if (image.options.numbers && rows == 1 && columns == 1) draw_numbers(out, m, view);
}

void draw(std::string& out, const Contours& contours, const View& view, const CycleIndex& /*cycle*/) {
  const auto [x0, x1] = contours.options.x;
  const auto [y0, y1] = contours.options.y;
  const double dx = (x1 - x0) / static_cast<double>(contours.columns - 1);
  const double dy = (y1 - y0) / static_cast<double>(contours.rows - 1);
  std::string labels;
  std::vector<Pixel> labeled;
  for (std::size_t i = 0; i < contours.levels.size(); ++i) {
    const ContourLevel& level = contours.levels[i];
    std::string path;
    std::vector<Pixel> longest;
    for (const ContourLine& line : level.lines) {
      std::vector<double> x, y;
      for (const auto& [column, row] : line) {
        x.push_back(x0 + dx * column);
        y.push_back(y0 + dy * row);
      }
      for (const auto& run : runs_of(x, y, view)) {
        path += path_of(simplified(run), view.width, view.height);
        if (run.size() > longest.size()) longest = run;
      }
    }
    if (path.empty()) continue;
    const double opacity = 0.9 - 0.6 * static_cast<double>(i) / static_cast<double>(contours.levels.size());
    out += fmt::format(R"(<path class="level" fill="none" stroke="#57708c" stroke-opacity="{:.2f}" d="{}"/>)", opacity,
                       path);
    // Label every third level in the middle of its longest line, unless that overlaps another label.
    const Pixel at = longest[longest.size() / 2];
    const bool inside = at.x > 24 && at.y > 14 && at.x < view.width - 24 && at.y < view.height - 14;
    const bool taken = std::any_of(labeled.begin(), labeled.end(), [&](const Pixel& p) {
      return std::abs(p.x - at.x) < 34 && std::abs(p.y - at.y) < 13;
    });
    if (i % 3 != 1 || longest.size() < 12 || !inside || taken) continue;
    labeled.push_back(at);
    labels += fmt::format(R"(<text x="{}" y="{}">{}</text>)", coordinate(at.x), coordinate(at.y + 3),
                          readable(level.height, 2));
  }
  if (labels.empty()) return;
  const std::string common = R"(font-size="9" text-anchor="middle")";
  write_line(out, R"(<g {} stroke-width="3" stroke-linejoin="round" fill="none" {}>{}</g>)", halo, common, labels);
  out += fmt::format("<g {} {}>{}</g>\n", dim, common, labels);
}

std::string rule_dashes(std::size_t index) {
  constexpr std::string_view patterns[] = {"4 3", "1.5 3", "8 3 2 3", "10 4"};
  return fmt::format(R"({} fill="none" stroke-width="1.3" stroke-dasharray="{}")", rule_line,
                     patterns[index % std::size(patterns)]);
}

void draw(std::string& out, const Rule& rule, const View& view, const CycleIndex& cycle) {
  const double at = rule.vertical ? view.px(rule.at) : view.py(rule.at);
  const double reach = rule.vertical ? view.width : view.height;
  if (std::isnan(at) || at < -1 || at > reach + 1) return;
  out += fmt::format(R"(<path {} d="M{}{}"/>)", rule_dashes(cycle.rule),
                     rule.vertical ? coordinate(at) + " 0" : "0 " + coordinate(at),
                     rule.vertical ? "V" + coordinate(view.height) : "H" + coordinate(view.width));
}

}  // namespace

bool takes_color(const Mark& mark) {
  return !std::holds_alternative<Rule>(mark.what) && !std::holds_alternative<Image>(mark.what) &&
         !std::holds_alternative<Contours>(mark.what);
}

void draw_mark(std::string& out, const Mark& mark, const View& view, const CycleIndex& cycle) {
  std::visit([&](const auto& what) { draw(out, what, view, cycle); }, mark.what);
}

double swatch_width(const Mark& mark) {
  if (std::holds_alternative<Line>(mark.what) || std::holds_alternative<Rule>(mark.what)) return 22;
  return std::holds_alternative<Points>(mark.what) ? 8 : 14;
}

void draw_swatch(std::string& out, const Mark& mark, const CycleIndex& cycle, double x, double y) {
  const std::string left = coordinate(x), middle = coordinate(y);
  if (std::holds_alternative<Rule>(mark.what)) {
    out += fmt::format(R"(<path {} d="M{} {}h22"/>)", rule_dashes(cycle.rule), left, middle);
    return;
  }
  out += colored(cycle.color, "");
  const auto* line = std::get_if<Line>(&mark.what);
  if (line != nullptr) {
    out += fmt::format(R"(<path d="M{} {}h22" stroke="currentColor" stroke-width="2.2"{}/>)", left, middle,
                       dashes(cycle.color, line->options.dashed));
  }
  if (std::holds_alternative<Points>(mark.what) || (line != nullptr && line->options.markers)) {
    out += R"(<g fill="currentColor">)";
    draw_point(out, x + swatch_width(mark) / 2, y, 3.2, cycle.color);
    out += "</g>";
  } else if (line == nullptr) {
    const bool outlined = std::holds_alternative<Histogram>(mark.what);
    out += fmt::format(R"(<rect x="{}" y="{}" width="14" height="10" fill="currentColor" fill-opacity="{}")", left,
                       coordinate(y - 5), outlined ? 0.35 : 0.85);
    out +=
        outlined ? fmt::format(R"( stroke="currentColor" stroke-width="1.4"{}/>)", dashes(cycle.color, false)) : "/>";
  }
  out += "</g>";
}

}  // namespace xgrad::inline v0::nn::plots
