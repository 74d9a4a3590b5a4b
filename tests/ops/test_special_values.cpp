// Results at special values: NaN, infinities, zeros of both signs, the largest and the smallest floating-point numbers.
#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/autodiff/transforms.hpp>
#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/ops/ops.hpp>

#include "support/points.hpp"

using namespace xgrad;
using testing::Numbers;
using testing::slopes;
using testing::values;

TEST_CASE("special values: maximum, minimum, max, min propagate NaN; NaN is not equal to itself") {
  Graph g;
  const Value x = g.input("x", {3});
  const Tensor t = Tensor::from<float>({3}, {1, std::numeric_limits<float>::quiet_NaN(), 2});
  CHECK(std::isnan(evaluate(maximum(x, 0), {{x, t}}).at(1)));
  CHECK(std::isnan(evaluate(minimum(x, 5), {{x, t}}).at(1)));
  CHECK(std::isnan(evaluate(max(x), {{x, t}}).item()));
  CHECK(std::isnan(evaluate(min(x), {{x, t}}).item()));
  CHECK(evaluate(not_equal(x, x), {{x, t}}).at(1) == 1);
}

TEST_CASE("special values: pow of 0, infinity and NaN") {
  for (const DType d : {f32, f64}) {
    Graph g({.dtype = d});
    const auto pow_of = [&](double a, double b) { return evaluate(pow(g.constant(a), g.constant(b))).item(); };
    const double inf = std::numeric_limits<double>::infinity();
    CHECK(pow_of(0, 0) == 1);
    CHECK(pow_of(inf, 0) == 1);
    CHECK(pow_of(std::nan(""), 0) == 1);
    CHECK(pow_of(0, -1) == inf);
    CHECK(std::isnan(pow_of(0, std::nan(""))));
    CHECK(pow_of(d == f32 ? 3.4028234e38 : 1.7976931348623157e308, 1) < inf);
  }
}

TEST_CASE("special values: the derivative of pow(x, 1) at 0 is 1") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {});
  CHECK(evaluate(gradients(pow(x, 1), x), {{x, Tensor(0.0)}}).item() == 1);
}

TEST_CASE("special values: exp is finite up to the largest representable result") {
  Graph g;
  CHECK(std::isfinite(evaluate(exp(g.constant(88.5, f32))).item()));
  CHECK(std::isfinite(evaluate(exp(g.constant(709.6, f64))).item()));
}

TEST_CASE("special values: log of a denormal double") {
  Graph g;
  const double x = 2.2e-308;
  const double y = evaluate(log(g.constant(x, f64))).item();
#if defined(__aarch64__)
  CHECK(y == -std::numeric_limits<double>::infinity());  // the operand counts as 0, see KernelFloatMode
#else
  CHECK(y == doctest::Approx(std::log(x)).epsilon(1e-12));
#endif
}

TEST_CASE("random_uniform: values stay below high") {
  Graph g;
  const Value u = random_uniform(g, {1 << 26}, f32, 1, 2);
  CHECK(evaluate(max(u)).item() < 2);
}

TEST_CASE("special values: expm1 and log1p keep the sign of 0") {
  Graph g;
  const Value x = g.input("x", {});
  CHECK(std::signbit(evaluate(expm1(x), {{x, Tensor(-0.0F)}}).item()));
  CHECK(std::signbit(evaluate(log1p(x), {{x, Tensor(-0.0F)}}).item()));
}

TEST_CASE("special values: a remainder of 0 has the sign of the divisor") {
  for (const DType d : {f32, f64}) {
    CAPTURE(name_of(d));
    const auto remainders = [](Value a, Value b) { return remainder(a, b); };
    CHECK(values(remainders, {-1, 1, -4, 4, 0, -0.0, 6, 0}, {1, -1, 2, -2, 3, 3, -3, -3}, d) ==
          Numbers{0, -0.0, 0, -0.0, 0, 0, -0.0, -0.0});
    const auto c_remainders = [](Value a, Value b) { return fmod(a, b); };
    CHECK(values(c_remainders, {-1, 1, -4, 4}, {1, -1, 2, -2}, d) == Numbers{-0.0, 0, -0.0, 0});
  }
}

TEST_CASE("special values: derivatives of any order of pow at 0") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {1});
  const Feeds at_zero{{x, Tensor::from<double>({1}, {0})}};
  const auto orders = [&](Value y) {
    std::vector<Value> out;
    for (int k = 0; k < 4; ++k) out.push_back(y = sum(gradients(y, x, {.unconnected = Unconnected::zeros})));
    const auto numbers = evaluate(out, at_zero);
    return Numbers{numbers[0].item(), numbers[1].item(), numbers[2].item(), numbers[3].item()};
  };
  // 1 + x + x^2, with the powers in a tensor.
  const Value powers = pow(x, g.constant(Tensor::from<double>({3}, {0, 1, 2})));
  CHECK(evaluate(hessian(sum(powers), x), at_zero).item() == 2);
  CHECK(orders(sum(powers)) == Numbers{1, 2, 0, 0});
  CHECK(orders(sum(pow(x, 0.0))) == Numbers{0, 0, 0, 0});
  CHECK(orders(sum(pow(x, 1.0))) == Numbers{1, 0, 0, 0});
  CHECK(orders(sum(pow(x, 2.0))) == Numbers{0, 2, 0, 0});
  CHECK(orders(sum(pow(x, 3.0))) == Numbers{0, 0, 6, 0});
  CHECK(orders(sum(pow(x, 4.0))) == Numbers{0, 0, 0, 24});
  // The mixed derivative d2 x^n / dx dn at n = 0 is 1 / x.
  const Value n = g.input("n", {1});
  const Value mixed = gradients(sum(gradients(sum(pow(x, n)), x)), n);
  CHECK(evaluate(mixed, {{x, Tensor::from<double>({1}, {4})}, {n, Tensor::from<double>({1}, {0})}}).item() == 0.25);
}

TEST_CASE("special values: layer_norm of large and of equal values") {
  for (const DType d : {f32, f64}) {
    CAPTURE(name_of(d));
    const double large = d == f32 ? 1e30 : 1e300;
    const double root = std::sqrt(1.5);
    const auto normalized = [](Value x) { return layer_norm(x); };
    CHECK(values(normalized, {large, 0, -large}, d).near({root, 0, -root}, 1e-6));
    CHECK(values(normalized, {large, large}, d) == Numbers{0, 0});
    CHECK(values(normalized, {3e38, -3e38}, d).near({1, -1}, 1e-6));
    CHECK(values(normalized, {0, 0}, d) == Numbers{0, 0});
    // The derivative of y = x / sqrt(mean(x^2)) by x, weighted by {1, 0, 0}, with x = c {1, 0, -1}.
    const Numbers by_x = slopes([](Value x) { return slice(layer_norm(x), 0, 0, 1); }, {large, 0, -large}, d);
    CHECK(by_x.near({root / 6 / large, -root / 3 / large, root / 6 / large}, 1e-5));
    CHECK(values(
              [](Value x) {
                return reshape(group_norm(reshape(x, {1, 4}), 2), {4});
              },
              {large, -large, 1, 3}, d)
              .near({1, -1, -1 / std::sqrt(1.001), 1 / std::sqrt(1.001)}, 1e-2));
  }
}
