// Differences between two graphs.
#include <string>

#include <doctest/doctest.h>

#include <xgrad/engine.hpp>

#include "support/graphviz.hpp"
#include "support/text.hpp"

using namespace xgrad;
using testing::count;

namespace {

struct Options {
  Index width = 4;
  bool relu = false;
  bool extra = false;
  double slope = 2;
  std::string name = "w";
};

Value dense(Value x, const Options& o) {
  Graph& g = x.graph();
  const auto scope = g.unique_scope("dense");
  const Value y = matmul(x, g.parameter(Parameter(g.current_scope() + "/" + o.name, Tensor({x.shape()[1], o.width}))));
  return o.relu ? relu(y) : tanh(y);
}

void build(Graph& g, const Options& o = {}) {
  Value y = dense(g.input("x", {3, 5}), {});
  if (o.extra) y = sin(y);
  y = dense(y, o);
  sum(y * o.slope).named("loss");
}

GraphDiff between(const Options& a, const Options& b) {
  Graph before, after;
  build(before, a);
  build(after, b);
  return diff(before, after);
}

std::size_t changed(const GraphDiff& d) {
  std::size_t n = 0;
  for (const auto& pair : d.pairs) n += static_cast<std::size_t>(!pair.changes.empty());
  return n;
}

}  // namespace

TEST_CASE("graph diff: equal graphs have no differences") {
  const GraphDiff d = between({}, {});
  CHECK(d.empty());
  CHECK(d.pairs.size() == 10);
  CHECK(d.str() == "10 nodes are the same, 0 changed, 0 added, 0 removed\n");
  Graph empty;
  CHECK(diff(empty, empty).empty());
}

TEST_CASE("graph diff: a replaced operation is a change, and its consumers stay unchanged") {
  const GraphDiff d = between({}, {.relu = true});
  CHECK(d.added.empty());
  CHECK(d.removed.empty());
  CHECK(changed(d) == 1);
  CHECK(d.str() ==
        "9 nodes are the same, 1 changed, 0 added, 0 removed\n"
        "~ %6 = relu(%5) : f32[3, 4]  in \"dense_1\"\n"
        "    operation: tanh -> relu\n");
}

TEST_CASE("graph diff: an inserted node is one addition and one changed input") {
  const GraphDiff d = between({}, {.extra = true});
  REQUIRE(d.added.size() == 1);
  CHECK(d.removed.empty());
  CHECK(changed(d) == 1);
  CHECK(count(d.str(), "+ %4 = sin(%3)") == 1);
  CHECK(count(d.str(), "    input 0: %3 tanh -> %4 sin") == 1);
  const GraphDiff back = between({.extra = true}, {});
  CHECK(back.added.empty());
  REQUIRE(back.removed.size() == 1);
  CHECK(count(back.str(), "- %4 = sin(%3)") == 1);
}

TEST_CASE("graph diff: types, constants and names") {
  const GraphDiff wider = between({}, {.width = 7});
  CHECK(wider.added.empty());
  CHECK(wider.removed.empty());
  CHECK(count(wider.str(), "    type: f32[4, 4] -> f32[4, 7]") == 1);
  CHECK(count(wider.str(), "    type: f32[3, 4] -> f32[3, 7]") == 3);  // product, function, scaled
  const GraphDiff number = between({}, {.slope = 3});
  CHECK(changed(number) == 1);
  CHECK(count(number.str(), "    value: 2 -> 3") == 1);
  const GraphDiff renamed = between({}, {.name = "kernel"});
  CHECK(renamed.added.size() == 1);
  CHECK(renamed.removed.size() == 1);
  CHECK(changed(renamed) == 1);
}

