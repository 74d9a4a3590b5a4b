// Folding of large diagrams: layers as one box, and repetitions drawn once.
#include <regex>
#include <string>

#include <doctest/doctest.h>

#include <xgrad/engine.hpp>
#include <xgrad/graph/leaves.hpp>

#include "support/graphviz.hpp"
#include "support/text.hpp"

using namespace xgrad;
using testing::contains;
using testing::count;

namespace {

// The sum of all numbers that precede `what`; thousands are separated by commas.
long total(const std::string& text, const std::string& what) {
  long sum = 0;
  const std::regex pattern("([0-9,]+) " + what);
  for (std::sregex_iterator i(text.begin(), text.end(), pattern), end; i != end; ++i) {
    std::string digits = (*i)[1];
    std::erase(digits, ',');
    sum += std::stol(digits);
  }
  return sum;
}

Value dense(Value x, Index width, const std::string& name = "dense") {
  Graph& g = x.graph();
  const auto scope = g.unique_scope(name);
  const Value w = g.parameter(Parameter(g.current_scope() + "/w", Tensor({x.shape()[1], width})));
  const Value b = g.parameter(Parameter(g.current_scope() + "/b", Tensor::zeros({width})));
  return tanh(matmul(x, w) + b);
}

// A chain of equal layers, except the first, and a loss outside of all scopes.
Value chain(Graph& g, int layers) {
  Value y = dense(g.input("x", {8, 5}), 6);
  for (int i = 1; i < layers; ++i) y = dense(y, 6);
  return sum(sin(y));
}

int operations(const Graph& g) {
  int n = 0;
  for (NodeId id = 0; id < g.size(); ++id) n += static_cast<int>(g.node(id).op->traits.leaf == Leaf::none);
  return n;
}

}  // namespace

TEST_CASE("fold: an unfolded diagram has a node per node and an edge per operand") {
  if (!graphviz::found()) return;
  Graph g;
  const Value loss = chain(g, 4);
  std::vector<Value> weights;
  for (const Parameter& p : g.parameters()) weights.push_back(g.parameter(p));
  gradients(loss, weights);
  int nodes = 0, edges = 0;
  for (NodeId id = 0; id < g.size(); ++id) {
    if (scalar_constant(g, id)) continue;  // shown inside the operation that uses them
    ++nodes;
    for (const NodeId input : g.inputs(id)) edges += static_cast<int>(!scalar_constant(g, input));
  }
  const graphviz::Picture picture = graphviz::read(to_dot(g, {.fold_repeats = false}));
  CHECK(picture.nodes == nodes);
  CHECK(picture.edges == edges);
  CHECK(picture.clusters == 4);
}

TEST_CASE("fold: a deeper scope is one box per role, which shows what it stands for") {
  Graph g;
  const Value x = g.input("x", {8, 5});
  Value y;
  {
    const auto outer = g.scope("net");
    y = dense(dense(x, 3, "a"), 4, "b");
  }
  const Value loss = sum(y);
  gradients(loss, {g.parameter(g.parameters()[0]), g.parameter(g.parameters()[1])});
  const std::string flat = to_dot(g, {.depth = 0});
  CHECK(count(flat, "<B>net</B>") == 2);  // forward and backward
  CHECK(contains(flat,
                 "label=<<B>net</B><BR/><FONT POINT-SIZE=\"9\" COLOR=\"#6b7280\">6 operations</FONT><BR/>"
                 "<FONT POINT-SIZE=\"9\" COLOR=\"#6b7280\">34 in 4 parameters</FONT><BR/>"
                 "<FONT POINT-SIZE=\"9\" COLOR=\"#6b7280\">&#8594; 8&#215;4</FONT>>"));
  CHECK_FALSE(contains(flat, "subgraph"));
  const std::string one = to_dot(g, {.depth = 1});
  CHECK(count(one, "subgraph") == 1);
  CHECK(count(one, "<B>a</B>") == 2);
  CHECK(count(one, "<B>b</B>") == 2);
  CHECK(contains(one, "18 in 2 parameters"));
  CHECK(contains(one, "16 in 2 parameters"));
  CHECK(contains(one, "label=<&#160;8&#215;3>"));
  CHECK_FALSE(contains(one, "matmul"));
  const std::string two = to_dot(g, {.depth = 2});
  CHECK(two == to_dot(g));
  CHECK(contains(two, "matmul"));
  // Every operation is drawn or counted.
  for (const std::string& text : {flat, one}) {
    const auto single = static_cast<long>(count(text, ">, shape=box") - count(text, "peripheries=2"));
    CHECK(total(text, "operation") + single == operations(g));
  }
  CHECK_THROWS_WITH_AS(to_dot(g, {.depth = -1}), doctest::Contains("to_dot: depth must not be negative, got -1"),
                       GraphError);
  CHECK_THROWS_WITH_AS(to_dot(g, {.max_nodes = -2}),
                       doctest::Contains("to_dot: max_nodes must not be negative, got -2"), GraphError);
}

