// Values at the ends of the floating-point range and of domains, where a naive formula overflows or loses precision.
#include <cmath>
#include <cstdint>
#include <numbers>

#include <doctest/doctest.h>

#include <xgrad/autodiff/check/check.hpp>
#include <xgrad/graph/base/error.hpp>

#include "support/points.hpp"

using namespace xgrad;
using testing::inf;
using testing::NaN;
using testing::Numbers;
using testing::row;
using testing::slopes;
using testing::values;

TEST_CASE("rounding: ties go to even, zeros keep their sign, large values are unchanged") {
  const std::initializer_list<double> x{-2.5, -1.5, -0.5, -0.0, 0.5, 1.5, 2.5, 1e30, NaN, -inf};
  for (const DType d : {f32, f64}) {
    CAPTURE(name_of(d));
    const double large = row({1e30}, d).at(0);
    CHECK(values([](Value v) { return round(v); }, x, d) == Numbers{-2, -2, -0.0, -0.0, 0, 2, 2, large, NaN, -inf});
    CHECK(values([](Value v) { return floor(v); }, x, d) == Numbers{-3, -2, -1, -0.0, 0, 1, 2, large, NaN, -inf});
    CHECK(values([](Value v) { return ceil(v); }, x, d) == Numbers{-2, -1, -0.0, -0.0, 1, 2, 3, large, NaN, -inf});
    CHECK(values([](Value v) { return trunc(v); }, x, d) == Numbers{-2, -1, -0.0, -0.0, 0, 1, 2, large, NaN, -inf});
  }
}

TEST_CASE("floor_divide, remainder, fmod: negative operands, division by zero and by infinity") {
  const std::initializer_list<double> a{7, -7, 7, -7, 1, 6, -1e-20, 5, -5}, b{2, 2, -2, -2, 0.1, 0.1, 1, inf, inf};
  const auto quotients = [](Value x, Value y) { return floor_divide(x, y); };
  const auto remainders = [](Value x, Value y) { return remainder(x, y); };
  const auto c_remainders = [](Value x, Value y) { return fmod(x, y); };
  CHECK(values(quotients, a, b) == Numbers{3, -4, -4, 3, 9, 59, -1, 0, -1});
  CHECK(values(remainders, {7, -7, 7, -7, 5, -5}, {2, 2, -2, -2, inf, inf}) == Numbers{1, 1, -1, -1, 5, inf});
  CHECK(values(c_remainders, {7, -7, 7, -7, 5, -5}, {2, 2, -2, -2, inf, inf}) == Numbers{1, -1, 1, -1, 5, -5});
  for (const DType d : {f32, f64}) {
    CHECK(values(quotients, {1, -1, 0}, {0, 0, 0}, d) == Numbers{inf, -inf, NaN});
    CHECK(values(remainders, {1, -1, 0, inf}, {0, 0, 0, 1}, d) == Numbers{NaN, NaN, NaN, NaN});
    CHECK(values(c_remainders, {1, -1, 0, inf}, {0, 0, 0, 1}, d) == Numbers{NaN, NaN, NaN, NaN});
  }
  const auto [by_a, by_b] = slopes(remainders, {-7, 7}, {2, -2});
  CHECK(by_a == Numbers{1, 1});
  CHECK(by_b == Numbers{4, 4});
  const auto [c_by_a, c_by_b] = slopes(c_remainders, {-7, 7}, {2, -2});
  CHECK(c_by_a == Numbers{1, 1});
  CHECK(c_by_b == Numbers{3, 3});
}

