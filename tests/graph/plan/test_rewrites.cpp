// Rewrite rules: each fires on its samples, not on near misses, and is bit-identical or within its bound.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/internal/rewrite.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

#include "support/dice.hpp"
#include "support/random_graph.hpp"

using namespace xgrad;
using testing::Dice;

namespace {

// Random values; with `special`, also -0, infinities, NaN and denormals.
Tensor draw(Dice& dice, const TensorType& type, bool special) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> odd{0.0, -0.0, infinity, -infinity, std::nan(""), 1e-40, -1e-40, 1e30};
  Tensor out = testing::random_tensor(dice, type.shape, f64);
  for (double& x : out.mutable_values<double>()) {
    if (special && dice.chance(0.3)) x = dice.one_of(odd);
  }
  return out.cast(type.dtype);
}

Feeds feeds_of(Dice& dice, const Graph& graph, bool special) {
  Feeds out;
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (graph.node(id).op->traits.leaf != Leaf::input) continue;
    Value input(const_cast<Graph*>(&graph), id, graph.node(id).generation);
    out.push_back({input, draw(dice, input.type(), special)});
  }
  return out;
}

// Bit-identical, except for the sign and payload of NaN.
bool same(const Tensor& a, const Tensor& b) {
  const Tensor x = a.cast(f64), y = b.cast(f64);
  for (std::size_t i = 0; i < x.values<double>().size(); ++i) {
    const double u = x.values<double>()[i], v = y.values<double>()[i];
    if (std::isnan(u) ? !std::isnan(v) : u != v || std::signbit(u) != std::signbit(v)) return false;
  }
  return true;
}

// The largest difference, relative to the largest element.
double distance(const Tensor& a, const Tensor& b) {
  const Tensor x = a.cast(f64), y = b.cast(f64);
  double most = 0, largest = 0;
  for (std::size_t i = 0; i < x.values<double>().size(); ++i) {
    most = std::max(most, std::abs(x.values<double>()[i] - y.values<double>()[i]));
    largest = std::max(largest, std::abs(x.values<double>()[i]));
  }
  return largest > 0 ? most / largest : most;
}

// Runs `results` with and without the rules; returns a description of the first difference, or an empty string.
std::string compare(const std::vector<Value>& results, const Feeds& feeds, Rewrites rewrites, double bound,
                    std::map<std::string, int>& fired) {
  const PlanOptions options{.rewrites = rewrites};
  const Rewritten rewritten = rewrite(results, {}, options);
  verify(rewritten);
  for (const auto& [rule, times] : rewritten.fired) fired[rule] += times;
  Feeds on_tape;
  for (const Feed& feed : feeds) {
    const NodeId id = rewritten.input_of(feed.input.id());
    if (id < rewritten.graph->size()) on_tape.push_back({const_cast<Graph*>(rewritten.graph)->value(id), feed.value});
  }
  const std::vector<Tensor> before = evaluate(results, feeds, {.step = 1});
  const std::vector<Tensor> after = evaluate(rewritten.outputs, on_tape, {.step = 1});
  const std::vector<Tensor> planned = Plan(results, {}, options).run(feeds, {.step = 1});
  for (std::size_t i = 0; i < results.size(); ++i) {
    const bool right = bound == 0 ? same(before[i], after[i]) : distance(before[i], after[i]) <= bound;
    if (!right)
      return fmt::format("result {} is another, by {}\n{}", i, distance(before[i], after[i]), rewritten.str());
    if (!same(after[i], planned[i])) return fmt::format("the plan has other bits than its tape\n{}", rewritten.str());
  }
  return {};
}

std::vector<const Rule*> builtin_rules() {
  std::vector<const Rule*> out;
  for (const auto& op : builtin_ops().all()) {
    for (const Rule& rule : op->rules) out.push_back(&rule);
  }
  return out;
}

}  // namespace

