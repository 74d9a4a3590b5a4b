// Results of operations where conventions differ: kinks, ties, division by zero, NaN, infinities, integers. The
// expected values are those of PyTorch, unless the case says otherwise.
#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>

#include "support/points.hpp"

using namespace xgrad;
using testing::inf;
using testing::NaN;
using testing::Numbers;
using testing::slopes;
using testing::values;

TEST_CASE("activations: derivatives at kinks") {
  CHECK(slopes([](Value x) { return relu(x); }, {-1, 0, 1}) == Numbers{0, 0, 1});
  CHECK(slopes([](Value x) { return abs(x); }, {-1, 0, 1}) == Numbers{-1, 0, 1});
  CHECK(slopes([](Value x) { return relu6(x); }, {-1, 0, 1, 6, 7}) == Numbers{0, 0, 1, 0, 0});
  CHECK(slopes([](Value x) { return 6 * hardsigmoid(x); }, {-4, -3, 0, 3, 4}) == Numbers{0, 0, 1, 0, 0});
  CHECK(slopes([](Value x) { return 6 * hardswish(x); }, {-4, -3, 0, 3, 4}).near({0, -3, 3, 9, 6}, 1e-15));
  CHECK(slopes([](Value x) { return leaky_relu(x, 0.25); }, {-1, 0, 1}) == Numbers{0.25, 0.25, 1});
  CHECK(slopes([](Value x) { return elu(x, 0.5); }, {0, 1}) == Numbers{0.5, 1});
  CHECK(slopes([](Value x) { return selu(x); }, {0, 1}).near({1.7580993408473766, 1.0507009873554805}, 1e-15));
  CHECK(slopes([](Value x) { return softsign(x); }, {-1, 0, 1}) == Numbers{0.25, 1, 0.25});
  CHECK(slopes([](Value x) { return softplus(x); }, {0}) == Numbers{0.5});
  const auto [by_x, by_slope] = slopes([](Value x, Value s) { return prelu(x, s); }, {-2, 0, 2}, {0.5, 0.25, 0.125});
  CHECK(by_x == Numbers{0.5, 0.25, 1});
  CHECK(by_slope == Numbers{-2, 0, 0});
}

TEST_CASE("activations: values and derivatives are finite for large inputs") {
  const std::initializer_list<double> large{-1e4, -100, 100, 1e4};
  for (const DType d : {f32, f64}) {
    CAPTURE(name_of(d));
    CHECK(values([](Value x) { return softplus(x); }, large, d)
              .near({0, d == f64 ? 3.720075976020836e-44 : 0, 100, 1e4}, 1e-15));
    CHECK(values([](Value x) { return logsigmoid(x); }, {-1e4, 1e4}, d).near({-1e4, 0}, 0));
    CHECK(values([](Value x) { return elu(x); }, large, d) == Numbers{-1, -1, 100, 1e4});
    CHECK(slopes([](Value x) { return elu(x); }, {-1e4, 100, 1e4}, d) == Numbers{0, 1, 1});
    CHECK(slopes([](Value x) { return silu(x); }, {-1e4, 1e4}, d).near({0, 1}, 0));
    CHECK(slopes([](Value x) { return mish(x); }, {-1e4, 1e4}, d).near({0, 1}, 0));
    CHECK(slopes([](Value x) { return gelu_tanh(x); }, {-1e4, 1e4}, d).near({0, 1}, 0));
    CHECK(slopes([](Value x) { return softplus(x); }, {-1e4, 1e4}, d) == Numbers{0, 1});
    CHECK(slopes([](Value x) { return logsigmoid(x); }, {-1e4, 1e4}, d).near({1, 0}, 0));
  }
}

TEST_CASE("clip: derivative at the bounds, NaN, scalar and tensor bounds") {
  const auto clipped = [](Value x) { return clip(x, -1, 1); };
  CHECK(values(clipped, {-2, -1, -0.0, 1, 2, NaN, inf}) == Numbers{-1, -1, -0.0, 1, 1, NaN, 1});
  CHECK(slopes(clipped, {-2, -1, 0, 1, 2}) == Numbers{0, 1, 1, 1, 0});
  CHECK(values([](Value x) { return clip(x, {}, 1); }, {-inf, 2}) == Numbers{-inf, 1});
  const auto [by_x, by_low] =
      slopes([](Value x, Value low) { return clip(x, low, 10 + 0 * low); }, {1, 2, 3}, {2, 2, 2});
  CHECK(by_x == Numbers{0, 1, 1});
  CHECK(by_low == Numbers{1, 0, 0});
  // If low > high, the result is high.
  CHECK(values([](Value x, Value low) { return clip(x, low, low - 1); }, {0, 5}, {3, NaN}) == Numbers{2, NaN});
}

