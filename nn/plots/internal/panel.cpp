#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/graph/base/internal/replace_file.hpp>
#include <xgrad/nn/plots/internal/draw.hpp>
#include <xgrad/nn/plots/internal/svg.hpp>

namespace xgrad::inline v0::nn {
namespace plots {
namespace {

constexpr double title_size = 15, name_size = 12, tick_size = 11;
constexpr double boldness = 1.12;  // width of bold text relative to regular text
constexpr double margin = 14, scale_width = 13;
constexpr double slant = 35, slant_sine = 0.574, slant_cosine = 0.819;  // degrees

double widest(const std::vector<Tick>& ticks) {
  double width = 0;
  for (const Tick& tick : ticks) width = std::max(width, width_of(tick.label, tick_size));
  return width;
}

// Removes tick labels that would overlap the previous one; returns whether there were any.
template <class Size>
bool thin_out(std::vector<Tick>& ticks, const Axis& axis, double length, Size size) {
  bool any = false;
  const Tick* before = nullptr;
  for (Tick& tick : ticks) {
    if (tick.label.empty()) continue;
    if (before != nullptr &&
        std::abs(axis.position(tick.at) - axis.position(before->at)) * length < (size(tick) + size(*before)) / 2) {
      tick.label.clear();
      any = true;
    } else {
      before = &tick;
    }
  }
  return any;
}

// Ticks for the names of bars, or of rows or columns of an image.
std::vector<Tick> named_ticks(const std::vector<std::string>& names, double length, double least_distance) {
  std::vector<Tick> out;
  const double distance = length / static_cast<double>(names.size());
  const auto every = static_cast<std::size_t>(std::max(1.0, std::ceil(least_distance / distance)));
  for (std::size_t i = 0; i < names.size(); i += every)
    out.push_back({static_cast<double>(i), cut_to(names[i], 120, tick_size)});
  return out;
}

double length_of(const Axis& axis) {
  return axis.scale == Scale::logarithmic ? std::log10(axis.high) - std::log10(axis.low) : axis.high - axis.low;
}

}  // namespace

// Lays out and draws one plot: axes, the box between them, title and legend.
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

// ---- data ranges

void Panel::measure_points(const std::vector<double>& x, const std::vector<double>& y) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!has_place(x[i], x_.scale) || !has_place(y[i], y_.scale)) continue;
    x_.add(x[i]);
    y_.add(y[i]);
    data_ = true;
  }
}

void Panel::measure_what(const Histogram& histogram) {
  if (histogram.counts.empty()) return;
  data_ = true;
  y_.add_edge(0);
  // Keep a bin with a single value visible on a logarithmic axis.
  if (y_.scale == Scale::logarithmic) y_.add_edge(0.5);
  for (const double count : histogram.counts) y_.add(count);
  x_.whole = false;
  for (const double edge : histogram.edges) x_.add(edge);
}

void Panel::measure_what(const Bars& bars) {
  view_.bars += 1;
  y_.add_edge(0);
  for (std::size_t i = 0; i < bars.names.size(); ++i) {
    auto& names = view_.categories;
    if (std::find(names.begin(), names.end(), bars.names[i]) == names.end()) names.push_back(bars.names[i]);
    y_.add(bars.values[i]);
    data_ = data_ || has_place(bars.values[i], y_.scale);
  }
  if (view_.categories.empty()) return;
  x_.add_edge(-0.6);
  x_.add_edge(static_cast<double>(view_.categories.size()) - 0.4);
  column_names_ = view_.categories;
}

void Panel::measure_what(const Image& image) {
  if (image.matrix.numbers.empty()) return;
  data_ = is_image_ = true;
  x_.add_edge(-0.5);
  y_.add_edge(-0.5);
  x_.add_edge(static_cast<double>(image.matrix.columns) - 0.5);
  y_.add_edge(static_cast<double>(image.matrix.rows) - 0.5);
  for (const double v : image.matrix.numbers) colors_.add(v);
  if (!image.options.row_names.empty()) row_names_ = image.options.row_names;
  if (!image.options.column_names.empty()) column_names_ = image.options.column_names;
}

void Panel::measure_what(const Contours& contours) {
  data_ = true;
  for (const double x : {contours.options.x.first, contours.options.x.second}) x_.add_edge(x);
  for (const double y : {contours.options.y.first, contours.options.y.second}) y_.add_edge(y);
  x_.whole = y_.whole = false;
}

void Panel::measure_what(const Rule& rule) {
  Extent& extent = rule.vertical ? x_ : y_;
  const bool whole = extent.whole;
  extent.add(rule.at);
  extent.whole = whole;
}