TEST_CASE("rewrites: each rule fires on its samples and not on near misses") {
  Dice dice(1);
  for (const Rule* rule : builtin_rules()) {
    CAPTURE(rule->name);
    CHECK_FALSE(rule->samples.empty());
    for (const RuleSample& sample : rule->samples) {
      CAPTURE(sample.label);
      for (const DType dtype : {f32, f64}) {
        for (const bool special : {false, true}) {
          if (special && rule->bound > 0) continue;
          Graph g({.dtype = dtype});
          const Value y = sample.build(g);
          std::map<std::string, int> fired;
          const Rewrites rewrites = rule->bound > 0 ? Rewrites::close : Rewrites::exact;
          const std::string wrong = compare({y}, feeds_of(dice, g, special), rewrites, rule->bound, fired);
          CHECK_MESSAGE(wrong.empty(), wrong);
          CHECK((fired[rule->name] > 0) == sample.fires);
        }
      }
    }
  }
}

TEST_CASE("rewrites: exact rules in random graphs are bit-identical, with gradients") {
  std::map<std::string, int> fired;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    CAPTURE(seed);
    Graph g;
    testing::Grower grower(g, seed, {});
    grower.grow_to(20);
    for (int i = 0; i < 3; ++i) {
      const Value v = grower.any();
      if (v.shape().rank() == 0 || v.shape().elements() == 0) continue;
      const Index extent = v.shape()[0], cut = grower.dice.between(0, extent);
      const Value parts = sum(sin(slice(v, 0, 0, cut))) + sum(square(slice(v, 0, cut, extent)));
      const Value rows = reshape(v, {extent, -1});
      const Value product = matmul(transpose(rows), tanh(rows)) * 0.1;
      const Value other = matmul(rows, transpose(cos(rows))) * 0.1;
      std::vector<Value> results{parts, product, other};
      if (const Value y = parts + sum(product) + sum(other); !grower.leaves.empty())
        for (const Value dy : gradients(y, grower.leaves, {.unconnected = Unconnected::zeros})) results.push_back(dy);
      for (const bool special : {false, true}) {
        Feeds feeds = grower.feeds();
        for (Feed& feed : feeds) {
          if (special && is_floating(feed.input.dtype())) feed.value = draw(grower.dice, feed.input.type(), true);
        }
        const std::string wrong = compare(results, feeds, Rewrites::exact, 0, fired);
        CHECK_MESSAGE(wrong.empty(), wrong);
      }
    }
  }
  for (const Rule* rule : builtin_rules()) {
    if (rule->bound > 0) continue;
    CAPTURE(rule->name);
    CHECK(fired[rule->name] > 20);
    MESSAGE(rule->name << ": fired " << fired[rule->name] << " times");
  }
}

namespace {

// An operation that copies its input.
OpDef copy_op(const char* name) {
  OpDef op{.name = name, .doc = "Its input.", .infer = same_type};
  op.kernel = [](const KernelCall& call) {
    std::memcpy(call.output.data, call.inputs[0].data, call.output.type.bytes());
  };
  op.no_gradient = "it is for tests of rules";
  return op;
}

Value apply_to(const OpDef& op, Value x) { return x.graph().apply(op, std::vector<Value>{x}); }

}  // namespace

TEST_CASE("rewrites: wrong rules are detected") {
  static OpRegistry registry;
  static const OpDef& nearly = registry.add(copy_op("nearly"));
  static const OpDef& other_type = registry.add(copy_op("other_type"));
  static const OpDef& there = registry.add(copy_op("there"));
  static const OpDef& back = registry.add(copy_op("back"));
  const auto of = [](const OpDef& op) { return pattern::op(op, {pattern::any("x")}); };
  registry.add_rule({.name = "x + 0", .from = of(nearly), .to = [](const Match& m) { return m["x"] + 0.0; }});
  registry.add_rule({.name = "wrong type", .from = of(other_type), .to = [](const Match& m) { return sum(m["x"]); }});
  registry.add_rule({.name = "there", .from = of(there), .to = [](const Match& m) { return apply_to(back, m["x"]); }});
  registry.add_rule(
      {.name = "and back", .from = of(back), .to = [](const Match& m) { return apply_to(there, m["x"]); }});
  Dice dice(2);
  std::map<std::string, int> fired;
  Graph g;
  const Value x = g.input("x", {40, 3});
  const Value y = apply_to(nearly, x) * 1.5;
  CHECK(compare({y}, feeds_of(dice, g, false), Rewrites::exact, 0, fired).empty());
  const std::string wrong = compare({y}, feeds_of(dice, g, true), Rewrites::exact, 0, fired);  // -0 becomes +0
  CHECK(wrong.find("result 0 is another") != std::string::npos);
  CHECK(wrong.find("rule \"x + 0\": 1") != std::string::npos);
  CHECK(rewrite({y}, {}, {.rewrites = Rewrites::none}).own == nullptr);
  CHECK_THROWS_WITH_AS(Plan({apply_to(other_type, x)}), doctest::Contains("\"wrong type\" replaces"), InternalError);
  CHECK_THROWS_WITH_AS(Plan({apply_to(there, x)}), doctest::Contains("undo each other"), InternalError);
}

