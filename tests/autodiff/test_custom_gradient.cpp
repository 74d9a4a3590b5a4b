#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/autodiff/check/check.hpp>
#include <xgrad/autodiff/custom_gradient.hpp>
#include <xgrad/autodiff/transforms.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/graph/print.hpp>
#include <xgrad/graph/verify.hpp>
#include <xgrad/ops/ops.hpp>

using namespace xgrad;

namespace {

using Values = std::vector<Value>;

Tensor row(std::initializer_list<double> values) {
  return Tensor::from<double>({static_cast<Index>(values.size())}, values);
}

// log(1 + exp(x)), whose derived vjp is inf / inf for large x.
Value soft_plus(Value x) {
  return custom_gradient(
      "soft_plus", {x}, [](const Values& in) { return log(1 + exp(in[0])); },
      [](const Values& in, Value, Value c) { return Values{c * sigmoid(in[0])}; });
}

std::string complaint(Graph& g, Value x, const BackwardFn& backward) {
  const Value y = custom_gradient(
      "mine", {x, x}, [](const Values& in) { return in[0] * in[1]; }, backward);
  const NodeId before = g.size();
  std::string out;
  try {
    gradients(y, x, {.cotangent = y});
  } catch (const UserError& error) {
    out = error.message();
  }
  CHECK(g.size() == before);
  return out;
}

}  // namespace

TEST_CASE("custom_gradient: the derivative is that of backward") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {3});
  const Value y = soft_plus(x);
  const Value dy = gradients(sum(y), x);
  const Feeds feeds{{x, row({-2, 0.5, 1000})}};
  const Tensor slopes = evaluate(dy, feeds);
  CHECK(slopes.at(0) == doctest::Approx(1 / (1 + std::exp(2.0))));
  CHECK(slopes.at(2) == 1);  // not NaN
  verify(g);
  CHECK_NOTHROW(check_gradients(y, x));  // first and second order, at moderate values
  CHECK(bitwise_equal(Plan({y, dy}).run(feeds)[1], slopes));
  CHECK(bitwise_equal(Plan({y, dy}).run(feeds)[0], evaluate(y, feeds)));
}

TEST_CASE("custom_gradient: the second derivative differentiates backward") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {});
  const Value y = custom_gradient(  // a wrong backward on purpose: x^3 for the square
      "lie", {x}, [](const Values& in) { return square(in[0]); },
      [](const Values& in, Value, Value c) { return Values{c * in[0] * square(in[0])}; });
  const Value first = gradients(y, x);
  const Value second = gradients(first, x);
  const Value third = gradients(second, x);
  const auto out = evaluate({y, first, second, third}, {{x, Tensor(2.0)}});
  CHECK(out[0].item() == 4);
  CHECK(out[1].item() == 8);
  CHECK(out[2].item() == 12);
  CHECK(out[3].item() == 12);
}

TEST_CASE("custom_gradient: backward gets inputs, output and cotangent, and may return no gradient") {
  Graph g({.dtype = f64});
  const Value a = g.input("a", {2, 3});
  const Value b = g.input("b", {3});
  const Value k = g.input("k", {3}, i64);
  const Value y = custom_gradient(
      "both", {a, b, k}, [](const Values& in) { return in[0] * in[1] * cast(in[2], f64); },
      [](const Values& in, Value y_again, Value c) {
        // The cotangent of b has the broadcast shape and is summed to the shape of b.
        return Values{Value{}, c * y_again / in[1] + 0 * in[0], Value{}};
      });
  const Feeds feeds{{a, Tensor::from<double>({2, 3}, {1, 2, 3, 4, 5, 6})},
                    {b, row({1, 2, 4})},
                    {k, Tensor::from<std::int64_t>({3}, {1, 1, 2})}};
  CHECK(bitwise_equal(evaluate(gradients(sum(y), b), feeds), row({5, 7, 18})));
  CHECK_THROWS_WITH_AS(gradients(sum(y), a), doctest::Contains("gives no cotangent for %0 input \"a\""), GradientError);
}

TEST_CASE("custom_gradient: printing shows the nodes of forward and the name") {
  Graph g;
  const Value x = g.input("x", {2});
  const Value y = soft_plus(x);
  CHECK(to_text(g, {.outputs = {y}}).find("custom_gradient(%4, %0) rule=soft_plus : f32[2]") != std::string::npos);
}

