// Weight initializers: the formulas of Glorot, He and LeCun, checked on large samples.
#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/nn/initializers.hpp>
#include <xgrad/ops/ops.hpp>

using namespace xgrad;

namespace {

struct Moments {
  double mean = 0, stddev = 0, largest = 0;
};

Moments moments(const Tensor& t) {
  Moments m;
  const auto n = static_cast<double>(t.elements());
  for (Index i = 0; i < t.elements(); ++i) m.mean += t.at(i) / n;
  for (Index i = 0; i < t.elements(); ++i) {
    m.stddev += (t.at(i) - m.mean) * (t.at(i) - m.mean) / n;
    m.largest = std::max(m.largest, std::abs(t.at(i)));
  }
  m.stddev = std::sqrt(m.stddev);
  return m;
}

}  // namespace

TEST_CASE("fans_of: as in Keras") {
  CHECK(nn::fans_of({784, 256}).in == 784);
  CHECK(nn::fans_of({784, 256}).out == 256);
  CHECK(nn::fans_of({7}).in == 7);
  CHECK(nn::fans_of({7}).out == 7);
  CHECK(nn::fans_of({3, 5, 8, 16}).in == 3 * 5 * 8);  // a convolution: its window counts
  CHECK(nn::fans_of({3, 5, 8, 16}).out == 3 * 5 * 16);
  CHECK(nn::fans_of({}).in == 1);
}

TEST_CASE("initializers: standard deviation and bounds of the uniform and truncated ones") {
  constexpr double in = 784, out = 256;
  constexpr double truncation = 2 / 0.87962566103423978;  // bound in standard deviations of the truncated variable
  struct Case {
    const nn::Initializer* initializer;
    double stddev, bound;
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
    CHECK(std::abs(m.mean) < 5 * c.stddev / std::sqrt(in * out));  // five standard errors
    CHECK(m.stddev == doctest::Approx(c.stddev).epsilon(0.01));
    CHECK(m.largest <= c.bound);
    CHECK(m.largest > 0.99 * c.bound);
  }
  CHECK(moments(nn::glorot_uniform({784, 256}, f64, 1)).largest <= 0.07596);
}

TEST_CASE("initializers: normal, truncated normal, uniform and constant") {
  const Moments wide = moments(nn::normal(1, 2)({100, 1000}, f64, 1));
  CHECK(wide.mean == doctest::Approx(1).epsilon(0.03));
  CHECK(wide.stddev == doctest::Approx(2).epsilon(0.02));
  CHECK(wide.largest > 7);  // not truncated
  const Moments truncated = moments(nn::truncated_normal(0, 2)({100, 1000}, f64, 1));
  CHECK(truncated.stddev == doctest::Approx(2 * 0.87962566103423978).epsilon(0.02));
  CHECK(truncated.largest <= 4);
  const Moments flat = moments(nn::uniform()({100, 1000}, f32, 1));
  CHECK(flat.stddev == doctest::Approx(0.05 / std::sqrt(3.0)).epsilon(0.02));
  CHECK(nn::constant(0.25)({3}, f32, 1).at(2) == 0.25);
  CHECK(nn::zeros({3}, f32, 1).at(1) == 0);
  CHECK(nn::ones({3}, f64, 1).at(1) == 1);
}

TEST_CASE("initializers: equal seeds give equal values, other seeds different ones") {
  const Tensor a = nn::he_normal({20, 30}, f32, 7);
  CHECK(bitwise_equal(a, nn::he_normal({20, 30}, f32, 7)));
  CHECK_FALSE(bitwise_equal(a, nn::he_normal({20, 30}, f32, 8)));
}

