// Diagrams of plans: a box per step, an edge per value in memory.
#include <cstdlib>
#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include <xgrad/engine.hpp>

#include "support/graphviz.hpp"
#include "support/scratch.hpp"
#include "support/text.hpp"

using namespace xgrad;
using scratch::ScratchFolder;
using testing::count;

namespace {

// A dense layer, softmax and an update; names with characters special to Graphviz.
struct Net {
  Graph g;
  Parameter w{"a<b>/\"w\"", Tensor({5, 3})};
  Plan plan = [this] {
    const Value x = g.input("x & y", {4, 5});
    const Value p = g.parameter(w);
    const Value loss = sum(log(softmax(matmul(x, p) + 1)));
    return Plan({loss, reshape(loss, {1})}, {assign(p, p - 0.1 * gradients(loss, p))});
  }();
};

}  // namespace

TEST_CASE("plan diagram: each step is a box that names its operations") {
  const Net net;
  const std::string text = to_dot(net.plan);
  for (int s = 0; s < net.plan.steps(); ++s) CHECK(count(text, "  s" + std::to_string(s) + " [label=") == 1);
  CHECK(count(text, "  s" + std::to_string(net.plan.steps()) + " [label=") == 0);
  CHECK(count(text, "matmul") == 2);
  CHECK(count(text, "then fused") >= 1);
  CHECK(count(text, "-> out") == 2);          // an output that is a view comes from the step that wrote its bytes
  CHECK(count(text, "shape=cylinder") == 2);  // the parameter before and after the update
  CHECK(count(text, "x &#38; y") == 1);
  CHECK(text == to_dot(Net().plan));
}

TEST_CASE("plan diagram: Graphviz draws it") {
  if (std::system("dot -V > /dev/null 2>&1") != 0) {
    MESSAGE("skipped: Graphviz is not installed");
    return;
  }
  const ScratchFolder folder;
  save_plan(Net().plan, folder / "plan.svg");
  CHECK(std::filesystem::file_size(folder / "plan.svg") > 2000);
}

TEST_CASE("plan diagram: buffers are listed with offsets and live ranges, and colored") {
  const Net net;
  const std::string text = to_dot(net.plan, {.title = "a \"plan\" & <more>", .show_buffers = true});
  CHECK(count(text, "memory [shape=plain") == 1);
  CHECK(count(text, "@0<") >= 1);
  CHECK(count(text, "<B>b0</B>") == 1);
  CHECK(count(text, "in place over a&#60;b&#62;/&#34;w&#34;") == 1);  // the parameter
  CHECK(count(text, " b0>") >= 1);                                    // on the edge of its value
  CHECK(text == to_dot(Net().plan, {.title = "a \"plan\" & <more>", .show_buffers = true}));
  CHECK(count(to_dot(net.plan), "memory [") == 0);
  if (!graphviz::found()) return;
  const graphviz::Picture with = graphviz::read(text), without = graphviz::read(to_dot(net.plan));
  CHECK(with.nodes == without.nodes + 1);
  CHECK(with.edges == without.edges);
}

TEST_CASE("plan diagram: shows the largest of many buffers and counts the others") {
  Graph g;
  const Value x = g.input("x", {4, 4});
  std::vector<Value> outputs;
  for (int i = 0; i < 80; ++i) outputs.push_back(sum(matmul(x, x + i), {i % 2}));
  const Plan plan(outputs);
  const std::string text = to_dot(plan, {.show_buffers = true});
  CHECK(count(text, " smaller ones, ") == 1);
  CHECK(count(text, "<TD ALIGN=\"RIGHT\"><FONT POINT-SIZE=\"9\"><B>b") == 60);
  if (graphviz::found()) CHECK(graphviz::read(text).nodes > 80);
}