void Panel::measure(const Mark& mark) {
  std::visit([&](const auto& what) { measure_what(what); }, mark.what);
}

Panel::Panel(const Plot& plot) : plot_(plot) {
  const PlotOptions& o = plot.options_;
  x_.scale = o.x_scale;
  y_.scale = o.y_scale;
  for (const auto& mark : plot.marks_) measure(*mark);
  view_.x = axis_over(x_, o.x_range);
  view_.y = axis_over(y_, o.y_range);
  view_.y.reversed = is_image_;
  colors_.add_edge(colors_.low);
  colors_.add_edge(colors_.high);
  view_.colors = axis_over(colors_, {});
  lay_out();
}

// ---- layout

std::vector<Tick> Panel::ticks_of_x(double width) const {
  if (!column_names_.empty()) return named_ticks(column_names_, width, 15);
  // Reduce the number of ticks until labels do not overlap.
  for (int count = std::max(4, static_cast<int>(width / 60));; --count) {
    std::vector<Tick> ticks = ticks_of(view_.x, count);
    const bool crowded = widest(ticks) + 14 > width / count;
    const bool thinned =
        thin_out(ticks, view_.x, width, [](const Tick& t) { return width_of(t.label, tick_size) + 6; });
    if (count == 1 || (!crowded && !thinned)) return ticks;
  }
}

std::vector<Tick> Panel::ticks_of_y(double height) const {
  if (!row_names_.empty()) return named_ticks(row_names_, height, 13);
  std::vector<Tick> ticks =
      ticks_of(view_.y, std::max({2, std::min(4, static_cast<int>(height / 24)), static_cast<int>(height / 42)}));
  thin_out(ticks, view_.y, height, [](const Tick&) { return tick_size; });
  return ticks;
}

// The title and the legend are left-aligned with the box, unless the box begins far to the right.
void Panel::lay_out_title() {
  const double left = std::min(left_, width() / 3);
  title_left_ = left;
  title_lines_ = wrapped(plot_.options_.title, (width() - left - margin) / boldness, title_size);
  title_bottom_ = title_lines_.empty() ? 8 : 10 + 20 * static_cast<double>(title_lines_.size());
  legend_.clear();
  CycleIndex next;
  double x = left, y = title_bottom_ + 10;
  for (const auto& mark : plot_.marks_) {
    const bool bars = std::holds_alternative<Bars>(mark->what), rule = std::holds_alternative<Rule>(mark->what);
    const double swatch = swatch_width(*mark) + 6;
    Entry entry{mark.get(), next, 0, 0, cut_to(mark->name, width() - left - margin - swatch, name_size)};
    if (takes_color(*mark)) ++next.color;
    if (rule) ++next.rule;
    if (bars) ++next.bar;
    if (!entry.name.empty()) {
      const double wide = swatch + width_of(entry.name, name_size) + 16;
      if (x > left && x + wide - 16 > width() - margin) {
        x = left;
        y += 19;
      }
      entry.x = x;
      entry.y = y;
      x += wide;
      title_bottom_ = y + 9;
    }
    legend_.push_back(std::move(entry));
  }
}

void Panel::lay_out() {
  const PlotOptions& o = plot_.options_;
  const double height_at_least = 30, width_at_least = 40;
  left_ = margin + (o.y.empty() ? 0 : 20) + widest(ticks_of_y(height() - 100)) + 6;
  left_ = std::min(left_, width() / 2);
  right_ = colors_.empty() ? 22 : 18 + scale_width + 6 + widest(ticks_of(view_.colors, 6)) + 10;
  view_.width = std::max(width_at_least, width() - left_ - right_);

  names_below_ = 16;
  if (!column_names_.empty()) {
    const std::vector<Tick> names = ticks_of_x(view_.width);
    slanted_ = names.size() > 1 && widest(names) + 8 > view_.width / static_cast<double>(names.size());
    if (slanted_) {
      names_below_ = 10 + widest(names) * slant_sine + tick_size * slant_cosine;
      // The first slanted label extends to the left of the box.
      const double first = width_of(names.front().label, tick_size) * slant_cosine - view_.px(names.front().at) + 4;
      const double more = std::clamp(first - left_, 0.0, view_.width - width_at_least);
      left_ += more;
      view_.width -= more;
    }
  }
  const double below = names_below_ + (o.x.empty() ? 0 : 20) + 10;
  const double left = left_, wide = view_.width;
  const auto lay_out_box = [&] {
    top_ = title_bottom_ + 10;
    view_.height = std::max(height_at_least, height() - top_ - below);
    if (!o.equal_axes) return;
    const double unit = std::min(wide / length_of(view_.x), view_.height / length_of(view_.y));
    view_.width = std::max(width_at_least, unit * length_of(view_.x));
    view_.height = std::max(height_at_least, unit * length_of(view_.y));
    left_ = left + (wide - view_.width) / 2;
  };
  // Title and legend may wrap to more lines, which reduces the height of the box.
  lay_out_title();
  double before = 0;
  do {
    before = title_bottom_;
    lay_out_box();
    lay_out_title();
  } while (title_bottom_ > before);
}

