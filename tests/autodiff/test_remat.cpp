// remat: bit-identical results in less memory.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/autodiff/check/check.hpp>
#include <xgrad/autodiff/remat.hpp>
#include <xgrad/autodiff/transforms.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/graph/print.hpp>
#include <xgrad/graph/verify.hpp>
#include <xgrad/nn/layers/batch_norm.hpp>
#include <xgrad/nn/layers/dense.hpp>
#include <xgrad/nn/layers/noise.hpp>
#include <xgrad/nn/sequential.hpp>

#include "support/random_graph.hpp"

using namespace xgrad;
using testing::Dice;

namespace {

// A chain of layers with dropout, in groups, rematerialized or not: the loss, its gradients, and a plan of them.
struct Chain {
  explicit Chain(bool marked, int groups = 4, int layers = 4, Index width = 64) : g({.training = true, .seed = 3}) {
    Dice dice(7);
    x = g.input("x", {32, width});
    Value h = x;
    std::vector<Value> weights;
    for (int i = 0; i < groups; ++i) {
      const auto group = [&](Value a) {
        for (int k = 0; k < layers; ++k) {
          parameters.emplace_back("w", testing::random_tensor(dice, {width, width}, f32, -0.3, 0.3));
          weights.push_back(g.parameter(parameters.back()));
          a = tanh(matmul(a, weights.back()));
          a = a * (bernoulli_like(a, 0.8) * 1.25);
        }
        return a;
      };
      h = marked ? remat(h, group) : group(h);
    }
    loss = mean(square(h));
    outputs = {loss};
    for (const Value d : gradients(loss, weights)) outputs.push_back(d);
    feeds = {{x, testing::random_tensor(dice, {32, width}, f32)}};
  }
  Graph g;
  Value x, loss;
  std::vector<Parameter> parameters;
  std::vector<Value> outputs;
  Feeds feeds;
};

void require_same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    CHECK(bitwise_equal(a[i], b[i]));
  }
}

Index count(const std::string& text, const std::string& word) {
  Index n = 0;
  for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos; ++at) ++n;
  return n;
}

}  // namespace

TEST_CASE("remat: gradients are bit-identical, including dropout, in less memory") {
  const Chain plain(false);
  const Chain marked(true);
  verify(marked.g);
  const Plan kept(plain.outputs);
  const Plan recomputed(marked.outputs);
  for (const std::uint64_t step : {0U, 1U, 7U}) {
    const auto expected = evaluate(plain.outputs, plain.feeds, {.threads = 1, .step = step});
    require_same_bits(evaluate(marked.outputs, marked.feeds, {.threads = 1, .step = step}), expected);
    for (const int threads : {1, 3}) {
      require_same_bits(recomputed.run(marked.feeds, {.threads = threads, .step = step}), expected);
    }
    require_same_bits(kept.run(plain.feeds, {.threads = 1, .step = step}), expected);
  }
  // Both plans hold the gradients, 16 matrices.
  const std::size_t gradients = 16 * 64 * 64 * sizeof(float);
  MESSAGE("peak without the results: " << kept.peak_bytes() - gradients << " bytes kept, "
                                       << recomputed.peak_bytes() - gradients << " recomputed");
  CHECK(recomputed.peak_bytes() - gradients < (kept.peak_bytes() - gradients) * 2 / 3);
}

TEST_CASE("remat: longer chains save more memory") {
  const auto ratio = [](int groups, int layers) {
    const Chain plain(false, groups, layers, 16);
    const Chain marked(true, groups, layers, 16);
    return static_cast<double>(Plan({plain.outputs[0], plain.outputs[1]}).peak_bytes()) /
           static_cast<double>(Plan({marked.outputs[0], marked.outputs[1]}).peak_bytes());
  };
  const double few = ratio(4, 4);
  const double many = ratio(8, 8);
  MESSAGE("memory reduced by factors of " << few << " for 16 layers and by " << many << " for 64");
  CHECK(few > 1.4);
  CHECK(many > 2.5);
}

