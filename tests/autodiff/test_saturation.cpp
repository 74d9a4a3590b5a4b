// Saturation, by the derivative of each function.
#include <cmath>

#include <doctest/doctest.h>

#include <xgrad/engine.hpp>

using namespace xgrad;

namespace {

// The mask of f at the points, as text.
template <class F>
std::string mask_of(F f, const std::vector<double>& at) {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {static_cast<Index>(at.size())});
  const Value mask = saturated(f(x));
  REQUIRE(mask.valid());
  CHECK(mask.type() == TensorType{boolean, x.shape()});
  std::string out;
  const Tensor numbers = evaluate(mask, {{x, Tensor::from<double>(x.shape(), at)}});
  for (Index i = 0; i < numbers.elements(); ++i) out += numbers.at(i) != 0 ? '1' : '0';
  return out;
}

}  // namespace

TEST_CASE("saturated: elements with a slope below 0.01, for any function") {
  CHECK(mask_of([](Value x) { return relu(x); }, {-2, 0, 1e-9, 5}) == "1100");
  // 1 - tanh(x)^2 is 0.01 at 2.9932, s (1 - s) at 4.5849, 2 exp(-x^2) / sqrt(pi) of erf at 2.1740.
  CHECK(mask_of([](Value x) { return tanh(x); }, {-2.994, -2.992, 0, 2.992, 2.994}) == "10001");
  CHECK(mask_of([](Value x) { return sigmoid(x); }, {-4.586, -4.584, 4.584, 4.586}) == "1001");
  CHECK(mask_of([](Value x) { return erf(x); }, {-2.18, -2.17, 2.17, 2.18}) == "1001");
  CHECK(mask_of([](Value x) { return softplus(x); }, {-4.6, -4.59, 0, 100}) == "1000");
  // A linear function is never saturated, and NaN is not either.
  CHECK(mask_of([](Value x) { return -x; }, {-100, 0, 100}) == "000");
  CHECK(mask_of([](Value x) { return tanh(x); }, {std::nan(""), 50}) == "01");
}

TEST_CASE("saturated: depends only on the value's own function, and is empty for other operations") {
  Graph g;
  const Value x = g.input("x", {2, 3});
  // The slope of the composition is small, that of tanh is not.
  const Value middle = tanh(0.5 * x);
  const Value y = 1e-6 * middle;
  CHECK(evaluate(any(saturated(middle)), {{x, Tensor({2, 3})}}).at(0) == 0);
  for (const Value none : {x, y, matmul(x, transpose(x)), sum(x), sign(x), cast(x, i64), g.constant(1.0)})
    CHECK_FALSE(saturated(none).valid());
  CHECK_THROWS_AS(saturated(Value()), GraphError);
}