// ---- SVG output

void Panel::write_x_ticks(std::string& out) const {
  std::string lines, fine, labels;
  for (const Tick& tick : ticks_of_x(view_.width)) {
    const double x = left_ + view_.px(tick.at);
    const bool inside = x > left_ - 0.5 && x < left_ + view_.width + 0.5;
    if (!inside) continue;
    (tick.label.empty() ? fine : lines) +=
        fmt::format("M{} {}v{}", coordinate(x), coordinate(top_), coordinate(view_.height));
    if (tick.label.empty()) continue;
    const double y = top_ + view_.height + (slanted_ ? 12 : 16);
    const std::string turned = slanted_ ? fmt::format(R"svg( text-anchor="end" transform="rotate(-{} {} {})")svg",
                                                      slant, coordinate(x + 3), coordinate(y))
                                        : "";
    labels += fmt::format(R"(<text x="{}" y="{}"{}>{}</text>)", coordinate(slanted_ ? x + 3 : x), coordinate(y), turned,
                          xml_text(tick.label));
  }
  if (!is_image_ && column_names_.empty()) {
    write_line(out, R"(<path {} d="{}"/>)", grid_line, lines);
    if (!fine.empty()) write_line(out, R"(<path {} stroke-opacity="0.6" d="{}"/>)", grid_line, fine);
  }
  write_line(out, R"(<g {} font-size="{}" text-anchor="middle">{}</g>)", dim, tick_size, labels);
}

void Panel::write_y_ticks(std::string& out) const {
  std::string lines, fine, labels;
  for (const Tick& tick : ticks_of_y(view_.height)) {
    const double y = top_ + view_.py(tick.at);
    if (!(y > top_ - 0.5 && y < top_ + view_.height + 0.5)) continue;
    (tick.label.empty() ? fine : lines) +=
        fmt::format("M{} {}h{}", coordinate(left_), coordinate(y), coordinate(view_.width));
    if (!tick.label.empty())
      labels += fmt::format(R"(<text x="{}" y="{}">{}</text>)", coordinate(left_ - 7), coordinate(y + 4),
                            xml_text(tick.label));
  }
  if (!is_image_) {
    write_line(out, R"(<path {} d="{}"/>)", grid_line, lines);
    if (!fine.empty()) write_line(out, R"(<path {} stroke-opacity="0.6" d="{}"/>)", grid_line, fine);
  }
  write_line(out, R"(<g {} font-size="{}" text-anchor="end">{}</g>)", dim, tick_size, labels);
}

void Panel::write_titles(std::string& out) const {
  const PlotOptions& o = plot_.options_;
  const double middle = left_ + view_.width / 2, half = top_ + view_.height / 2;
  write_line(out, R"(<g {} font-size="{}">)", ink, name_size);
  for (std::size_t i = 0; i < title_lines_.size(); ++i) {
    out += fmt::format(R"(<text x="{}" y="{}" font-size="{}" font-weight="600">{}</text>)", coordinate(title_left_),
                       coordinate(26 + 20 * static_cast<double>(i)), title_size, xml_text(title_lines_[i]));
  }
  for (const Entry& entry : legend_) {
    if (entry.name.empty()) continue;
    out += fmt::format(R"(<text x="{}" y="{}">{}</text>)", coordinate(entry.x + swatch_width(*entry.mark) + 6),
                       coordinate(entry.y + 4), xml_text(entry.name));
  }
  if (!o.x.empty()) {
    out += fmt::format(R"(<text x="{}" y="{}" text-anchor="middle">{}</text>)", coordinate(middle),
                       coordinate(top_ + view_.height + names_below_ + 20),
                       xml_text(cut_to(o.x, width() - 2 * margin, name_size)));
  }
  if (!o.y.empty()) {
    const double x = left_ - 7 - widest(ticks_of_y(view_.height)) - 12;
    out += fmt::format(R"svg(<text text-anchor="middle" transform="translate({} {}) rotate(-90)">{}</text>)svg",
                       coordinate(x), coordinate(half), xml_text(cut_to(o.y, height() - 2 * margin, name_size)));
  }
  if (!data_)
    out += fmt::format(R"(<text x="{}" y="{}" text-anchor="middle" font-style="italic">no data</text>)",
                       coordinate(middle), coordinate(half));
  out += "</g>\n";
  for (const Entry& entry : legend_) {
    if (!entry.name.empty()) draw_swatch(out, *entry.mark, entry.cycle, entry.x, entry.y);
  }
  out += '\n';
}

