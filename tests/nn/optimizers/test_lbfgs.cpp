// L-BFGS on problems with known minima.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/nn/data/random.hpp>
#include <xgrad/xgrad.hpp>

using namespace xgrad;

namespace {

// Rosenbrock's function: sum of 100 (x(i+1) - x(i)^2)^2 + (1 - x(i))^2, with the minimum at x(i) = 1.
Value valley(Value x) {
  const Value left = slice(x, 0, 0, -1), right = slice(x, 0, 1);
  return sum(100 * square(right - square(left)) + square(1 - left));
}

Parameter start(const std::vector<double>& numbers, DType dtype = f64) {
  return {"x", Tensor::from<double>({static_cast<Index>(numbers.size())}, numbers).cast(dtype)};
}

}  // namespace

TEST_CASE("lbfgs: finds the minimum of Rosenbrock's function") {
  for (const std::vector<double>& from : {std::vector<double>{-1.2, 1}, std::vector<double>(10, -0.5)}) {
    Graph g({.dtype = f64});
    const Parameter x = start(from);
    const nn::LbfgsResult r =
        nn::lbfgs(valley(g.parameter(x)), {x}, {}, {.gradient_tolerance = 1e-9, .change_tolerance = 0});
    CHECK(r.stop == nn::LbfgsStop::gradient);
    CHECK(r.converged());
    CHECK(r.gradient <= 1e-9);
    CHECK(r.loss < 1e-18);
    CHECK(r.evaluations < 100);
    for (Index i = 0; i < x.shape().elements(); ++i) CHECK(x.value().at(i) == doctest::Approx(1).epsilon(1e-9));
  }
}

TEST_CASE("lbfgs: solves a quadratic over several parameters of any shape") {
  // |A w - b|^2 with A = diag(1 .. 6), in two parameters.
  Graph g({.dtype = f64});
  Parameter u("u", Tensor(Shape{2, 2}, f64)), v("v", Tensor(Shape{2}, f64)),
      unused("unused", Tensor(Shape{3}, f64), false);
  const Value w = concat({reshape(g.parameter(u), {4}), g.parameter(v)});
  const Value scale = arange(g, 1, 7, 1, f64);
  const nn::LbfgsResult r = nn::lbfgs(sum(square(scale * w - 1)), {u, v, unused, u}, {},
                                      {.gradient_tolerance = 1e-10, .change_tolerance = 0});
  CHECK(r.converged());
  CHECK(r.iterations <= 25);  // a plain implementation of the textbook method takes 22
  for (Index i = 0; i < 4; ++i) CHECK(u.value().at(i) == doctest::Approx(1.0 / static_cast<double>(i + 1)));
  CHECK(v.value().at(1) == doctest::Approx(1.0 / 6));
}

TEST_CASE("lbfgs: least squares on fed data match the normal equations") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {5}), y = g.input("y", {5});
  const Parameter a("a", Tensor(0.0)), b("b", Tensor(0.0));
  const nn::LbfgsResult r =
      nn::lbfgs(mean(square(g.parameter(a) * x + g.parameter(b) - y)), {a, b},
                {{x, Tensor::from<double>({5}, {0, 1, 2, 3, 4})}, {y, Tensor::from<double>({5}, {1, 3, 2, 5, 4})}},
                {.gradient_tolerance = 1e-8, .change_tolerance = 0});
  CHECK(r.converged());
  CHECK(a.value().item() == doctest::Approx(0.8).epsilon(1e-8));
  CHECK(b.value().item() == doctest::Approx(1.4).epsilon(1e-8));
  CHECK(r.loss == doctest::Approx(0.72).epsilon(1e-12));
}

TEST_CASE("lbfgs: continues in f32 until rounding hides the slope") {
  Graph g;
  const Parameter x = start({-1.2, 1}, f32);
  const nn::LbfgsResult r = nn::lbfgs(valley(g.parameter(x)), {x});
  CHECK(r.loss < 1e-8);
  CHECK(x.value().at(0) == doctest::Approx(1).epsilon(1e-3));
}

