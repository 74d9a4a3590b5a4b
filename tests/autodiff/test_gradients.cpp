#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

#include <xgrad/autodiff/check/check.hpp>
#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/autodiff/transforms.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/graph/verify.hpp>
#include <xgrad/ops/ops.hpp>

using namespace xgrad;

namespace {

Tensor row(std::initializer_list<double> values) {
  return Tensor::from<double>({static_cast<Index>(values.size())}, values);
}

std::vector<double> numbers(const Tensor& t) {
  std::vector<double> out;
  for (Index i = 0; i < t.elements(); ++i) out.push_back(t.at(i));
  return out;
}

// A one-input operation that copies its input, with a given vjp.
OpDef copy_op(const char* name, VjpFn vjp) {
  OpDef op;
  op.name = name;
  op.doc = "The identity.";
  op.infer = same_type;
  op.kernel = [](const KernelCall& call) {
    const auto* from = call.inputs[0].as<char>();
    std::copy(from, from + call.output.type.bytes(), call.output.as<char>());
  };
  op.vjp = vjp;
  return op;
}

void check_rule_error(VjpFn vjp, const char* message) {
  CAPTURE(message);
  const OpDef op = copy_op("faulty", vjp);
  Graph g;
  const Value x = g.input("x", {2, 3});
  const Value y = sum(g.apply(op, {x}));
  const NodeId before = g.size();
  try {
    gradients(y, x);
    FAIL("the faulty rule was accepted");
  } catch (const GradientError& error) {
    const std::string what = error.message();
    CAPTURE(what);
    CHECK(what.find("gradients: the vjp of %1 faulty f32[2, 3]: ") == 0);
    CHECK(what.find(message) != std::string::npos);
    CHECK(what.find("\n  input 0: %0 input \"x\" f32[2, 3]") != std::string::npos);
  }
  CHECK(g.size() == before);
}

}  // namespace

TEST_CASE("gradients: a gradient has the shape of wrt") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {3});
  const Value y = sum(sin(x) * x);
  const Value dy = gradients(y, x);
  CHECK(dy.type() == x.type());
  const auto got = numbers(evaluate(dy, {{x, row({1, 2, 3})}}));
  for (std::size_t i = 0; i < 3; ++i) {
    const double t = static_cast<double>(i + 1);
    CHECK(got[i] == doctest::Approx(std::sin(t) + t * std::cos(t)).epsilon(1e-14));
  }
  verify(g);
}

TEST_CASE("gradients: gradients have gradients, to the fourth order") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {});
  Value d = sin(x) * exp(x);  // its fourth derivative is -4 times the function
  const Value y = d;
  for (int order = 0; order < 4; ++order) d = gradients(d, x);
  const auto out = evaluate({d, y}, {{x, Tensor(0.7)}});
  CHECK(out[0].item() == doctest::Approx(-4 * out[1].item()).epsilon(1e-13));
}

TEST_CASE("gradients: contributions of all uses are added, and broadcasts summed back") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2, 3});
  const Value b = g.input("b", {3});
  const Value s = g.input("s", {});
  const Value column = g.input("column", {2, 1});
  const auto d = gradients(sum(x * b + b + s * column), {x, b, s, column});
  const Feeds feeds{{x, Tensor::from<double>({2, 3}, {1, 2, 3, 4, 5, 6})},
                    {b, row({10, 20, 30})},
                    {s, Tensor(2.0)},
                    {column, Tensor::from<double>({2, 1}, {7, 8})}};
  const auto out = evaluate(d, feeds);
  CHECK(numbers(out[0]) == std::vector<double>{10, 20, 30, 10, 20, 30});
  CHECK(numbers(out[1]) == std::vector<double>{7, 9, 11});
  CHECK(numbers(out[2]) == std::vector<double>{45});
  CHECK(out[3].shape() == Shape{2, 1});
  CHECK(numbers(out[3]) == std::vector<double>{6, 6});
}

TEST_CASE("gradients: a cotangent weighs the elements of y, and y may be in wrt") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {3});
  const Value h = square(x);
  const Value y = h * 3;
  const Value seed = g.constant(row({1, 10, 100}));
  const auto d = gradients(y, {x, h, y, x}, {.cotangent = seed});
  const auto out = evaluate(d, {{x, row({1, 2, 3})}});
  CHECK(numbers(out[0]) == std::vector<double>{6, 120, 1800});
  CHECK(numbers(out[1]) == std::vector<double>{3, 30, 300});
  CHECK(d[2] == seed);
  CHECK(d[3] == d[0]);
}

