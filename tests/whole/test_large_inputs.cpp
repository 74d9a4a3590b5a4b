// Cost is linear in the size of the input: each of these takes minutes if an algorithm is quadratic, or overflows the
// stack if its recursion depth grows with the input.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/list_text.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/xgrad.hpp>

#include "support/text.hpp"

using namespace xgrad;
using testing::count;

TEST_CASE("large: evaluate a chain of a million nodes") {
  Graph g;
  const Value x = g.input("x", {2});
  Value y = x;
  for (int i = 0; i < 1'000'000; ++i) y = i % 2 == 0 ? y + 1 : y - 1;
  CHECK(evaluate(y, {{x, Tensor::full({2}, 7)}}).at(1) == 7);
}

TEST_CASE("large: derivation of twenty thousand nodes") {
  Graph g;
  const Value x = g.input("x", {}).named("x");
  Value y = x;
  for (int i = 0; i < 10'000; ++i) y = sin(y) + x;  // every second node contributes to the derivative
  const Derivation d = derivation(y, {x}, {{x, Tensor(0.5F)}});
  CHECK(count(d.str(), "\n") > 40'000);
  CHECK(d.latex().size() > d.str().size() / 4);
}

TEST_CASE("large: concat of any number of values, and its derivative") {
  for (const int n : {1, 2, 64, 65, 1025, 20'000}) {
    CAPTURE(n);
    Graph g({.dtype = f64});
    const Value x = g.input("x", {1, 2});
    std::vector<Value> parts;
    for (int i = 0; i < n; ++i) parts.push_back(x * i);
    const Value all = concat(parts);
    const Value weights = g.constant(Tensor::full({n, 2}, 0.5, f64));
    const Value slope = gradients(sum(all * weights), x);
    const auto out = evaluate({all, slope, concat(parts, -1)}, {{x, Tensor::from<double>({1, 2}, {1, 3})}});
    REQUIRE(out[0].shape() == Shape{n, 2});
    for (const Index row : {Index{0}, Index{n / 2}, Index{n - 1}}) {
      CHECK(out[0].at(2 * row) == static_cast<double>(row));
      CHECK(out[0].at(2 * row + 1) == 3 * static_cast<double>(row));
      CHECK(out[2].at(2 * row + 1) == 3 * static_cast<double>(row));
    }
    CHECK(out[1].at(0) == 0.25 * n * (n - 1.0));  // 0.5 times the sum of 0 ... n - 1
  }
}

TEST_CASE("large: messages shorten long lists") {
  CHECK(list_text(std::vector<int>{1, 2, 3}) == "1, 2, 3");
  std::vector<int> numbers(16, 7);
  CHECK(count(list_text(numbers), "7") == 16);
  numbers.push_back(8);
  CHECK(list_text(numbers) == "7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, ... 2 more ..., 8");

  Graph g;
  std::vector<Value> values;
  for (int i = 0; i < 3000; ++i) values.push_back(g.input(fmt::format("x{}", i), {2, 3}));
  const auto message_of = [](auto f) {
    try {
      f();
    } catch (const Error& error) {
      return error.message();
    }
    return std::string();
  };
  values[2900] = g.input("odd", {2, 4});
  const std::string mismatch = message_of([&] { (void)concat(values); });
  CHECK(mismatch.starts_with("concat: input 2900 [2, 4] does not fit input 0 [2, 3] outside axis 0\n"));
  CHECK(count(mismatch, "\n") < 20);
  values[2900] = Value();
  CHECK(message_of([&] { (void)concat(values); }) == "concat: operand 2900 is an empty Value");
  values.resize(2000);
  const std::string many = message_of([&] { (void)g.apply(builtin_op("add"), values); });
  CHECK(many.starts_with("add: takes 2 inputs, but got 2000\n"));
  CHECK(count(many, "\n") < 20);
  const std::string sizes = message_of([&] { (void)split(values[0], std::vector<Index>(5000, 1)); });
  CHECK(sizes.size() < 300);
}

TEST_CASE("large: split and chunk limit the number of pieces of a huge axis") {
  Graph g;
  const Value x = g.input("x", {Index{1} << 50});
  CHECK(split(x, Index{1} << 40).size() == 1024);
  CHECK(chunk(x, 3).size() == 3);
  for (const Index size : {Index{1}, Index{1} << 20}) {
    CAPTURE(size);
    CHECK_THROWS_AS((void)split(x, size), ShapeError);
  }
  CHECK_THROWS_AS((void)chunk(x, Index{1} << 50), ShapeError);
}

TEST_CASE("large: a model of 10000 layers") {
  nn::Sequential net;
  for (int i = 0; i < 10'000; ++i) net.add(nn::Dense(1));
  const nn::Model model{net, {1}};
  REQUIRE(model.parameters().size() == 20'000);
  CHECK(model.parameters()[0].name() == "dense/kernel");
  CHECK(model.parameters().back().name() == "dense_9999/bias");
}

TEST_CASE("graph: rewind frees the names of unique scopes") {
  Graph g;
  const auto open = [&] {
    const auto scope = g.unique_scope("layer");
    return g.current_scope();
  };
  CHECK(open() == "layer");
  CHECK(open() == "layer_1");
  (void)g.input("x", {});
  const NodeId mark = g.mark();
  (void)g.input("y", {});
  CHECK(open() == "layer_2");
  CHECK(open() == "layer_3");
  g.rewind(mark);
  CHECK(open() == "layer_2");
  { const auto taken = g.scope("layer_3"); }
  CHECK(open() == "layer_4");
}

TEST_CASE("large: modules nested deeper than max_nesting throw") {
  const auto nested = [](int depth) {
    nn::AnyModule module = nn::linear;
    for (int i = 0; i < depth; ++i) module = nn::Sequential{module};
    return module;
  };
  Graph g;
  const Value x = g.input("x", {2});
  CHECK(nested(nn::AnyModule::max_nesting - 1)(x) == x);
  CHECK_THROWS_WITH_AS((void)nested(30'000), "module: modules are nested more than 1000 deep", GraphError);
  CHECK_THROWS_AS(([] {
                    nn::AnyModule module = nn::linear;
                    for (int i = 0; i < 30'000; ++i) module = nn::Add{module};
                  }()),
                  GraphError);
}
