// Attention and its derivatives against the composition of matrix products and softmax.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

#include "support/dice.hpp"

using namespace xgrad;
using testing::Dice;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double NaN = std::numeric_limits<double>::quiet_NaN();

Tensor random_tensor(Dice& dice, const Shape& shape, DType dtype, double size = 1) {
  Tensor out(shape, f64);
  for (double& x : out.mutable_values<double>()) x = dice.real(-size, size);
  return out.cast(dtype);
}

// The composition that the operation replaces.
Value composed(Value query, Value key, Value value, const AttentionOptions& options = {}) {
  const double depth = static_cast<double>(query.shape().back());
  Value scores = matmul(query, key, false, true) * options.scale.value_or(1 / std::sqrt(depth));
  if (options.mask.valid())
    scores = options.mask.dtype() == boolean ? where(options.mask, scores, -inf) : scores + options.mask;
  if (options.causal) scores = where(greater(tril(ones_like(scores)), 0), scores, -inf);
  return matmul(softmax(scores), value);
}

// The largest difference, relative to the largest element or to `terms`.
double distance(const Tensor& a, const Tensor& b, double terms = 0) {
  REQUIRE(a.shape() == b.shape());
  double most = 0, largest = terms;
  for (Index i = 0; i < a.elements(); ++i) {
    const double x = a.at(i), y = b.at(i);
    if (std::isnan(x) || std::isnan(y)) {
      CHECK(std::isnan(x) == std::isnan(y));
      continue;
    }
    if (x != y) most = std::max(most, std::abs(x - y));
    largest = std::max(largest, std::abs(y));
  }
  return largest > 0 ? most / largest : most;
}

struct Problem {
  Shape query, key, value;
  Shape mask{};  // rank 0: none
  bool keep = false, causal = false;
  double size = 1;     // of the elements
  double special = 0;  // fraction of elements that are inf, NaN etc.
};

// Results, and derivatives with respect to query, key, value and mask, of both forms.
void compare(Dice& dice, const Problem& p, DType dtype, double tolerance) {
  CAPTURE(p.query.str());
  CAPTURE(p.key.str());
  CAPTURE(p.mask.str());
  CAPTURE(p.causal);
  CAPTURE(name_of(dtype));
  Graph g({.dtype = dtype});
  Feeds feeds;
  std::vector<Value> wrt;
  const auto input = [&](const char* name, const Shape& shape) {
    wrt.push_back(g.input(name, shape));
    Tensor values = random_tensor(dice, shape, f64, p.size);
    for (double& x : values.mutable_values<double>()) {
      if (dice.chance(p.special)) x = dice.one_of(std::vector<double>{inf, -inf, NaN, -0.0, 1e-40});
    }
    feeds.push_back({wrt.back(), values.cast(dtype)});
    return wrt.back();
  };
  const Value q = input("q", p.query), k = input("k", p.key), v = input("v", p.value);
  AttentionOptions options{.causal = p.causal};
  if (p.mask.rank() > 0 && p.keep) {
    options.mask = g.input("mask", p.mask, boolean);
    Tensor mask(p.mask, boolean);
    for (bool& x : mask.mutable_values<bool>()) x = dice.chance(0.7);
    feeds.push_back({options.mask, mask});
  } else if (p.mask.rank() > 0) {
    options.mask = input("mask", p.mask);
  }
  std::vector<Value> results;
  for (const Value y : {scaled_dot_product_attention(q, k, v, options), composed(q, k, v, options)}) {
    results.push_back(y);
    const Value loss = sum(y * sin(y));
    for (const Value dx : gradients(loss, wrt)) results.push_back(dx);
  }
  const auto all = evaluate(results, feeds);
  const std::size_t half = all.size() / 2;
  for (std::size_t i = 0; i < half; ++i) {
    CAPTURE(i);
    // Where one weight is nearly 1, derivatives are small differences of terms with three factors of the inputs' size.
    CHECK(distance(all[i], all[half + i], p.size > 1 ? p.size * p.size * p.size : 0) < tolerance);
  }
}