TEST_CASE("integers: signs, INT64_MIN divided by -1, division by zero") {
  Graph g;
  const Value a = g.input("a", {5}, i64), b = g.input("b", {5}, i64);
  const auto run = [&](Value v, std::int64_t last) {
    return evaluate(v, {{a, Tensor::from<std::int64_t>({5}, {7, -7, 7, -7, INT64_MIN})},
                        {b, Tensor::from<std::int64_t>({5}, {2, 2, -2, -2, last})}});
  };
  CHECK(Numbers(run(floor_divide(a, b), 1)) == Numbers{3, -4, -4, 3, static_cast<double>(INT64_MIN)});
  CHECK(run(floor_divide(a, b), -1).values<std::int64_t>()[4] == INT64_MIN);
  CHECK(Numbers(run(remainder(a, b), -1)) == Numbers{1, 1, -1, -1, 0});
  CHECK(Numbers(run(fmod(a, b), -1)) == Numbers{1, -1, 1, -1, 0});
  CHECK(run(abs(a), 1).values<std::int64_t>()[4] == INT64_MIN);
  CHECK(Numbers(run(sign(a), 1)) == Numbers{1, -1, 1, -1, -1});
  for (const Value v : {floor_divide(a, b), remainder(a, b), fmod(a, b)}) {
    CAPTURE(v.describe());
    CHECK_THROWS_AS(run(v, 0), ValueError);
  }
}

TEST_CASE("pow: powers of zero and their derivatives") {
  CHECK(values([](Value a, Value b) { return pow(a, b); }, {0, 0, 0, inf, NaN, -8}, {0, 1, -1, 0, 0, 1.0 / 3}) ==
        Numbers{1, 0, inf, 1, 1, NaN});
  const auto [by_a, by_b] = slopes([](Value a, Value b) { return pow(a, b); }, {0, 0, 0, 0}, {0, 1, 2, -1});
  CHECK(by_a == Numbers{0, 1, 0, -inf});
  CHECK(by_b == Numbers{0, 0, 0, -inf});
}

TEST_CASE("elementwise functions: values and derivatives at the ends of the domain") {
  CHECK(values([](Value x) { return cbrt(x); }, {-8, 27, -0.0, inf}).near({-2, 3, -0.0, inf}, 1e-15));
  CHECK(slopes([](Value x) { return cbrt(x); }, {0}) == Numbers{inf});
  CHECK(slopes([](Value x) { return sqrt(x); }, {0, 4}) == Numbers{inf, 0.25});
  CHECK(values([](Value x) { return log2(x); }, {0, -1, 8, inf}) == Numbers{-inf, NaN, 3, inf});
  CHECK(values([](Value x) { return log10(x); }, {0, -1, 1000, inf}) == Numbers{-inf, NaN, 3, inf});
  CHECK(values([](Value x) { return asin(x); }, {-1.1, 1.1}) == Numbers{NaN, NaN});
  CHECK(values([](Value x) { return acosh(x); }, {0.9, 1, -5}) == Numbers{NaN, 0, NaN});
  CHECK(values([](Value x) { return atanh(x); }, {-1, 1, 1.1}) == Numbers{-inf, inf, NaN});
  CHECK(slopes([](Value x) { return asin(x); }, {-1, 1}) == Numbers{inf, inf});
  CHECK(slopes([](Value x) { return acos(x); }, {-1, 1}) == Numbers{-inf, -inf});
  // Near 1 the derivative is 1 / sqrt(2 (1 - x)), up to the last digit.
  CHECK(slopes([](Value x) { return asin(x); }, {1 - 0x1p-50}).near({std::sqrt(0x1p49)}, 1e-14));
  // The squares of these overflow.
  CHECK(slopes([](Value x) { return asinh(x); }, {1e200, -1e200}).near({1e-200, 1e-200}, 1e-15));
  CHECK(slopes([](Value x) { return acosh(x); }, {1e200}).near({1e-200}, 1e-15));
  CHECK(values([](Value x) { return exp2(x); }, {-inf, -2, 0, 10, inf}).near({0, 0.25, 1, 1024, inf}, 1e-15));
}

