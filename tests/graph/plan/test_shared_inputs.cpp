// Large tensors: groups that read the same tensor become one, and cheap values are computed again instead of stored.
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/ops/ops.hpp>

#include "support/dice.hpp"

using namespace xgrad;

namespace {

Feeds feeds_of(const std::vector<Value>& inputs) {
  testing::Dice dice(3);
  Feeds out;
  for (const Value v : inputs) {
    Tensor t(v.shape(), v.dtype());
    for (float& x : t.mutable_values<float>()) x = static_cast<float>(dice.real(-2, 2));
    out.push_back({v, t});
  }
  return out;
}

// Compares plans with the interpreter, bit by bit.
void check_bits(const std::vector<Value>& results, const Feeds& feeds) {
  const std::vector<Tensor> expected = evaluate(results, feeds);
  for (const bool fuse : {true, false}) {
    for (const int threads : {1, 3}) {
      const std::vector<Tensor> planned = Plan(results, {}, {.fuse = fuse}).run(feeds, {.threads = threads});
      for (std::size_t i = 0; i < results.size(); ++i)
        CHECK(std::memcmp(planned[i].raw(), expected[i].raw(), expected[i].type().bytes()) == 0);
    }
  }
}

TEST_CASE("shared inputs: independent reductions of one large tensor are one step") {
  for (const Index rows : {1024, 8}) {
    Graph g;
    const Value x = g.input("x", {rows, 256}), y = g.input("y", {rows, 256});
    const std::vector<Value> results{sum(x, {0}), sum(x * y, {0}), sum(square(y), {0})};
    CHECK(Plan(results).steps() == (rows == 1024 ? 1 : 3));
    check_bits(results, feeds_of({x, y}));
  }
}

TEST_CASE("shared inputs: a reduction waits for a later group that reads its tensor, but not beyond its readers") {
  Graph g;
  const Value x = g.input("x", {1024, 256}), y = g.input("y", {1024, 256});
  const Value mean = sum(x, {0}) / 1024;
  const Value later = sum(y * (x - mean), {0});  // reads x and y once the mean is known
  CHECK(Plan({later, sum(y, {0})}).steps() == 3);
  check_bits({later, sum(y, {0})}, feeds_of({x, y}));
  const Value needed_before = sum(y, {0});
  const Value last = sum(y * (x - (mean + needed_before)), {0});
  CHECK(Plan({last}).steps() == 4);
  check_bits({last, later}, feeds_of({x, y}));
}

TEST_CASE("shared inputs: a large difference from a row is computed by each of its readers") {
  Graph g;
  const Value x = g.input("x", {1024, 256}), row = g.input("row", {256});
  const Value distance = x - row;
  const Value variance = sum(square(distance), {0});
  const Value y = distance * variance;
  const Plan plan({y});
  CHECK(plan.steps() == 2);
  const std::size_t bytes = x.type().bytes();
  CHECK(plan.peak_bytes() < 2 * bytes + bytes / 2);  // x and y, but not the distance
  check_bits({y}, feeds_of({x, row}));
  check_bits({y, distance}, feeds_of({x, row}));
}

}  // namespace
