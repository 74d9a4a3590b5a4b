// Fusion groups with reductions, random operations and matrix products: bit-identical to the interpreter at sizes
// around the boundaries of blocks, rows and groups of rows, for any number of threads.
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/engine.hpp>
#include <xgrad/ops/define/registry.hpp>

#include "support/dice.hpp"

using namespace xgrad;

namespace {

Tensor numbers(const TensorType& type, std::uint64_t seed) {
  testing::Dice dice(seed);
  Tensor out(type.shape, f64);
  for (double& x : out.mutable_values<double>()) x = dice.real(-2, 2);
  return out.cast(type.dtype);
}

// Compares a plan of the values with the interpreter; feeds all inputs.
void check_plan(Graph& g, const std::vector<Value>& values) {
  Feeds feeds;
  for (NodeId id = 0; id < g.size(); ++id) {
    if (g.node(id).op->traits.leaf == Leaf::input) feeds.push_back({g.value(id), numbers(g.node(id).type, id + 1)});
  }
  const std::vector<Tensor> expected = evaluate(values, feeds, {.threads = 1, .step = 5});
  for (const bool fuse : {true, false}) {
    const Plan plan(values, {}, {.fuse = fuse});
    for (const int threads : {1, 2, 3, 4, 8}) {
      CAPTURE(fuse);
      CAPTURE(threads);
      const std::vector<Tensor> got = plan.run(feeds, {.threads = threads, .step = 5});
      for (std::size_t i = 0; i < values.size(); ++i) {
        CAPTURE(i);
        CHECK(bitwise_equal(got[i], expected[i]));
      }
    }
  }
}

bool shows(const Plan& plan, const std::string& text) { return plan.str().find(text) != std::string::npos; }

struct Size {
  Index rows, columns;
};
constexpr Size sizes[] = {{1, 2},    {1, 700},  {3, 10},    {31, 64},  {32, 64},   {33, 64},  {64, 33},
                          {65, 1},   {128, 10}, {200, 257}, {5, 512},  {7, 513},   {97, 511}, {3, 2047},
                          {2, 2048}, {2, 2049}, {4, 5000},  {1000, 7}, {2000, 129}};

}  // namespace

TEST_CASE("groups: softmax, cross-entropy and their gradients, at all sizes") {
  for (const DType dtype : {f32, f64}) {
    for (const Size& size : sizes) {
      const Index rows = size.rows, columns = size.columns;
      CAPTURE(rows);
      CAPTURE(columns);
      Graph g({.dtype = dtype});
      const Value x = g.input("x", {rows, columns});
      const Value t = g.input("t", {rows, columns});
      const Value loss = categorical_crossentropy(softmax(x), t);
      check_plan(g, {softmax(x), log_softmax(x), logsumexp(x, {1}), loss, gradients(loss, x)});
      // The row maximum is read again after another row value was computed.
      const Value top = max(x, {1}, true);
      const Value e = exp(x - top);
      check_plan(g, {e / sum(e, {1}, true) - top});
    }
  }
}

TEST_CASE("groups: maps over long rows of large values keep the row values that they read") {
  // Such maps run in pieces, with prefetches in between, and each block is one row.
  Graph g;
  const Value x = g.input("x", {300, 1024});
  check_plan(g, {softmax(x)});
  check_plan(g, {x - max(x, {1}, true)});
}

TEST_CASE("groups: a value read by rows and by elements is two inputs") {
  Graph g({.dtype = f32});
  const Value x = g.input("x", {4, 8});
  Value rows = sum(x, {1}, true), elements = x;
  for (int i = 0; i < 10; ++i) {
    const Value number = g.input("n" + std::to_string(i), {4, 1});
    rows = rows * number;
    elements = elements + number;
  }
  check_plan(g, {elements * rows});
}

TEST_CASE("groups: a no-op view does not split a fusion group") {
  Graph g;
  const Value x = g.input("x", {40, 6});
  const Value y = softmax(x);  // contains a stop_gradient
  const Value z = sigmoid(max(stop_gradient(y), {1}, true)) + x;
  CHECK(Plan({z}).steps() == 1);
  check_plan(g, {z, y, stop_gradient(z)});
}

TEST_CASE("groups: batch norm and its gradients, at all sizes") {
  for (const DType dtype : {f32, f64}) {
    for (const Size& size : sizes) {
      const Index rows = size.rows, columns = size.columns;
      CAPTURE(rows);
      CAPTURE(columns);
      Graph g({.dtype = dtype});
      const Value x = g.input("x", {rows, columns});
      const Value gamma = g.input("gamma", {columns});
      const Value beta = g.input("beta", {columns});
      const Value c = x - mean(x, {0}, true);
      const Value y = c * rsqrt(mean(square(c), {0}, true) + 0.001) * gamma + beta;
      const Value loss = sum(y * sin(x) + relu(x));
      const auto d = gradients(loss, {x, gamma, beta});
      check_plan(g, {y, d[0], d[1], d[2], max(y * 2, {0}), min(c, {0})});
    }
  }
}

