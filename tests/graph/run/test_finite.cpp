// Finds the operation that made the first NaN or infinity.
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xgrad/graph/run/finite.hpp>
#include <xgrad/graph/run/internal/finite_check.hpp>
#include <xgrad/xgrad.hpp>
#include "support/scratch.hpp"
#include "support/small_model.hpp"

using namespace xgrad;
using small_model::same;
using small_model::silent;
using small_model::weights;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float NaN = std::numeric_limits<float>::quiet_NaN();

Tensor floats(Shape shape, std::initializer_list<float> numbers) {
  return Tensor::from<float>(shape, std::vector<float>(numbers));
}

// Returns the NonFiniteError that `f` throws.
template <class F>
NonFiniteError caught(F f) {
  try {
    f();
  } catch (const NonFiniteError& error) {
    MESSAGE(std::string(error.what()));
    return error;
  }
  FAIL("nothing was thrown");
  throw std::logic_error("unreachable");
}

std::string at(int line) { return fmt::format("test_finite.cpp:{}", line); }
constexpr RunOptions checked{.check_finite = true};

}  // namespace

TEST_CASE("finite: range_of().str() describes a range") {
  CHECK(range_of(floats({4}, {1, -2, 3, 0})).str() == "from -2 to 3, mean 0.5");
  CHECK(range_of(floats({2}, {1.5, 1.5})).str() == "all 1.5");
  CHECK(range_of(floats({}, {1.5})).str() == "1.5");
  CHECK(range_of(floats({4}, {1, NaN, 3, -inf})).str() == "from 1 to 3, mean 2, and 1 of 4 NaN, and 1 of 4 infinite");
  CHECK(range_of(floats({2}, {NaN, NaN})).str() == "all NaN");
  CHECK(range_of(floats({}, {inf})).str() == "infinite");
  CHECK(range_of(Tensor({0, 3})).str() == "no elements");
  CHECK(range_of(Tensor::from<std::int64_t>({3}, {1, 2, 6})).str() == "from 1 to 6, mean 3");
  CHECK(range_of(Tensor({3}, boolean)).str() == "all 0");
}

TEST_CASE("finite: all_finite finds a single value at any position and size") {
  for (Index n = 0; n < 40; ++n) {
    Tensor narrow = Tensor::zeros({n});
    Tensor wide({n}, f64);
    CHECK(all_finite(narrow));
    CHECK(all_finite(wide));
    for (Index i = 0; i < n; ++i) {
      for (const float bad : {NaN, inf, -inf, -NaN}) {
        const auto at_i = static_cast<std::size_t>(i);
        narrow.mutable_values<float>()[at_i] = bad;
        wide.mutable_values<double>()[at_i] = bad;
        CHECK_FALSE(all_finite(narrow));
        CHECK_FALSE(all_finite(wide));
        narrow.mutable_values<float>()[at_i] = std::numeric_limits<float>::max();
        wide.mutable_values<double>()[at_i] = std::numeric_limits<double>::lowest();
      }
    }
    CHECK(all_finite(narrow));
    CHECK(all_finite(wide));
  }
  CHECK(all_finite(Tensor::from<std::int64_t>({1}, {INT64_MAX})));
}

TEST_CASE("finite: the error names source location, layer and ranges") {
  Graph g;
  const Value x = g.input("x", {2, 3});
  Value y;
  int line = 0;
  {
    const auto scope = g.scope("deep");
    y = sum(exp(log(x - 1)) * 2);
    line = __LINE__ - 1;
  }
  const Feeds feeds{{x, floats({2, 3}, {2, 3, 4, 5, 0.5, 0})}};
  CHECK(std::isnan(evaluate(y, feeds).item()));  // unchecked runs do not throw
  const NonFiniteError error = caught([&] { evaluate(y, feeds, checked); });
  CHECK(error.what() ==
        "check_finite: log makes NaN at step 0: 2 of its 6 elements, the first at [1, 1]\n"
        "  node: %3 log f32[2, 3] in scope \"deep\"\n"
        "  output: from 0 to 1.38629, mean 0.794513, and 2 of 6 NaN\n"
        "  input 0: %2 sub f32[2, 3] in scope \"deep\": from -1 to 4, mean 1.41667\n"
        "  it reaches value 0, %7 sum f32[] in scope \"deep\"\n"
        "  at " +
            at(line) + ", in layer \"deep\"");
  CHECK(error.report().op == "log");
  CHECK(error.report().line == at(line));
  CHECK(error.report().layer == "deep");
  CHECK(error.report().role == Role::forward);
  CHECK(error.report().output.now.nans == 2);
  CHECK(error.report().inputs.size() == 1);
  CHECK_FALSE(error.report().last_good_step);
  CHECK_NOTHROW(evaluate(y, {{x, Tensor::full({2, 3}, 2, f32)}}, checked));
}