TEST_CASE("plan diagram: steps have notes and colors") {
  const Net net;
  std::vector<NodeId> asked;
  const std::string text = to_dot(net.plan, {.annotations = {.note = [&](std::span<const NodeId> steps) -> NodeNote {
                                                               asked.push_back(steps[0]);
                                                               return {{"1 < 2 ms"}, double(steps[0])};
                                                             },
                                                             .legend = "time, ms"}});
  CHECK(asked.size() == static_cast<std::size_t>(net.plan.steps()));
  CHECK(count(text, "1 &#60; 2 ms") == asked.size());
  CHECK(count(text, "time, ms") == 1);
  if (graphviz::found()) CHECK(graphviz::read(text).nodes > 3);
}

TEST_CASE("plan diagram: names are drawn verbatim") {
  if (!graphviz::found()) return;
  Graph g;
  const Parameter w("D:\\Games\\New]", Tensor::zeros({3}));
  const Value p = g.parameter(w);
  const Value y = exp(g.input("]\\N", {3}) * p);
  const Plan plan({y}, {assign(p, p + y)});
  const std::string svg = graphviz::read(to_dot(plan, {.title = "\\G]", .show_buffers = true})).drawn;
  CHECK(count(svg, ">D:\\Games\\New]</text>") == 2);
  CHECK(count(svg, ">]\\N</text>") == 1);
  CHECK(count(svg, ">\\G]</text>") == 1);
}

TEST_CASE("plan diagram: many steps are drawn as few boxes, which name their inputs and updates") {
  Graph g;
  const Parameter w("w", Tensor({4, 4}));
  const Value p = g.parameter(w);
  Value y = g.input("x", {4, 4});
  for (int i = 0; i < 1500; ++i) y = matmul(y, p);
  const Plan plan({y, sum(y)}, {assign(p, p + y)});
  REQUIRE(plan.steps() > 1500);
  const std::string text = to_dot(plan, {.show_buffers = true});
  CHECK(text == to_dot(plan, {.show_buffers = true}));
  CHECK(count(text, "consecutive steps share a box") == 1);
  const auto boxes = count(text, " steps<BR/>");
  CHECK(boxes <= 300);
  CHECK(boxes > 100);
  CHECK(count(text, ">reads w<") == boxes - 1);
  CHECK(count(text, ">reads x, w<") == 1);
  CHECK(count(text, "updates w<") == 1);
  CHECK(count(text, "returns output 0") == 1);
  std::size_t noted = 0;
  to_dot(plan, {.annotations = {.note = [&](std::span<const NodeId> steps) -> NodeNote {
                                  noted += steps.size();
                                  return {};
                                },
                                .legend = "n"}});
  CHECK(noted == static_cast<std::size_t>(plan.steps()));
  if (graphviz::found()) CHECK(graphviz::read(text).nodes <= 302);
}

TEST_CASE("plan diagram: a weight with distant readers is named in them if edges are too much work") {
  Graph g;
  const Parameter w("w", Tensor({4, 4})), u("u", Tensor({4, 4}));
  const Value p = g.parameter(w), q = g.parameter(u);
  Value y = g.input("x", {4, 4});
  for (int i = 0; i < 70; ++i) y = matmul(matmul(y, p), q);
  const std::string text = to_dot(Plan({y}));
  CHECK(count(text, "2 of the inputs and parameters are named in the steps that read them") == 1);
  CHECK(count(text, "reads w") == 70);
  CHECK(count(text, "shape=cylinder") == 0);
  CHECK(count(to_dot(Plan({matmul(matmul(g.find_input("x"), p), q)})), "shape=cylinder") == 2);
}

TEST_CASE("plan diagram: errors name save_plan") {
  const ScratchFolder folder;
  CHECK_THROWS_WITH_AS(save_plan(Net().plan, folder / "plan.jpeg"), doctest::Contains("plan.jpeg\" must end in .svg"),
                       GraphError);
  CHECK_THROWS_WITH_AS(save_plan(Net().plan, folder / "absent/plan.dot"), doctest::Contains("save_plan: cannot write"),
                       EnvironmentError);
}