TEST_CASE("groups: row and column reductions with outer, middle and inner axes") {
  Graph g;
  const Value x = g.input("x", {6, 5, 8, 9});
  const Value per_row = g.input("per_row", {6, 5, 1, 1});
  const Value in_row = g.input("in_row", {8, 1});
  const Value y = x * per_row + in_row;
  check_plan(g, {sum(exp(y), {2, 3}), sum(y, {0, 1}), sum(y, {3}), sum(tanh(y), {0}), max(y, {2, 3}, true) + y,
                 y / sum(y * y, {2, 3}, true), sum(y, {1, 2}), sum(y)});
}

TEST_CASE("groups: inputs that are broadcast along a middle axis equal loops") {
  for (const Index rows : {1, 2, 3, 4, 5, 17, 64, 300}) {
    for (const Index columns : {1, 7, 100, 256, 300, 511, 513, 1500}) {
      CAPTURE(rows);
      CAPTURE(columns);
      Graph g;
      const Value x = g.input("x", {3, rows, columns}), y = g.input("y", {3, 1, columns});
      const Value z = g.input("z", {3, rows, 1});
      const Tensor a = numbers(g.node(x.id()).type, 1), b = numbers(g.node(y.id()).type, 2);
      const Tensor c = numbers(g.node(z.id()).type, 3);
      Tensor sums(a.shape(), f32), chain(a.shape(), f32);
      for (Index i = 0; i < a.elements(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        const float u = a.values<float>()[at];
        const float v = b.values<float>()[static_cast<std::size_t>(i / (rows * columns) * columns + i % columns)];
        sums.mutable_values<float>()[at] = u + v;
        chain.mutable_values<float>()[at] = (u - c.values<float>()[static_cast<std::size_t>(i / columns)]) - v;
      }
      for (const int threads : {1, 3}) {
        const auto got = Plan({x + y, (x - z) - y}).run({{x, a}, {y, b}, {z, c}}, {.threads = threads});
        CHECK(bitwise_equal(got[0], sums));
        CHECK(bitwise_equal(got[1], chain));
        CHECK(bitwise_equal(evaluate(x + y, {{x, a}, {y, b}}, {.threads = threads}), sums));
      }
    }
  }
}

TEST_CASE("groups: the epilogue of a matrix product runs on its rows") {
  for (const Size& size : {Size{1, 64}, {7, 10}, {128, 64}, {300, 33}, {64, 2048}, {40, 2100}}) {
    const Index rows = size.rows, columns = size.columns;
    CAPTURE(rows);
    CAPTURE(columns);
    Graph g;
    const Value x = g.input("x", {rows, 40});
    const Value w = g.input("w", {40, columns});
    const Value b = g.input("b", {columns});
    const Value h = matmul(x, w) + b;
    const Value y = relu(h) * 0.5;
    check_plan(g, {y, softmax(h), sum(y, {0}), gradients(sum(y * y), w)});
    if (columns <= 2048) CHECK(shows(Plan({y}), "matmul"));
    CHECK(Plan({y}).steps() == (columns == 2100 ? 2 : 1));
  }
  Graph g;
  const Value x = g.input("x", {4, 30, 20});
  const Value w = g.input("w", {4, 20, 15});
  check_plan(g, {tanh(matmul(x, w)) + 1, matmul(x, w) + matmul(x, 2 * w)});
}

TEST_CASE("groups: fused random operations are bit-identical") {
  for (const Size& size : sizes) {
    const Index rows = size.rows, columns = size.columns;
    Graph g({.seed = 3});
    const Value x = g.input("x", {rows, columns});
    const Value kept = x * bernoulli_like(x, 0.8) / 0.8;
    const Value noise = random_normal(g, {rows, columns}, f32) + random_uniform(g, {rows, columns}, f32, 1, 2);
    check_plan(g, {kept, noise * x, softmax(kept), sum(kept, {0})});
  }
  Graph g;
  const Value x = g.input("x", {64, 100});
  CHECK(Plan({x * bernoulli_like(x, 0.8)}).steps() == 1);
}

TEST_CASE("groups: every fused pair is bit-identical to its two operations") {
  int pairs = 0;
  for (const auto& op : builtin_ops().all()) {
    for (const FusedPair& pair : op->pairs) {
      CAPTURE(op->name);
      CAPTURE(pair.next->name);
      CAPTURE(pair.operand);
      for (const DType dtype : {f32, f64}) {
        for (const Index n : {Index{1}, Index{5}, Index{8}, Index{33}, Index{1000}}) {
          for (int scalars = 0; scalars < 16; ++scalars) {
            Graph g({.dtype = dtype});
            int made = 0;
            const auto fresh = [&] {
              const bool scalar = (scalars >> made & 1) != 0;
              return g.input("x" + std::to_string(made++), scalar ? Shape{} : Shape{n});
            };
            const Value full = g.input("full", {n});
            std::vector<Value> in{full};
            while (static_cast<int>(in.size()) < op->min_inputs) in.push_back(fresh());
            const Value between = g.apply(*op, in);
            in.clear();
            for (int i = 0; i < pair.next->min_inputs; ++i) in.push_back(i == pair.operand ? between : fresh());
            const Value y = g.apply(*pair.next, in);
            Feeds feeds;
            feeds.push_back({full, numbers(full.type(), 1)});
            for (int i = 0; i < made; ++i) {
              const Value v = g.find_input("x" + std::to_string(i));
              feeds.push_back({v, numbers(v.type(), static_cast<std::uint64_t>(i) + 2)});
            }
            const Plan plan({y});
            CHECK(shows(plan, "-" + pair.next->name));
            CHECK(bitwise_equal(plan.run(feeds)[0], evaluate(y, feeds)));
          }
        }
      }
      ++pairs;
    }
  }
  CHECK(pairs > 20);
}

TEST_CASE("groups: the operands of a fused pair live until its second operation runs") {
  Graph g;
  const Value x = g.input("x", {600});
  const Value y = tanh(x);  // last read by the group below, which may reuse its buffer
  const Value a = matmul(reshape(y, {1, 600}), reshape(y, {600, 1}));
  const Value first = y * 2;         // of a pair with `last`
  const Value between = exp(y + 1);  // may take the buffer of y
  const Value last = first + between;
  check_plan(g, {a, last, between});
}

TEST_CASE("groups: non-temporal stores of large results are bit-identical") {
  Graph g;
  const Index n = (Index{9} << 20) + 5;
  const Value x = g.input("x", {n});
  const Value y = (x * 2 + 1) * x;
  const Tensor fed = numbers(x.type(), 1);
  const Tensor expected = evaluate(y, {{x, fed}});
  const auto in = fed.values<float>();
  const auto out = expected.values<float>();
  bool right = true;
  for (std::size_t i = 0; i < in.size(); ++i) right = right && out[i] == (in[i] * 2 + 1) * in[i];
  CHECK(right);
  CHECK(bitwise_equal(Plan({y}).run({{x, fed}}, {.threads = 2})[0], expected));
  const Plan in_place({sum(exp(tanh(y) + 1))});
  CHECK(in_place.run({{x, fed}})[0].item() == evaluate(sum(exp(tanh(y) + 1)), {{x, fed}}).item());
}

TEST_CASE("groups: large results that later operations of the group read are bit-identical") {
  Graph g;
  const Index rows = 2305, columns = 4096;  // more than 32 MiB
  const Value x = g.input("x", {rows, columns});
  const Value row = g.input("row", {columns});
  // All are stored with a delay, in parts of rows that are longer than a block.
  const Value first = x * 2 + 1;
  const Value second = abs(tanh(first) - row) * first + x;
  const Value third = x + row;
  const Tensor of_x = numbers(x.type(), 1);
  const Feeds fed{{x, of_x}, {row, numbers(row.type(), 2)}};
  const auto alone = [&](const Value& v) { return Plan({v}, {}, {.fuse = false}).run(fed)[0]; };
  const std::vector<Tensor> expected{alone(first), alone(second), alone(third)};
  const auto in = of_x.values<float>();
  const auto out_first = expected[0].values<float>();
  bool right = true;
  for (std::size_t i = 0; i < in.size(); ++i) right = right && out_first[i] == in[i] * 2 + 1;
  CHECK(right);
  const Plan plan({first, second, third});
  for (const int threads : {1, 2, 3}) {
    const std::vector<Tensor> out = plan.run(fed, {.threads = threads});
    for (std::size_t i = 0; i < out.size(); ++i) CHECK(bitwise_equal(out[i], expected[i]));
  }
}

TEST_CASE("groups: a loss and its gradient take one pass over the rows") {
  Graph g;
  const Value x = g.input("x", {128, 10});
  const Value t = g.input("t", {128, 10});
  const Value loss = categorical_crossentropy(softmax(x), t);
  const Plan plan({loss, gradients(loss, x)});
  CHECK(plan.steps() <= 3);
  CHECK(Plan({loss, gradients(loss, x)}, {}, {.fuse = false}).steps() > 12);
}
