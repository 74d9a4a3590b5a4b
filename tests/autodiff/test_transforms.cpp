// vjp, jvp, jacobian, hessian, hvp: against known results, and against each other on random graphs.
#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xgrad/autodiff/check/check.hpp>
#include <xgrad/autodiff/transforms.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/graph/print.hpp>
#include <xgrad/graph/verify.hpp>

#include "support/faulty_ops.hpp"
#include "support/random_graph.hpp"

using namespace xgrad;
using testing::Grower;

namespace {

Tensor row(std::initializer_list<double> values) {
  return Tensor::from<double>({static_cast<Index>(values.size())}, values);
}

// The largest difference, relative to the largest magnitude.
double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.type() == b.type());
  double largest = 1e-300;
  double difference = 0;
  for (Index i = 0; i < a.elements(); ++i) {
    largest = std::max({largest, std::abs(a.at(i)), std::abs(b.at(i))});
    difference = std::max(difference, std::abs(a.at(i) - b.at(i)));
  }
  return difference / largest;
}

std::string message(const std::function<void()>& f) {
  try {
    f();
  } catch (const UserError& error) {
    return error.message();
  }
  return "";
}

void check_contains(const std::string& what, std::initializer_list<const char*> fragments) {
  CAPTURE(what);
  for (const char* fragment : fragments) {
    CAPTURE(fragment);
    CHECK(what.find(fragment) != std::string::npos);
  }
}

// A custom operation that is neither elementwise nor a view and has no batch rule.
OpDef copy_op(VjpFn vjp = [](const Vjp& r) -> Cotangents { return r.cotangent(); }) {
  OpDef op;
  op.name = "copy";
  op.doc = "The identity.";
  op.infer = same_type;
  op.kernel = [](const KernelCall& call) {
    std::copy_n(call.inputs[0].as<char>(), call.output.type.bytes(), call.output.as<char>());
  };
  op.vjp = vjp;
  return op;
}

const JacobianOptions one_by_one{.rows = Rows::one_by_one, .direction = Direction::reverse};
const JacobianOptions at_once{.rows = Rows::at_once, .direction = Direction::reverse};
const JacobianOptions forward{.rows = Rows::at_once, .direction = Direction::forward};
const JacobianOptions forward_one_by_one{.rows = Rows::one_by_one, .direction = Direction::forward};

}  // namespace

// f(x) = (x0 x1, sin x0, x1^3, 5): its Jacobian is ((x1, x0), (cos x0, 0), (0, 3 x1^2), (0, 0)).
TEST_CASE("transforms: vjp, jvp and jacobian of a function with a known Jacobian") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2});
  const Value x0 = slice(x, 0, 0, 1);
  const Value x1 = slice(x, 0, 1, 2);
  const Value y = concat({x0 * x1, sin(x0), x1 * square(x1), ones_like(x0) * 5});
  const double a = 0.7;
  const double b = -1.3;
  const Feeds feeds{{x, row({a, b})}};
  const Tensor expected = Tensor::from<double>({4, 2}, {b, a, std::cos(a), 0, 0, 3 * b * b, 0, 0});

  const Value c = g.constant(row({1, 10, 100, 1000}));
  CHECK(distance(evaluate(vjp(y, x, c), feeds), row({b + 10 * std::cos(a), a + 300 * b * b})) < 1e-15);
  const Value t = g.constant(row({2, -3}));
  CHECK(distance(evaluate(jvp(y, x, t), feeds), row({2 * b - 3 * a, 2 * std::cos(a), -9 * b * b, 0})) < 1e-15);
  for (const JacobianOptions& how : {JacobianOptions{}, one_by_one, at_once, forward, forward_one_by_one}) {
    const Value j = jacobian(y, x, how);
    CHECK(j.shape() == Shape{4, 2});
    CHECK(distance(evaluate(j, feeds), expected) < 1e-15);
  }
  verify(g);
}