void Panel::write_colors(std::string& out) const {
  if (colors_.empty()) return;
  const double x = left_ + view_.width + 18;
  out += fmt::format(R"svg(<rect x="{}" y="{}" width="{}" height="{}" fill="url(#xgrad-scale)"/>)svg", coordinate(x),
                     coordinate(top_), coordinate(scale_width), coordinate(view_.height));
  write_line(out, R"(<g {} font-size="{}">)", dim, tick_size);
  for (const Tick& tick : ticks_of(view_.colors, std::max(2, static_cast<int>(view_.height / 42)))) {
    out += fmt::format(R"(<text x="{}" y="{}">{}</text>)", coordinate(x + scale_width + 6),
                       coordinate(top_ + (1 - view_.colors.position(tick.at)) * view_.height + 4), tick.label);
  }
  out += "</g>\n";
}

std::string Panel::svg() const {
  std::string out;
  write_x_ticks(out);
  write_y_ticks(out);
  // A nested svg element clips to the box.
  out += fmt::format(R"(<svg x="{}" y="{}" width="{}" height="{}" overflow="hidden">)", coordinate(left_),
                     coordinate(top_), coordinate(view_.width), coordinate(view_.height));
  for (const Entry& entry : legend_) draw_mark(out, *entry.mark, view_, entry.cycle);
  out += "</svg>\n";
  write_line(out, R"(<path {} fill="none" d="M{} {}V{}H{}"/>)", axis_line, coordinate(left_), coordinate(top_),
             coordinate(top_ + view_.height), coordinate(left_ + view_.width));
  write_colors(out);
  write_titles(out);
  return out;
}

}  // namespace plots

using namespace plots;

namespace {

void write_svg(const char* where, const std::filesystem::path& path, const std::string& text) {
  if (path.extension() != ".svg")
    throw UserError(fmt::format("{}: the file extension must be .svg, got {}", where, path.string()));
  replace_file(where, path, text);
}

}  // namespace

std::string Plot::svg() const {
  const Panel panel(*this);
  return svg_begin(panel.width(), panel.height(), panel.title()) + panel.svg() + std::string(svg_end);
}

void Plot::save(const std::filesystem::path& path) const { write_svg("plot", path, svg()); }

std::string plots_svg(const std::vector<Plot>& plots, const GridOptions& options) {
  require_at_least("plots", "columns", options.columns, 1);
  std::vector<Panel> panels;
  const Plot nothing;
  for (const Plot& plot : plots) panels.emplace_back(plot);
  if (panels.empty()) panels.emplace_back(nothing);
  // Columns have the width of their widest plot, rows the height of their tallest.
  const std::size_t columns = std::min(static_cast<std::size_t>(options.columns), panels.size());
  const std::size_t rows = (panels.size() + columns - 1) / columns;
  std::vector<double> x(columns + 1), y(rows + 1);
  for (std::size_t i = 0; i < panels.size(); ++i) {
    x[i % columns + 1] = std::max(x[i % columns + 1], panels[i].width());
    y[i / columns + 1] = std::max(y[i / columns + 1], panels[i].height());
  }
  for (std::size_t i = 0; i < columns; ++i) x[i + 1] += x[i];
  constexpr double size = 18;
  const std::vector<std::string> title = wrapped(options.title, (x.back() - 2 * margin) / boldness, size);
  y[0] = title.empty() ? 0 : 14 + 24 * static_cast<double>(title.size());
  for (std::size_t i = 0; i < rows; ++i) y[i + 1] += y[i];

  std::string out = svg_begin(x.back(), y.back() + 6, options.title);
  for (std::size_t i = 0; i < title.size(); ++i) {
    write_line(out, R"(<text {} x="{}" y="{}" font-size="{}" font-weight="600" text-anchor="middle">{}</text>)", ink,
               coordinate(x.back() / 2), coordinate(30 + 24 * static_cast<double>(i)), size, xml_text(title[i]));
  }
  for (std::size_t i = 0; i < panels.size(); ++i) {
    out += fmt::format("<g transform=\"translate({} {})\">\n{}</g>\n", coordinate(x[i % columns]),
                       coordinate(y[i / columns]), panels[i].svg());
  }
  return out.append(svg_end);
}

void save_plots(const std::filesystem::path& path, const std::vector<Plot>& plots, const GridOptions& options) {
  write_svg("plots", path, plots_svg(plots, options));
}

}  // namespace xgrad::inline v0::nn