TEST_CASE("atan2, hypot: signs, infinities, no overflow") {
  constexpr double pi = std::numbers::pi;
  const auto angle = [](Value y, Value x) { return atan2(y, x); };
  const auto distance = [](Value a, Value b) { return hypot(a, b); };
  CHECK(values(angle, {0, -0.0, 0, 1, -1, inf}, {-1, -1, 1, 0, 0, inf})
            .near({pi, -pi, 0, pi / 2, -pi / 2, pi / 4}, 1e-15));
  CHECK(values(distance, {3, 1e200, 1e-200, inf, 0}, {4, 1e200, 0, NaN, -0.0})
            .near({5, 1e200 * std::numbers::sqrt2, 1e-200, inf, 0}, 1e-15));
  const auto [by_y, by_x] = slopes(angle, {1e200, 1e-200, 0}, {1e200, 1e-200, 0});
  CHECK(by_y.near({0.5e-200, 0.5e200, NaN}, 1e-15));
  CHECK(by_x.near({-0.5e-200, -0.5e200, NaN}, 1e-15));
  const auto [by_a, by_b] = slopes(distance, {3e200, 0}, {4e200, 0});
  CHECK(by_a.near({0.6, NaN}, 1e-15));
  CHECK(by_b.near({0.8, NaN}, 1e-15));
}

TEST_CASE("erf, erfc, erfinv, lgamma, digamma, polygamma: known values") {
  CHECK(values([](Value x) { return erf(x); }, {-inf, -0.0, 0.5, inf}).near({-1, -0.0, 0.5204998778130465, 1}, 1e-15));
  CHECK(values([](Value x) { return erfc(x); }, {-inf, 0, 5, inf}).near({2, 1, 1.5374597944280349e-12, 0}, 1e-14));
  CHECK(values([](Value x) { return erfinv(x); }, {-1, -0.0, 0.5, 0.9999, 1, 1.5})
            .near({-inf, -0.0, 0.4769362762044699, 2.7510639057120607, inf, NaN}, 1e-14));
  CHECK(values([](Value x) { return lgamma(x); }, {0, -2, 1, 0.5, 1e10, inf})
            .near({inf, inf, 0, 0.5723649429247001, 220258509288.8113, inf}, 1e-14));
  CHECK(values([](Value x) { return digamma(x); }, {0, -2, 1, 0.5, -0.5})
            .near({-inf, NaN, -0.5772156649015329, -1.9635100260214235, 0.03648997397857652}, 1e-13));
  CHECK(values([](Value x) { return polygamma(1, x); }, {1, -0.5, 0, -3, 1e10, -1e10 - 0.5, NaN})
            .near({1.6449340668482264, 8.934802200544679, inf, inf, 1.00000000005e-10, 9.869604401089358, NaN}, 1e-9));
  CHECK(values([](Value x) { return polygamma(2, x); }, {1, 0, inf}).near({-2.404113806319188, -inf, 0}, 1e-14));
  CHECK(values([](Value x) { return polygamma(3, x); }, {0.5, -0.5})
            .near({97.40909103400244, 193.40909103400242}, 1e-13));
  CHECK(values([](Value x) { return erfinv(erf(x)); }, {-3, 0.1, 2}).near({-3, 0.1, 2}, 1e-11));
}

TEST_CASE("gelu: keeps its relative precision where erf is near -1") {
  // x times the probability that a standard normal variable is below x.
  CHECK(values([](Value x) { return gelu(x); }, {-5, -10, 5, 1e4})
            .near({-1.4332578593959731e-06, -7.619853024160593e-23, 4.99999856674214, 1e4}, 5e-14));
  CHECK(values([](Value x) { return gelu_tanh(x); }, {-5, 5, -1e4})
            .near({-2.2917961966295044e-07, 4.999999770820381, 0}, 1e-13));
}

TEST_CASE("log1p, expm1: full precision near 0") {
  CHECK(values([](Value x) { return log1p(x); }, {1e-10, -1e-10, 1e-300})
            .near({1e-10 - 5e-21, -1e-10 - 5e-21, 1e-300}, 2.3e-16));
  CHECK(values([](Value x) { return expm1(x); }, {1e-10, -1e-10, 1e-300})
            .near({1e-10 + 5e-21, -1e-10 + 5e-21, 1e-300}, 2.3e-16));
  CHECK(values([](Value x) { return log1p(x); }, {1e-10}, f32).near({1e-10}, 2e-7));
  CHECK(values([](Value x) { return expm1(x); }, {1e-10}, f32).near({1e-10}, 2e-7));
  CHECK(slopes([](Value x) { return log1p(x); }, {1e-10, -1e-300}).near({1 - 1e-10, 1}, 1e-15));
  CHECK(slopes([](Value x) { return expm1(x); }, {1e-10, -1e-300}).near({1 + 1e-10, 1}, 1e-15));
}