TEST_CASE("finite: names the operation that overflows, not its consumer") {
  Graph g;
  const Value x = g.input("x", {3});
  const Value big = exp(x);
  const Value y = sum(big * 0);
  const NonFiniteError error = caught([&] { evaluate(y, {{x, floats({3}, {1, 89, 90})}}, checked); });
  CHECK(error.report().node == big.id());
  CHECK(error.report().output.now.infinities == 2);
  CHECK(
      error.message().starts_with("check_finite: exp makes infinity at step 0: 2 of its 3 elements, the first at [1]"));
}

TEST_CASE("finite: masked values are ignored until a gradient uses them") {
  Graph g;
  const Value x = g.input("x", {3});
  const Value logs = log(x);
  const Value y = sum(where(x > 0, logs, 0));
  const Feeds feeds{{x, floats({3}, {1, 0, 2})}};
  CHECK_NOTHROW(evaluate(y, feeds, checked));
  const Value dy = gradients(y, x);
  const NonFiniteError error = caught([&] { evaluate({y, dy}, feeds, checked); });
  CHECK(error.report().role == Role::backward);
  CHECK(error.report().op == "div");  // 0 / 0
  CHECK(error.report().line == at(__LINE__ - 8));
  CHECK(scratch::contains(error.what(), fmt::format("in the backward pass of {}", logs.describe())));
}

TEST_CASE("finite: a division by zero in the backward pass only") {
  Graph g;
  const Value x = g.input("x", {2, 2});
  const Value root = sqrt(x);
  const int line = __LINE__ - 1;
  const Value y = sum(root);
  const Value dy = gradients(y, x);
  const Feeds feeds{{x, floats({2, 2}, {1, 4, 0, 9})}};
  CHECK_NOTHROW(evaluate(y, feeds, checked));
  const NonFiniteError error = caught([&] { evaluate({y, dy}, feeds, checked); });
  CHECK(error.report().role == Role::backward);
  CHECK(error.report().line == at(line));
  CHECK(scratch::contains(error.what(), "in the backward pass of " + root.describe()));
  CHECK(scratch::contains(error.what(), "1 of its 4 elements, the first at [1, 0]"));
}

TEST_CASE("finite: infinities of constants and feeds are accepted, NaN is not") {
  Graph g;
  const Value x = g.input("x", {3});
  const Value mask = g.input("mask", {3}, boolean);
  const Value scores = where(mask, x, -inf);
  const Value p = softmax(scores);
  const auto masked = [&](bool a, bool b, bool c) {
    Tensor out({3}, boolean);
    out.mutable_values<bool>()[0] = a;
    out.mutable_values<bool>()[1] = b;
    out.mutable_values<bool>()[2] = c;
    return Feeds{{x, floats({3}, {1, 2, 3})}, {mask, out}};
  };
  CHECK_NOTHROW(evaluate(p, masked(true, false, true), checked));
  CHECK_NOTHROW(evaluate(scores, masked(true, false, true), checked));
  // A row without a choice computes -inf - -inf.
  const NonFiniteError empty = caught([&] { evaluate(p, masked(false, false, false), checked); });
  CHECK(empty.report().op == "sub");
  CHECK(empty.report().inputs[0].now.infinities == 3);

  const Value y = exp(x);
  CHECK_NOTHROW(evaluate(y, {{x, floats({3}, {1, inf, 3})}}, checked));
  const NonFiniteError fed = caught([&] { evaluate(y, {{x, floats({3}, {1, NaN, 3})}}, checked); });
  CHECK(fed.report().node == x.id());
  CHECK(fed.message().starts_with("check_finite: input holds NaN at step 0: 1 of its 3 elements, the first at [1]"));
  const Value constant = g.constant(floats({3}, {1, 2, NaN}));
  CHECK(caught([&] { evaluate(x + constant, {{x, Tensor::zeros({3})}}, checked); }).report().node == constant.id());
  const Parameter w("w", floats({2}, {0, inf}));
  const NonFiniteError held = caught([&] { evaluate(g.parameter(w) * 2, {}, checked); });
  CHECK(held.report().op == "parameter");
  CHECK(scratch::contains(held.what(), "parameter holds infinity"));
  CHECK(scratch::contains(held.what(), "\"w\""));
}

