#include <xgrad/nn/plots/plot.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/plots/internal/axis.hpp>
#include <xgrad/nn/plots/internal/mark.hpp>
#include <xgrad/nn/plots/internal/svg.hpp>

namespace xgrad::inline v0::nn {
namespace plots {
namespace {

void require(bool good, const std::string& message) {
  if (!good) throw UserError(message);
}

void require_range(const char* where, std::pair<double, double> range, Scale scale = Scale::linear) {
  if (range.first == range.second) return;
  const bool shown = has_place(range.first, scale) && has_place(range.second, scale);
  // Different values may have the same logarithm after rounding.
  require(shown && range.first < range.second &&
              (scale == Scale::linear || std::log10(range.first) < std::log10(range.second)),
          fmt::format("{}: a range must be finite and ascending{}, got {} to {}", where,
                      scale == Scale::logarithmic ? ", and positive on a logarithmic axis" : "", range.first,
                      range.second));
}

void require_one_length(const char* where, const std::string& name, std::size_t x, std::size_t y) {
  if (x != y)
    throw ShapeError(fmt::format("{} \"{}\": x and y must have the same length, got {} and {}", where, name, x, y));
}

Matrix matrix_of(const char* where, const Tensor& tensor, std::size_t least) {
  const bool fits = !tensor.empty() && tensor.shape().rank() == 2 && tensor.shape()[0] >= static_cast<Index>(least) &&
                    tensor.shape()[1] >= static_cast<Index>(least);
  if (!fits && (least > 0 || !(tensor.empty() || tensor.shape().rank() == 2))) {
    throw ShapeError(fmt::format("{}: the shape must be [rows, columns]{}, got {}", where,
                                 least > 0 ? fmt::format(" with at least {} each", least) : "", tensor.type().str()));
  }
  Matrix out;
  if (tensor.elements() == 0) return out;
  out.rows = static_cast<std::size_t>(tensor.shape()[0]);
  out.columns = static_cast<std::size_t>(tensor.shape()[1]);
  out.numbers.reserve(out.rows * out.columns);
  for (Index i = 0; i < tensor.elements(); ++i) {
    const double v = tensor.at(i);
    out.numbers.push_back(has_place(v, Scale::linear) ? v : std::numeric_limits<double>::quiet_NaN());
  }
  return out;
}

std::vector<double> counted_from_one(std::size_t n) {
  std::vector<double> out(n);
  std::iota(out.begin(), out.end(), 1.0);
  return out;
}

}  // namespace

Histogram count(const std::vector<double>& values, const HistogramOptions& options) {
  Histogram out;
  auto [low, high] = options.range;
  if (low == high) {
    Extent extent;
    for (const double v : values) extent.add(v);
    if (extent.empty()) return out;
    low = extent.low, high = extent.high;
    if (low == high) {
      // +-0.5 as in NumPy, or more if rounding would lose that.
      const double half = std::max(0.5, 1e-9 * std::abs(low));
      low -= half, high += half;
    }
  }
  const auto bins = static_cast<std::size_t>(options.bins);
  out.counts.resize(bins);
  for (std::size_t i = 0; i <= bins; ++i) {
    const double fraction = static_cast<double>(i) / static_cast<double>(bins);
    out.edges.push_back(i == bins ? high : low + fraction * (high - low));
  }
  for (const double v : values) {
    if (!(v >= low && v <= high)) continue;
    // Compare with the edges themselves, so that rounding cannot put a value into the wrong bin.
    const auto above = std::upper_bound(out.edges.begin(), out.edges.end(), v);
    const auto bin = std::min(static_cast<std::size_t>(above - out.edges.begin()), bins) - 1;
    ++out.counts[bin];
  }
  return out;
}

}  // namespace plots

using namespace plots;

Plot::Plot(PlotOptions options) : options_(std::move(options)) {
  require(
      options_.width >= 120 && options_.width <= 10000 && options_.height >= 120 && options_.height <= 10000,
      fmt::format("plot: width and height must be 120 to 10000 pixels, got {} x {}", options_.width, options_.height));
  require_range("plot: x_range", options_.x_range, options_.x_scale);
  require_range("plot: y_range", options_.y_range, options_.y_scale);
  require(!options_.equal_axes || options_.x_scale == options_.y_scale,
          "plot: equal_axes requires the same scale for x and y");
}

Plot& Plot::line(const std::string& name, const std::vector<double>& y, const LineOptions& options) {
  return add_line(name, counted_from_one(y.size()), y, options);
}

Plot& Plot::add_line(const std::string& name, std::vector<double> x, const std::vector<double>& y,
                     const LineOptions& options) {
  require_one_length("line", name, x.size(), y.size());
  return add({name, Line{std::move(x), y, options}});
}

Plot& Plot::points(const std::string& name, const std::vector<double>& x, const std::vector<double>& y) {
  require_one_length("points", name, x.size(), y.size());
  return add({name, Points{x, y}});
}

Plot& Plot::histogram(const std::string& name, const std::vector<double>& values, const HistogramOptions& options) {
  require(options.bins >= 1 && options.bins <= 10000,
          fmt::format("histogram \"{}\": bins must be 1 to 10000, got {}", name, options.bins));
  require_range("histogram: range", options.range);
  return add({name, count(values, options)});
}

Plot& Plot::add(Mark mark) {
  marks_.push_back(std::make_shared<Mark>(std::move(mark)));
  return *this;
}

std::vector<double> Plot::numbers_of(const Tensor& tensor) {
  std::vector<double> out(static_cast<std::size_t>(tensor.elements()));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = tensor.at(static_cast<Index>(i));
  return out;
}

Plot& Plot::bars(const std::string& name, const std::vector<std::string>& names, const std::vector<double>& values) {
  if (names.size() != values.size()) {
    throw ShapeError(fmt::format("bars \"{}\": names and values must have the same length, got {} and {}", name,
                                 names.size(), values.size()));
  }
  require(options_.x_scale == Scale::linear, fmt::format("bars \"{}\": the x axis must be linear", name));
  return add({name, Bars{names, values}});
}

Plot& Plot::image(const Tensor& matrix, const ImageOptions& options) {
  Matrix numbers = matrix_of("image", matrix, 0);
  const auto named = [](const char* what, std::size_t names, std::size_t fields) {
    if (names == 0 || names == fields) return;
    throw ShapeError(fmt::format("image: {}_names must be empty or have one name per {}, got {} names for {} {}s", what,
                                 what, names, fields, what));
  };
  named("row", options.row_names.size(), numbers.rows);
  named("column", options.column_names.size(), numbers.columns);
  require(options_.x_scale == Scale::linear && options_.y_scale == Scale::linear, "image: both axes must be linear");
  return add({"", Image{std::move(numbers), options}});
}

Plot& Plot::contours(const Tensor& heights, const ContourOptions& options) {
  Matrix numbers = matrix_of("contours", heights, 2);
  require(options.levels >= 1 && options.levels <= 100,
          fmt::format("contours: levels must be 1 to 100, got {}", options.levels));
  require(options.x.first != options.x.second && options.y.first != options.y.second,
          "contours: the ranges x and y must be ascending");
  require_range("contours: x", options.x);
  require_range("contours: y", options.y);
  if (options.scale == Scale::logarithmic) {
    for (double& v : numbers.numbers)
      v = has_place(v, options.scale) ? std::log10(v) : std::numeric_limits<double>::quiet_NaN();
  }
  Extent extent;
  for (const double v : numbers.numbers) extent.add(v);
  Contours mark{{}, options, numbers.rows, numbers.columns};
  for (int i = 1; i <= options.levels && extent.low < extent.high; ++i) {
    const double fraction = static_cast<double>(i) / (options.levels + 1);
    const double level = extent.low + fraction * (extent.high - extent.low);
    mark.levels.push_back(contour_lines(numbers, level));
    if (options.scale == Scale::logarithmic) mark.levels.back().height = std::pow(10.0, level);
  }
  return add({"", std::move(mark)});
}

Plot& Plot::vertical(const std::string& name, double x) { return add({name, Rule{true, x}}); }

Plot& Plot::horizontal(const std::string& name, double y) { return add({name, Rule{false, y}}); }

}  // namespace xgrad::inline v0::nn