TEST_CASE("softmax, log_softmax, logsumexp, sigmoid: logits of +-1e4") {
  for (const DType d : {f32, f64}) {
    CAPTURE(name_of(d));
    const std::initializer_list<double> x{1e4, -1e4, 1e4 - 1};
    const double e = std::exp(-1.0), p = 1 / (1 + e), log_sum = 1e4 + std::log1p(e);
    const double precision = d == f32 ? 2e-7 : 4e-16;
    CHECK(values([](Value v) { return softmax(v); }, x, d).near({p, 0, e * p}, precision));
    CHECK(values([](Value v) { return log_softmax(v); }, x, d)
              .near({-std::log1p(e), -2e4 - std::log1p(e), -1 - std::log1p(e)}, precision));
    CHECK(values([](Value v) { return logsumexp(v); }, x, d).near({log_sum}, precision));
    CHECK(values([](Value v) { return sigmoid(v); }, {1e4, -1e4}, d) == Numbers{1, 0});
    CHECK(slopes([](Value v) { return slice(softmax(v), 0, 0, 1); }, x, d)
              .near({e * p * p, 0, -e * p * p}, 4 * precision));
    CHECK(slopes([](Value v) { return logsumexp(v); }, x, d).near({p, 0, e * p}, precision));
    CHECK(slopes([](Value v) { return slice(log_softmax(v), 0, 1, 2); }, x, d).near({-p, 1, -e * p}, precision));
  }
}

TEST_CASE("cross-entropies: logits of +-1e4, from logits and through softmax") {
  for (const DType d : {f32, f64}) {
    Graph g({.dtype = d});
    const Value logits = g.input("logits", {2, 2});
    const Value target = g.constant(Tensor::from<double>({2, 2}, {0, 1, 1, 0}).cast(d));
    const Value labels = g.constant(Tensor::from<std::int64_t>({2}, {1, 0}));
    const Feeds feeds{{logits, Tensor::from<double>({2, 2}, {1e4, -1e4, 1e4, -1e4}).cast(d)}};
    // The first row predicts the wrong class: its loss is the difference of its logits. The second row has loss 0.
    for (const Value loss :
         {categorical_crossentropy_from_logits(logits, target), categorical_crossentropy(softmax(logits), target),
          sparse_categorical_crossentropy_from_logits(logits, labels),
          sparse_categorical_crossentropy(softmax(logits), labels)}) {
      CHECK(evaluate(loss, feeds).item() == 1e4);
      CHECK(Numbers(evaluate(gradients(loss, logits), feeds)).near({0.5, -0.5, 0, 0}, 0));
    }
  }
}

TEST_CASE("logsumexp, softmax: rows with infinities and NaN") {
  const auto f = [](Value x) { return logsumexp(x); };
  CHECK(values(f, {-inf, -inf}) == Numbers{-inf});
  CHECK(values(f, {-inf, 2}) == Numbers{2});
  CHECK(values(f, {inf, 0, -inf}) == Numbers{inf});
  CHECK(values(f, {NaN, 0}) == Numbers{NaN});
  CHECK(values(f, {}) == Numbers{-inf});
  CHECK(slopes(f, {-inf, 2}) == Numbers{0, 1});
  CHECK(values([](Value x) { return softmax(x); }, {-inf, 0, 0}) == Numbers{0, 0.5, 0.5});
  CHECK(values([](Value x) { return softmax(x); }, {-inf, -inf}) == Numbers{NaN, NaN});
}

