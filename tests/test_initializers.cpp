// The first numbers of weights: formulas of Glorot, He and LeCun, measured on large samples.
#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/graph/interpreter.hpp>
#include <xgrad/nn/initializers.hpp>
#include <xgrad/ops/ops.hpp>

using namespace xgrad;

namespace {

struct Moments {
  double mean = 0, deviation = 0, largest = 0;
};

Moments moments(const Tensor& t) {
  Moments m;
  const auto n = static_cast<double>(t.elements());
  for (Index i = 0; i < t.elements(); ++i) m.mean += t.at(i) / n;
  for (Index i = 0; i < t.elements(); ++i) {
    m.deviation += (t.at(i) - m.mean) * (t.at(i) - m.mean) / n;
    m.largest = std::max(m.largest, std::abs(t.at(i)));
  }
  m.deviation = std::sqrt(m.deviation);
  return m;
}

}  // namespace

TEST_CASE("fans are those of Keras") {
  CHECK(nn::fans_of({784, 256}).in == 784);
  CHECK(nn::fans_of({784, 256}).out == 256);
  CHECK(nn::fans_of({7}).in == 7);
  CHECK(nn::fans_of({7}).out == 7);
  CHECK(nn::fans_of({3, 5, 8, 16}).in == 3 * 5 * 8);  // a convolution: its field counts
  CHECK(nn::fans_of({3, 5, 8, 16}).out == 3 * 5 * 16);
  CHECK(nn::fans_of({}).in == 1);
}

TEST_CASE("uniform and truncated initializers have the deviation and the bounds of their formulas") {
  constexpr double in = 784, out = 256;
  constexpr double truncation = 2 / 0.87962566103423978;  // the cut, in deviations of what remains
  struct Case {
    const nn::Initializer* initializer;
    double deviation, bound;
  };
  const double average = (in + out) / 2;
  const Case cases[] = {
      {&nn::glorot_uniform, std::sqrt(1 / average), std::sqrt(3 / average)},
      {&nn::glorot_normal, std::sqrt(1 / average), truncation * std::sqrt(1 / average)},
      {&nn::he_uniform, std::sqrt(2 / in), std::sqrt(6 / in)},
      {&nn::he_normal, std::sqrt(2 / in), truncation * std::sqrt(2 / in)},
      {&nn::lecun_uniform, std::sqrt(1 / in), std::sqrt(3 / in)},
      {&nn::lecun_normal, std::sqrt(1 / in), truncation * std::sqrt(1 / in)},
  };
  for (const Case& c : cases) {
    CAPTURE(c.initializer->name());
    const Moments m = moments((*c.initializer)({784, 256}, f64, 3));
    CHECK(std::abs(m.mean) < 5 * c.deviation / std::sqrt(in * out));  // five standard errors
    CHECK(m.deviation == doctest::Approx(c.deviation).epsilon(0.01));
    CHECK(m.largest <= c.bound);
    CHECK(m.largest > 0.99 * c.bound);
  }
  CHECK(moments(nn::glorot_uniform({784, 256}, f64, 1)).largest <= 0.07596);
}

TEST_CASE("normal, truncated normal, uniform and constant") {
  const Moments wide = moments(nn::normal(1, 2)({100, 1000}, f64, 1));
  CHECK(wide.mean == doctest::Approx(1).epsilon(0.03));
  CHECK(wide.deviation == doctest::Approx(2).epsilon(0.02));
  CHECK(wide.largest > 7);  // not cut
  const Moments cut = moments(nn::truncated_normal(0, 2)({100, 1000}, f64, 1));
  CHECK(cut.deviation == doctest::Approx(2 * 0.87962566103423978).epsilon(0.02));
  CHECK(cut.largest <= 4);
  const Moments flat = moments(nn::uniform()({100, 1000}, f32, 1));
  CHECK(flat.deviation == doctest::Approx(0.05 / std::sqrt(3.0)).epsilon(0.02));
  CHECK(nn::constant(0.25)({3}, f32, 1).at(2) == 0.25);
  CHECK(nn::zeros({3}, f32, 1).at(1) == 0);
  CHECK(nn::ones({3}, f64, 1).at(1) == 1);
}

TEST_CASE("the same seed gives the same numbers, another seed others") {
  const Tensor a = nn::he_normal({20, 30}, f32, 7);
  CHECK(bitwise_equal(a, nn::he_normal({20, 30}, f32, 7)));
  CHECK_FALSE(bitwise_equal(a, nn::he_normal({20, 30}, f32, 8)));
}

// The chapter's experiment: 784 inputs from [0, 1), 256 sigmoid units. Standard normal weights drive nearly all of them
// to 0 or 1, Glorot's keep them in the middle.
TEST_CASE("activations saturate under standard normal weights and do not under Glorot's") {
  const auto part_in_the_middle = [](const nn::Initializer& initializer) {
    Graph g;
    const Value x = g.constant(nn::uniform(0, 1)({8, 784}, f32, 1));
    const Value a = sigmoid(matmul(x, g.constant(initializer({784, 256}, f32, 2))));
    return evaluate(mean(cast(logical_and(a > 0.1, a < 0.9), f32))).item();
  };
  CHECK(part_in_the_middle(nn::normal(0, 1)) == doctest::Approx(0.108).epsilon(0.3));
  CHECK(part_in_the_middle(nn::glorot_normal) > 0.99);
  CHECK(part_in_the_middle(nn::glorot_uniform) > 0.99);
}

TEST_CASE("initializers refuse what has no meaning") {
  CHECK_THROWS_WITH_AS(nn::normal(0, -1), doctest::Contains("standard deviation of -1"), UserError);
  CHECK_THROWS_WITH_AS(nn::truncated_normal(0, NAN), doctest::Contains("nan"), UserError);
  CHECK_THROWS_WITH_AS(nn::uniform(1, 0), doctest::Contains("not in order"), UserError);
  CHECK_THROWS_WITH_AS(nn::zeros({3}, i64, 1), doctest::Contains("constant(0): weights are floating numbers, not i64"),
                       UserError);
  CHECK_THROWS_WITH_AS(nn::variance_scaling(0, nn::Fan::in, nn::Distribution::uniform), doctest::Contains("scale of 0"),
                       UserError);
}