// From *Deep Learning Illustrated*, chapter 9: 784 inputs from [0, 1), 256 sigmoid units. Standard normal weights
// saturate nearly all of them, Glorot's do not.
TEST_CASE("initializers: sigmoids saturate with standard normal weights, not with Glorot's") {
  const auto unsaturated_fraction = [](const nn::Initializer& initializer) {
    Graph g;
    const Value x = g.constant(nn::uniform(0, 1)({8, 784}, f32, 1));
    const Value a = sigmoid(matmul(x, g.constant(initializer({784, 256}, f32, 2))));
    return evaluate(mean(cast(logical_and(a > 0.1, a < 0.9), f32))).item();
  };
  CHECK(unsaturated_fraction(nn::normal(0, 1)) == doctest::Approx(0.108).epsilon(0.3));
  CHECK(unsaturated_fraction(nn::glorot_normal) > 0.99);
  CHECK(unsaturated_fraction(nn::glorot_uniform) > 0.99);
}

TEST_CASE("initializers: invalid arguments throw") {
  CHECK_THROWS_WITH_AS(nn::normal(0, -1), doctest::Contains("normal: stddev must be at least 0, got -1"), UserError);
  CHECK_THROWS_WITH_AS(nn::truncated_normal(0, NAN), doctest::Contains("nan"), UserError);
  CHECK_THROWS_WITH_AS(nn::uniform(1, 0), doctest::Contains("uniform: low must not be above high, got 1 and 0"),
                       UserError);
  CHECK_THROWS_WITH_AS(nn::zeros({3}, i64, 1), doctest::Contains("constant(0): dtype must be f32 or f64, got i64"),
                       UserError);
  CHECK_THROWS_WITH_AS(nn::variance_scaling(0, nn::Fan::in, nn::Distribution::uniform),
                       doctest::Contains("scale must be above 0, got 0"), UserError);
}

TEST_CASE("variance_scaling: three distributions, three fans") {
  const auto stddev = [](nn::Fan fan, nn::Distribution distribution) {
    return moments(nn::variance_scaling(3, fan, distribution)({100, 400}, f64, 5));
  };
  CHECK(stddev(nn::Fan::in, nn::Distribution::uniform).stddev == doctest::Approx(std::sqrt(0.03)).epsilon(0.02));
  CHECK(stddev(nn::Fan::in, nn::Distribution::uniform).largest <= std::sqrt(0.09));
  const Moments normal = stddev(nn::Fan::out, nn::Distribution::normal);
  CHECK(normal.stddev == doctest::Approx(std::sqrt(0.0075)).epsilon(0.02));
  CHECK(normal.largest > 3.5 * std::sqrt(0.0075));  // not truncated
  const Moments truncated = stddev(nn::Fan::average, nn::Distribution::truncated_normal);
  CHECK(truncated.stddev == doctest::Approx(std::sqrt(0.012)).epsilon(0.02));
  CHECK(truncated.largest <= 2.2737 * std::sqrt(0.012));
}

TEST_CASE("orthogonal: the vectors along the shorter side are orthonormal, times the gain") {
  struct Case {
    Shape shape;
    Index rows, columns;
  };
  for (const Case& c :
       {Case{{40, 7}, 40, 7}, {{7, 40}, 7, 40}, {{12, 12}, 12, 12}, {{3, 3, 2, 8}, 18, 8}, {{1, 1}, 1, 1}}) {
    const Index rows = c.rows, columns = c.columns;
    CAPTURE(c.shape);
    const Tensor w = nn::orthogonal(2)(c.shape, f64, 3);
    const Index count = std::min(rows, columns), length = std::max(rows, columns);
    const auto element = [&](Index vector, Index i) {
      return rows <= columns ? w.at(vector * columns + i) : w.at(i * columns + vector);
    };
    double worst = 0;
    for (Index a = 0; a < count; ++a) {
      for (Index b = 0; b < count; ++b) {
        double product = 0;
        for (Index i = 0; i < length; ++i) product += element(a, i) * element(b, i);
        worst = std::max(worst, std::abs(product - (a == b ? 4 : 0)));
      }
    }
    CHECK(worst < 1e-13);
  }
  CHECK_FALSE(bitwise_equal(nn::orthogonal()({5, 5}, f64, 1), nn::orthogonal()({5, 5}, f64, 2)));
  CHECK(nn::orthogonal()({0, 5}, f64, 1).elements() == 0);
  CHECK_THROWS_WITH_AS(nn::orthogonal()({5}, f64, 1),
                       doctest::Contains("orthogonal: the weight must have at least 2 axes, got shape [5]"),
                       ShapeError);
}

