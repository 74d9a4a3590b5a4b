// Sorts and scatters of many elements, compared with loops, for any number of threads.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/ops/ops.hpp>

#include "support/dice.hpp"
#include "support/random_graph.hpp"

using namespace xgrad;
using testing::Dice;

namespace {

// Numbers with ties, both zeros, infinities and NaN.
Tensor numbers_with_ties(Dice& dice, const Shape& shape, DType dtype) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> odd{0.0, -0.0, infinity, -infinity, std::nan(""), 1, 1e-30};
  Tensor out(shape, f64);
  for (double& x : out.mutable_values<double>()) {
    x = std::floor(dice.real(-3000, 3000));
    if (dtype != i64 && dice.chance(0.1)) x = dice.one_of(odd);
  }
  return out.cast(dtype);
}

Tensor indices_of(Dice& dice, const Shape& shape, Index extent) {
  Tensor out(shape, i64);
  for (auto& i : out.mutable_values<std::int64_t>()) i = dice.below(extent);
  return out;
}

// Checks that interpreter and plan agree with `expected` for any number of threads.
void check_runs(Value y, const Feeds& feeds, const Tensor& expected) {
  const Plan plan({y});
  for (const int threads : {1, 2, 3, 8}) {
    CAPTURE(threads);
    CHECK(bitwise_equal(evaluate(y, feeds, {.threads = threads}), expected));
    CHECK(bitwise_equal(plan.run(feeds, {.threads = threads})[0], expected));
  }
}

}  // namespace

TEST_CASE("argsort: rows of all lengths equal a stable sort for any number of threads") {
  Dice dice(1);
  for (const DType dtype : {f32, f64, i64}) {
    for (const Index n : {129, 5000, 131071, 131072, 300001}) {
      for (const bool descending : {false, true}) {
        CAPTURE(n);
        const Tensor at = numbers_with_ties(dice, {2, n}, dtype);
        const Tensor wide = at.cast(f64);
        Tensor expected({2, n}, i64);
        for (Index row = 0; row < 2; ++row) {
          const double* x = wide.values<double>().data() + row * n;
          auto* order = expected.mutable_values<std::int64_t>().data() + row * n;
          std::iota(order, order + n, std::int64_t{0});
          std::stable_sort(order, order + n, [&](std::int64_t i, std::int64_t j) {
            const double a = descending ? x[j] : x[i], b = descending ? x[i] : x[j];
            return a < b || (std::isnan(b) && !std::isnan(a));
          });
        }
        Graph g;
        const Value x = g.input("x", {2, n}, dtype);
        check_runs(argsort(x, -1, descending), {{x, at}}, expected);
      }
    }
  }
  Graph g;
  const Value x = g.input("x", {1 << 18});
  const Tensor at = numbers_with_ties(dice, {1 << 18}, f32);
  check_runs(sort(x), {{x, at}}, evaluate(sort(x), {{x, at}}, {.threads = 1}));
}

TEST_CASE("scatter_add: equals a loop for few and many slices of one index") {
  Dice dice(2);
  struct Case {
    Index outer, extent, inner, n;
    bool crowded;  // most slices have the same index
  };
  for (const Case& c : std::vector<Case>{{1, 5, 3, 4, false},
                                         {1, 700, 128, 64, false},
                                         {1, 700, 129, 500, false},
                                         {1, 3, 300, 500, true},
                                         {4, 37, 17, 900, true},
                                         {9, 4000, 1, 700, false},
                                         {300, 12, 1, 65, true},
                                         {1, 40000, 1, 30000, false},
                                         {3, 2, 40000, 70, false}}) {
    CAPTURE(c.extent);
    CAPTURE(c.n);
    Graph g({.dtype = f64});
    const Shape whole{c.outer, c.extent, c.inner};
    const Value x = g.input("x", whole), at = g.input("at", {c.n}, i64);
    const Value slices = g.input("slices", {c.outer, c.n, c.inner});
    const Tensor start = testing::random_tensor(dice, whole, f64);
    const Tensor added = testing::random_tensor(dice, slices.shape(), f64);
    Tensor index = indices_of(dice, {c.n}, c.extent);
    for (auto& i : index.mutable_values<std::int64_t>()) i = c.crowded && dice.chance(0.8) ? 1 : i;
    std::vector<long double> sums(static_cast<std::size_t>(whole.elements()), 0);
    for (Index o = 0; o < c.outer; ++o) {
      for (Index i = 0; i < c.n; ++i) {
        for (Index k = 0; k < c.inner; ++k)
          sums[static_cast<std::size_t>(
              (o * c.extent + index.values<std::int64_t>()[static_cast<std::size_t>(i)]) * c.inner + k)] +=
              static_cast<long double>(added.at((o * c.n + i) * c.inner + k));
      }
    }
    const Value y = scatter_add(x, at, slices, 1);
    const Feeds feeds{{x, start}, {at, index}, {slices, added}};
    const Tensor got = evaluate(y, feeds, {.threads = 1});
    for (Index e = 0; e < got.elements(); ++e) {
      const auto expected =
          static_cast<double>(static_cast<long double>(start.at(e)) + sums[static_cast<std::size_t>(e)]);
      if (std::abs(got.at(e) - expected) > 1e-12)
        FAIL_CHECK("element " << e << ": " << got.at(e) << ", expected " << expected);
    }
    check_runs(y, feeds, got);
    check_runs(square(y), feeds, evaluate(square(y), feeds, {.threads = 1}));
  }
}

TEST_CASE("scatter_add_along_axis and take_along_axis: equal a loop") {
  Dice dice(3);
  for (const Shape& whole : std::vector<Shape>{{300, 50}, {50, 300}, {7, 30, 5}, {3, 2000}, {2, 9, 600}}) {
    for (int axis = 0; axis < whole.rank(); ++axis) {
      for (const Index n : {1, 60, 200}) {
        CAPTURE(whole.str());
        CAPTURE(axis);
        Shape part = whole;
        part.set(axis, n);
        Graph g({.dtype = f64});
        const Value x = g.input("x", whole), at = g.input("at", part, i64), elements = g.input("elements", part);
        const Feeds feeds{{x, testing::random_tensor(dice, whole, f64)},
                          {at, indices_of(dice, part, whole[axis])},
                          {elements, testing::random_tensor(dice, part, f64)}};
        Index inner = 1;
        for (int a = axis + 1; a < whole.rank(); ++a) inner *= whole[a];
        std::vector<long double> sums;
        for (Index e = 0; e < whole.elements(); ++e) sums.push_back(static_cast<long double>(feeds[0].value.at(e)));
        Tensor taken(part, f64);
        for (Index e = 0; e < part.elements(); ++e) {
          const Index index = feeds[1].value.values<std::int64_t>()[static_cast<std::size_t>(e)];
          const Index place = (e / inner / n * whole[axis] + index) * inner + e % inner;
          sums[static_cast<std::size_t>(place)] += static_cast<long double>(feeds[2].value.at(e));
          taken.mutable_values<double>()[static_cast<std::size_t>(e)] = feeds[0].value.at(place);
        }
        check_runs(take_along_axis(x, at, axis), feeds, taken);
        const Value y = scatter_add_along_axis(x, at, elements, axis);
        const Tensor got = evaluate(y, feeds, {.threads = 1});
        for (Index e = 0; e < got.elements(); ++e) {
          if (std::abs(got.at(e) - static_cast<double>(sums[static_cast<std::size_t>(e)])) > 1e-12)
            FAIL_CHECK("element " << e << ": " << got.at(e));
        }
        check_runs(y, feeds, got);
      }
    }
  }
}