std::vector<Problem> problems() {
  std::vector<Problem> out{
      {{1, 1}, {1, 1}, {1, 1}},
      {{5, 7}, {9, 7}, {9, 3}},
      {{3, 1, 33}, {3, 700, 33}, {3, 700, 35}},
      {{2, 1, 8}, {2, 40, 8}, {2, 40, 8}, {2, 1, 40}, true},
      {{2, 1, 8}, {2, 3, 8}, {2, 3, 8}, {}, false, true},
      {{2, 3, 33, 17}, {2, 3, 50, 17}, {2, 3, 50, 20}},
      {{2, 130, 64}, {2, 130, 64}, {2, 130, 64}},
      {{1, 70, 5}, {1, 700, 5}, {1, 700, 300}},
      {{3, 200, 300}, {3, 90, 300}, {3, 90, 31}},
      {{2, 2, 7, 8}, {2, 2, 40, 8}, {2, 2, 40, 8}, {7, 40}},
      {{2, 2, 7, 8}, {2, 2, 40, 8}, {2, 2, 40, 8}, {2, 1, 1, 40}},
      {{2, 2, 7, 8}, {2, 2, 40, 8}, {2, 2, 40, 8}, {40}},
      {{2, 2, 7, 8}, {2, 2, 40, 8}, {2, 2, 40, 8}, {2, 2, 7, 40}, true},
      {{2, 60, 8}, {2, 37, 8}, {2, 37, 8}, {1, 60, 37}, true},
  };
  for (const Index keys : {1, 15, 16, 17, 47, 48, 49, 64, 100, 129, 300}) {
    out.push_back({{2, 100, 16}, {2, keys, 16}, {2, keys, 16}, {}, false, true});
    out.push_back({{1, 31, 4}, {1, keys, 4}, {1, keys, 6}, {}, false, true});
    out.push_back({{1, 31, 4}, {1, keys, 4}, {1, keys, 6}, {31, keys}, true, true});
  }
  return out;
}

}  // namespace

TEST_CASE("attention equals the composition") {
  Dice dice(1);
  for (const Problem& p : problems()) {
    compare(dice, p, f64, 1e-12);
    compare(dice, p, f32, 2e-5);
  }
}

TEST_CASE("attention of large scores and special values equals the composition") {
  Dice dice(2);
  for (Problem p : problems()) {
    p.size = 300;  // scores of up to 1e6: softmax is 0 or 1 nearly everywhere
    compare(dice, p, f64, 1e-12);
    p.size = 1;
    p.special = 0.5 / static_cast<double>(p.query.elements());
    compare(dice, p, f64, 1e-12);
    p.special = 0.3;
    compare(dice, p, f64, 1e-12);
  }
}

TEST_CASE("attention: leading axes and the last axis of a mask broadcast") {
  Dice dice(3);
  Graph g({.dtype = f64});
  const Value q = g.input("q", {4, 1, 5, 8}), k = g.input("k", {3, 6, 8}), v = g.input("v", {6, 2});
  const Value mask = g.input("mask", {5, 1});
  const Feeds feeds{{q, random_tensor(dice, q.shape(), f64)},
                    {k, random_tensor(dice, k.shape(), f64)},
                    {v, random_tensor(dice, v.shape(), f64)},
                    {mask, random_tensor(dice, mask.shape(), f64)}};
  const Value one = scaled_dot_product_attention(q, k, v, {.mask = mask, .scale = 0.3});
  const Value other = composed(q, k, v, {.mask = mask, .scale = 0.3});
  CHECK(one.shape() == Shape{4, 3, 5, 2});
  CHECK(distance(evaluate(one, feeds), evaluate(other, feeds)) < 1e-13);
  const Value of_one = gradients(sum(square(one)), {k}, {})[0], of_other = gradients(sum(square(other)), {k}, {})[0];
  CHECK(distance(evaluate(of_one, feeds), evaluate(of_other, feeds)) < 1e-13);
}

TEST_CASE("attention: a row without keys is NaN, no keys at all give 0") {
  Graph g({.dtype = f64});
  const Value x = g.constant(Tensor({2, 3}, f64)), none = g.constant(Tensor({0, 3}, f64));
  const Value mask = g.constant(Tensor::from<bool>({2, 1}, {false, true}));
  const Tensor y = evaluate(scaled_dot_product_attention(x, x, x, {.mask = mask}), {});
  CHECK(std::isnan(y.at(0)));
  CHECK(y.at(3) == 0);
  for (const Value query : {x, slice(x, 0, 0, 1)}) {
    const Tensor nothing = evaluate(scaled_dot_product_attention(query, none, none), {});
    for (Index i = 0; i < nothing.elements(); ++i) CHECK(nothing.at(i) == 0);
  }
}