TEST_CASE("jacobian: a matrix product has the axes of y, then those of wrt") {
  Graph g({.dtype = f64});
  const Value a = g.input("a", {2, 3});
  const Value b = g.input("b", {3, 4});
  const auto j = jacobian(matmul(a, b), {a, b}, at_once);
  REQUIRE(j[0].shape() == Shape{2, 4, 2, 3});
  REQUIRE(j[1].shape() == Shape{2, 4, 3, 4});
  Tensor at({2, 3}, f64);
  Tensor bt({3, 4}, f64);
  for (Index i = 0; i < 6; ++i) at.mutable_values<double>()[static_cast<std::size_t>(i)] = 0.5 + static_cast<double>(i);
  for (Index i = 0; i < 12; ++i) bt.mutable_values<double>()[static_cast<std::size_t>(i)] = 7 - static_cast<double>(i);
  const auto out = evaluate(j, {{a, at}, {b, bt}});
  for (Index m = 0; m < 2; ++m) {
    for (Index n = 0; n < 4; ++n) {
      for (Index i = 0; i < 2; ++i) {
        for (Index k = 0; k < 3; ++k)
          CHECK(out[0].at(((m * 4 + n) * 2 + i) * 3 + k) == (m == i ? bt.at(k * 4 + n) : 0));
      }
      for (Index k = 0; k < 3; ++k) {
        for (Index l = 0; l < 4; ++l)
          CHECK(out[1].at(((m * 4 + n) * 3 + k) * 4 + l) == (n == l ? at.at(m * 3 + k) : 0));
      }
    }
  }
}

// Rosenbrock's function (1 - a)^2 + 100 (b - a^2)^2 at (a, b).
TEST_CASE("hessian: Rosenbrock's function, and hvp") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2});
  const Value a = slice(x, 0, 0, 1);
  const Value b = slice(x, 0, 1, 2);
  const Value y = sum(square(1 - a) + 100 * square(b - square(a)));
  const Feeds feeds{{x, row({-1.2, 1})}};
  const double aa = 2 - 400 * 1 + 1200 * 1.44;
  const double ab = -400 * -1.2;
  for (const JacobianOptions& how : {JacobianOptions{}, one_by_one, at_once, forward}) {
    CHECK(distance(evaluate(hessian(y, x, how), feeds), Tensor::from<double>({2, 2}, {aa, ab, ab, 200})) < 1e-14);
  }
  const Value v = g.constant(row({3, -7}));
  CHECK(distance(evaluate(hvp(y, x, v), feeds), row({3 * aa - 7 * ab, 3 * ab - 1400})) < 1e-14);
}

TEST_CASE("hessian: several values give blocks, which are zero without mixed terms") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2});
  const Value s = g.input("s", {});
  const Value z = g.input("z", {1, 3});
  const Value y = sum(square(x)) * s + sum(z * z * z);
  const auto h = hessian(y, {x, s, z});
  const Feeds feeds{{x, row({1, 2})}, {s, Tensor(5.0)}, {z, Tensor::from<double>({1, 3}, {1, -1, 2})}};
  REQUIRE(h.size() == 3);
  CHECK(h[0][2].shape() == Shape{2, 1, 3});
  CHECK(bitwise_equal(evaluate(h[0][0], feeds), Tensor::from<double>({2, 2}, {10, 0, 0, 10})));
  CHECK(bitwise_equal(evaluate(h[0][1], feeds), row({2, 4})));
  CHECK(bitwise_equal(evaluate(h[1][0], feeds), row({2, 4})));
  CHECK(bitwise_equal(evaluate(h[1][1], feeds), Tensor(0.0)));
  CHECK(bitwise_equal(evaluate(h[2][0], feeds), Tensor({1, 3, 2}, f64)));
  const Tensor zz = evaluate(h[2][2], feeds);
  for (Index i = 0; i < 9; ++i)
    CHECK(zz.at(i) == (i % 4 == 0 ? 6 * std::vector<double>{1, -1, 2}[static_cast<std::size_t>(i / 4)] : 0));
}

