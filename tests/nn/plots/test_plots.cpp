// Plots: well-formed XML for any input, and drawings that match the data.
#include <algorithm>
#include <clocale>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <regex>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/plots/internal/axis.hpp>
#include <xgrad/nn/plots/internal/contour_lines.hpp>
#include <xgrad/nn/plots/internal/decimate.hpp>
#include <xgrad/nn/plots/internal/mark.hpp>
#include <xgrad/nn/plots/internal/svg.hpp>
#include <xgrad/nn/plots/plot.hpp>
#include <xgrad/nn/training/history.hpp>

#include "support/scratch.hpp"
#include "support/xml.hpp"

using namespace xgrad;
using namespace xgrad::nn;
using namespace scratch;

namespace {

constexpr double nan_ = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The texts of a plot.
std::vector<std::string> texts(const std::string& svg) {
  std::vector<std::string> out;
  for (const xml::Element& e : xml::parse(svg)) {
    if (e.name == "text") out.push_back(e.text);
  }
  return out;
}

bool shows(const std::string& svg, const std::string& text) {
  const std::vector<std::string> all = texts(svg);
  return std::find(all.begin(), all.end(), text) != all.end();
}

std::vector<xml::Element> elements(const std::string& svg, const std::string& name) {
  std::vector<xml::Element> out;
  for (const xml::Element& e : xml::parse(svg)) {
    if (e.name == name) out.push_back(e);
  }
  return out;
}

// The path of the only line, and its number of subpaths.
std::string line_path(const std::string& svg) {
  std::vector<std::string> found;
  for (const xml::Element& e : elements(svg, "path")) {
    const bool line = e.attributes.count("stroke-linejoin") == 1 && e.attributes.at("stroke") == "currentColor";
    if (line) found.push_back(e.attributes.at("d"));
  }
  REQUIRE(found.size() == 1);
  return found.front();
}

std::ptrdiff_t count_of(const std::string& text, char c) { return std::count(text.begin(), text.end(), c); }

std::vector<std::string> labels(const plots::Axis& axis, int at_most) {
  std::vector<std::string> out;
  for (const plots::Tick& tick : plots::ticks_of(axis, at_most)) {
    if (!tick.label.empty()) out.push_back(tick.label);
  }
  return out;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("plots: the XML parser of these tests rejects malformed text") {
  CHECK(xml::parse("<a b='c'><d/>e&amp;f</a>").size() == 2);
  CHECK(xml::parse("<a b='c'><d/>e&amp;f</a>").front().text == "e&f");
  for (const char* bad :
       {"", "<a>", "<a></b>", "<a b=c/>", "<a b='1' b='2'/>", "<a>&</a>", "<a>&x;</a>", "<a b='<'/>", "<a/><a/>",
        "<a>\x01</a>", "<a>\xff</a>", "<a>\xed\xa0\x80</a>", "<a>\xc0\x80</a>", "text<a/>", "<a/>text", "<a"})
    CHECK_THROWS_AS(xml::parse(bad), std::runtime_error);
}

TEST_CASE("ticks: lie at multiples of 1, 2 or 5 with uniform labels") {
  const auto even = [](double low, double high) { return plots::Axis{.low = low, .high = high}; };
  CHECK(labels(even(0, 1), 5) == Names{"0", "0.2", "0.4", "0.6", "0.8", "1.0"});
  CHECK(labels(even(-1.2, 1.3), 6) == Names{"\u22121.0", "\u22120.5", "0", "0.5", "1.0"});
  CHECK(labels(even(0, 20), 4) == Names{"0", "5", "10", "15", "20"});
  CHECK(labels(even(0, 3e7), 3) == Names{"0", "1\u00b710\u2077", "2\u00b710\u2077", "3\u00b710\u2077"});
  CHECK(labels(even(0, 2e-9), 2) == Names{"0", "1\u00b710\u207b\u2079", "2\u00b710\u207b\u2079"});
  CHECK(labels(even(1e9, 1e9 + 2), 2) ==
        Names{"1.000000000\u00b710\u2079", "1.000000001\u00b710\u2079", "1.000000002\u00b710\u2079"});
  // Integer axes have no fractional ticks, unless there are no others.
  CHECK(labels({.low = 0.9, .high = 3.1, .whole = true}, 10) == Names{"1", "2", "3"});
  CHECK(labels({.low = 0.2, .high = 0.4, .whole = true}, 2).size() == 3);

  const auto decades = [](double low, double high) {
    return plots::Axis{.scale = Scale::logarithmic, .low = low, .high = high};
  };
  CHECK(labels(decades(0.01, 100), 5) == Names{"0.01", "0.1", "1", "10", "100"});
  CHECK(labels(decades(1e-8, 1e-5), 5) ==
        Names{"10\u207b\u2078", "10\u207b\u2077", "10\u207b\u2076", "10\u207b\u2075"});
  CHECK(labels(decades(2, 6), 4) == Names{"2", "3", "4", "5", "6"});
  CHECK(labels(decades(0.15, 2.5), 4) == Names{"0.2", "0.5", "1", "2"});
  CHECK(labels(decades(25, 650), 6) == Names{"50", "100", "200", "500"});
  CHECK(labels(decades(25, 650), 2) == Names{"50", "100", "200", "500"});
  CHECK(labels(decades(1, 99), 4) == Names{"1", "2", "5", "10", "20", "50"});
  CHECK(labels(decades(1, 99), 2) == Names{"1", "3", "10", "30"});
  CHECK(labels(decades(0.5, 2000), 2) == Names{"1", "10", "100", "1000"});
  CHECK(labels(decades(1e-7, 0.1), 2) == Names{"10\u207b\u2076", "10\u207b\u2074", "10\u207b\u00b2"});
  CHECK(labels(decades(30, 90), 1) == Names{"40", "60", "80"});
  // Minor ticks lie at 2, 3 ... 9.
  CHECK(plots::ticks_of(decades(1, 100), 5).size() == 3 + 16);
  // Axes of any range have a few ticks.
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::uniform_real_distribution<double> exponent(-300, 300), mantissa(-1, 1);
    plots::Extent extent{.scale = i % 2 == 0 ? Scale::linear : Scale::logarithmic};
    for (int k = 0; k < 2; ++k) extent.add(mantissa(random) * std::pow(10.0, exponent(random)));
    const plots::Axis axis = plots::axis_over(extent, {});
    REQUIRE(axis.low < axis.high);
    const std::vector<plots::Tick> ticks = plots::ticks_of(axis, 6);
    const auto named = std::count_if(ticks.begin(), ticks.end(), [](auto& t) { return !t.label.empty(); });
    CAPTURE(axis.low);
    CAPTURE(axis.high);
    CHECK((named >= 1 && named <= 8));
    for (const plots::Tick& tick : ticks) CHECK((axis.position(tick.at) > -1e-6 && axis.position(tick.at) < 1 + 1e-6));
  }
}

TEST_CASE("ticks: a logarithmic axis over a decade or more has at least three labels") {
  std::mt19937 random(4);
  std::uniform_real_distribution<double> low(-20, 20), length(1, 30);
  for (int i = 0; i < 2000; ++i) {
    const double from = low(random);
    const plots::Axis axis{
        .scale = Scale::logarithmic, .low = std::pow(10.0, from), .high = std::pow(10.0, from + length(random))};
    CAPTURE(axis.low);
    CAPTURE(axis.high);
    const std::size_t named = labels(axis, 1 + i % 8).size();
    CHECK((named >= 3 && named <= 12));
  }
}

TEST_CASE("ticks: labels of a short axis do not overlap") {
  const std::vector<std::pair<double, double>> ranges{{25, 650}, {0.5, 20},   {1, 99},
                                                      {95, 350}, {1e-5, 1e5}, {0.0011, 0.012}};
  for (const int size : {120, 150, 200, 300, 640}) {
    for (const auto& range : ranges) {
      CAPTURE(size);
      CAPTURE(range.first);
      const std::vector<double> ends{range.first, range.second};
      const std::string svg = Plot({.x_scale = Scale::logarithmic,
                                    .y_scale = Scale::logarithmic,
                                    .x_range = range,
                                    .y_range = range,
                                    .width = size,
                                    .height = size})
                                  .line("", ends, ends)
                                  .svg();
      // Labels of the x axis are lowest, those of the y axis at its left.
      std::vector<xml::Element> all = elements(svg, "text"), below, beside;
      const auto number = [](const xml::Element& e, const char* name) { return std::stod(e.attributes.at(name)); };
      double foot = 0;
      for (const xml::Element& e : all) foot = std::max(foot, number(e, "y"));
      for (const xml::Element& e : all) (number(e, "y") == foot ? below : beside).push_back(e);
      CHECK(below.size() >= (size < 150 ? 1 : 2));
      CHECK(beside.size() >= 2);
      for (std::size_t i = 1; i < below.size(); ++i) {
        const double wide = plots::width_of(below[i].text, 11) + plots::width_of(below[i - 1].text, 11);
        CHECK(number(below[i], "x") - number(below[i - 1], "x") > wide / 2);
      }
      for (std::size_t i = 1; i < beside.size(); ++i) CHECK(number(beside[i - 1], "y") - number(beside[i], "y") > 10);
    }
  }
}

TEST_CASE("plots: with equal axes the box is square, and title and legend align with it") {
  for (const int names : {1, 3, 9}) {
    CAPTURE(names);
    Plot plot({.title = "A square", .width = 640, .height = 420, .equal_axes = true});
    for (int i = 0; i < names; ++i)
      plot.line("a rather long name " + std::to_string(i), {0, 1}, std::vector<double>{0, 1});
    plot.points("dots", {0.5}, {0.5});
    const std::string svg = plot.svg();
    const auto number = [](const xml::Element& e, const char* name) { return std::stod(e.attributes.at(name)); };
    const xml::Element box = elements(svg, "svg").at(1);
    CHECK(number(box, "width") == doctest::Approx(number(box, "height")).epsilon(0.002));
    CHECK(number(box, "width") > 150);
    double title = 0, first = 0, dots = 0;
    for (const xml::Element& e : elements(svg, "text")) {
      if (e.text == "A square") title = number(e, "x");
      if (e.text == "a rather long name 0") first = number(e, "x");
      if (e.text == "dots") dots = number(e, "x");
      if (!contains(e.text, "name")) continue;
      CHECK(number(e, "x") > title + 27.9);
      CHECK(number(e, "x") + plots::width_of(e.text, 12) < 640);
      CHECK(number(e, "y") < number(box, "y"));
    }
    CHECK(title == doctest::Approx(std::min(number(box, "x"), 640 / 3.0)).epsilon(0.001));
    CHECK(title > 60);
    CHECK(first == doctest::Approx(title + 28));
    CHECK(dots > title + 13.9);
  }
}

TEST_CASE("histogram: counts every value once in the right bin") {
  using plots::count;
  const std::vector<double> values{0, 0.1, 0.1, 0.3, 0.5, 0.95, 1, nan_, infinity, -infinity};
  CHECK(count(values, {.bins = 2}).counts == std::vector<double>{4, 3});  // 0.5 belongs to the second, 1 too
  CHECK(count(values, {.bins = 4, .range = {0, 0.4}}).counts ==
        std::vector<double>{1, 2, 1, 0});  // 3/4 of 0.4 is above 0.3
  CHECK(count({2, 2, 2}, {.bins = 2}).edges == std::vector<double>{1.5, 2, 2.5});
  CHECK(count({2, 2, 2}, {.bins = 2}).counts == std::vector<double>{0, 3});
  CHECK(count({nan_}, {}).counts.empty());
  CHECK(count({}, {}).counts.empty());
  CHECK(count({}, {.bins = 3, .range = {0, 1}}).counts == std::vector<double>{0, 0, 0});
  // Values on rounded edges.
  for (int bins = 1; bins < 60; ++bins) {
    const plots::Histogram empty = count({}, {.bins = bins, .range = {-0.1, 0.7}});
    const plots::Histogram h = count(empty.edges, {.bins = bins, .range = {-0.1, 0.7}});
    std::vector<double> expected(static_cast<std::size_t>(bins), 1);
    expected.back() = 2;
    REQUIRE(h.counts == expected);
  }
  // Bars are as high as the counts: the axis goes from 0 to 8, with a margin above.
  const Plot plot = Plot().histogram("h", std::vector<double>{0, 0, 0, 0, 0, 0, 0, 0, 1, 1}, {.bins = 2});
  const std::string svg = plot.svg();
  CHECK(shows(svg, "8"));
  CHECK(Plot().histogram("h", Tensor::from<float>({2, 1}, {1, 2})).svg() ==
        Plot().histogram("h", std::vector<double>{1, 2}).svg());
}

TEST_CASE("lines: have gaps at values that cannot be shown, and dots for single points") {
  const std::string gap = Plot().line("a", {1, 2, nan_, 4, 5, infinity, 7}).svg();
  CHECK(count_of(line_path(gap), 'M') == 2);
  CHECK(elements(gap, "circle").size() == 1);
  CHECK(count_of(line_path(Plot().line("a", {1, 2, 1e301, 4, 5}).svg()), 'M') == 2);
  const std::string logarithmic = Plot({.y_scale = Scale::logarithmic}).line("a", {1, 2, 0, 4, 5, -1, 10, 20}).svg();
  CHECK(count_of(line_path(logarithmic), 'M') == 3);
  CHECK(elements(Plot().line("a", {1, 2, 3}, {.markers = true}).svg(), "circle").size() == 4);  // one in the legend
  CHECK(elements(Plot().points("", {1, nan_, 3}, {1, 2, nan_}).svg(), "circle").size() == 1);
  CHECK(contains(Plot().line("a", {1, 2}, {.dashed = true}).svg(), "stroke-dasharray"));
}

TEST_CASE("plots: only plots without data show 'no data'") {
  const std::vector<double> none;
  for (const Plot& plot :
       {Plot(), Plot().line("a", none), Plot().line("a", {nan_, infinity}), Plot().points("a", {1}, {nan_}),
        Plot().histogram("a", none), Plot().bars("a", {}, {}), Plot().bars("a", {"b"}, {nan_}), Plot().image(Tensor()),
        Plot().vertical("v", 3), Plot({.y_scale = Scale::logarithmic}).line("a", {0, -1})})
    CHECK(shows(plot.svg(), "no data"));
  const Tensor slope = Tensor::from<double>({2, 2}, {0, 1, 2, 3});
  for (const Plot& plot :
       {Plot().line("a", {1}), Plot().line("a", {3, 3, 3}), Plot().points("a", {1}, {0}), Plot().histogram("a", {1, 1}),
        Plot().bars("a", {"b"}, {0}), Plot().image(slope), Plot().contours(slope)})
    CHECK_FALSE(shows(plot.svg(), "no data"));
  CHECK(shows(plots_svg({}), "no data"));
  // A flat surface has no contour lines, but it has data.
  CHECK_NOTHROW(Plot().contours(Tensor({3, 3})).svg());
}

TEST_CASE("lines: decimation keeps extremes") {
  std::vector<double> walk;
  std::mt19937 random(2);
  std::normal_distribution<double> normal;
  for (int i = 0; i < 200000; ++i) walk.push_back((walk.empty() ? 0 : walk.back()) + normal(random));
  walk[12345] = 5000;
  walk[150001] = -5000;
  const std::string svg = Plot({.y_range = {-5000, 5000}}).line("", walk).svg();
  CHECK(svg.size() < 60000);
  // The line reaches both ends of the axis.
  std::vector<plots::Pixel> line;
  for (std::size_t i = 0; i < walk.size(); ++i) line.push_back({static_cast<double>(i) * 500 / 200000, walk[i]});
  const std::vector<plots::Pixel> out = plots::decimate(line);
  CHECK(out.size() <= 4 * 501);
  const auto higher = [](const plots::Pixel& a, const plots::Pixel& b) { return a.y < b.y; };
  CHECK(std::max_element(out.begin(), out.end(), higher)->y == 5000);
  CHECK(std::min_element(out.begin(), out.end(), higher)->y == -5000);
  CHECK((out.front().y == walk.front() && out.back().y == walk.back()));
  CHECK(std::is_sorted(out.begin(), out.end(), [](auto& a, auto& b) { return a.x < b.x; }));
  // A spiral is reproduced within a third of a pixel.
  line.clear();
  for (int i = 0; i < 100000; ++i) line.push_back({100 * std::cos(i * 1e-4), 100 * std::sin(i * 1e-4)});
  const std::vector<plots::Pixel> round = plots::decimate(line);
  CHECK(round.size() < 5000);
  CHECK(round.back().y == line.back().y);
  // Simplification is invisible.
  line.clear();
  for (int i = 0; i <= 5000; ++i) line.push_back({i * 0.1, 50 * std::sin(i * 0.002)});
  const std::vector<plots::Pixel> simple = plots::simplified(line);
  CHECK(simple.size() < 200);
  for (std::size_t i = 0, k = 0; i < line.size(); ++i) {
    while (simple[k + 1].x < line[i].x) ++k;
    const double t = (line[i].x - simple[k].x) / (simple[k + 1].x - simple[k].x);
    REQUIRE(std::abs(simple[k].y + t * (simple[k + 1].y - simple[k].y) - line[i].y) < 0.2);
  }
  std::vector<double> x, y;
  for (int i = 0; i < 100000; ++i) x.push_back(normal(random)), y.push_back(normal(random));
  CHECK(elements(Plot({.width = 200, .height = 200}).points("", x, y).svg(), "circle").size() < 40000);
}

TEST_CASE("lines: parts far outside the box are clipped") {
  const std::string path =
      line_path(Plot({.x_range = {0, 1}, .y_range = {0, 1}}).line("", {-1e299, 0.5, 1e299}, {0, 0.5, 1e299}).svg());
  const std::regex number("-?[0-9.]+");
  for (auto i = std::sregex_iterator(path.begin(), path.end(), number); i != std::sregex_iterator(); ++i)
    CHECK(std::abs(std::stod(i->str())) < 1000);
  // From outside to outside through the box.
  CHECK(count_of(
            line_path(Plot({.x_range = {0, 1}, .y_range = {0, 1}}).line("", {-5, 5}, std::vector<double>{-4, 6}).svg()),
            'L') == 1);
}

TEST_CASE("contours: lie at linearly interpolated positions") {
  // A cone: each line is a closed circle.
  plots::Matrix cone{41, 41, {}};
  for (int i = 0; i < 41; ++i) {
    for (int j = 0; j < 41; ++j) cone.numbers.push_back(std::hypot(i - 20, j - 20));
  }
  const plots::ContourLevel circle = plots::contour_lines(cone, 10.5);
  REQUIRE(circle.lines.size() == 1);
  CHECK(circle.lines[0].front() == circle.lines[0].back());
  CHECK(circle.lines[0].size() > 60);
  for (const auto& [x, y] : circle.lines[0]) CHECK(std::abs(std::hypot(x - 20, y - 20) - 10.5) < 0.02);
  // Cut by the border: four open lines in the corners.
  CHECK(plots::contour_lines(cone, 24).lines.size() == 4);
  CHECK(plots::contour_lines(cone, 24).lines[0].front() != plots::contour_lines(cone, 24).lines[0].back());
  CHECK(plots::contour_lines(cone, 100).lines.empty());
  // Saddle point with the mean above the level: the low corners are separated.
  const plots::ContourLevel saddle = plots::contour_lines({2, 2, {1, 0, 0, 1}}, 0.4);
  REQUIRE(saddle.lines.size() == 2);
  for (const auto& line : saddle.lines) {
    REQUIRE(line.size() == 2);
    // Both ends lie on edges of one low corner: (1, 0) or (0, 1).
    CHECK(std::abs(line[0].first - line[1].first) == doctest::Approx(0.4));
    CHECK(std::abs(line[0].second - line[1].second) == doctest::Approx(0.4));
  }
  // No line in a square with a NaN corner.
  cone.numbers[20 * 41 + 30] = nan_;
  CHECK(plots::contour_lines(cone, 10.5).lines.size() == 1);
  CHECK(plots::contour_lines(cone, 10.5).lines[0].front() != plots::contour_lines(cone, 10.5).lines[0].back());
}

TEST_CASE("images: draw rows from the top with colors and values in cells") {
  const Tensor m = Tensor::from<double>({2, 2}, {0, 1, 2, nan_});
  const std::string svg = Plot({.equal_axes = true}).image(m, {.numbers = true, .row_names = {"up", "down"}}).svg();
  Names colors;
  for (const xml::Element& e : elements(svg, "path")) {
    if (e.attributes.count("fill") == 1 && e.attributes.at("fill") != "none") colors.push_back(e.attributes.at("fill"));
  }
  CHECK(colors == Names{"#440154", "#21918c", "#fde725"});
  CHECK((shows(svg, "up") && shows(svg, "down") && shows(svg, "2")));
  double up = 0, down = 0;
  for (const xml::Element& e : elements(svg, "text")) {
    if (e.text == "up") up = std::stod(e.attributes.at("y"));
    if (e.text == "down") down = std::stod(e.attributes.at("y"));
  }
  CHECK(up < down);
  // A large matrix is averaged, which limits the file size.
  Tensor large({2000, 1000}, f64);
  for (std::size_t i = 0; i < 2000000; ++i) large.mutable_values<double>()[i] = static_cast<double>(i % 997);
  CHECK(Plot().image(large).svg().size() < 3000000);
  CHECK(shows(Plot().image(Tensor::from<double>({1, 1}, {7})).svg(), "7"));
}

TEST_CASE("plots: names may be any bytes") {
  std::mt19937 random(3);
  std::uniform_int_distribution<int> byte(0, 255), length(0, 60);
  const auto bytes = [&] {
    std::string out(static_cast<std::size_t>(length(random)), ' ');
    for (char& c : out) c = static_cast<char>(byte(random));
    return out;
  };
  for (int i = 0; i < 300; ++i) {
    const std::string name = bytes();
    Plot plot({.title = bytes(), .x = bytes(), .y = bytes()});
    plot.line(name, {1, 2}).bars(bytes(), {bytes() + "1", bytes() + "2"}, {1, 2}).vertical(bytes(), 1);
    CHECK_NOTHROW(xml::parse(plots_svg({plot}, {.title = bytes()})));
  }
  const std::string svg = Plot().line("</text><script>&\"'\x01\xff\xed\xa0\x80\n", {1}).svg();
  CHECK(shows(svg, "</text><script>&\"'????? "));
  CHECK_FALSE(contains(svg, "<script"));
  CHECK(shows(Plot().line("Zürich 日本 \U0001F600", {1}).svg(), "Zürich 日本 \U0001F600"));
  // Long names are truncated between characters.
  std::string umlauts;
  for (int i = 0; i < 500; ++i) umlauts += "ü";
  CHECK(texts(Plot().line(umlauts, {1}).svg()).back().size() < 300);
}

TEST_CASE("plots: output does not depend on the locale") {
  const auto svg = [] {
    return plots_svg({Plot({.x = "x"}).line("a", {0.25, 1234567.5, -0.125}), Plot().histogram("h", {0.5, 1.5, 1.25})});
  };
  const std::string before = svg();
  CHECK(svg() == before);
  const std::string old = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8"}) {
    if (std::setlocale(LC_ALL, name) != nullptr) CHECK(svg() == before);
  }
  std::setlocale(LC_ALL, old.c_str());
}