TEST_CASE("remat: recomputed nodes are backward nodes in the scope of the originals") {
  Graph g;
  const Value x = g.input("x", {4, 8});
  Value y;
  {
    const auto layer = g.scope("layer");
    y = remat(x, [](Value h) { return tanh(exp(h) * 2); });
  }
  const NodeId forward = g.size();
  const Value dx = gradients(sum(y), x);
  verify(g);
  const std::string text = to_text(g, {.outputs = {dx}});
  CAPTURE(text);
  CHECK(count(text, "= recompute_input(") == 1);
  const std::string plan = Plan({dx}).str();  // only the shape of the original is read
  CAPTURE(plan);
  CHECK(count(plan, " exp") == 1);
  CHECK(count(plan, " tanh") == 1);
  CHECK(count(to_text(g), "= exp(") == 2);
  bool found = false;
  for (NodeId id = forward; id < g.size(); ++id) {
    CHECK((g.node(id).role == Role::backward || id == forward));
    if (g.node(id).op != g.node(1).op) continue;  // exp
    found = true;
    CHECK(g.scope_of(id) == "layer");
    CHECK(g.node(id).origin == 1);
  }
  CHECK(found);
}

TEST_CASE("remat: repeated gradients and repeated segments return the same nodes") {
  Graph g;
  const Value x = g.input("x", {3});
  const auto segment = [](Value h) { return tanh(exp(h) * 2); };
  const Value y = remat(x, segment);
  CHECK(remat(x, segment) == y);
  const Value d = gradients(sum(y), x);
  const NodeId size = g.size();
  CHECK(gradients(sum(y), x) == d);
  CHECK(g.size() == size);
}

TEST_CASE("remat: random nodes without inputs are recomputed with the same values") {
  Graph g({.seed = 5});
  const Value x = g.input("x", {40});
  const auto noisy = [&](Value h) { return tanh(h * random_normal(g, {40}, f32)); };
  const Value y = remat(x, noisy);
  const Value d = gradients(sum(y), x);
  CHECK(count(Plan({d}).str(), " random_normal") == 1);
  CHECK(count(Plan({y, d}).str(), " random_normal") == 2);
  Graph plain({.seed = 5});
  const Value u = plain.input("x", {40});
  const Value v = tanh(u * random_normal(plain, {40}, f32));
  Dice dice(1);
  const Tensor numbers = testing::random_tensor(dice, {40}, f32);
  require_same_bits(Plan({y, d}).run({{x, numbers}}, {.step = 9}),
                    evaluate({v, gradients(sum(v), u)}, {{u, numbers}}, {.step = 9}));
}

TEST_CASE("remat: segments may be nested, shared, read labels and parameters, and be differentiated twice") {
  Graph g({.dtype = f64, .seed = 2});
  Dice dice(3);
  const Value x = g.input("x", {4, 3});
  const Value labels = g.input("labels", {4}, i64);
  const Parameter w("w", testing::random_tensor(dice, {3, 3}, f64));
  const auto safe = [&](Value h) {
    return remat(h, [&](Value a) { return tanh(matmul(a, g.parameter(w))) + exp(-square(a)); });
  };
  const Value y = remat(x, [&](Value h) { return safe(safe(h)) * one_hot(labels, 3, f64) + square(h); });
  const Value loss = mean(square(y)) + mean(y * x);
  const Tensor classes = Tensor::from<std::int64_t>({4}, {0, 2, 1, 1});
  verify(g);
  CHECK_NOTHROW(check_gradients(loss, {x, g.parameter(w)}, {{labels, classes}}));
  // All other kinds of derivatives.
  const Tensor numbers = testing::random_tensor(dice, {4, 3}, f64);
  const Feeds feeds{{x, numbers}, {labels, classes}};
  const auto tr = [](Value h) { return transpose(h); };
  const Value h = reshape(hessian(loss, x), {12, 12});
  const auto both = evaluate(
      {h, tr(h), jacobian(y, x, {.rows = Rows::one_by_one}), jacobian(y, x, {.direction = Direction::forward})}, feeds);
  for (Index i = 0; i < both[0].elements(); ++i) CHECK(both[0].at(i) == doctest::Approx(both[1].at(i)).epsilon(1e-10));
  for (Index i = 0; i < both[2].elements(); ++i) CHECK(both[2].at(i) == doctest::Approx(both[3].at(i)).epsilon(1e-10));
  CHECK(batching_obstacle(loss, x, {.direction = Direction::reverse}) == "");
}

