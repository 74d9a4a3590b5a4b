// What the vector functions give at the edges: NaN, infinities, zeros of both signs, the largest and the smallest
// numbers.
#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/interpreter.hpp>
#include <xgrad/ops/ops.hpp>

using namespace xgrad;

TEST_CASE("NaN wins in maximum, minimum, max and min, and is not equal to itself") {
  Graph g;
  const Value x = g.input("x", {3});
  const Tensor t = Tensor::from<float>({3}, {1, std::numeric_limits<float>::quiet_NaN(), 2});
  CHECK(std::isnan(evaluate(maximum(x, 0), {{x, t}}).at(1)));
  CHECK(std::isnan(evaluate(minimum(x, 5), {{x, t}}).at(1)));
  CHECK(std::isnan(evaluate(max(x), {{x, t}}).item()));
  CHECK(std::isnan(evaluate(min(x), {{x, t}}).item()));
  CHECK(evaluate(not_equal(x, x), {{x, t}}).at(1) == 1);
}

TEST_CASE("pow of 0 and of other special values") {
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

TEST_CASE("the derivative of pow(x, 1) at 0 is 1") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {});
  CHECK(evaluate(gradients(pow(x, 1), x), {{x, Tensor(0.0)}}).item() == 1);
}

TEST_CASE("exp is finite up to the largest number") {
  Graph g;
  CHECK(std::isfinite(evaluate(exp(g.constant(88.5, f32))).item()));
  CHECK(std::isfinite(evaluate(exp(g.constant(709.6, f64))).item()));
}

TEST_CASE("log of a denormal double") {
  Graph g;
  const double x = 2.2e-308;
  const double y = evaluate(log(g.constant(x, f64))).item();
#if defined(__aarch64__)
  CHECK(y == -std::numeric_limits<double>::infinity());  // the operand counts as 0, see FlushDenormals
#else
  CHECK(y == doctest::Approx(std::log(x)).epsilon(1e-12));
#endif
}

TEST_CASE("uniform numbers stay below high") {
  Graph g;
  const Value u = random_uniform(g, {1 << 26}, f32, 1, 2);
  CHECK(evaluate(max(u)).item() < 2);
}

TEST_CASE("expm1 and log1p keep the sign of 0") {
  Graph g;
  const Value x = g.input("x", {});
  CHECK(std::signbit(evaluate(expm1(x), {{x, Tensor(-0.0F)}}).item()));
  CHECK(std::signbit(evaluate(log1p(x), {{x, Tensor(-0.0F)}}).item()));
}