TEST_CASE("plots: grids, legends and colors for dark pages") {
  const Plot a = Plot({.title = "A", .width = 300, .height = 200}).line("one", {1, 2}).line("", {2, 1});
  const Plot b = Plot({.title = "B", .width = 200, .height = 300}).bars("two", {"x"}, {1});
  const std::string svg = plots_svg({a, b, a}, {.columns = 2, .title = "All"});
  const xml::Element root = xml::parse(svg).front();
  CHECK(root.name == "svg");
  CHECK(root.attributes.at("width") == "500");
  CHECK(std::stod(root.attributes.at("height")) > 500);
  for (const char* text : {"All", "A", "B", "one", "two"}) CHECK(shows(svg, text));
  CHECK(contains(svg, "prefers-color-scheme:dark"));
  CHECK(contains(svg, "fill=\"#ffffff\""));  // the background, for viewers without styles
  // Colors are used in turn; when the palette repeats, lines are dashed.
  Plot many;
  for (int i = 0; i < 9; ++i) many.line("m" + std::to_string(i), {1.0 * i, 2.0 * i});
  CHECK(contains(many.svg(), "class=\"c6\""));
  CHECK_FALSE(contains(many.svg(), "class=\"c7\""));
  CHECK(contains(many.svg(), "stroke-dasharray"));
  // Copies are independent.
  Plot copy = a;
  copy.line("three", {1, 2});
  CHECK(shows(copy.svg(), "three"));
  CHECK_FALSE(shows(a.svg(), "three"));
}

