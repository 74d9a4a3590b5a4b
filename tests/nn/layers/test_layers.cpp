// Layers and modules: outputs, weights, scopes and errors.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/engine.hpp>
#include <xgrad/nn/layers/batch_norm.hpp>
#include <xgrad/nn/layers/dense.hpp>
#include <xgrad/nn/layers/flatten.hpp>
#include <xgrad/nn/layers/noise.hpp>
#include <xgrad/nn/sequential.hpp>

using namespace xgrad;

namespace {

constexpr GraphOptions training{.dtype = f64, .training = true, .seed = 3};

Tensor numbers(Shape shape, double scale = 1) {
  Tensor out(shape, f64);
  Index i = 0;
  for (double& x : out.mutable_values<double>()) x = scale * std::sin(static_cast<double>(++i) * 1.7);
  return out;
}

struct Residual : nn::Module {
  nn::Dense a{4, nn::tanh}, b{4};
  Value operator()(Value x) { return x + b(a(x)); }
};

}  // namespace

TEST_CASE("dense: computes activation(x . kernel + bias)") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2, 3});
  nn::Dense dense(2, nn::relu, {.bias_initializer = nn::constant(0.5)});
  const Value y = dense(x);
  CHECK(y.shape() == Shape{2, 2});
  Parameter kernel = dense.kernel();
  kernel.set(Tensor::from<double>({3, 2}, {1, 2, 3, 4, 5, -6}));
  const Tensor out = evaluate(y, {{x, Tensor::from<double>({2, 3}, {1, 0, 0, 0, 1, 1})}});
  CHECK(out.at(0) == 1.5);
  CHECK(out.at(1) == 2.5);
  CHECK(out.at(2) == 8.5);
  CHECK(out.at(3) == 0);  // 4 - 6 + 0.5 below zero
}

TEST_CASE("dense: has the initial weights of both presets") {
  Graph g;
  const Value x = g.input("x", {2, 400});
  nn::Dense keras(300);
  nn::Dense torch(300, nn::linear, {.preset = nn::Preset::torch});
  nn::Dense bare(300, nn::linear, {.use_bias = false});
  keras(x), torch(x), bare(x);
  CHECK(keras.bias().value().at(7) == 0);
  CHECK(torch.bias().value().at(7) != 0);
  CHECK_FALSE(bare.bias().valid());
  double largest_bias = 0, largest_kernel = 0;
  for (Index i = 0; i < 300; ++i) largest_bias = std::max(largest_bias, std::abs(torch.bias().value().at(i)));
  const Tensor kernel = torch.kernel().value();
  for (Index i = 0; i < kernel.elements(); ++i) largest_kernel = std::max(largest_kernel, std::abs(kernel.at(i)));
  CHECK(largest_bias <= 0.05);  // 1 / sqrt(400)
  CHECK(largest_bias > 0.045);
  CHECK(largest_kernel <= 0.05);
  CHECK(largest_kernel > 0.049);
}

TEST_CASE("dense: accepts any number of leading axes") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2, 5, 3});
  nn::Dense dense(4);
  CHECK(dense(x).shape() == Shape{2, 5, 4});
  CHECK_NOTHROW(check_gradients(mean(square(dense(x))), {x, g.parameter(dense.kernel()), g.parameter(dense.bias())}));
}