TEST_CASE("transforms: cotangents and tangents of several outputs and inputs are added") {
  Graph g({.dtype = f64});
  const Value a = g.input("a", {3});
  const Value b = g.input("b", {});
  const Value y = a * b;
  const Value z = sum(a) - square(b);
  const Feeds feeds{{a, row({1, 2, 3})}, {b, Tensor(4.0)}};
  const Value cy = g.constant(row({1, -1, 2}));
  const Value cz = g.constant(10.0);
  const auto back = evaluate(vjp({y, z}, {a, b}, {cy, cz}), feeds);
  CHECK(bitwise_equal(back[0], row({14, 6, 18})));
  CHECK(back[1].item() == 1 - 2 + 6 - 80);
  const auto on = evaluate(jvp({y, z}, {a, b}, {cy, cz}), feeds);
  CHECK(bitwise_equal(on[0], row({4 + 10, -4 + 20, 8 + 30})));
  CHECK(on[1].item() == 2 - 80);
  // An output may be an input, or appear twice.
  const auto same = evaluate(jvp({a, y, y}, {a}, {cy}), feeds);
  CHECK(bitwise_equal(same[0], row({1, -1, 2})));
  CHECK(bitwise_equal(same[1], same[2]));
  CHECK(bitwise_equal(evaluate(vjp({y, y}, {a}, {cy, cy})[0], feeds), row({8, -8, 16})));
}

TEST_CASE("transforms: agree with each other on random graphs") {
  Index at_once_count = 0;
  Index jacobians = 0;
  double worst = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Graph g({.dtype = f64, .seed = seed});
    Grower grown(g, seed, {.dtype = f64, .smooth = true, .max_extent = 4, .max_elements = 40});
    grown.grow_to(grown.dice.between(8, 30));
    Value x = grown.leaves[0];
    for (const Value leaf : grown.leaves) {
      if (leaf.shape().rank() + grown.last().shape().rank() < Shape::max_rank) x = leaf;
    }
    const Value y = grown.last() + 0.1 * mean(sin(x));
    if (y.shape().rank() + x.shape().rank() >= Shape::max_rank) continue;
    const Feeds feeds = grown.feeds();
    const Value c = g.constant(testing::random_tensor(grown.dice, y.shape(), f64));
    const Value t = g.constant(testing::random_tensor(grown.dice, x.shape(), f64));
    const Index n = y.shape().elements();
    const Index m = x.shape().elements();
    const Value rows = reshape(jacobian(y, x, one_by_one), {n, m});
    const Value loss = mean(tanh(y)) + mean(sin(x) * x);
    const Value h = reshape(hessian(loss, x), {m, m});
    const std::vector<std::pair<Value, Value>> pairs{
        {jacobian(y, x, {.direction = Direction::reverse}), jacobian(y, x, one_by_one)},
        {jacobian(y, x, {.direction = Direction::forward}), jacobian(y, x, one_by_one)},
        {jacobian(y, x, forward_one_by_one), jacobian(y, x, one_by_one)},
        {reshape(vjp(y, x, c), {1, m}), matmul(reshape(c, {1, n}), rows)},
        {reshape(jvp(y, x, t), {n, 1}), matmul(rows, reshape(t, {m, 1}))},
        {h, transpose(h)},
        {hessian(loss, x, one_by_one), hessian(loss, x)},
        {reshape(hvp(loss, x, t), {m, 1}), matmul(h, reshape(t, {m, 1}))},
        {jvp(gradients(loss, x), x, t), hvp(loss, x, t)}};
    verify(g);
    jacobians += 1;
    at_once_count += batching_obstacle(y, x, {.direction = Direction::reverse}).empty() ? 1 : 0;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      CAPTURE(i);
      const auto both = evaluate({pairs[i].first, pairs[i].second}, feeds);
      const double d = distance(both[0], both[1]);
      worst = std::max(worst, d);
      CHECK(d < 1e-11);
      const auto planned = Plan({pairs[i].first}).run(feeds);
      CHECK(bitwise_equal(planned[0], both[0]));
    }
  }
  MESSAGE("rows at once: " << at_once_count << " of " << jacobians << "; worst difference " << worst);
  CHECK(at_once_count == jacobians);  // every built-in operation that random graphs use can be batched
}