TEST_CASE("plots: invalid input throws and leaves the plot unchanged") {
  Plot plot;
  const std::string before = plot.svg();
  CHECK(contains(message_of<ShapeError>([&] {
                   plot.line("loss", {1, 2}, std::vector<double>{1});
                 }),
                 "line \"loss\": x and y"));
  CHECK_THROWS_AS(plot.points("p", {1}, {}), ShapeError);
  CHECK_THROWS_AS(plot.bars("b", {"x", "y"}, {1}), ShapeError);
  CHECK_THROWS_AS(plot.image(Tensor({2, 2, 2})), ShapeError);
  CHECK_THROWS_AS(plot.image(Tensor({2, 2}), {.row_names = {"a"}}), ShapeError);
  CHECK_THROWS_AS(plot.contours(Tensor({1, 5})), ShapeError);
  CHECK_THROWS_AS(plot.contours(Tensor({5, 5}), {.levels = 0}), UserError);
  CHECK_THROWS_AS(plot.contours(Tensor({5, 5}), {.x = {1, 1}}), UserError);
  CHECK_THROWS_AS(plot.histogram("h", {1, 2}, {.bins = 0}), UserError);
  CHECK_THROWS_AS(plot.histogram("h", {1, 2}, {.range = {2, 1}}), UserError);
  CHECK_THROWS_AS(plot.histogram("h", {1, 2}, {.range = {nan_, 1}}), UserError);
  CHECK(plot.svg() == before);
  CHECK_THROWS_AS(Plot({.width = 10}), UserError);
  CHECK_THROWS_AS(Plot({.height = 1000000}), UserError);
  CHECK_THROWS_AS(Plot({.x_range = {0, infinity}}), UserError);
  CHECK(contains(message_of<UserError>([] {
                   Plot({.y_scale = Scale::logarithmic, .y_range = {0, 1}});
                 }),
                 "ascending, and positive"));
  CHECK_THROWS_AS(Plot({.x_scale = Scale::logarithmic, .equal_axes = true}), UserError);
  CHECK_THROWS_AS(Plot({.x_scale = Scale::logarithmic}).bars("b", {"x"}, {1}), UserError);
  CHECK_THROWS_AS(Plot({.y_scale = Scale::logarithmic}).image(Tensor({2, 2})), UserError);
  CHECK_THROWS_AS(plots_svg({plot}, {.columns = 0}), UserError);
}