TEST_CASE("fold: edges between boxes carry shapes, dtypes and bytes, once per pair of boxes") {
  Graph g;
  const Value y = dense(dense(g.input("x", {8, 5}), 6, "a"), 7, "b");
  const std::string text = to_dot(g, {.outputs = {y}, .show_bytes = true, .depth = 0});
  CHECK(contains(text, "label=<&#160;f32 8&#215;6, 192 bytes>"));
  CHECK(count(text, "->") == 2);
  CHECK(contains(text, "f32 8&#215;7"));
  CHECK(contains(to_dot(g, {.show_bytes = true}), "label=<&#160;f32 8&#215;6, 192 bytes>"));
}

TEST_CASE("fold: repeated layers are drawn once, with their number") {
  Graph g;
  const Value loss = chain(g, 6);
  const std::string text = to_dot(g, {.outputs = {loss}});
  CHECK(contains(text, "label=<dense_1 &#8230; dense_5&#160; <B>&#215;5</B>>"));
  CHECK(count(text, "label=<matmul>") == 2);
  CHECK(count(text, "label=<sin>") == 1);
  CHECK(contains(to_dot(g, {.outputs = {loss}, .depth = 0}), "<B>dense_1 &#8230; dense_5 &#215;5</B>"));
  CHECK(count(to_dot(g, {.outputs = {loss}, .fold_repeats = false}), "label=<matmul>") == 6);
  // The edge to the next layer starts at the drawn layer.
  const std::regex onward("n[0-9]+ -> n[0-9]+ \\[color=\"#6b8fb5\", label=<&#160;8&#215;6>, weight=8\\]");
  CHECK(std::regex_search(text, onward));
  if (graphviz::found()) {
    const graphviz::Picture picture = graphviz::read(to_dot(g, {.outputs = {loss}, .depth = 0}));
    CHECK(picture.nodes == 5);  // x, dense, the other five, sin, sum
    CHECK(picture.edges == 4);
  }
}

TEST_CASE("fold: backward nodes of repeated layers are folded too") {
  Graph g;
  const Value loss = chain(g, 6);
  std::vector<Value> shown{loss};
  for (const Parameter& p : g.parameters()) shown.push_back(gradients(loss, g.parameter(p)));
  const std::string text = to_dot(g, {.outputs = shown, .depth = 0});
  CHECK(count(text, "<B>dense_1 &#8230; dense_5 &#215;5</B>") == 2);
  if (graphviz::found()) CHECK(graphviz::read(text).nodes > 5);
}

TEST_CASE("fold: blocks of several layers repeat, also if only random streams differ") {
  Graph g;
  Value y = dense(g.input("x", {8, 6}), 6);
  for (int i = 0; i < 3; ++i) {
    {
      const auto scope = g.unique_scope("noise");
      y = y + normal_like(y);
    }
    y = dense(y, 6);
  }
  const std::string text = to_dot(g, {.depth = 0});
  CHECK(contains(text, "label=<dense &#8230; noise_2&#160; <B>&#215;3</B>>"));
  CHECK(count(text, "<B>noise") == 1);
}

TEST_CASE("fold: layers that differ or are not chained are not folded") {
  const auto boxes = [](auto&& build) {
    Graph g;
    build(g);
    return count(to_dot(g, {.depth = 0}), "<B>dense");
  };
  CHECK(boxes([](Graph& g) { chain(g, 6); }) == 2);
  CHECK(boxes([](Graph& g) {  // three of a different width
          dense(dense(dense(g.input("x", {8, 5}), 6), 7), 8);
        }) == 3);
  CHECK(boxes([](Graph& g) {  // side by side
          const Value x = g.input("x", {8, 5});
          dense(x, 6) + dense(x, 6) + dense(x, 6);
        }) == 3);
  CHECK(boxes([](Graph& g) {  // a different attribute
          Value y = g.input("x", {6, 6});
          for (int i = 0; i < 2; ++i) {
            const auto scope = g.unique_scope("dense");
            y = sum(y, {i}, true) + y;
          }
        }) == 2);
  CHECK(boxes([](Graph& g) {  // a different constant
          Value y = g.input("x", {6, 6});
          for (int i = 0; i < 2; ++i) {
            const auto scope = g.unique_scope("dense");
            y = tanh(y * (i + 2));
          }
        }) == 2);
}