TEST_CASE("transforms: third and fourth derivatives of random graphs agree with finite differences") {
  Index comparisons = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    Graph g({.dtype = f64, .seed = seed});
    Grower grown(g, seed, {.dtype = f64, .smooth = true, .max_extent = 3, .max_elements = 12});
    grown.grow_to(grown.dice.between(6, 12));
    const Value x = grown.leaves[0];
    const Value y = mean(tanh(grown.last())) + 0.1 * mean(sin(x) * exp(0.5 * x));
    const Value first = gradients(y, x);
    const Value second = gradients(sum(first * g.constant(testing::random_tensor(grown.dice, x.shape(), f64))), x);
    const Value z = sum(second * g.constant(testing::random_tensor(grown.dice, x.shape(), f64)));
    const CheckReport report = compare_gradients(z, {x}, grown.feeds(), {.max_elements = 8});  // first and second order
    comparisons += report.comparisons;
    CHECK_MESSAGE(report.passed, report.str());
  }
  CHECK(comparisons > 50);
}

TEST_CASE("jvp: a plan prunes the vjp and the placeholder") {
  Graph g;
  const Value x = g.input("x", {64});
  const Value w = g.input("w", {64, 64});
  Value h = reshape(x, {1, 64});
  for (int i = 0; i < 4; ++i) h = tanh(matmul(h, w));
  const Value t = g.input("t", {64});
  const Value tangent = jvp(h, x, t);
  const Plan plan({tangent});
  CHECK(plan.str().find("placeholder") == std::string::npos);
  // Per layer: two products, of value and tangent, and at most two elementwise steps.
  CHECK(plan.steps() <= 4 * 4);
  const std::string text = plan.str();
  Index products = 0;
  for (std::size_t at = 0; (at = text.find(" matmul ", at)) != std::string::npos; ++at) ++products;
  CHECK(products == 8);
}

TEST_CASE("jacobian: an operation without a batch rule needs Rows::one_by_one, and the message names it") {
  const OpDef op = copy_op();
  Graph g({.dtype = f64});
  const Value x = g.input("x", {3});
  const Value y = square(g.apply(op, {x}));
  const NodeId before = g.size();
  const JacobianOptions reverse{.direction = Direction::reverse};
  CHECK(batching_obstacle(y, x, reverse) == "");  // the vjp of copy returns its cotangent
  CHECK(batching_obstacle(y, x, {.direction = Direction::forward}) == "");
  const OpDef stubborn = copy_op([](const Vjp& r) -> Cotangents {
    static const OpDef inner = copy_op();
    return r.output().graph().apply(inner, {r.cotangent()});
  });
  const Value z = square(g.apply(stubborn, {x}));
  const NodeId size = g.size();
  const std::string obstacle = batching_obstacle(z, x, reverse);
  check_contains(obstacle, {"copy f64[3]", "has no batch rule"});
  check_contains(message([&] { jacobian(z, x, at_once); }),
                 {"jacobian: the rows cannot be computed at once: ", obstacle.c_str(), "hint: Rows::one_by_one"});
  CHECK(g.size() == size);
  CHECK(before < size);
  const Feeds feeds{{x, row({1, 2, 3})}};
  const Tensor expected = Tensor::from<double>({3, 3}, {2, 0, 0, 0, 4, 0, 0, 0, 6});
  CHECK(bitwise_equal(evaluate(jacobian(z, x), feeds), expected));
  CHECK(bitwise_equal(evaluate(jacobian(z, x, one_by_one), feeds), expected));
}

