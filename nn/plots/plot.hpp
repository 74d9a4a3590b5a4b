// Plot: SVG plots.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

// GCC 12 warns that Scale::linear shadows nn::linear, the activation.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
// The scale of an axis.
enum class Scale : std::uint8_t { linear, logarithmic };
#pragma GCC diagnostic pop

// Title, axes and size of a plot.
struct PlotOptions {
  std::string title{};
  std::string x{}, y{};  // axis labels
  Scale x_scale = Scale::linear, y_scale = Scale::linear;
  // Axis limits; if the two ends are equal, the range of the data.
  std::pair<double, double> x_range{}, y_range{};
  int width = 640, height = 400;  // in pixels, from 120 to 10000
  bool equal_axes = false;        // same scale for x and y, so that image cells are squares
};

// The style of a line.
struct LineOptions {
  bool dashed = false;
  bool markers = false;  // draw a dot at each point
};
// The bins of a histogram.
struct HistogramOptions {
  int bins = 10;                      // 1 to 10000, of equal widths; the last one includes its right edge
  std::pair<double, double> range{};  // values outside are not counted; if the ends are equal, the range of the data
};
// The texts of a heat map.
struct ImageOptions {
  bool numbers = false;                                  // write values into the cells, if they fit
  std::vector<std::string> row_names{}, column_names{};  // empty: indices from 0
};
// The coordinates and levels of contour lines.
struct ContourOptions {
  std::pair<double, double> x{0, 1}, y{0, 1};  // coordinates of the first and last column and row
  int levels = 12;                             // 1 to 100
  Scale scale = Scale::linear;                 // spacing of the levels
};

namespace plots {
struct Mark;
class Panel;
}  // namespace plots

// An SVG plot that adapts to light and dark pages.
//
//   nn::Plot curves({.title = "A deep net on MNIST", .x = "epoch", .y = "loss"});
//   curves.line("training", history["loss"]);
//   curves.line("validation", history["val_loss"]);
//   curves.save("curves.svg");
//
//   nn::Plot outputs({.title = "Sigmoid of random weights", .x = "output", .y = "neurons"});
//   outputs.histogram("standard normal", activations, {.bins = 10});
//
//   nn::save_plots("panels.svg", {curves, outputs}, {.columns = 2, .title = "Figure 9.5"});
//
// Each mark gets the next color of a color-blind-safe palette, and a legend entry if it has a name. Output is
// bit-identical for equal data, in any locale. NaN, infinite values and magnitudes beyond 1e300 are skipped, on a
// logarithmic axis also values below 1e-300; a line has a gap there. Invalid UTF-8 in names becomes question marks, and
// long names are truncated. A plot without data shows "no data".
class Plot {
 public:
  // Throws UserError for invalid sizes and ranges.
  explicit Plot(PlotOptions options = {});

  // A line through points; x defaults to 1, 2, 3 ... . Lines of thousands of points are decimated without a visible
  // difference. Throws ShapeError unless x and y have the same length.
  Plot& line(const std::string& name, const std::vector<double>& y, const LineOptions& options = {});
  template <class = void>  // so that {.markers = true} selects the overload with options
  Plot& line(const std::string& name, const std::vector<double>& x, const std::vector<double>& y,
             const LineOptions& options = {}) {
    return add_line(name, x, y, options);
  }
  // A scatter plot. Throws ShapeError unless x and y have the same length.
  Plot& points(const std::string& name, const std::vector<double>& x, const std::vector<double>& y);
  // A histogram of the values, with bins [low, high). If all values are equal, bins cover +-0.5 around them, as in
  // NumPy. Throws UserError for an invalid number of bins or range.
  Plot& histogram(const std::string& name, const std::vector<double>& values, const HistogramOptions& options = {});
  template <class = void>  // so that {1, 2} selects the overload with a vector
  Plot& histogram(const std::string& name, const Tensor& values, const HistogramOptions& options = {}) {
    return histogram(name, numbers_of(values), options);
  }
  // One bar per name; bars of several calls with the same name stand side by side. Throws ShapeError unless there are
  // as many names as values, UserError on a logarithmic x axis.
  Plot& bars(const std::string& name, const std::vector<std::string>& names, const std::vector<double>& values);
  // A heat map of [rows, columns] with a color bar, first row on top. Cell centers are at integer coordinates from 0.
  // Above 256 rows or columns, neighboring ones are averaged. Throws ShapeError for another rank or number of names,
  // UserError on logarithmic axes.
  Plot& image(const Tensor& matrix, const ImageOptions& options = {});
  // Contour lines of a surface, [rows, columns] with at least 2 each, first row at the lowest y; lower lines are
  // darker. Throws ShapeError for other shapes, UserError for invalid options.
  Plot& contours(const Tensor& heights, const ContourOptions& options = {});
  // A dashed gray line across the plot at one x or y.
  Plot& vertical(const std::string& name, double x);
  Plot& horizontal(const std::string& name, double y);

  // The plot as SVG text.
  std::string svg() const;
  // Writes the SVG file atomically. Throws UserError unless the extension is .svg, EnvironmentError if the file cannot
  // be written.
  void save(const std::filesystem::path& path) const;

 private:
  friend class plots::Panel;
  Plot& add(plots::Mark mark);
  Plot& add_line(const std::string& name, std::vector<double> x, const std::vector<double>& y,
                 const LineOptions& options);
  static std::vector<double> numbers_of(const Tensor& tensor);

  PlotOptions options_;
  std::vector<std::shared_ptr<const plots::Mark>> marks_;  // immutable and shared by copies
};

// The layout of a grid of plots.
struct GridOptions {
  int columns = 2;
  std::string title{};
};
// Arranges plots in a grid, row by row, as SVG text. Throws UserError if columns < 1.
std::string plots_svg(const std::vector<Plot>& plots, const GridOptions& options = {});
// Writes a grid of plots to a file. Throws as Plot::save.
void save_plots(const std::filesystem::path& path, const std::vector<Plot>& plots, const GridOptions& options = {});

}  // namespace xgrad::inline v0::nn
