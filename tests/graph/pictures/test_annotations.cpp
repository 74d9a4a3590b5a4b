// Annotations in diagrams: lines, colors and the legend.
#include <cmath>
#include <limits>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/pictures/dot.hpp>

#include "support/graphviz.hpp"
#include "support/scratch.hpp"
#include "support/text.hpp"
#include "support/tiny_ops.hpp"

using namespace xgrad;
using testing::contains;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

// Draws a chain with one node per number, annotated with the number.
std::string picture_of(const std::vector<double>& numbers, Annotations how) {
  Graph g;
  Value y = g.input("x", {2});
  std::map<NodeId, double> of;
  for (const double number : numbers) {
    y = g.apply(tiny::tanh, {y});
    of[y.id()] = number;
  }
  how.note = [&](std::span<const NodeId> nodes) -> NodeNote {
    REQUIRE(nodes.size() == 1);
    const auto found = of.find(nodes[0]);
    if (found == of.end()) return {};
    return {{"line <1>", "& line 2"}, found->second};
  };
  return to_dot(g, {.title = "t", .annotations = how});
}

// The fill colors of the operations, in tape order.
std::vector<std::string> fills(const std::string& dot) {
  std::vector<std::string> out;
  const std::regex node("n[0-9]+ \\[label=<tanh.*shape=box, fillcolor=\"(#[0-9a-f]{6})\"");
  for (std::sregex_iterator i(dot.begin(), dot.end(), node), end; i != end; ++i) out.push_back((*i)[1]);
  return out;
}

int brightness(const std::string& color) {
  return std::stoi(color.substr(1, 2), nullptr, 16) + std::stoi(color.substr(3, 2), nullptr, 16) +
         std::stoi(color.substr(5, 2), nullptr, 16);
}

}  // namespace

TEST_CASE("annotations: lines are shown escaped and in order; a node without a number is white") {
  const std::string text = picture_of({1, 2}, {.legend = "time & <ms>"});
  CHECK(contains(text, "line &#60;1&#62;</FONT><BR/><FONT POINT-SIZE=\"9\" COLOR=\"#374151\">&#38; line 2"));
  CHECK(contains(text, "shape=ellipse, style=\"filled\", fillcolor=\"#ffffff\""));
  CHECK(contains(text, "time &#38; &#60;ms&#62;"));
  CHECK(text == picture_of({1, 2}, {.legend = "time & <ms>"}));
}

TEST_CASE("annotations: larger values are darker, and equal values have equal colors") {
  const auto seen = fills(picture_of({0, 1, 2, 3, 2}, {.legend = "n"}));
  REQUIRE(seen.size() == 5);
  for (std::size_t i = 0; i < 3; ++i) CHECK(brightness(seen[i]) > brightness(seen[i + 1]));
  CHECK(seen[2] == seen[4]);
  CHECK(fills(picture_of({0, 3, 3.5}, {.legend = "n", .low = 0, .high = 3}))[1] == seen[3]);
  CHECK(fills(picture_of({0, 3, 3.5}, {.legend = "n", .low = 0, .high = 3}))[2] ==
        seen[3]);  // beyond the end of the scale
}

TEST_CASE("annotations: the logarithmic scale goes from blue over white to red") {
  const Annotations how{.legend = "norm", .colors = ColorScale::cold_hot, .logarithmic = true};
  const auto seen = fills(picture_of({1e-6, 1e-3, 1}, how));
  REQUIRE(seen.size() == 3);
  CHECK(seen == std::vector<std::string>{"#2166ac", "#f7f7f7", "#b2182b"});
  const std::string text = picture_of({1e-6, 1e-3, 1}, how);
  CHECK(contains(text, ">1e-06<"));
  CHECK(contains(text, ">0.001<"));
  CHECK(contains(text, "(logarithmic)"));
  CHECK(contains(text, "fontcolor=\"#ffffff\""));  // on dark blue and dark red
  // Random differences do not span the whole scale.
  const auto alike = fills(picture_of({1.1, 1.2}, how));
  CHECK(std::abs(brightness(alike[0]) - brightness(alike[1])) < 60);
}

TEST_CASE("annotations: zeros on a logarithmic scale, NaN and infinities have separate colors") {
  const Annotations how{.legend = "norm", .colors = ColorScale::cold_hot, .logarithmic = true};
  const std::string text = picture_of({0, not_a_number, inf, -inf, 1e-3, 1}, how);
  const auto seen = fills(text);
  REQUIRE(seen.size() == 6);
  CHECK(seen[1] == seen[2]);
  CHECK(seen[1] == seen[3]);
  CHECK(seen[0] != seen[1]);
  CHECK(seen[4] != seen[0]);
  CHECK(contains(text, "NaN, Inf"));
  CHECK(contains(text, "&#160;0&#160;"));
  CHECK_FALSE(contains(picture_of({1, 2}, how), "NaN, Inf"));
  for (const auto& only : {std::vector<double>{not_a_number}, std::vector<double>{0}, std::vector<double>{5, 5}})
    CHECK(fills(picture_of(only, how)).size() == only.size());
}

TEST_CASE("annotations: without numbers there is no legend") {
  const std::string text = picture_of({}, {.legend = "time"});
  CHECK_FALSE(contains(text, "TABLE"));
}

TEST_CASE("annotations: invalid limits throw and are named") {
  CHECK_THROWS_WITH_AS(picture_of({1}, {.legend = "ms", .low = not_a_number}),
                       doctest::Contains("to_dot: the colors of \"ms\": low must be finite, got nan"), GraphError);
  CHECK_THROWS_WITH_AS(picture_of({1}, {.legend = "ms", .low = 2, .high = 1}),
                       doctest::Contains("low must be less than high, got 2 and 1"), GraphError);
  CHECK_THROWS_WITH_AS(picture_of({1}, {.legend = "ms", .logarithmic = true, .high = 0}),
                       doctest::Contains("high must be positive on a logarithmic scale, got 0"), GraphError);
}

TEST_CASE("annotations: Graphviz accepts the diagram") {
  if (!graphviz::found()) return;
  const Annotations how{.legend = "\"norm\" \\ <b>", .colors = ColorScale::cold_hot, .logarithmic = true};
  const graphviz::Picture picture = graphviz::read(picture_of({0, not_a_number, inf, 1e-30, 1e30, 1}, how));
  CHECK(picture.nodes == 7);
  CHECK(picture.edges == 6);
}
