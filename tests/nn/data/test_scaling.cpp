// Column scaling and synthetic data.
#include <cmath>
#include <numbers>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/data/scaling.hpp>
#include <xgrad/nn/data/synthetic.hpp>

#include "support/scratch.hpp"

using namespace xgrad;
using namespace xgrad::nn;
using scratch::contains;
using scratch::message_of;

namespace {

std::vector<double> numbers(const Tensor& t) {
  std::vector<double> out;
  for (Index i = 0; i < t.elements(); ++i) out.push_back(t.at(i));
  return out;
}

}  // namespace

TEST_CASE("scaling: standardizes to mean 0 and variance 1 of the training rows") {
  const Tensor train = Tensor::from<double>({4, 2}, {1, 10, 3, 10, 5, 10, 7, 10});
  const Scaling s = standard_scaling(train);
  CHECK(numbers(s.shift) == std::vector<double>{4, 10});
  CHECK(numbers(s.scale) == std::vector<double>{std::sqrt(5.0), 1});  // the second column is constant
  const double a = 3 / std::sqrt(5.0), b = 1 / std::sqrt(5.0);
  CHECK(numbers(s.apply(train)) == std::vector<double>{-a, 0, -b, 0, b, 0, a, 0});
  const Tensor other = Tensor::from<double>({1, 2}, {4, 13});
  CHECK(numbers(s.apply(other)) == std::vector<double>{0, 3});
  const Tensor back = s.inverse(s.apply(train));
  for (Index i = 0; i < 8; ++i) CHECK(back.at(i) == doctest::Approx(train.at(i)).epsilon(1e-15));
  CHECK(s.apply(train.cast(f32)).dtype() == f32);
  CHECK(s.apply(Tensor({0, 2})).shape() == Shape{0, 2});
}

TEST_CASE("scaling: scales each position of a row of any shape") {
  Tensor x({50, 3, 4});
  for (Index i = 0; i < x.elements(); ++i)
    x.mutable_values<float>()[static_cast<std::size_t>(i)] =
        static_cast<float>(std::sin(0.37 * static_cast<double>(i * i)) + static_cast<double>(i % 12));
  const Scaling s = standard_scaling(x);
  CHECK(s.shift.shape() == Shape{3, 4});
  const Tensor scaled = s.apply(x);
  for (Index c = 0; c < 12; ++c) {
    double mean = 0, squares = 0;
    for (Index row = 0; row < 50; ++row) mean += scaled.at(row * 12 + c) / 50;
    for (Index row = 0; row < 50; ++row) squares += std::pow(scaled.at(row * 12 + c), 2) / 50;
    CHECK(std::abs(mean) < 1e-7);
    CHECK(squares == doctest::Approx(1).epsilon(1e-6));
  }
  CHECK(standard_scaling(Tensor::from<double>({3}, {1, 2, 3})).shift.shape() == Shape{});  // rows are scalars
}

TEST_CASE("scaling: a constant column stays constant despite rounding") {
  const Tensor same = Tensor::full({1000, 1}, 0.1, f64);
  CHECK(numbers(standard_scaling(same).apply(same)) == std::vector<double>(1000, 0.0));
  CHECK(numbers(min_max_scaling(same).apply(same)) == std::vector<double>(1000, 0.0));
}

TEST_CASE("scaling: min_max_scaling maps to a range") {
  const Tensor train = Tensor::from<double>({3, 2}, {1, 5, 2, 5, 5, 5});
  CHECK(numbers(min_max_scaling(train).apply(train)) == std::vector<double>{0, 0, 0.25, 0, 1, 0});
  const Scaling s = min_max_scaling(train, -1, 3);
  CHECK(numbers(s.apply(train)) == std::vector<double>{-1, -1, 0, -1, 3, -1});
  CHECK(numbers(s.inverse(s.apply(train))) == numbers(train));
  CHECK(numbers(s.apply(Tensor::from<double>({1, 2}, {9, 6}))) ==
        std::vector<double>{7, 0});  // out of range, like the data
}

TEST_CASE("scaling: invalid data throws") {
  Tensor x({3, 2});
  CHECK(contains(message_of<ShapeError>([&] {
                   (void)standard_scaling(x).apply(Tensor({3, 3}));
                 }),
                 "row shape differs from the fitted one\n  x: f32[3, 3]\n  fitted row shape: [2]"));
  CHECK_THROWS_AS(Scaling().apply(x), ShapeError);
  CHECK_THROWS_AS(standard_scaling(Tensor()), ShapeError);
  CHECK_THROWS_AS(standard_scaling(Tensor(1.0F)), ShapeError);
  CHECK_THROWS_AS(standard_scaling(Tensor({0, 2})), ShapeError);
  CHECK_THROWS_AS(min_max_scaling(Tensor({2, 2}, i64)), DTypeError);
  CHECK_THROWS_AS(standard_scaling(x).inverse(Tensor({2, 2}, i64)), DTypeError);
  CHECK_THROWS_AS(min_max_scaling(x, 1, 1), UserError);
  CHECK_THROWS_AS(min_max_scaling(x, 0, INFINITY), UserError);
  CHECK_THROWS_AS(min_max_scaling(x, std::nan(""), 1), UserError);
  x.mutable_values<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  CHECK(contains(message_of<ValueError>([&] { (void)standard_scaling(x); }), "row 1, column 1: nan is not finite"));
  CHECK_THROWS_AS(min_max_scaling(x), ValueError);
}