TEST_CASE("logsumexp, softmax: a row of -inf gives -inf or NaN and does not affect other rows") {
  for (const DType d : {f32, f64}) {
    Graph g({.dtype = d});
    const Value x = g.input("x", {3, 2});
    const Feeds feeds{{x, Tensor::from<double>({3, 2}, {0, 0, -inf, -inf, -inf, 5}).cast(d)}};
    const double log_2 = d == f32 ? static_cast<double>(std::log(2.0F)) : std::log(2.0);
    CHECK(Numbers(evaluate(logsumexp(x, {-1}), feeds)).near({log_2, -inf, 5}, 1e-15));
    CHECK(Numbers(evaluate(softmax(x), feeds)) == Numbers{0.5, 0.5, NaN, NaN, 0, 1});
    CHECK(Numbers(evaluate(gradients(sum(logsumexp(x, {-1})), x), feeds)) == Numbers{0.5, 0.5, NaN, NaN, 0, 1});
  }
}

TEST_CASE("var: exactly 0 for equal values, accurate far from 0, NaN for too few values") {
  for (const DType d : {f32, f64}) {
    CAPTURE(name_of(d));
    Graph g({.dtype = d});
    const Value x = g.input("x", {3, 7});
    for (const double number : {0.1, -1e30, 1.0 / 3, 123456.789, 1e8 + 8}) {
      const Feeds feeds{{x, Tensor::full({3, 7}, number, d)}};
      CHECK(evaluate(var(x), feeds).item() == 0);
      CHECK(Numbers(evaluate(var(x, {0}), feeds)) == Numbers{0, 0, 0, 0, 0, 0, 0});
      CHECK(evaluate(stddev(x), feeds).item() == 0);
      for (const Value v : {gradients(var(x), x), gradients(sum(var(x, {-1}, false, 1)), x)})
        CHECK(evaluate(sum(abs(v)), feeds).item() == 0);
      const Tensor slope = evaluate(gradients(stddev(x), x), feeds);
      CHECK(evaluate(sum(abs(g.constant(slope)))).item() == 0);
    }
    CHECK(values([](Value v) { return var(v); }, {1e7, 1e7 + 1, 1e7 + 2}, d).near({2.0 / 3}, 1e-7));
    CHECK(values([](Value v) { return var(v, {}, false, 1); }, {1, 2, 4}, d).near({7.0 / 3}, 1e-7));
    CHECK(values([](Value v) { return var(v, {}, false, 1); }, {1}, d) == Numbers{NaN});
    CHECK(values([](Value v) { return var(v); }, {1, inf}, d) == Numbers{NaN});
  }
}

TEST_CASE("norm: neither overflows nor underflows; the derivative at 0 is 0") {
  const auto of = [](double p) { return [p](Value x) { return norm(x, p); }; };
  CHECK(values(of(2), {3e200, 4e200}).near({5e200}, 1e-15));
  CHECK(values(of(2), {3e-200, 4e-200}).near({5e-200}, 1e-15));
  CHECK(values(of(2), {3e30, 4e30}, f32).near({5e30}, 2e-7));
  CHECK(values(of(2), {3e-30, 4e-30}, f32).near({5e-30}, 2e-7));
  CHECK(values(of(2), {2, 3, 6}) == Numbers{7});
  CHECK(values(of(3), {1e200, 1e200}).near({1e200 * std::cbrt(2.0)}, 1e-15));
  CHECK(values(of(0.5), {1, 4, 0}).near({9}, 1e-15));
  CHECK(values(of(-1), {2, 2}).near({1}, 1e-15));
  CHECK(values(of(-1), {2, 0}) == Numbers{0});
  CHECK(values(of(1), {-2, 3}) == Numbers{5});
  CHECK(values(of(0), {-2, 0, 3, NaN}) == Numbers{3});
  CHECK(values(of(inf), {-2, 1}) == Numbers{2});
  CHECK(values(of(-inf), {-2, 1}) == Numbers{1});
  for (const double p : {0.5, 1.0, 1.5, 2.0, 3.0, inf, -inf}) {
    CAPTURE(p);
    CHECK(values(of(p), {0, 0}) == Numbers{0});
    CHECK(slopes(of(p), {0, 0}) == Numbers{0, 0});
    CHECK(values(of(p), {NaN, 1}) == Numbers{NaN});
    if (p > 0) CHECK(values(of(p), {-inf, 1}) == Numbers{inf});
    if (p > 0 && p < inf) CHECK(values(of(p), {}) == Numbers{0});
  }
  for (const double p : {1.5, 2.0, 3.0}) CHECK(slopes(of(p), {0, -5}).near({0, -1}, 1e-15));
  CHECK(slopes(of(0.5), {0, -5}).near({0, -1}, 1e-15));
  CHECK(slopes(of(2), {3e200, 4e200}).near({0.6, 0.8}, 1e-15));
  CHECK(slopes(of(2), {3e-200, 4e-200}).near({0.6, 0.8}, 1e-15));
  CHECK(slopes(of(2), {3e30, 4e30}, f32).near({0.6, 0.8}, 2e-7));
  CHECK(slopes(of(2), {3e-30, 4e-30}, f32).near({0.6, 0.8}, 2e-7));
  CHECK(slopes(of(3), {1e200, 1e200}).near({std::cbrt(0.25), std::cbrt(0.25)}, 1e-15));
  CHECK(slopes(of(inf), {-2, 1, 2}) == Numbers{-0.5, 0, 0.5});
}