TEST_CASE("lbfgs: backs off from points where the loss is not finite") {
  // -log x + x has its minimum at 1; the first step from 0.001 would go below 0, where log is NaN.
  Graph g({.dtype = f64});
  const Parameter x = start({20, 0.001});
  const Value v = g.parameter(x);
  const nn::LbfgsResult r = nn::lbfgs(sum(v - log(v)), {x}, {}, {.change_tolerance = 0});
  CHECK(r.converged());
  CHECK(x.value().at(0) == doctest::Approx(1).epsilon(1e-6));
  CHECK(x.value().at(1) == doctest::Approx(1).epsilon(1e-6));
}

TEST_CASE("lbfgs: scaling the loss has no effect, and an offset has little") {
  const auto run = [](double factor, double offset, Parameter& x) {
    Graph g({.dtype = f64});
    return nn::lbfgs(factor * valley(g.parameter(x)) + offset, {x});
  };
  Parameter plain = start({-1.2, 1});
  const nn::LbfgsResult r = run(1, 0, plain);
  CHECK(r.converged());
  CHECK(r.loss < 1e-20);
  // Scaling by powers of two does not round, so the trajectory is bit-identical.
  for (const double factor : {0x1p-20, 0x1p20, 0x1p-60}) {
    CAPTURE(factor);
    Parameter scaled = start({-1.2, 1});
    const nn::LbfgsResult s = run(factor, 0, scaled);
    CHECK(bitwise_equal(scaled.value(), plain.value()));
    CHECK(s.iterations == r.iterations);
    CHECK(s.stop == r.stop);
  }
  for (const auto& change : {std::pair{1e-6, 0.0}, {1e6, 0.0}, {1.0, 1000.0}, {1.0, -1000.0}, {1e-6, 1e-3}}) {
    const double factor = change.first, offset = change.second;
    CAPTURE(factor);
    CAPTURE(offset);
    Parameter moved = start({-1.2, 1});
    const nn::LbfgsResult s = run(factor, offset, moved);
    CHECK(s.converged());
    CHECK(s.iterations <= r.iterations + 5);
    Graph g({.dtype = f64});
    // Rounding of the offset, 1e-13 of it, limits the accuracy; the initial loss is 24.2.
    CHECK(evaluate(valley(g.parameter(moved))).item() < (offset == 0 ? 1e-15 : 1e-9));
  }
}

TEST_CASE("lbfgs: does not report convergence while the loss still falls by a factor") {
  // Quartic: each step reduces the loss, which is small from the start, by a fraction.
  Graph g({.dtype = f64});
  const Parameter x = start({0.03, -0.02});
  const nn::LbfgsResult few = nn::lbfgs(sum(square(square(g.parameter(x)))), {x}, {}, {.max_iterations = 8});
  CHECK(few.stop == nn::LbfgsStop::iterations);
  CHECK(few.loss < 1e-9);
  const nn::LbfgsResult more = nn::lbfgs(sum(square(square(g.parameter(x)))), {x}, {}, {.max_iterations = 8});
  CHECK(more.loss < few.loss / 100);
}

TEST_CASE("lbfgs: converges at the minimum within rounding, also if started there") {
  for (const DType dtype : {f32, f64}) {
    CAPTURE(name_of(dtype));
    Graph g({.dtype = dtype});
    const Parameter x = start({-1.2, 1}, dtype);
    const Value loss =
        valley(g.parameter(x)) + 1;  // so that the minimum is not 0, where any change is large relative to the loss
    CHECK(nn::lbfgs(loss, {x}).converged());
    const nn::LbfgsResult again = nn::lbfgs(loss, {x});
    CHECK(again.converged());
    CHECK(again.iterations <= 5);
  }
}