TEST_CASE("jacobian: a custom operation is batched by its rule, and a wrong rule is caught") {
  OpDef op = copy_op();
  op.vjp = [](const Vjp& r) -> Cotangents { return r.output().graph().apply(*r.output().node().op, {r.cotangent()}); };
  op.samples = {{.label = "matrix", .inputs = {{.shape = {2, 3}}}, .attrs = {}, .zero_second = true}};
  CHECK(message([&] { check_op(op); }) == "");
  op.batch = [](const Batch& b) { return b.output().graph().apply(*b.output().node().op, {b.input(0)}); };
  CHECK(message([&] { check_op(op); }) == "");
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2, 3});
  CHECK(batching_obstacle(g.apply(op, {x}), x) == "");
  op.batch = [](const Batch& b) { return b.output().graph().apply(*b.output().node().op, {b.input(0)}) * 1.001; };
  check_contains(message([&] { check_op(op); }), {"check_op: \"copy\", sample \"matrix\": the Jacobian by input 0, "
                                                  "rows at once, disagrees with its rows one by one"});
  op.batch = [](const Batch& b) { return sum(b.input(0), {0}); };
  check_contains(
      message([&] { check_op(op); }),
      {"batch: the batch rule of ", "copy f64[2, 3] returns f64[2, 3] for a batch of 6", "expected f64[6, 2, 3]"});
}

TEST_CASE("jvp: a vjp that is not linear in its cotangent throws and is named") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {3});
  const Value t = g.input("t", {3});
  const OpDef squares = copy_op([](const Vjp& r) -> Cotangents { return square(r.cotangent()); });
  const OpDef stops = copy_op([](const Vjp& r) -> Cotangents { return stop_gradient(r.cotangent()) + r.cotangent(); });
  const OpDef asks = copy_op([](const Vjp& r) -> Cotangents { return where(r.cotangent() > 0, r.cotangent(), 0); });
  const Value a = g.apply(squares, {x});
  const Value b = g.apply(stops, {x});
  const Value c = g.apply(asks, {x});
  const NodeId before = g.size();
  check_contains(message([&] { jvp(a, x, t); }), {"jvp: ", "copy f64[3]", "is not linear in its cotangent"});
  check_contains(message([&] { jvp(b, x, t); }), {"jvp: the vjp of ", "copy f64[3] is not linear in its cotangent",
                                                  "stop_gradient f64[3]: it blocks the gradient"});
  check_contains(message([&] { jvp(c, x, t); }), {"is not linear in its cotangent", "less"});
  CHECK(g.size() == before);
}

TEST_CASE("transforms: invalid arguments throw, and leave the graph unchanged") {
  Graph g;
  Graph other;
  const Value x = g.input("x", {3});
  const Value z = g.input("z", {3});
  const Value i = g.input("i", {3}, i64);
  const Value y = square(x);
  const Value wide = g.input("wide", {1, 1, 1, 1, 1});
  const Value wider = sin(wide);
  const NodeId before = g.size();
  check_contains(message([&] { vjp(y, x, wide); }),
                 {"vjp: cotangent 0 has the wrong type", "outputs: %", "cotangent: %"});
  check_contains(message([&] { vjp({y, y}, {x}, {y}); }), {"vjp: 1 cotangents for 2 outputs"});
  check_contains(message([&] { jvp(y, x, wide); }), {"jvp: tangent 0 has the wrong type"});
  check_contains(message([&] { jvp({y}, {x, z}, {x}); }), {"jvp: 1 tangents for 2 wrt"});
  check_contains(message([&] { jvp(y, z, x); }), {"y (", "does not depend on %1 input \"z\"", "Unconnected::zeros"});
  check_contains(message([&] { jvp({y}, std::vector<Value>{}, {}); }), {"jvp: wrt is empty"});
  check_contains(message([&] { vjp(std::vector<Value>{}, {x}, {}); }), {"vjp: outputs is empty"});
  check_contains(message([&] { vjp({y, x}, {z}, {y, x}); }), {"none of the 2 outputs depends on %1 input \"z\""});
  check_contains(message([&] { jacobian(y, z); }), {"does not depend on"});
  check_contains(message([&] { jacobian(i, x); }), {"jacobian: output 0 must be f32 or f64: ", "i64"});
  check_contains(message([&] { jacobian(y, i); }), {"jacobian: wrt 0 must be f32 or f64: ", "i64"});
  check_contains(message([&] { jacobian(wider, wide); }),
                 {"jacobian: 10 axes are more than the 8 a tensor can have", "wide"});
  check_contains(message([&] { hessian(y, x); }), {"y must be a scalar"});
  check_contains(message([&] { hvp(y, x, x); }), {"y must be a scalar"});
  check_contains(message([&] { hvp(y, x, wide); }), {"hvp: tangent 0 has the wrong type"});
  check_contains(message([&] { jvp(y, other.input("x", {3}), x); }), {"jvp: wrt 0", "belongs to another graph"});
  check_contains(message([&] { jvp(Value{}, x, x); }), {"output 0 is an empty Value"});
  check_contains(message([&] { jacobian(y, Value{}); }), {"wrt 0: the Value is empty"});
  CHECK(g.size() == before);
  const auto zeros = evaluate({jvp(y, z, x, Unconnected::zeros), jacobian(y, z, {.unconnected = Unconnected::zeros})},
                              {{x, row({1, 2, 3})}});
  CHECK(bitwise_equal(zeros[0], Tensor::zeros({3})));
  CHECK(bitwise_equal(zeros[1], Tensor({3, 3})));
}