TEST_CASE("plots: files are written atomically") {
  const ScratchFolder folder;
  const Plot plot = Plot().line("a", {1, 2});
  plot.save(folder / "a.svg");
  CHECK(read(folder / "a.svg") == plot.svg());
  save_plots(folder / "b.svg", {plot, plot});
  CHECK(read(folder / "b.svg") == plots_svg({plot, plot}));
  CHECK(contains(message_of<UserError>([&] { plot.save(folder / "a.png"); }), ".svg"));
  CHECK_THROWS_AS(save_plots(folder / "a", {plot}), UserError);
  CHECK_FALSE(fs::exists(folder / "a.png"));
  CHECK_THROWS_AS(plot.save(folder / "nowhere/a.svg"), EnvironmentError);
  // A directory is not replaced.
  fs::create_directory(folder / "c.svg");
  CHECK_THROWS_AS(plot.save(folder / "c.svg"), EnvironmentError);
  CHECK(fs::is_directory(folder / "c.svg"));
}

TEST_CASE("history.plot: plots loss and metrics and marks the best epoch") {
  const ScratchFolder folder;
  const fs::path path = folder / "curves.svg";
  const auto add = [](History& h, double loss, double accuracy, double val_loss, double val_accuracy, double rate) {
    Logs logs;
    logs.add("loss", loss), logs.add("accuracy", accuracy), logs.add("val_loss", val_loss);
    logs.add("val_accuracy", val_accuracy), logs.add("learning_rate", rate);
    h.add(logs, 1, 1);
  };
  History h;
  add(h, 0.9, 0.6, 0.8, 0.7, 0.1);
  add(h, 0.5, 0.8, nan_, 0.9, 0.1);
  h.plot(path);
  CHECK(shows(read(path), "best: 0.8 in epoch 1"));
  CHECK(shows(read(path), "best: 0.9 in epoch 2"));
  CHECK((shows(read(path), "loss") && shows(read(path), "accuracy") && shows(read(path), "validation")));
  CHECK_FALSE(shows(read(path), "learning rate"));
  add(h, 0.4, 0.9, 0.6, 0.8, 0.05);
  h.plot(path);
  CHECK(shows(read(path), "best: 0.6 in epoch 3"));
  CHECK(shows(read(path), "learning rate"));
  History without;
  Logs logs;
  logs.add("loss", 2);
  without.add(logs, 1, 1);
  without.plot(path);
  CHECK(shows(read(path), "best: 2 in epoch 1"));
  CHECK_FALSE(shows(read(path), "validation"));
  History().plot(path);
  CHECK(shows(read(path), "no data"));
  CHECK_THROWS_AS(h.plot(folder / "curves.jpg"), UserError);
}