TEST_CASE("rewrites: registering an incomplete or misplaced rule throws") {
  OpRegistry registry;
  const OpDef& op = registry.add(copy_op("op"));
  Rule rule{.name = "x", .from = pattern::op(op, {pattern::any("x")}), .to = [](const Match& m) { return m["x"]; }};
  registry.add_rule(rule);
  CHECK(op.rules.size() == 1);
  CHECK_THROWS_WITH_AS(registry.add_rule(rule), doctest::Contains("the name is taken"), GraphError);
  CHECK_THROWS_WITH_AS(OpRegistry().add_rule(rule), doctest::Contains("not an operation of this registry"), GraphError);
  OpDef other = copy_op("other");
  other.rules = {rule};
  CHECK_THROWS_WITH_AS(registry.add(other), doctest::Contains("is another operation"), GraphError);
  rule.bound = -1;
  Graph g;
  const Value x = g.input("x", {2});
  CHECK_THROWS_WITH_AS(Plan({x}, {}, {.rules = {rule}}), doctest::Contains("bound = -1"), GraphError);
  rule.to = nullptr;
  CHECK_THROWS_WITH_AS(registry.add_rule(rule), doctest::Contains("no builder"), GraphError);
  rule.from = pattern::any("x");
  CHECK_THROWS_WITH_AS(Plan({x}, {}, {.rules = {rule}}), doctest::Contains("has no operation"), GraphError);
}

TEST_CASE("rewrites: steps are reported as nodes of the user's graph") {
  Graph g;
  const Value x = g.input("x", {5, 3});
  const auto scope = g.scope("layer");
  const Value y = matmul(transpose(x), x);
  const std::string table = Plan({y}).str();
  CHECK_MESSAGE(table.find(y.describe()) != std::string::npos, table);
  CHECK_MESSAGE(table.find("transpose") == std::string::npos, table);
}

TEST_CASE("rewrites: transpose into product is bit-identical at all sizes") {
  Dice dice(3);
  const std::vector<Index> sizes{2, 3, 7, 8, 16, 17, 31, 64, 100, 130, 257, 600, 2100};
  for (int i = 0; i < 120; ++i) {
    const Index m = dice.one_of(sizes), n = dice.one_of(sizes), k = dice.one_of(sizes);
    if (m * n * k > 40'000'000) continue;
    CAPTURE(m);
    CAPTURE(n);
    CAPTURE(k);
    Graph g({.dtype = dice.chance(0.7) ? f32 : f64});
    const bool left = dice.chance(0.5), flag = dice.chance(0.5);
    const Value a = g.input("a", left ? Shape{k, m} : flag ? Shape{k, m} : Shape{m, k});
    const Value b = g.input("b", !left ? Shape{n, k} : flag ? Shape{n, k} : Shape{k, n});
    const Value y = left ? matmul(transpose(a), b, false, flag) : matmul(a, transpose(b), flag, false);
    const Feeds feeds = feeds_of(dice, g, false);
    const Plan plain({y}, {}, {.rewrites = Rewrites::none}), rewritten({y});
    CHECK(rewritten.steps() + 1 == plain.steps());
    CHECK(bitwise_equal(plain.run(feeds)[0], rewritten.run(feeds)[0]));
  }
}