TEST_CASE("graph diff: updates") {
  Graph a, b;
  const Parameter w("w", Tensor::zeros({2})), v("v", Tensor::zeros({2})), u("u", Tensor::zeros({2}));
  a.add_update(w, a.parameter(w) * 2);
  a.add_update(v, a.parameter(v) * 2);
  b.add_update(w, b.parameter(w) * 3);
  b.add_update(u, b.parameter(u) * 3);
  const GraphDiff d = diff(a, b);
  REQUIRE(d.updates.size() == 2);  // the update of w uses the same product with a changed factor
  CHECK(count(d.str(), "+ update \"u\"") == 1);
  CHECK(count(d.str(), "- update \"v\"") == 1);
  CHECK_FALSE(d.empty());
}

TEST_CASE("graph diff: the diagram has a node for each node of both graphs") {
  Graph before, after;
  build(before, {.extra = true});
  build(after, {.relu = true});
  const GraphDiff d = diff(before, after);
  const std::string text = diff_to_dot(before, after, {.title = "a \"change\" <&>"});
  CHECK(text == diff_to_dot(before, after, {.title = "a \"change\" <&>"}));
  CHECK(count(text, "fillcolor=\"#fbdada\"") == d.removed.size());
  CHECK(count(text, "fillcolor=\"#fff0bf\"") == changed(d));
  CHECK(count(text, "operation: tanh -&#62; relu") == 1);
  if (!graphviz::found()) return;
  const graphviz::Picture picture = graphviz::read(text);
  CHECK(picture.nodes == static_cast<int>(after.size() + d.removed.size()));
  CHECK(picture.clusters == 2);
  int edges = 2;  // edges of the removed sine
  for (NodeId id = 0; id < after.size(); ++id) edges += static_cast<int>(after.inputs(id).size());
  CHECK(picture.edges == edges);
  const scratch::ScratchFolder folder;
  save_diff(before, after, folder / "d.svg");
  CHECK(std::filesystem::file_size(folder / "d.svg") > 2000);
  CHECK_THROWS_WITH_AS(save_diff(before, after, folder / "d.jpeg"), doctest::Contains("d.jpeg\" must end in .svg"),
                       GraphError);
  CHECK_THROWS_AS(diff_to_dot(before, after, {.max_nodes = -1}), GraphError);
}

TEST_CASE("graph diff: thousands of changes are drawn in part, and the others counted") {
  const auto chain = [](Graph& g, double factor, bool relus) {
    Value y = g.input("D:\\New]", {2});
    for (int i = 0; i < 3000; ++i) y = relus ? relu(y) * factor : sin(y) * factor;
  };
  Graph before, after;
  chain(before, 2, false);
  chain(after, 3, true);
  const GraphDiff d = diff(before, after);
  REQUIRE(d.removed.size() + d.added.size() + changed(d) > 3000);
  const std::string text = diff_to_dot(before, after);
  CHECK(count(text, " changed nodes are left out too") == 1);
  CHECK(count(text, "shape=") > 0);
  CHECK(count(text, "[label=<") <= 302);
  CHECK(count(text, "[label=<") > 30);
  CHECK(count(diff_to_dot(before, after, {.max_nodes = 20}), "[label=<") <= 22);
  if (graphviz::found()) CHECK(graphviz::read(text).nodes <= 300);
}

TEST_CASE("graph diff: unchanged nodes of large graphs are left out and counted; names are escaped") {
  const auto chain = [](Graph& g, int without) {
    Value y = g.input("in \"<&\\\n\xff", {2});
    for (int i = 0; i < 10000; ++i) {
      const auto scope = g.scope("s</B>\"" + std::to_string(i / 100));
      if (i != without) y = sin(y * (1 + 1e-3 * i)).named("n\\" + std::to_string(i));
    }
  };
  Graph before, after;
  chain(before, -1);
  chain(after, 5000);
  const GraphDiff d = diff(before, after);
  CHECK(d.removed.size() == 3);  // constant, product and sine
  CHECK(d.added.empty());
  CHECK(changed(d) == 1);
  const std::string text = diff_to_dot(before, after);
  CHECK(count(text, "unchanged nodes are left out") == 1);
  if (graphviz::found()) CHECK(graphviz::read(text).nodes < 20);
}