TEST_CASE("reductions: empty inputs") {
  CHECK(values([](Value x) { return sum(x); }, {}) == Numbers{0});
  CHECK(values([](Value x) { return prod(x); }, {}) == Numbers{1});
  CHECK(values([](Value x) { return mean(x); }, {}) == Numbers{NaN});
  CHECK(values([](Value x) { return var(x); }, {}) == Numbers{NaN});
  CHECK(values([](Value x) { return any(x); }, {}) == Numbers{0});
  CHECK(values([](Value x) { return all(x); }, {}) == Numbers{1});
  CHECK(values([](Value x) { return cumsum(x, 0); }, {}) == Numbers{});
  CHECK(values([](Value x) { return softmax(x); }, {}) == Numbers{});
  for (auto* f : {max, min}) CHECK_THROWS_AS(values([f](Value x) { return f(x, {}, false); }, {}), ShapeError);
  CHECK_THROWS_AS(values([](Value x) { return argmax(x); }, {}), ShapeError);
  CHECK_THROWS_AS(values([](Value x) { return argmin(x); }, {}), ShapeError);
}

TEST_CASE("max, min, argmax, argmin: ties share the gradient, NaN propagates, the first index wins") {
  CHECK(slopes([](Value x) { return max(x); }, {1, 3, 3, 2}) == Numbers{0, 0.5, 0.5, 0});
  CHECK(slopes([](Value x) { return min(x); }, {1, 3, 1, 2}) == Numbers{0.5, 0, 0.5, 0});
  CHECK(values([](Value x) { return max(x); }, {1, NaN, inf}) == Numbers{NaN});
  CHECK(values([](Value x) { return min(x); }, {1, NaN, -inf}) == Numbers{NaN});
  CHECK(values([](Value x) { return argmax(x); }, {1, 3, 3, 2}) == Numbers{1});
  CHECK(values([](Value x) { return argmin(x); }, {3, 1, 1, 2}) == Numbers{1});
  CHECK(values([](Value x) { return argmax(x); }, {inf, NaN, NaN}) == Numbers{1});
  CHECK(values([](Value x) { return argmin(x); }, {-inf, NaN, NaN}) == Numbers{1});
  Graph g;
  const Value x = g.input("x", {2, 3});
  const Feeds feeds{{x, Tensor::from<float>({2, 3}, {1, 2, 0, 5, 4, 5})}};
  CHECK(Numbers(evaluate(argmax(x), feeds)) == Numbers{3});
  CHECK(Numbers(evaluate(argmin(x), feeds)) == Numbers{2});
  CHECK(Numbers(evaluate(argmax(x, -1), feeds)) == Numbers{1, 0});
  CHECK(Numbers(evaluate(argmin(x, 0), feeds)) == Numbers{0, 0, 0});
  CHECK(argmax(x, {}, true).shape() == Shape{1, 1});
  CHECK(argmin(x, 0, true).shape() == Shape{1, 3});
}