TEST_CASE("jacobian: empty values, scalars, and more rows than an operation may have inputs") {
  Graph g({.dtype = f64});
  const Value none = g.input("none", {0, 2});
  const Value x = g.input("x", {});
  const Value y = sum(none) + square(x);
  CHECK(evaluate(jacobian(square(none), none), {{none, Tensor({0, 2}, f64)}}).shape() == Shape{0, 2, 0, 2});
  CHECK(jacobian(y, none).shape() == Shape{0, 2});
  CHECK(jacobian(square(none) * x, x).shape() == Shape{0, 2});
  CHECK(evaluate(jacobian(y, x), {{x, Tensor(3.0)}}).item() == 6);
  const Value many = g.input("many", {600});
  const Value j = jacobian(square(many), many, one_by_one);
  Tensor numbers({600}, f64);
  for (Index i = 0; i < 600; ++i)
    numbers.mutable_values<double>()[static_cast<std::size_t>(i)] = static_cast<double>(i);
  const auto out = evaluate({j, jacobian(square(many), many)}, {{many, numbers}});
  CHECK(bitwise_equal(out[0], out[1]));
  CHECK(out[0].at(599 * 600 + 599) == 1198);
}

TEST_CASE("stop_gradient: stops all derivatives and keeps the value") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {3});
  const Value y = x * stop_gradient(square(x));
  const Feeds feeds{{x, row({1, 2, -3})}};
  const Value ones = ones_like(x);
  CHECK(bitwise_equal(evaluate(y, feeds), row({1, 8, -27})));
  CHECK(bitwise_equal(evaluate(gradients(sum(y), x), feeds), row({1, 4, 9})));
  CHECK(bitwise_equal(evaluate(jvp(y, x, ones), feeds), row({1, 4, 9})));
  for (const JacobianOptions& how : {one_by_one, at_once, forward}) {
    CHECK(
        bitwise_equal(evaluate(jacobian(y, x, how), feeds), Tensor::from<double>({3, 3}, {1, 0, 0, 0, 4, 0, 0, 0, 9})));
  }
  // The derivative does not depend on the stopped path, so the second order is zero.
  CHECK(bitwise_equal(evaluate(hessian(sum(y), x), feeds), Tensor({3, 3}, f64)));
  check_contains(message([&] { gradients(sum(stop_gradient(x)), x); }), {"the gradient path stops at %"});
}

TEST_CASE("transforms: derivatives of transforms are correct") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2});
  const Value w = g.input("w", {3, 2});
  const Value v = g.input("v", {2});
  const Value y = tanh(matmul(w, reshape(x, {2, 1})));
  const Value norm = sum(square(jacobian(y, x, at_once)));  // a penalty on the Jacobian
  CHECK(message([&] { check_gradients(norm, {x, w}); }) == "");
  CHECK(message([&] { check_gradients(sum(square(jvp(y, x, v))), {x, w, v}); }) == "");
  CHECK(message([&] { check_gradients(sum(square(hvp(sum(square(y)), x, v))), {x, w, v}); }) == "");
}