TEST_CASE("lbfgs: reports why it stopped") {
  const auto run = [](const nn::LbfgsOptions& options) {
    Graph g({.dtype = f64});
    const Parameter x = start({-1.2, 1});
    return nn::lbfgs(valley(g.parameter(x)), {x}, {}, options);
  };
  const nn::LbfgsResult few = run({.max_iterations = 3});
  CHECK(few.stop == nn::LbfgsStop::iterations);
  CHECK_FALSE(few.converged());
  CHECK(few.iterations == 3);
  CHECK(few.loss < 24.2);  // the initial loss
  CHECK(run({.change_tolerance = 10}).stop == nn::LbfgsStop::change);
  CHECK(run({.gradient_tolerance = 1e9}).iterations == 0);
  CHECK(run({.gradient_tolerance = 1e9}).evaluations == 1);
  CHECK(run({.max_iterations = 0}).loss == doctest::Approx(24.2));

  Graph g({.dtype = f64});
  const Parameter x = start({1});
  const Value bent = stop_gradient(square(g.parameter(x))) * 2 - square(g.parameter(x));  // with a wrong slope
  const nn::LbfgsResult none = nn::lbfgs(sum(bent), {x});
  CHECK(none.stop == nn::LbfgsStop::no_lower_point);
  CHECK(x.value().at(0) == 1);
}

TEST_CASE("lbfgs: bit-identical for any number of threads") {
  const auto run = [](int threads) {
    nn::Model model{nn::Sequential{nn::Dense(200, nn::tanh), nn::Dense(1)}, {300}, {.seed = 1}};
    model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
    Tensor x({200, 300}), y({200, 1});
    nn::HostRandom random(1);
    for (float& v : x.mutable_values<float>()) v = static_cast<float>(random.near_normal());
    for (float& v : y.mutable_values<float>()) v = static_cast<float>(random.near_normal());
    const nn::ModelGraph g = model.training_graph(200);
    const nn::LbfgsResult r = nn::lbfgs(g.loss, model.parameters(), {{g.input, x}, {g.target, y}},
                                        {.max_iterations = 20, .threads = threads});
    return std::pair{r.loss, model.parameters()[0].value()};
  };
  const auto [one, weights] = run(1);
  const auto [two, others] = run(2);
  CHECK(one < 0.05);  // about 1 initially
  CHECK(one == two);
  CHECK(bitwise_equal(weights, others));
}

TEST_CASE("lbfgs: invalid arguments throw and leave the parameters unchanged") {
  Graph g({.dtype = f64});
  const Parameter x = start({-1.2, 1}), other = start({1});
  const Value loss = valley(g.parameter(x));
  CHECK_THROWS_WITH_AS(nn::lbfgs(loss, {}), doctest::Contains("lbfgs: none of the parameters is trainable"), UserError);
  CHECK_THROWS_AS(nn::lbfgs(loss, {other}), GradientError);
  CHECK_THROWS_AS(nn::lbfgs(g.parameter(x), {x}), GradientError);
  CHECK_THROWS_WITH_AS(nn::lbfgs(loss, {x}, {}, {.memory = 0}),
                       doctest::Contains("lbfgs: memory must be finite and above 0, got 0"), UserError);
  CHECK_THROWS_WITH_AS(nn::lbfgs(loss, {x}, {}, {.gradient_tolerance = NAN}),
                       doctest::Contains("lbfgs: gradient_tolerance must be finite and at least 0, got nan"),
                       UserError);
  CHECK_THROWS_WITH_AS(nn::lbfgs(sum(log(g.parameter(x))), {x}),
                       doctest::Contains("lbfgs: the initial loss and gradient must be finite"), ValueError);
  const Value in = g.input("in", {2});
  CHECK_THROWS_AS(nn::lbfgs(sum(in * g.parameter(x)), {x}), FeedError);
  // An operation that throws during the search: an index that is out of range once x changes.
  const Value table = g.constant(Tensor::from<double>({1}, {1}));
  const Value at = cast(floor(g.parameter(x) + 1.2), i64);
  const Value breaks = sum(square(g.parameter(x) - 5)) * sum(gather(table, slice(at, 0, 0, 1)));
  CHECK_THROWS_AS(nn::lbfgs(breaks, {x}), ValueError);
  CHECK(x.value().at(0) == -1.2);
  CHECK(x.value().at(1) == 1);
}