TEST_CASE("remat: layers train identically, and update their statistics once") {
  const auto train = [](bool marked) {
    Graph g({.training = true, .seed = 11});
    const Value x = g.input("x", {16, 8});
    const nn::Sequential block{nn::Dense(8, nn::tanh), nn::BatchNorm(), nn::Dropout(0.3), nn::Dense(8, nn::tanh)};
    const Value y = marked ? remat(x, block) : block(x);
    const Value loss = mean(square(y));
    std::vector<Value> weights;
    for (const Parameter& p : g.parameters()) {
      if (p.trainable()) weights.push_back(g.parameter(p));
    }
    std::vector<Update> updates = g.updates();
    const auto slopes = gradients(loss, weights);
    for (std::size_t i = 0; i < weights.size(); ++i)
      updates.push_back(assign(weights[i], weights[i] - 0.1 * slopes[i]));
    Dice dice(1);
    const Plan plan({loss}, updates);
    for (std::uint64_t step = 0; step < 5; ++step)
      plan.run({{x, testing::random_tensor(dice, {16, 8}, f32)}}, {.step = step});
    std::vector<Tensor> out;
    for (const Parameter& p : g.parameters()) out.push_back(p.value());
    CHECK(g.updates().size() == 2);
    return out;
  };
  require_same_bits(train(true), train(false));
}

namespace {

struct Segment {
  NodeId first, result;
};

// Whether a value of the segment other than its result is read outside of it, because an equal expression occurs there.
// The vjp is then applied to two cotangents instead of their sum, which rounds differently.
bool leaks(const Graph& g, const Segment& s) {
  for (NodeId id = s.result + 1; id < g.size(); ++id) {
    for (const NodeId i : g.inputs(id)) {
      if (i >= s.first && i < s.result && g.node(i).op->traits.leaf == Leaf::none) return true;
    }
  }
  return false;
}

}  // namespace

TEST_CASE("remat: gradients of random graphs split into segments are bit-identical") {
  int compared = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    std::vector<Tensor> results[2];
    bool leaking = false;
    for (const bool marked : {false, true}) {
      Graph g({.seed = seed});
      testing::Grower grown(g, seed, {});
      std::vector<Segment> segments;
      for (int part = 0; part < 4; ++part) {
        const Value x = grown.last();
        const std::size_t before = grown.grown();
        const auto segment = [&](Value) {
          const NodeId first = g.size();
          grown.grow_by(8);
          segments.push_back({first, grown.last().id()});
          return grown.last();
        };
        const Value y = marked ? remat(x, segment) : segment(x);
        if (grown.grown() > before) grown.seal(before, y);
      }
      const Value loss = mean(tanh(grown.last())) + mean(sin(grown.recent()));
      for (const Segment& s : segments) leaking = leaking || (!marked && leaks(g, s));
      std::vector<Value> outputs{loss};
      for (const Value d : gradients(loss, grown.leaves, {.unconnected = Unconnected::zeros})) outputs.push_back(d);
      verify(g);
      results[marked ? 1 : 0] = Plan(outputs).run(grown.feeds());
    }
    if (leaking) continue;
    ++compared;
    require_same_bits(results[1], results[0]);
  }
  MESSAGE(compared << " of 60 graphs compared");
  CHECK(compared > 30);
}

TEST_CASE("remat: invalid arguments throw, and a trivial segment is returned unchanged") {
  Graph g;
  Graph other;
  const Value x = g.input("x", {3});
  CHECK_THROWS_WITH_AS(remat(Value{}, [](Value v) { return v; }), doctest::Contains("remat: x is an empty Value"),
                       GraphError);
  CHECK_THROWS_WITH_AS(remat(x, nullptr), doctest::Contains("remat: segment is empty"), GraphError);
  CHECK_THROWS_WITH_AS(remat(x, [](Value) { return Value{}; }), doctest::Contains("remat: the result of segment"),
                       GraphError);
  CHECK_THROWS_AS(remat(x, [&](Value) { return exp(other.input("x", {3})); }), GraphError);
  const NodeId before = g.size();
  CHECK_THROWS_AS(remat(x, [&](Value v) { return matmul(exp(v), reshape(v, {1, 3})); }), ShapeError);
  CHECK(g.size() == before);
  CHECK(remat(x, [](Value v) { return v; }) == x);
  const Value numbers = remat(x, [&](Value) { return g.constant(2.0) * 3; });
  CHECK(evaluate(numbers).item() == 6);
}