TEST_CASE("finite: a plan discards a non-finite run and reports the last finite one") {
  for (const int threads : {1, 3}) {
    Graph g;
    const Value x = g.input("x", {2});
    const Parameter w("w", floats({2}, {1, 2}));
    const Parameter count("count", Tensor(0.0F));
    const Value p = g.parameter(w);
    const Value ratio = p / x;
    const int line = __LINE__ - 1;
    const Value loss = sum(square(ratio));
    const Plan plan({loss}, {{w, p - 0.1 * gradients(loss, p)}, {count, g.parameter(count) + 1}});
    Workspace memory(plan);
    const auto step = [&](std::uint64_t n, float a, float b) {
      memory.feed(x, floats({2}, {a, b}));
      plan.run(memory, {.threads = threads, .step = n, .check_finite = true});
    };
    step(5, 1, 2);
    step(6, 2, 4);
    const Tensor before = w.value();
    const NonFiniteError error = caught([&] { step(7, 3, 0); });
    CHECK(error.report().node == ratio.id());
    CHECK(error.report().step == 7);
    CHECK(error.report().last_good_step == 6);
    REQUIRE(error.report().inputs[1].before);
    CHECK(error.report().inputs[1].before->low == 2);
    CHECK(error.report().inputs[1].before->high == 4);
    CHECK(error.report().inputs[1].now.low == 0);
    CHECK(error.report().line == at(line));
    CHECK(scratch::contains(error.what(), "at step 6, the last good one: from 2 to 4, mean 3"));
    CHECK(bitwise_equal(w.value(), before));
    CHECK(count.value().item() == 2);
    step(8, 1, 1);
    CHECK(count.value().item() == 3);
    CHECK(caught([&] { step(9, 0, 0); }).report().last_good_step == 8);
    // The same run without the check succeeds.
    plan.run(memory, {.threads = threads, .step = 9});
    CHECK(count.value().item() == 4);
  }
}

TEST_CASE("finite: checks updates without outputs, and plans for other shapes than the graph's") {
  Graph g;
  const Value x = g.input("x", {2, 2});
  const Parameter w("w", floats({2}, {1, 1e38F}));
  const Value p = g.parameter(w);
  const Value next = p * 10;
  const Plan plan({sum(x)}, {{w, next}}, {.shapes = {{x, {5, 2}}}});
  const NonFiniteError error = caught([&] { plan.run({{x, Tensor({5, 2})}}, checked); });
  CHECK(error.report().node == next.id());
  CHECK(scratch::contains(error.what(), "it is the new value of \"w\""));
  CHECK(w.value().at(0) == 1);

  const Value logs = log(x);
  const Plan longer({logs}, {}, {.shapes = {{x, {3, 2}}}});
  Tensor numbers = Tensor::full({3, 2}, 1, f32);
  CHECK_NOTHROW(longer.run({{x, numbers}}, checked));
  numbers.mutable_values<float>()[5] = -1;
  const std::string message = caught([&] { longer.run({{x, numbers}}, checked); }).what();
  for (const char* part : {"the first at [2, 1]", "log f32[3, 2]", "input \"x\" f32[3, 2]", "it is output 0"})
    CHECK_MESSAGE(scratch::contains(message, part), message);
  CHECK_MESSAGE(!scratch::contains(message, "f32[2, 2]"), message);
}

TEST_CASE("finite: a plan for other shapes ignores nodes that it does not need") {
  Graph g;
  const Value x = g.input("x", {2, 2});
  const Value fits_two_rows_alone = x + g.constant(Tensor({2, 2}));
  const Value logs = log(x);
  CHECK(logs.id() > fits_two_rows_alone.id());
  const Plan plan({logs}, {}, {.shapes = {{x, {3, 2}}}});
  CHECK_NOTHROW(plan.run({{x, Tensor::full({3, 2}, 1, f32)}}, checked));
  CHECK(caught([&] { plan.run({{x, Tensor::full({3, 2}, -1, f32)}}, checked); }).report().node == logs.id());
  CHECK_THROWS_AS(Plan({fits_two_rows_alone}, {}, {.shapes = {{x, {3, 2}}}}), ShapeError);
}

TEST_CASE("finite: a replayed step draws the same random numbers") {
  Graph g({.seed = 3});
  const Value x = g.input("x", {64});
  const Value y = sum(log(dropout_mask(x, 0.01)));
  const Plan plan({y});
  Workspace memory(plan);
  memory.feed(x, Tensor::zeros({64}));
  int good = 0, bad = 0;
  for (std::uint64_t step = 0; step < 20; ++step) {
    try {
      plan.run(memory, {.step = step, .check_finite = true});
      ++good;
      CHECK(std::isfinite(evaluate(y, {{x, Tensor::zeros({64})}}, {.step = step}).item()));
    } catch (const NonFiniteError& error) {
      ++bad;
      CHECK(error.report().op == "log");
      CHECK(error.report().step == step);
      CHECK(error.report().inputs[0].now.low == 0);
    }
  }
  CHECK(good > 0);
  CHECK(bad > 0);
}