TEST_CASE("make_friedman: follows the formula with the requested noise") {
  const Dataset data = make_friedman(4000, 1, {.noise = 0});
  CHECK(data.x.shape() == Shape{4000, 10});
  CHECK(data.y.shape() == Shape{4000, 1});
  double mean = 0;
  for (Index i = 0; i < 4000; ++i) {
    const auto x = [&](Index c) { return data.x.at(i * 10 + c); };
    for (Index c = 0; c < 10; ++c) CHECK((x(c) >= 0 && x(c) <= 1));
    const double y =
        10 * std::sin(std::numbers::pi * x(0) * x(1)) + 20 * std::pow(x(2) - 0.5, 2) + 10 * x(3) + 5 * x(4);
    CHECK(data.y.at(i) == doctest::Approx(y).epsilon(1e-6));
    mean += data.y.at(i) / 4000;
  }
  CHECK(mean == doctest::Approx(14.41).epsilon(0.02));  // 10 * 0.5241 + 20 / 12 + 5 + 2.5
  const Dataset noisy = make_friedman(4000, 1, {.noise = 2});
  CHECK(bitwise_equal(noisy.x, data.x));
  double squares = 0;
  for (Index i = 0; i < 4000; ++i) squares += std::pow(noisy.y.at(i) - data.y.at(i), 2) / 4000;
  CHECK(std::sqrt(squares) == doctest::Approx(2).epsilon(0.03));
  CHECK(bitwise_equal(make_friedman(7, 1).x, make_friedman(9, 1).x.rows(0, 7)));
  CHECK_FALSE(bitwise_equal(make_friedman(7, 1).x, make_friedman(7, 2).x));
}

TEST_CASE("make_moons, make_spirals: points lie on the curves") {
  const Dataset moons = make_moons(500, 1, 0);
  const Dataset spirals = make_spirals(600, 1, 3, 0);
  for (Index i = 0; i < 500; ++i) {
    const double x = moons.x.at(2 * i), y = moons.x.at(2 * i + 1);
    CHECK(moons.y.at(i) == i % 2);
    const double radius = i % 2 == 0 ? std::hypot(x, y) : std::hypot(x - 1, y - 0.5);
    CHECK(radius == doctest::Approx(1).epsilon(1e-6));
    CHECK((i % 2 == 0 ? y >= -1e-6 : y <= 0.5 + 1e-6));
  }
  for (Index i = 0; i < 600; ++i) {
    const double x = spirals.x.at(2 * i), y = spirals.x.at(2 * i + 1), radius = std::hypot(x, y);
    CHECK(spirals.y.at(i) == i % 3);
    CHECK(radius <= 1 + 1e-6);
    const double angle = 2 * std::numbers::pi * (1.5 * radius + static_cast<double>(i % 3) / 3);
    CHECK(std::abs(x - radius * std::cos(angle)) < 1e-5);
    CHECK(std::abs(y - radius * std::sin(angle)) < 1e-5);
  }
  CHECK_FALSE(bitwise_equal(make_moons(5, 1).x, make_moons(5, 2).x));
  CHECK(bitwise_equal(make_spirals(5, 3).x, make_spirals(9, 3).x.rows(0, 5)));
  CHECK(make_moons(0, 1).size() == 0);
}

TEST_CASE("synthetic data: invalid options throw and are named") {
  CHECK(contains(message_of<UserError>([] { (void)make_friedman(-1, 1); }),
                 "make_friedman: rows must be at least 0, got -1"));
  CHECK(contains(message_of<UserError>([] { (void)make_friedman(1, 1, {.features = 4}); }),
                 "make_friedman: features must be at least 5, got 4"));
  CHECK(
      contains(message_of<UserError>([] { (void)make_friedman(1, 1, {.noise = -1}); }), "noise, a standard deviation"));
  CHECK_THROWS_AS(make_moons(1, 1, std::nan("")), UserError);
  CHECK_THROWS_AS(make_moons(-1, 1), UserError);
  CHECK_THROWS_AS(make_spirals(1, 1, 0), UserError);
  CHECK_THROWS_AS(make_spirals(1, 1, 2, INFINITY), UserError);
}