TEST_CASE("gradients: operations may have more inputs than trait bits") {
  Graph g({.dtype = f64});
  std::vector<Value> parts;
  Feeds feeds;
  for (int i = 0; i < 70; ++i) {
    parts.push_back(g.input("x" + std::to_string(i), {2}));
    feeds.push_back({parts.back(), row({i + 1.0, -i - 1.0})});
  }
  const auto d = gradients(sum(square(concat(parts))), parts);
  const auto out = evaluate(d, feeds);
  const auto planned = Plan(d).run(feeds);
  for (std::size_t i = 0; i < out.size(); ++i) {
    CHECK(out[i].at(0) == 2.0 * static_cast<double>(i + 1));
    CHECK(bitwise_equal(out[i], planned[i]));
  }
  // Only the shapes of the parts matter, for any number of parts.
  CHECK(Plan({gradients(sum(concat(parts)), parts)[69]}).run({})[0].at(1) == 1);
}

TEST_CASE("gradients: backward nodes have the scope and id of their forward node") {
  Graph g;
  const Value x = g.input("x", {3});
  Value h;
  {
    const auto layer = g.scope("layer");
    h = tanh(x);
  }
  const Value y = sum(h * h);
  const NodeId before = g.size();
  const auto outside = g.scope("elsewhere");
  gradients(y, x);
  bool from_tanh = false;
  for (NodeId id = before; id < g.size(); ++id) {
    CAPTURE(g.describe(id));
    CHECK(g.node(id).role == Role::backward);
    CHECK(g.node(id).origin >= 0);
    CHECK(g.scope_of(id) != "elsewhere");
    if (g.node(id).origin == static_cast<std::int32_t>(h.id())) {
      from_tanh = true;
      CHECK(g.scope_of(id) == "layer");
    }
  }
  CHECK(from_tanh);
  CHECK(g.current_scope() == "elsewhere");
}

TEST_CASE("gradients: a repeated call returns the same nodes") {
  Graph g;
  const Value x = g.input("x", {3});
  const Value y = sum(exp(x) * x);
  const Value first = gradients(y, x);
  const NodeId size = g.size();
  CHECK(gradients(y, x) == first);
  CHECK(g.size() == size);
}

TEST_CASE("gradients: an unconnected value throws naming both, or gives zeros with Unconnected::zeros") {
  Graph g;
  const Value x = g.input("x", {3});
  const Value t = g.input("t", {2, 2});
  const Value y = mean(square(x));
  const NodeId before = g.size();
  CHECK_THROWS_WITH_AS(
      gradients(y, {x, t}),
      doctest::Contains(
          ("gradients: y (" + y.describe() + ") does not depend on %1 input \"t\" f32[2, 2]\n  hint: ").c_str()),
      GradientError);
  CHECK(g.size() == before);
  const auto d = gradients(y, {x, t}, {.unconnected = Unconnected::zeros});
  const Tensor zeros = evaluate(d[1]);
  CHECK(bitwise_equal(zeros, Tensor({2, 2})));
  const Value later = exp(x);
  CHECK_THROWS_AS(gradients(y, later), GradientError);  // created after y
}

TEST_CASE("gradients: the error names the operation where the gradient path stops") {
  Graph g;
  const Value x = g.input("x", {4});
  const auto message = [&](Value y) -> std::string {
    try {
      gradients(y, x);
    } catch (const GradientError& error) {
      return error.message();
    }
    return "";
  };
  const Value stopped = stop_gradient(x);
  const std::string by_stop = message(sum(stopped * 2));
  CHECK(by_stop.find("through differentiable operations\n  the gradient path stops at " + stopped.describe() + ": " +
                     stopped.node().op->no_gradient) != std::string::npos);
  CHECK(message(sum(cast(x > 0, f32))).find("less") != std::string::npos);
  const std::string through_integers = message(sum(cast(cast(x, i64), f32)));
  CHECK(through_integers.find("i64 has no derivatives") != std::string::npos);
  const std::string by_shape = message(sum(broadcast_like(g.constant(2.0), x)));
  CHECK(by_shape.find("does not depend on %0") != std::string::npos);
}

TEST_CASE("gradients: invalid arguments throw before anything is appended") {
  Graph g;
  Graph other;
  const Value x = g.input("x", {3});
  const Value i = g.input("i", {3}, i64);
  const Value y = square(x);
  const NodeId before = g.size();
  CHECK_THROWS_WITH_AS(gradients(y, x), doctest::Contains("y must be a scalar or come with a cotangent"),
                       GradientError);
  CHECK_THROWS_WITH_AS(gradients(y, x, {.cotangent = g.constant(1.0)}), doctest::Contains("type of y"), GradientError);
  CHECK_THROWS_WITH_AS(gradients(i, x), doctest::Contains("i64"), GradientError);
  const Value s = sum(y);
  CHECK_THROWS_WITH_AS(gradients(s, i), doctest::Contains("must be f32 or f64: %1 input \"i\""), GradientError);
  CHECK_THROWS_AS(gradients(s, other.input("x", {3})), GraphError);
  CHECK_THROWS_AS(gradients(Value{}, x), GraphError);
  CHECK_THROWS_AS(gradients(s, Value{}), GraphError);
  CHECK(g.size() == before + 2);  // the constant and the sum made here
}

