// The level of detail of diagrams, by an estimate of Graphviz' work.
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/engine.hpp>

#include "support/graphviz.hpp"
#include "support/text.hpp"

using namespace xgrad;
using testing::contains;
using testing::count;

namespace {

// An unrolled recurrent net with shared weights, in one scope.
Value unrolled(Graph& g, int steps) {
  const Value w = g.parameter(Parameter("W", Tensor({4, 8}))), u = g.parameter(Parameter("U", Tensor({8, 8})));
  const Value b = g.parameter(Parameter("b", Tensor::zeros({8})));
  Value h = g.input("h", {2, 8});
  for (int t = 0; t < steps; ++t) h = tanh(matmul(g.input("x" + std::to_string(t), {2, 4}), w) + matmul(h, u) + b);
  return sum(square(h));
}

// The training step of a transformer, built without scopes.
void transformer(Graph& g, int layers) {
  constexpr Index tokens = 8, width = 16;
  std::vector<Value> weights;
  const auto weight = [&](Index rows, Index columns) {
    weights.push_back(g.parameter(Parameter("w" + std::to_string(weights.size()), Tensor({rows, columns}))));
    return weights.back();
  };
  const auto normalized = [&](Value x) {
    const Value centered = x - mean(x, {-1}, true);
    return centered / sqrt(mean(square(centered), {-1}, true) + 1e-5);
  };
  const Value mask = g.input("mask", {tokens, tokens});
  Value x = g.input("x", {tokens, width});
  for (int i = 0; i < layers; ++i) {
    const Value n = normalized(x);
    const Value q = matmul(n, weight(width, width)), k = matmul(n, weight(width, width));
    const Value v = matmul(n, weight(width, width));
    x = x + matmul(matmul(softmax(matmul(q, transpose(k)) * 0.25 + mask), v), weight(width, width));
    x = x + matmul(relu(matmul(normalized(x), weight(width, 4 * width))), weight(4 * width, width));
  }
  const std::vector<Value> slopes = gradients(mean(square(x)), weights);
  for (std::size_t i = 0; i < weights.size(); ++i)
    g.add_update(g.parameter_of(weights[i].id()), weights[i] - 0.1 * slopes[i]);
}

void dense(Graph& g, int nodes) {
  std::mt19937 random(1);
  std::vector<Value> all{g.input("x", {4})};
  while (static_cast<int>(all.size()) < nodes)
    all.push_back(all[random() % all.size()] * all[random() % all.size()] + all[random() % all.size()]);
}

void fan(Graph& g, int width) {
  const Value x = g.input("x", {4});
  std::vector<Value> all;
  for (int i = 0; i < width; ++i) all.push_back(x * (1 + 0.001 * i));
  while (all.size() > 1) {
    std::vector<Value> half;
    for (std::size_t i = 0; i + 1 < all.size(); i += 2) half.push_back(all[i] + all[i + 1]);
    if (all.size() % 2 == 1) half.push_back(all.back());
    all = half;
  }
}

}  // namespace

TEST_CASE("dot detail: a small diagram has full detail") {
  Graph g;
  unrolled(g, 5);
  const std::string text = to_dot(g);
  CHECK_FALSE(contains(text, "left out"));
  CHECK_FALSE(contains(text, "labelloc"));
  CHECK(count(text, "label=<matmul") == 10);
  CHECK_FALSE(contains(text, "matmul(&#183;, W)"));
}

TEST_CASE("dot detail: the shared weights of an unrolled net are named inside the operations") {
  Graph g;
  unrolled(g, 25);
  const std::string text = to_dot(g);
  CHECK(count(text, "72 edges from inputs and parameters are left out") == 1);
  CHECK(count(text, "matmul(&#183;, W)") == 24);  // the first use keeps its edge
  CHECK(count(text, "matmul(&#183;, U)") == 24);
  CHECK(count(text, "add(&#183;, b)") == 24);
  CHECK(count(text, "shape=cylinder") == 3);
  CHECK(count(text, "label=<&#160;2&#215;8>") > 90);  // shapes on edges
  if (graphviz::found()) CHECK(graphviz::read(text).nodes == 25 * 6 + 4 + 2);
}

TEST_CASE("dot detail: less effort gives less detail, and the diagram says so") {
  Graph g;
  dense(g, 400);
  const std::string usual = to_dot(g, {.max_nodes = 1000});
  CHECK(contains(usual, "shapes on edges are left out"));
  CHECK(contains(usual, "mclimit"));
  std::size_t before = count(usual, "label=<");
  for (const double effort : {0.5, 0.1, 0.01, 1e-6}) {
    CAPTURE(effort);
    const std::string text = to_dot(g, {.max_nodes = 1000, .effort = effort});
    CHECK(contains(text, "Graphviz takes too long for more detail"));
    CHECK(count(text, "label=<") <= before);
    before = count(text, "label=<");
  }
  CHECK(before <= 10);
  const std::string all = to_dot(g, {.max_nodes = 1000, .effort = 1e9});
  CHECK_FALSE(contains(all, "left out"));
  CHECK_FALSE(contains(all, "boxes"));
  CHECK(contains(all, "label=<&#160;4>"));
}

TEST_CASE("dot detail: automatic folding fits any graph") {
  const auto check = [](const Graph& g, int fewest) {
    const std::string text = to_dot(g);
    CHECK(text == to_dot(g));
    CHECK(contains(text, " boxes"));
    if (!graphviz::found()) return;
    const graphviz::Picture picture = graphviz::read(text);  // takes about a second
    CHECK(picture.nodes >= fewest);
    CHECK(picture.nodes <= 301);
  };
  SUBCASE("a transformer's training step") {
    Graph g;
    transformer(g, 12);
    REQUIRE(g.size() > 1000);
    check(g, 30);
  }
  SUBCASE("an unrolled net and its gradients") {
    Graph g;
    const Value loss = unrolled(g, 500);
    std::vector<Value> weights;
    for (const Parameter& p : g.parameters()) weights.push_back(g.parameter(p));
    gradients(loss, weights);
    check(g, 30);
  }
  SUBCASE("a dense random graph") {
    Graph g;
    dense(g, 5000);
    check(g, 8);
  }
  SUBCASE("a wide fan") {
    Graph g;
    fan(g, 5000);
    check(g, 30);
  }
  SUBCASE("a chain of a hundred thousand") {
    Graph g;
    Value y = g.input("x", {4});
    while (g.size() < 100'000) y = sin(y);
    check(g, 100);
  }
}