TEST_CASE("dense: errors name the layer, both shapes and the axis") {
  Graph g;
  nn::Dense dense(4, nn::relu, {.name = "hidden"});
  dense(g.input("x", {2, 3}));
  CHECK_THROWS_WITH_AS(
      dense(g.input("z", {2, 5})),
      doctest::Contains("hidden_1: the input has 5 features on axis -1, but the kernel was built for 3\n  input: "),
      ShapeError);
  CHECK_THROWS_WITH_AS(dense(g.input("w", {2, 5})), doctest::Contains("kernel: \"hidden/kernel\" f32[3, 4]"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(dense(g.constant(1.0)), doctest::Contains("must have a feature axis"), ShapeError);
  CHECK_THROWS_WITH_AS(nn::Dense(0), doctest::Contains("units must be at least 1, got 0"), UserError);
  Graph other({.dtype = f64});
  CHECK_THROWS_WITH_AS(dense(other.input("x", {2, 3})),
                       doctest::Contains("weight \"hidden/kernel\": it has type f32[3, 4]"), ShapeError);
}

TEST_CASE("batch norm: training normalizes each feature and updates the moving statistics") {
  Graph g(training);
  const Value x = g.input("x", {5, 2});
  nn::BatchNorm norm({.momentum = 0.75, .epsilon = 1e-3});
  const Value y = norm(x);
  Parameter gamma = norm.gamma();
  Parameter beta = norm.beta();
  gamma.set(Tensor::from<double>({2}, {2, 3}));
  beta.set(Tensor::from<double>({2}, {-1, 1}));
  const Tensor in = numbers({5, 2}, 4);
  const Plan plan({y}, g.updates());
  const Tensor out = plan.run({{x, in}})[0];
  for (Index f = 0; f < 2; ++f) {
    double mean = 0, variance = 0;
    for (Index r = 0; r < 5; ++r) mean += in.at(2 * r + f) / 5;
    for (Index r = 0; r < 5; ++r) variance += (in.at(2 * r + f) - mean) * (in.at(2 * r + f) - mean) / 5;
    for (Index r = 0; r < 5; ++r) {
      const double wanted =
          gamma.value().at(f) * (in.at(2 * r + f) - mean) / std::sqrt(variance + 1e-3) + beta.value().at(f);
      CHECK(out.at(2 * r + f) == doctest::Approx(wanted).epsilon(1e-12));
    }
    CHECK(norm.moving_mean().value().at(f) == doctest::Approx(0.25 * mean).epsilon(1e-12));
    CHECK(norm.moving_variance().value().at(f) == doctest::Approx(0.75 + 0.25 * variance).epsilon(1e-12));
  }
  CHECK_FALSE(norm.moving_mean().trainable());
  CHECK(norm.gamma().trainable());
}

TEST_CASE("batch norm: inference uses the moving statistics without updates") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {1, 3});
  nn::BatchNorm norm({.epsilon = 0});
  const Value y = norm(x);
  Parameter mean = norm.moving_mean();
  Parameter variance = norm.moving_variance();
  mean.set(Tensor::from<double>({3}, {1, 2, 3}));
  variance.set(Tensor::from<double>({3}, {4, 9, 16}));
  const Tensor out = evaluate(y, {{x, Tensor::from<double>({1, 3}, {3, 2, -1})}});
  CHECK(out.at(0) == doctest::Approx(1));
  CHECK(out.at(1) == 0);
  CHECK(out.at(2) == doctest::Approx(-1));
  CHECK(g.updates().empty());
}

TEST_CASE("batch norm: two calls in a graph update the moving statistics in sequence") {
  Graph g(training);
  const Value x = g.input("x", {4, 1});
  nn::BatchNorm norm({.momentum = 0.75});
  const Value first = norm(x);  // in a separate statement, since the evaluation order of + is unspecified
  const Value y = first + norm(2 * x);
  CHECK(g.updates().size() == 2);
  const Plan plan({y}, g.updates());
  double mean = 0, variance = 1;
  for (int step = 1; step <= 3; ++step) {
    const double s = step;  // the batch {0, s, 2 s, 3 s} has mean 1.5 s and variance 1.25 s^2
    plan.run({{x, Tensor::from<double>({4, 1}, {0, s, 2 * s, 3 * s})}});
    for (const double factor : {1.0, 2.0}) {
      mean = 0.75 * mean + 0.25 * 1.5 * s * factor;
      variance = 0.75 * variance + 0.25 * 1.25 * s * s * factor * factor;
    }
    CHECK(norm.moving_mean().value().at(0) == doctest::Approx(mean).epsilon(1e-14));
    CHECK(norm.moving_variance().value().at(0) == doctest::Approx(variance).epsilon(1e-14));
  }
}

TEST_CASE("batch norm: the torch preset normalizes the last axis, too") {
  Graph g(training);
  const Value x = g.input("x", {2, 3, 4, 5});  // [batch, height, width, channels]
  nn::BatchNorm norm({.preset = nn::Preset::torch});
  norm(x);
  CHECK(norm.moving_mean().shape() == Shape{5});
}