TEST_CASE("maximum, minimum: ties share the gradient, NaN in either operand propagates") {
  const auto [a, b] = slopes([](Value x, Value y) { return maximum(x, y); }, {1, 2, 3}, {2, 2, 2});
  CHECK(a == Numbers{0, 0.5, 1});
  CHECK(b == Numbers{1, 0.5, 0});
  CHECK(values([](Value x, Value y) { return maximum(x, y); }, {NaN, 1}, {1, NaN}) == Numbers{NaN, NaN});
  CHECK(values([](Value x, Value y) { return minimum(x, y); }, {NaN, 1}, {1, NaN}) == Numbers{NaN, NaN});
}

TEST_CASE("lerp: exact at both ends; the derivative with respect to the weight is b - a, even if infinite") {
  Graph g({.dtype = f64});
  const Value a = g.input("a", {4}), b = g.input("b", {4}), w = g.input("w", {4});
  const Feeds feeds{{a, testing::row({0.1, 0.1, 1, -inf})},
                    {b, testing::row({0.7, 0.7, inf, 2})},
                    {w, testing::row({0, 1, 0.25, 0.75})}};
  const Value y = lerp(a, b, w);
  CHECK(Numbers(evaluate(y, feeds)) == Numbers{0.1, 0.7, inf, -inf});
  CHECK(Numbers(evaluate(gradients(sum(y), w), feeds)) == Numbers{0.7 - 0.1, 0.7 - 0.1, inf, inf});
  CHECK(Numbers(evaluate(gradients(sum(y), a), feeds)).near({1, 0, 0.75, 0.25}, 1e-15));
  CHECK(Numbers(evaluate(gradients(sum(y), b), feeds)).near({0, 1, 0.25, 0.75}, 1e-15));
}

TEST_CASE("special values: isnan, isinf, isfinite") {
  const std::initializer_list<double> all{0, -1, NaN, inf, -inf};
  for (const DType d : {f32, f64}) {
    CHECK(values([](Value x) { return isnan(x); }, all, d) == Numbers{0, 0, 1, 0, 0});
    CHECK(values([](Value x) { return isinf(x); }, all, d) == Numbers{0, 0, 0, 1, 1});
    CHECK(values([](Value x) { return isfinite(x); }, all, d) == Numbers{1, 1, 0, 0, 0});
  }
  Graph g;
  const Value i = g.input("i", {2}, i64);
  CHECK(Numbers(evaluate(isfinite(i), {{i, Tensor::from<std::int64_t>({2}, {0, INT64_MAX})}})) == Numbers{1, 1});
  CHECK(Numbers(evaluate(isinf(i), {{i, Tensor::from<std::int64_t>({2}, {0, INT64_MAX})}})) == Numbers{0, 0});
}

TEST_CASE("divide, reciprocal: division by zero") {
  CHECK(values([](Value x, Value y) { return x / y; }, {1, -1, 0, 1}, {0, 0, 0, -0.0}) ==
        Numbers{inf, -inf, NaN, -inf});
  CHECK(values([](Value x) { return reciprocal(x); }, {0, -0.0, inf, 4}) == Numbers{inf, -inf, 0, 0.25});
}

TEST_CASE("lerp: exact at both ends for a scalar or a tensor weight") {
  const auto mixed = [](double w) { return [w](Value a, Value b) { return lerp(a, b, w); }; };
  CHECK(values(mixed(0), {0.1, -7}, {1e8, 3}) == Numbers{0.1, -7});
  CHECK(values(mixed(1), {0.1, -7}, {1e8, 3}) == Numbers{1e8, 3});
  CHECK(values(mixed(0.5), {0, -7}, {1, 3}) == Numbers{0.5, -2});
  CHECK(values([](Value a, Value w) { return lerp(a, 1e8 + 0 * a, w); }, {0.1, 0.1}, {0, 1}) == Numbers{0.1, 1e8});
}
