// Plots: numbers as pictures, in SVG, readable on a light page and on a dark one.
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
// Each thing drawn gets the next color of a palette that color-blind people can tell apart, and a place in the legend
// if it has a name. The same numbers give the same bytes, in any locale. Numbers that have no place are left out, and a
// line has a gap there: NaN, infinite ones, those beyond 1e300, and on a logarithmic axis those below 1e-300, zero and
// negative ones among them. Names may be any bytes; what is no text becomes question marks, and what is too long for
// the picture is cut. A plot without data says so.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

// GCC 12 takes Scale::linear for something that hides nn::linear, the activation.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
enum class Scale : std::uint8_t { linear, logarithmic };
#pragma GCC diagnostic pop

struct PlotOptions {
  std::string title{};
  std::string x{}, y{};  // what the axes show, with units
  Scale x_scale = Scale::linear, y_scale = Scale::linear;
  // From where to where an axis goes; equal numbers: as far as there are data.
  std::pair<double, double> x_range{}, y_range{};
  int width = 640, height = 400;  // in pixels, from 120 to 10000
  bool equal_axes = false;        // one unit is as long in x as in y, and fields of images are squares
};

struct LineOptions {
  bool dashed = false;
  bool markers = false;  // a dot at each point
};
struct HistogramOptions {
  int bins = 10;                      // of equal widths, from 1 to 10000; the last one is closed on both sides
  std::pair<double, double> range{};  // equal numbers: from the least to the largest; numbers beyond are not counted
};
struct ImageOptions {
  bool numbers = false;                                  // written into the fields, where there is room
  std::vector<std::string> row_names{}, column_names{};  // empty: counted from 0
};
struct ContourOptions {
  std::pair<double, double> x{0, 1}, y{0, 1};  // where the outermost columns and rows lie
  int levels = 12;                             // from 1 to 100
  Scale scale = Scale::linear;                 // in which levels lie at equal distances
};

namespace plots {
struct Mark;  // something drawn
class Panel;  // a plot as it is drawn
}  // namespace plots

class Plot {
 public:
  // Throws UserError for sizes and ranges that cannot be drawn.
  explicit Plot(PlotOptions options = {});

  // A polygon through points; without x they lie at 1, 2, 3 ... Throws ShapeError unless x and y have one length. What
  // cannot be seen is not written: of thousands of points, those that make the decimate are, the extremes among them.
  Plot& line(const std::string& name, const std::vector<double>& y, const LineOptions& options = {});
  template <class = void>  // so that {.markers = true} means options, and not y
  Plot& line(const std::string& name, const std::vector<double>& x, const std::vector<double>& y,
             const LineOptions& options = {}) {
    return add_line(name, x, y, options);
  }
  // Points that stand alone. Throws ShapeError unless x and y have one length.
  Plot& points(const std::string& name, const std::vector<double>& x, const std::vector<double>& y);
  // How many numbers of a tensor or a list fall into each bin, [low, high). Numbers that are all the same fall into
  // bins from 0.5 below to 0.5 above, as in NumPy. Throws UserError for bins and ranges that have no meaning.
  Plot& histogram(const std::string& name, const std::vector<double>& values, const HistogramOptions& options = {});
  template <class = void>  // so that {1, 2} means a list
  Plot& histogram(const std::string& name, const Tensor& values, const HistogramOptions& options = {}) {
    return histogram(name, numbers_of(values), options);
  }
  // One bar a name. Bars of several calls stand side by side where they have the same names. Throws ShapeError unless
  // there are as many names as values, UserError on a logarithmic x axis.
  Plot& bars(const std::string& name, const std::vector<std::string>& names, const std::vector<double>& values);
  // Fields colored by the numbers of [rows, columns], the first row on top, with a scale of colors beside it; the
  // middle of a field lies at its column and row, counted from 0. A matrix of more than 256 rows or columns is drawn as
  // means of neighboring ones. Throws ShapeError for other ranks and numbers of names, UserError on logarithmic axes.
  Plot& image(const Tensor& matrix, const ImageOptions& options = {});
  // Lines of equal height of a surface, [rows, columns], at least 2 of each, the first row at the least y; darker lines
  // lie lower. Throws ShapeError for other shapes, UserError for options that have no meaning.
  Plot& contours(const Tensor& heights, const ContourOptions& options = {});
  // A straight line across the plot at one x or y, for a limit or a mark: dashed, and gray instead of a color.
  Plot& vertical(const std::string& name, double x);
  Plot& horizontal(const std::string& name, double y);

  // The picture as SVG text.
  std::string svg() const;
  // Writes it, whole or not at all. Throws UserError unless the extension is .svg, EnvironmentError if the file cannot
  // be written.
  void save(const std::filesystem::path& path) const;

 private:
  friend class plots::Panel;
  Plot& add_line(const std::string& name, std::vector<double> x, const std::vector<double>& y,
                 const LineOptions& options);
  static std::vector<double> numbers_of(const Tensor& tensor);

  PlotOptions options_;
  std::vector<std::shared_ptr<const plots::Mark>> marks_;  // never changed, so that copies share them
};

struct GridOptions {
  int columns = 2;
  std::string title{};
};
// Several plots in one picture, row by row, as SVG text. Throws UserError for less than one column.
std::string plots_svg(const std::vector<Plot>& plots, const GridOptions& options = {});
// Writes it; throws as Plot::save does.
void save_plots(const std::filesystem::path& path, const std::vector<Plot>& plots, const GridOptions& options = {});

}  // namespace xgrad::inline v0::nn