TEST_CASE("batch norm: later changes of the layer do not affect a built graph") {
  Graph g(training);
  const Value x = g.input("x", {4, 2});
  nn::BatchNorm norm;
  norm(x);
  norm.set_trainable(false);
  norm(tanh(x));
  CHECK(g.trainable_parameters() == std::vector<Parameter>{norm.gamma(), norm.beta()});
  Plan({}, g.updates()).run({{x, numbers({4, 2})}});
  double mean = 0, squashed = 0;
  for (Index r = 0; r < 4; ++r) {
    mean += numbers({4, 2}).at(2 * r) / 4;
    squashed += std::tanh(numbers({4, 2}).at(2 * r)) / 4;
  }
  CHECK(norm.moving_mean().value().at(0) == doctest::Approx(0.99 * 0.01 * mean + 0.01 * squashed).epsilon(1e-12));
  Graph after(training);
  norm(after.input("x", {4, 2}));
  CHECK(after.updates().empty());
}

TEST_CASE("batch norm: the torch preset on axis 1 matches PyTorch, with unbiased moving variance") {
  Graph g(training);
  const Value x = g.input("x", {3, 2, 4});
  nn::BatchNorm norm({.preset = nn::Preset::torch, .axis = 1});
  const Value y = norm(x);
  const Tensor in = numbers({3, 2, 4}, 2);
  const Plan plan({y}, g.updates());
  const Tensor out = plan.run({{x, in}})[0];
  double mean = 0, square = 0;
  for (Index n = 0; n < 3; ++n) {
    for (Index i = 0; i < 4; ++i) mean += in.at(8 * n + 4 + i) / 12;
  }
  for (Index n = 0; n < 3; ++n) {
    for (Index i = 0; i < 4; ++i) square += std::pow(in.at(8 * n + 4 + i) - mean, 2);
  }
  CHECK(norm.moving_mean().value().at(1) == doctest::Approx(0.1 * mean).epsilon(1e-12));
  CHECK(norm.moving_variance().value().at(1) == doctest::Approx(0.9 + 0.1 * square / 11).epsilon(1e-12));
  CHECK(out.at(5) == doctest::Approx((in.at(5) - mean) / std::sqrt(square / 12 + 1e-5)).epsilon(1e-12));
  Graph one(training);
  CHECK_THROWS_WITH_AS(nn::BatchNorm({.preset = nn::Preset::torch})(one.input("x", {1, 2})),
                       doctest::Contains("batch_norm: the variance needs at least 2 rows, got 1"), ShapeError);
}

TEST_CASE("batch norm: first and second derivatives in training and inference") {
  for (const bool trains : {true, false}) {
    Graph g({.dtype = f64, .training = trains});
    const Value x = g.input("x", {6, 3});
    nn::BatchNorm norm;
    const Value y = sum(tanh(norm(x)) * g.constant(numbers({6, 3})));
    CHECK_NOTHROW(
        check_gradients(y, {x, g.parameter(norm.gamma()), g.parameter(norm.beta())}, {{x, numbers({6, 3}, 2)}}));
  }
}

TEST_CASE("batch norm: invalid inputs and options throw") {
  Graph g;
  nn::BatchNorm norm;
  norm(g.input("x", {4, 3}));
  CHECK_THROWS_WITH_AS(
      norm(g.input("z", {4, 5})),
      doctest::Contains("batch_norm_1: the input has 5 features on axis 1, but the layer was built for 3"), ShapeError);
  CHECK_THROWS_WITH_AS(nn::BatchNorm()(g.input("v", {4})),
                       doctest::Contains("must have a batch axis and a feature axis"), ShapeError);
  CHECK_THROWS_WITH_AS(nn::BatchNorm({.momentum = 1.5}), doctest::Contains("momentum must be in [0, 1], got 1.5"),
                       UserError);
  CHECK_THROWS_WITH_AS(nn::BatchNorm({.epsilon = -1}), doctest::Contains("epsilon must be at least 0, got -1"),
                       UserError);
  CHECK_THROWS_WITH_AS(nn::BatchNorm({.axis = 2})(g.input("u", {4, 3})), doctest::Contains("axis 2"), ShapeError);
}