TEST_CASE("attention: dropout keeps the expected fraction, and equals the composition with its factors") {
  Dice dice(4);
  Graph g({.dtype = f64, .seed = 5});
  const Value q = g.input("q", {2, 40, 8}), k = g.input("k", {2, 60, 8}), v = g.input("v", {2, 60, 4});
  Feeds feeds;
  for (const Value x : {q, k, v}) feeds.push_back({x, random_tensor(dice, x.shape(), f64)});
  const Value y = scaled_dot_product_attention(q, k, v, {.causal = true, .dropout = 0.25});
  const Value seeds = g.value(g.inputs(y.id())[3]);
  const Value weights = softmax(where(greater(tril(ones_like(matmul(q, k, false, true))), 0),
                                      matmul(q, k, false, true) * (1 / std::sqrt(8.0)), -inf));
  const Value factors = apply("attention_dropout", {weights, seeds}, {{"dropout", 0.25}});
  const Value other = matmul(weights * factors, v);
  const auto all = evaluate({y, other, factors}, feeds);
  CHECK(distance(all[0], all[1]) < 1e-13);
  double dropped = 0;
  for (Index i = 0; i < all[2].elements(); ++i) dropped += all[2].at(i) == 0 ? 1 : 0;
  CHECK(dropped / static_cast<double>(all[2].elements()) == doctest::Approx(0.25).epsilon(0.05));
  const auto of_y = gradients(sum(square(y)), {q, k, v}), of_other = gradients(sum(square(other)), {q, k, v});
  for (std::size_t i = 0; i < 3; ++i) {
    const auto both = evaluate({of_y[i], of_other[i]}, feeds);
    CHECK(distance(both[0], both[1]) < 1e-12);
  }
  const auto at_steps = [&](std::uint64_t step) { return evaluate({y}, feeds, {.step = step})[0]; };
  CHECK(distance(at_steps(1), at_steps(1)) == 0);
  CHECK(distance(at_steps(1), at_steps(2)) > 0.01);
}

TEST_CASE("attention: plans of long sequences hold no matrix of scores") {
  const auto peak = [](Index length, bool backward, auto attention) {
    Graph g;
    const Value q = g.input("q", {1, length, 64}), k = g.input("k", {1, length, 64}), v = g.input("v", {1, length, 64});
    std::vector<Value> out{attention(q, k, v, AttentionOptions{.causal = true})};
    if (backward) {
      for (const Value dx : gradients(sum(square(out[0])), {q, k, v})) out.push_back(dx);
    }
    return static_cast<double>(Plan(out).peak_bytes());
  };
  const auto one = [](Value q, Value k, Value v, const AttentionOptions& o) {
    return scaled_dot_product_attention(q, k, v, o);
  };
  constexpr double scores = 4.0 * 4096 * 4096;
  CHECK(peak(4096, false, one) < scores / 4);
  CHECK(peak(4096, true, one) < scores);
  CHECK(peak(8192, true, one) < 2.1 * peak(4096, true, one));
  CHECK(peak(4096, true, composed) > 2 * scores);
}

TEST_CASE("attention: errors") {
  Graph g;
  const Value q = g.input("q", {2, 3, 4}), k = g.input("k", {2, 5, 4}), v = g.input("v", {2, 5, 6});
  const auto size = g.size();
  CHECK_THROWS_WITH_AS(scaled_dot_product_attention(q, k, v, {.dropout = 1}), doctest::Contains("dropout must be in"),
                       UserError);
  CHECK_THROWS_WITH_AS(scaled_dot_product_attention(q, k, v, {.scale = inf}), doctest::Contains("scale must be finite"),
                       UserError);
  CHECK_THROWS_WITH_AS(scaled_dot_product_attention(q, v, v), doctest::Contains("differ in depth"), ShapeError);
  CHECK_THROWS_WITH_AS(scaled_dot_product_attention(q, k, v, {.mask = g.constant(Tensor({3, 5}, i64))}),
                       doctest::Contains("the mask must be bool or f32, got i64"), DTypeError);
  CHECK(g.size() <= size + 1);
}