TEST_CASE("fold: repetitions nest") {
  Graph g;
  Value y = g.input("x", {8, 6});
  for (int i = 0; i < 4; ++i) {
    const auto block = g.unique_scope("block");
    for (int k = 0; k < 3; ++k) y = dense(y, 6);
  }
  const std::string text = to_dot(g);
  CHECK(contains(text, "label=<block &#8230; block_3&#160; <B>&#215;4</B>>"));
  CHECK(contains(text, "label=<dense &#8230; dense_2&#160; <B>&#215;3</B>>"));
  CHECK(count(text, "label=<matmul>") == 1);
  if (graphviz::found()) {
    const graphviz::Picture picture = graphviz::read(text);
    CHECK(picture.nodes == 6);
    CHECK(picture.edges == 5);
  }
}

TEST_CASE("fold: ten thousand nodes of any structure are folded, and the diagram says so") {
  for (int kind = 0; kind < 4; ++kind) {
    CAPTURE(kind);
    Graph g;
    Value y = g.input("x", {8, 4});
    for (int n = 0; g.size() < 10000; ++n) {
      if (kind == 0) {  // no scopes
        y = tanh(y * (1 + 1e-3 * n));
      } else if (kind == 1) {  // thousands of different layers
        const auto scope = g.unique_scope("layer");
        y = y + sin(y * (1 + 1e-3 * n));
      } else if (kind == 2) {  // in one scope
        const auto model = g.scope("model");
        const auto scope = g.unique_scope("layer");
        y = y + sin(y * (1 + 1e-3 * n));
      } else {  // a hundred scopes of a hundred
        const auto outer = g.scope("block" + std::to_string(g.size() / 100));
        const auto scope = g.unique_scope("layer");
        y = y + sin(y * (1 + 1e-3 * n));
      }
    }
    const std::string text = to_dot(g);
    CHECK(contains(text, "boxes"));
    CHECK(total(text, "operations?") == operations(g));
    CHECK(text == to_dot(g));
    if (!graphviz::found()) continue;
    const graphviz::Picture picture = graphviz::read(text);
    CHECK(picture.nodes >= 30);
    CHECK(picture.nodes <= 301);
    CHECK(total(text, "boxes") == picture.nodes);
    // max_nodes overrides the folding.
    CHECK(graphviz::read(to_dot(g, {.max_nodes = 100'000}), false).nodes > 6000);
  }
}

TEST_CASE("fold: scope names are escaped in folded boxes") {
  if (!graphviz::found()) return;
  for (const std::string name : {"\"a\"", "</B>", "a\\", "&amp;", "\xff", "\xc3\x97", "x\ny", " ", "]]>", "--"}) {
    CAPTURE(name);
    Graph g;
    Value y = g.input("x", {8, 6});
    for (int i = 0; i < 3; ++i) y = dense(y, 6, name);
    for (const auto& depth : {std::optional<int>(0), std::optional<int>(), std::optional<int>(7)})
      CHECK(graphviz::read(to_dot(g, {.show_bytes = true, .depth = depth})).nodes >= 2);
    CHECK(graphviz::read(to_dot(g, {.fold_repeats = false, .max_nodes = 2})).nodes >= 1);
  }
}

TEST_CASE("fold: a folded box is annotated with all its nodes") {
  Graph g;
  chain(g, 3);
  std::size_t seen = 0;
  const Annotations how{.note = [&](std::span<const NodeId> nodes) -> NodeNote {
                          seen += nodes.size();
                          return {{}, static_cast<double>(nodes.size())};
                        },
                        .legend = "nodes"};
  const std::string text = to_dot(g, {.depth = 0, .annotations = how});
  CHECK(seen == g.size());
  CHECK_FALSE(contains(text, "&#215;3"));  // no repetitions, since annotations may differ
}