TEST_CASE("prod, cumprod: first and second derivatives where elements are 0") {
  CHECK(slopes([](Value x) { return prod(x); }, {0, 2, 3}) == Numbers{6, 0, 0});
  CHECK(slopes([](Value x) { return prod(x); }, {0, 2, 0}) == Numbers{0, 0, 0});
  CHECK(slopes([](Value x) { return cumprod(x, 0); }, {2, 0, 3}) == Numbers{1, 8, 0});
  const CheckOptions zeros{.allow_zero = true};  // the gradient is 0 where two factors are 0
  for (const Tensor& at :
       {Tensor::from<double>({2, 3}, {0, 2, 3, 4, 5, 6}), Tensor::from<double>({2, 3}, {0, 2, 3, 4, 0, 6}),
        Tensor::from<double>({2, 3}, {0, 2, 0, 4, 0, 6})}) {
    Graph g({.dtype = f64});
    const Value x = g.input("x", {2, 3});
    check_gradients(prod(x), x, {{x, at}}, zeros);
    check_gradients(prod(x, {0}), x, {{x, at}}, zeros);
    check_gradients(prod(x, {1}, true), x, {{x, at}}, zeros);
    for (const bool reverse : {false, true}) {
      check_gradients(cumprod(x, 0, reverse), x, {{x, at}}, zeros);
      check_gradients(cumprod(x, 1, reverse), x, {{x, at}}, zeros);
    }
  }
}

TEST_CASE("reductions: booleans are counted in i64; mean of integers throws with a hint") {
  Graph g;
  const Value b = g.input("b", {4}, boolean), i = g.input("i", {3}, i64);
  const Feeds feeds{{b, Tensor::from<bool>({4}, {true, false, true, true})},
                    {i, Tensor::from<std::int64_t>({3}, {INT64_MAX, 1, 0})}};
  CHECK(sum(b).dtype() == i64);
  CHECK(evaluate(sum(b), feeds).item() == 3);
  CHECK(Numbers(evaluate(cumsum(b, 0), feeds)) == Numbers{1, 1, 2, 3});
  CHECK(evaluate(prod(b), feeds).item() == 0);
  CHECK(evaluate(any(b), feeds).item() == 1);
  CHECK(evaluate(all(b), feeds).item() == 0);
  CHECK(evaluate(sum(i), feeds).values<std::int64_t>()[0] == INT64_MIN);  // wraps around
  CHECK(evaluate(any(i), feeds).item() == 1);
  CHECK(evaluate(all(i), feeds).item() == 0);
  CHECK_THROWS_WITH_AS(mean(i), doctest::Contains("mean: needs a floating dtype, got i64"), DTypeError);
  CHECK_THROWS_WITH_AS(mean(b), doctest::Contains("hint: use cast(x, f32)"), DTypeError);
}

TEST_CASE("any, all: every nonzero value is true, NaN too") {
  CHECK(values([](Value x) { return any(x); }, {0, -0.0, NaN}) == Numbers{1});
  CHECK(values([](Value x) { return all(x); }, {1, NaN}) == Numbers{1});
  CHECK(values([](Value x) { return all(x); }, {1, -0.0}) == Numbers{0});
}

TEST_CASE("cast: truncates, saturates, maps NaN to 0; nonzero is true") {
  const std::initializer_list<double> x{-1.7, 1.7, 1e30, -1e30, inf, NaN, -0.0};
  const auto top = static_cast<double>(INT64_MAX), bottom = static_cast<double>(INT64_MIN);
  for (const DType d : {f32, f64}) {
    CHECK(values([](Value v) { return cast(v, i64); }, x, d) == Numbers{-1, 1, top, bottom, top, 0, 0});
    CHECK(values([](Value v) { return cast(v, boolean); }, x, d) == Numbers{1, 1, 1, 1, 1, 1, 0});
  }
  CHECK(values([](Value v) { return cast(v, f32); }, {1e300, 0.1}) == Numbers{inf, static_cast<double>(0.1F)});
}