TEST_CASE("gradients: an invalid result of a vjp is named") {
  check_rule_error([](const Vjp&) -> Cotangents { return Cotangents(std::vector<Value>{}); },
                   "its vjp returns 0 cotangents for 1 inputs");
  check_rule_error(
      [](const Vjp& r) -> Cotangents {
        return {r.cotangent(), r.cotangent()};
      },
      "its vjp returns 2 cotangents for 1 inputs");
  check_rule_error([](const Vjp& r) -> Cotangents { return cast(r.cotangent(), f64); },
                   "the cotangent of input 0 is f64[2, 3], but the input is f32[2, 3]");
  check_rule_error([](const Vjp& r) -> Cotangents { return sum(r.cotangent()); },
                   "the cotangent of input 0 has shape [], which is neither the input's [2, 3] nor a broadcast of it");
  check_rule_error([](const Vjp& r) -> Cotangents { return transpose(r.cotangent()); }, "has shape [3, 2]");
  check_rule_error([](const Vjp& r) -> Cotangents { return matmul(r.cotangent(), r.cotangent()); },
                   "its vjp throws: matmul");
}

TEST_CASE("gradients: a vjp without a cotangent makes its input unconnected, and the error says so") {
  const OpDef op = copy_op("silent", [](const Vjp&) -> Cotangents { return Value(); });
  Graph g;
  const Value x = g.input("x", {3});
  const Value y = sum(g.apply(op, {x}));
  CHECK_THROWS_WITH_AS(gradients(y, x), doctest::Contains("the vjp of %1 silent f32[3] gives no cotangent for %0"),
                       GradientError);
  CHECK(bitwise_equal(evaluate(gradients(y, x, {.unconnected = Unconnected::zeros})), Tensor::zeros({3})));
}

TEST_CASE("gradients: only vjps on a gradient path to wrt are called") {
  static int calls = 0;
  const OpDef op = copy_op("counted", [](const Vjp& r) -> Cotangents {
    ++calls;
    return r.cotangent();
  });
  Graph g;
  const Value x = g.input("x", {3});
  const Value z = g.input("z", {3});
  const Value y = sum(g.apply(op, {x}) * g.apply(op, {z}) * g.apply(op, {exp(z)}));
  g.apply(op, {exp(x)});  // y does not need it
  calls = 0;
  gradients(y, x);
  CHECK(calls == 1);
}

TEST_CASE("gradients: a chain of a hundred thousand nodes needs no recursion, and a few nodes for each of its own") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {});
  Value y = x;
  double expected = 1;
  for (int i = 0; i < 50'000; ++i) {
    y = y * 0.99999 + x;
    expected = expected * 0.99999 + 1;
  }
  const NodeId length = y.id();
  const Value dy = gradients(y, x);
  CHECK(dy.id() < 3 * length);
  CHECK(evaluate(dy, {{x, Tensor(1.0)}}).item() == doctest::Approx(expected).epsilon(1e-9));
}

TEST_CASE("gradients: with respect to parameters") {
  Graph g({.dtype = f64});
  const Parameter a("a", Tensor::from<double>({2}, {2, 3})), b("b", Tensor::from<double>({2}, {5, 7})),
      unused("unused", Tensor(Shape{2}, f64));
  const Value y = sum(g.parameter(a) * g.parameter(b));
  const std::vector<Value> d = gradients(y, {a, b});
  CHECK(d == gradients(y, {g.parameter(a), g.parameter(b)}));
  CHECK(bitwise_equal(evaluate(gradients(y, a)), b.value()));
  const NodeId size = g.size();
  CHECK_THROWS_AS(gradients(y, unused), GradientError);
  CHECK_THROWS_WITH_AS(gradients(y, Parameter()), doctest::Contains("wrt 0 is an empty Parameter"), GraphError);
  CHECK(g.size() == size);
}

TEST_CASE("gradients: Unconnected::empty gives an empty Value") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2}), z = g.input("z", {2});
  const Value y = sum(square(x) + stop_gradient(z));
  const std::vector<Value> d = gradients(y, {x, z}, {.unconnected = Unconnected::empty});
  CHECK(evaluate(d[0], {{x, Tensor::from<double>({2}, {1, 2})}}).at(1) == 4);
  CHECK_FALSE(d[1].valid());
  CHECK_THROWS_WITH_AS(jacobian(square(x), z, {.unconnected = Unconnected::empty}),
                       doctest::Contains("jacobian: unconnected must be"), GradientError);
  CHECK_THROWS_AS(jvp(y, x, x, Unconnected::empty), GradientError);
  CHECK_THROWS_AS(hessian(y, x, {.unconnected = Unconnected::empty}), GradientError);
}