TEST_CASE("custom_gradient: jvp and jacobian use backward, row by row if it cannot be batched") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {3});
  const Value y = soft_plus(x) * x;
  const Feeds feeds{{x, row({-1, 0, 2})}};
  const Value t = g.constant(row({1, 10, 100}));
  const Value j = jacobian(y, x, {.rows = Rows::one_by_one});
  const auto out = evaluate({reshape(matmul(j, reshape(t, {3, 1})), {3}), jvp(y, x, t), j, jacobian(y, x)}, feeds);
  for (Index i = 0; i < 3; ++i) CHECK(out[0].at(i) == doctest::Approx(out[1].at(i)).epsilon(1e-14));
  for (Index i = 0; i < 9; ++i) CHECK(out[2].at(i) == doctest::Approx(out[3].at(i)).epsilon(1e-14));
  // A nested custom_gradient cannot be batched, so its rows are computed one by one.
  const Value z = custom_gradient(
      "outer", {x}, [](const Values& in) { return in[0] * 2; },
      [](const Values&, Value, Value c) {
        return Values{custom_gradient(
            "inner", {c}, [](const Values& in) { return in[0] * 2; },
            [](const Values&, Value, Value cc) { return Values{cc * 2}; })};
      });
  CHECK(batching_obstacle(z, x, {.direction = Direction::reverse}).find("custom_gradient") != std::string::npos);
  CHECK(bitwise_equal(evaluate(jacobian(z, x)), Tensor::from<double>({3, 3}, {2, 0, 0, 0, 2, 0, 0, 0, 2})));
  CHECK(bitwise_equal(evaluate(jvp(z, x, t)), row({2, 20, 200})));
}

TEST_CASE("custom_gradient: errors of backward are named") {
  Graph g;
  const Value x = g.input("x", {2, 3});
  const std::string count = complaint(g, x, [](const Values&, Value, Value c) { return Values{c}; });
  CHECK(count.find("custom_gradient \"mine\": backward returns 1 cotangents for 2 inputs") != std::string::npos);
  CHECK(count.find("input 1: %0 input \"x\" f32[2, 3]") != std::string::npos);
  CHECK(complaint(g, x,
                  [](const Values&, Value, Value c) {
                    return Values{c, sum(c)};
                  })
            .find("custom_gradient \"mine\": the cotangent of input 1 is f32[], but the input is f32[2, 3]") !=
        std::string::npos);
  CHECK(complaint(g, x, [](const Values&, Value, Value c) {
          return Values{cast(c, f64), c};
        }).find("the cotangent of input 0 is f64[2, 3], but the input is f32[2, 3]") != std::string::npos);
  Graph other;
  const Value foreign = other.input("x", {2, 3});
  CHECK(complaint(g, x, [=](const Values&, Value, Value c) {
          return Values{c, foreign};
        }).find("custom_gradient \"mine\": the cotangent of input 1: ") != std::string::npos);
  CHECK(complaint(g, x, [](const Values&, Value, Value c) {
          return Values{c, matmul(c, c)};
        }).find("matmul") != std::string::npos);
  const Value i = g.input("i", {3}, i64);
  const Value y = custom_gradient(
      "whole", {x, i}, [](const Values& in) { return in[0] * cast(in[1], f32); },
      [](const Values&, Value, Value c) {
        return Values{c, c};
      });
  CHECK_THROWS_WITH_AS(
      gradients(sum(y), x),
      doctest::Contains("custom_gradient \"whole\": the cotangent of input 1 must be empty, since the input is i64"),
      GradientError);
}

TEST_CASE("custom_gradient: throws if forward reads other values, and leaves the graph unchanged") {
  Graph g;
  const Value x = g.input("x", {3});
  const Parameter w("w", Tensor::zeros({3}));
  const Value p = g.parameter(w);
  const auto pass = [](const Values&, Value, Value c) { return Values{c}; };
  const NodeId before = g.size();
  CHECK_THROWS_WITH_AS(
      custom_gradient(
          "open", {x}, [&](const Values& in) { return in[0] * p; }, pass),
      doctest::Contains("custom_gradient \"open\": forward uses %1 parameter \"w\" f32[3], which is not among"),
      GraphError);
  CHECK_THROWS_WITH_AS(custom_gradient(
                           "none", {}, [](const Values&) { return Value{}; }, pass),
                       doctest::Contains("inputs is empty"), GraphError);
  CHECK_THROWS_WITH_AS(custom_gradient("empty", {x}, nullptr, pass), doctest::Contains("forward or backward is empty"),
                       GraphError);
  CHECK_THROWS_WITH_AS(custom_gradient(
                           "bad", {x}, [](const Values&) { return Value{}; }, pass),
                       doctest::Contains("the result of forward"), GraphError);
  CHECK_THROWS_AS(custom_gradient(
                      "bad", {x, Value{}}, [](const Values& in) { return in[0]; }, pass),
                  GraphError);
  CHECK(g.size() == before);
  CHECK_NOTHROW(custom_gradient(
      "closed", {x}, [&](const Values& in) { return in[0] * stop_gradient(p); }, pass));
}

TEST_CASE("custom_gradient: gradient reversal, as in domain adaptation") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {3});
  const Value y = custom_gradient(
      "reversal", {x}, [](const Values& in) { return in[0]; },
      [](const Values&, Value, Value c) { return Values{-0.5 * c}; });
  CHECK(bitwise_equal(evaluate(gradients(sum(square(y)), x), {{x, row({1, 2, 3})}}), row({-1, -2, -3})));
}