TEST_CASE("finite: a checked workspace outlives its graph") {
  auto g = std::make_unique<Graph>();
  const Value x = g->input("x", {2});
  const NodeId mark = g->mark();
  int line = 0;
  NodeId bad = 0;
  std::string described;
  Value y;
  {
    const auto scope = g->scope("layer");
    y = log(x), line = __LINE__;
    bad = y.id();
    described = y.describe();
  }
  const Plan plan({y}), kept({y}, {}, {.check_finite = true});
  const Tensor two = floats({2}, {1, 2}), wrong = floats({2}, {1, -1});
  Workspace early(plan), late(plan);
  early.feed("x", two);
  CHECK_NOTHROW(plan.run(early, checked));
  g->rewind(mark);
  late.feed("x", two);
  CHECK_THROWS_WITH_AS(plan.run(late, checked), doctest::Contains("check_finite: value %1 was discarded"), GraphError);
  g.reset();
  CHECK_THROWS_WITH_AS(plan.run(late, checked), doctest::Contains("needs the plan's graph, which was destroyed"),
                       GraphError);
  CHECK_NOTHROW(plan.run(late));
  // A workspace that was checked before has a copy of the nodes; so has a plan with PlanOptions::check_finite.
  early.feed("x", wrong);
  for (const NonFiniteError& error : {caught([&] { plan.run(early, checked); }), caught([&] {
                                        kept.run({{"x", wrong}}, checked);
                                      })}) {
    CHECK(error.report().node == bad);
    CHECK(error.report().layer == "layer");
    CHECK(error.report().line == at(line));
    CHECK_MESSAGE(scratch::contains(error.what(), described), error.what());
  }
  CHECK_NOTHROW(kept.run({{"x", two}}, checked));
}

namespace {

// A layer that takes the logarithm of its input, which the weights of the previous layer make negative at some point.
struct Fragile : nn::Module {
  Value operator()(Value x) { return log(x); }
  static int line() { return __LINE__ - 1; }
};

}  // namespace

TEST_CASE("finite: fit names layer and source location, and leaves the model unchanged") {
  nn::Model model{
      nn::Sequential{nn::Dense(4, nn::relu, {.bias_initializer = nn::constant(2)}), Fragile(), nn::Dense(1)},
      {2},
      {.seed = 1}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{.learning_rate = 0.5}});
  const nn::Dataset data{small_model::numbers({40, 2}), small_model::numbers({40, 1}, 2)};
  const std::vector<Tensor> before = weights(model);
  const NonFiniteError error =
      caught([&] { model.fit(data, {.batch_size = 8, .epochs = 50, .verbose = silent, .check_finite = true}); });
  CHECK(error.report().op == "log");
  CHECK(error.report().layer == "fragile");
  CHECK(error.report().line == at(Fragile::line()));
  CHECK(error.where() == fmt::format("at {}, in layer \"fragile\"", at(Fragile::line())));
  CHECK(error.message().starts_with("fit, epoch "));
  CHECK(same(weights(model), before));
  CHECK(model.predict(data.x).shape() == Shape({40, 1}));
  // Without the check, the same steps give the same results until then, and go on with NaN.
  const nn::History h = model.fit(data, {.batch_size = 8, .epochs = 50, .verbose = silent});
  CHECK(std::isnan(h["loss"].back()));
}

TEST_CASE("finite: a NaN of Adam is found before it reaches a weight") {
  // Without an epsilon, a weight whose derivative has always been 0 is moved by 0 / 0.
  nn::Model model{nn::Sequential{nn::Dense(3), nn::relu, nn::Dense(1)}, {2}};
  const int line = __LINE__ + 1;
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::Adam{.epsilon = 0}});
  nn::Dataset data{Tensor({8, 2}), Tensor::full({8, 1}, 1, f32)};
  const std::vector<Tensor> before = weights(model);
  const NonFiniteError error = caught([&] { model.fit(data, {.verbose = silent, .check_finite = true}); });
  CHECK(error.report().op == "div");
  CHECK(error.report().role == Role::update);
  CHECK(error.report().line == at(line));
  CHECK(scratch::contains(error.what(), "it reaches the new value of \"dense/kernel\""));
  CHECK(scratch::contains(error.what(), "in the update of parameters"));
  CHECK(same(weights(model), before));
}

TEST_CASE("finite: fit is bit-identical with and without the check") {
  nn::Model plain = small_model::classifier(), watched = small_model::classifier();
  const nn::Dataset data = small_model::points(70);
  const nn::History a = plain.fit(data, {.batch_size = 16, .epochs = 3, .verbose = silent});
  const nn::History b = watched.fit(data, {.batch_size = 16, .epochs = 3, .verbose = silent, .check_finite = true});
  CHECK(a["loss"] == b["loss"]);
  CHECK(same(weights(plain), weights(watched)));
}