TEST_CASE("dropout: preserves the expectation, redraws each step, and is the identity in inference") {
  Graph g(training);
  const Value x = g.input("x", {100, 100});
  const Value y = nn::Dropout(0.2)(x);
  const Tensor ones = Tensor::full({100, 100}, 1, f64);
  const Tensor a = evaluate(y, {{x, ones}}, {.step = 1});
  const Tensor b = evaluate(y, {{x, ones}}, {.step = 2});
  CHECK_FALSE(bitwise_equal(a, b));
  CHECK(bitwise_equal(a, evaluate(y, {{x, ones}}, {.step = 1})));
  Index zeros = 0;
  for (Index i = 0; i < a.elements(); ++i) {
    if (a.at(i) == 0)
      ++zeros;
    else
      CHECK(a.at(i) == doctest::Approx(1.25));
  }
  CHECK(std::abs(static_cast<double>(zeros) - 2000) < 200);  // five standard deviations of a binomial

  Graph plain({.dtype = f64});
  const Value z = plain.input("x", {3});
  CHECK(nn::Dropout(0.5)(z) == z);
  CHECK(nn::Dropout(0)(x) == x);
  CHECK(evaluate(sum(nn::Dropout(1)(x)), {{x, ones}}).item() == 0);
  CHECK_THROWS_WITH_AS(nn::Dropout(1.5), doctest::Contains("rate must be in [0, 1], got 1.5"), UserError);
  CHECK_THROWS_WITH_AS(nn::Dropout(NAN), doctest::Contains("nan"), UserError);
  CHECK_NOTHROW(check_gradients(sum(square(nn::Dropout(0.5)(x * 1.0))), x, {}, {.max_elements = 8}));
}

TEST_CASE("flatten, activation layer: known answers") {
  Graph g;
  const Value x = g.input("x", {2, 3, 4});
  CHECK(nn::Flatten()(x).shape() == Shape{2, 12});
  const Value y = nn::ActivationLayer(nn::sigmoid)(x);
  CHECK(y.node().op->name == "sigmoid");
  CHECK(g.scope_of(y.id()) == "sigmoid");
  const nn::Dense swish(4, [](Value v) { return v * sigmoid(v); });
  CHECK(swish(x).node().op->name == "mul");
}

TEST_CASE("module: a custom struct gets its scope and weight names from its type") {
  Graph g;
  const Value x = g.input("x", {2, 4});
  Residual block;
  const nn::Sequential net{block, Residual(), nn::Dense(1), [](Value v) { return 2 * v; }};
  const Value y = net(x);
  CHECK(y.shape() == Shape{2, 1});
  std::vector<std::string> names;
  for (const Parameter& p : g.parameters()) names.push_back(p.name());
  CHECK(names == std::vector<std::string>{"residual/dense/kernel", "residual/dense/bias", "residual/dense_1/kernel",
                                          "residual/dense_1/bias", "residual_1/dense/kernel", "residual_1/dense/bias",
                                          "residual_1/dense_1/kernel", "residual_1/dense_1/bias", "dense/kernel",
                                          "dense/bias"});
  // Copies share weights: the struct and its copy in the net.
  CHECK(block.a.kernel() == g.parameters()[0]);
}

TEST_CASE("module: two graphs share weights; another seed gives other initial weights") {
  nn::Dense dense(3);
  Graph one({.seed = 1}), two({.seed = 2});
  dense(one.input("x", {2, 5}));
  const Tensor before = dense.kernel().value();
  dense(two.input("x", {7, 5}));
  CHECK(bitwise_equal(before, dense.kernel().value()));
  CHECK(one.parameters()[0] == two.parameters()[0]);
  nn::Dense again(3), other(3);
  Graph three({.seed = 1}), four({.seed = 2});
  again(three.input("x", {2, 5}));
  other(four.input("x", {2, 5}));
  CHECK(bitwise_equal(before, again.kernel().value()));
  CHECK_FALSE(bitwise_equal(before, other.kernel().value()));
}

TEST_CASE("activation: accepts functions with captures, which equal only their copies") {
  Graph g({.dtype = f64});
  const Value x = g.constant(Tensor::from<double>({1, 2}, {1, -3}));
  const double slope = 0.5;
  const auto leaky = [slope](Value v) { return leaky_relu(v, slope); };
  const nn::Activation activation(leaky, "leaky"), other(leaky);
  const nn::Dense dense(1, activation, {.kernel_initializer = nn::ones});
  CHECK(evaluate(dense(x)).item() == -1);
  CHECK(evaluate(nn::ActivationLayer(activation)(x)).at(1) == -1.5);
  CHECK(std::string(activation.name()) == "leaky");
  CHECK(activation == nn::Activation(activation));
  CHECK_FALSE(activation == other);
  CHECK_FALSE(activation == nn::Activation(relu));
}