TEST_CASE("orthogonal: rotations and reflections are equally likely") {
  // A QR decomposition gives uniformly distributed matrices only if the signs of R's diagonal are corrected.
  int positive = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Tensor q = nn::orthogonal()({2, 2}, f64, seed);
    positive += q.at(0) * q.at(3) - q.at(1) * q.at(2) > 0 ? 1 : 0;
  }
  CHECK(std::abs(positive - 100) < 36);  // five standard deviations
}

TEST_CASE("identity: gain on the diagonal") {
  const Tensor w = nn::identity(3)({2, 4}, f32, 1);
  CHECK(bitwise_equal(w, Tensor::from<float>({2, 4}, {3, 0, 0, 0, 0, 3, 0, 0})));
  CHECK_THROWS_WITH_AS(nn::identity()({2, 2, 2}, f32, 1), doctest::Contains("identity: the weight must have 2 axes"),
                       ShapeError);
}

TEST_CASE("initializers: with_seed overrides the given seed") {
  const nn::Initializer all[] = {nn::uniform(),
                                 nn::normal(),
                                 nn::truncated_normal(),
                                 nn::glorot_uniform,
                                 nn::glorot_normal,
                                 nn::he_uniform,
                                 nn::he_normal,
                                 nn::lecun_uniform,
                                 nn::lecun_normal,
                                 nn::orthogonal(),
                                 nn::variance_scaling(1, nn::Fan::out, nn::Distribution::normal)};
  for (const nn::Initializer& initializer : all) {
    CAPTURE(initializer.name());
    const nn::Initializer seeded = initializer.with_seed(7);
    CHECK(bitwise_equal(seeded({4, 5}, f64, 1), seeded({4, 5}, f64, 2)));
    CHECK(bitwise_equal(seeded({4, 5}, f64, 1), initializer({4, 5}, f64, 7)));
    CHECK_FALSE(bitwise_equal(seeded({4, 5}, f64, 1), initializer.with_seed(8)({4, 5}, f64, 1)));
    CHECK(seeded.name() == initializer.name());
  }
}

// The same experiment for several initializers: the pre-activations are z ~ N(0, 784 / 3 sigma^2).
TEST_CASE("initializers: standard deviation of pre-activations") {
  struct Case {
    const char* name;
    nn::Initializer initializer;
    double stddev, middle;
  };
  const Case cases[] = {{"normal(1)", nn::normal(0, 1), 16.17, 0.108},
                        {"glorot_uniform", nn::glorot_uniform, 0.709, 0.998},
                        {"glorot_normal", nn::glorot_normal, 0.709, 0.998},
                        {"he_normal", nn::he_normal, 0.816, 0.993},
                        {"lecun_normal", nn::lecun_normal, 0.577, 0.9999}};
  for (const Case& c : cases) {
    CAPTURE(c.name);
    double squares = 0, middle = 0;
    constexpr int draws = 8;  // of inputs and of weights
    for (std::uint64_t i = 0; i < draws; ++i) {
      Graph g({.dtype = f64});
      const Value x = g.constant(nn::uniform(0, 1)({16, 784}, f64, 100 + i));
      const Value z = matmul(x, g.constant(c.initializer({784, 256}, f64, i)));
      const Value a = sigmoid(z);
      squares += evaluate(mean(square(z))).item() / draws;
      middle += evaluate(mean(cast(logical_and(a > 0.1, a < 0.9), f64))).item() / draws;
    }
    // The inputs have a nonzero mean, so the sums of one unit are correlated: about 256 * draws are independent.
    CHECK(std::sqrt(squares) == doctest::Approx(c.stddev).epsilon(0.06));
    CHECK(middle == doctest::Approx(c.middle).epsilon(c.middle > 0.9 ? 0.006 : 0.15));
  }
}
