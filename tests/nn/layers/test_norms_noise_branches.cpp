// Layer and group norm, noise, embeddings, reshape, branches: known answers, gradients, errors.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

#include "support/check_network.hpp"

using namespace xgrad;

namespace {

constexpr GraphOptions training{.dtype = f64, .training = true, .seed = 3};

Tensor numbers(Shape shape, double phase = 0) {
  Tensor out(shape, f64);
  Index i = 0;
  for (double& x : out.mutable_values<double>()) x = std::sin(static_cast<double>(++i) * 1.7 + phase);
  return out;
}

void check_derivatives(const nn::AnyModule& layer, const Shape& row) {
  testing::check_network({nn::Dense(row[row.rank() - 1], nn::tanh), layer, nn::Flatten(), nn::Dense(2, nn::tanh)}, row);
}

}  // namespace

TEST_CASE("layer norm: rows have mean beta and standard deviation gamma") {
  for (const bool trains : {true, false}) {
    Graph g({.dtype = f64, .training = trains});
    const Tensor in = numbers({3, 4}, 2);
    const nn::LayerNorm norm;
    const Value y = norm(g.constant(in));
    Parameter(norm.gamma()).set(Tensor::from<double>({4}, {1, 2, 3, 4}));
    Parameter(norm.beta()).set(Tensor::from<double>({4}, {-1, 0, 1, 2}));
    const Tensor out = evaluate(y);
    for (Index r = 0; r < 3; ++r) {
      double mean = 0, variance = 0;
      for (Index i = 0; i < 4; ++i) mean += in.at(4 * r + i) / 4;
      for (Index i = 0; i < 4; ++i) variance += std::pow(in.at(4 * r + i) - mean, 2) / 4;
      for (Index i = 0; i < 4; ++i) {
        const double wanted = (static_cast<double>(i) + 1) * (in.at(4 * r + i) - mean) / std::sqrt(variance + 1e-3) +
                              static_cast<double>(i) - 1;
        CHECK(out.at(4 * r + i) == doctest::Approx(wanted).epsilon(1e-12));
      }
    }
    CHECK(g.updates().empty());
  }
}

TEST_CASE("layer norm: normalizes over several axes and over a middle axis") {
  Graph g({.dtype = f64});
  const Tensor in = numbers({2, 3, 4});
  const Value x = g.constant(in);
  const nn::LayerNorm both({.epsilon = 0, .axes = {-1, 1}}), middle({.epsilon = 0, .axes = {1}, .center = false});
  const Tensor out = evaluate(both(x));
  CHECK(both.gamma().shape() == Shape{3, 4});
  double mean = 0, squares = 0;
  for (Index i = 0; i < 12; ++i) {
    mean += out.at(i) / 12;
    squares += out.at(i) * out.at(i) / 12;
  }
  CHECK(std::abs(mean) < 1e-14);
  CHECK(squares == doctest::Approx(1));
  const Tensor columns = evaluate(middle(x));
  CHECK(middle.gamma().shape() == Shape{3});
  CHECK_FALSE(middle.beta().valid());
  CHECK(std::abs(columns.at(0) + columns.at(4) + columns.at(8)) < 1e-14);
}

TEST_CASE("group norm: groups of channels have mean 0 and variance 1") {
  Graph g({.dtype = f64});
  const nn::GroupNorm norm(2, {.epsilon = 0});
  const Tensor out = evaluate(norm(g.constant(numbers({2, 3, 5, 4}))));
  CHECK(norm.gamma().shape() == Shape{4});
  for (Index row = 0; row < 2; ++row) {
    for (Index group = 0; group < 2; ++group) {
      double mean = 0, squares = 0;
      for (Index place = 0; place < 15; ++place) {
        for (Index c = 0; c < 2; ++c) {
          const double v = out.at((row * 15 + place) * 4 + group * 2 + c);
          mean += v / 30;
          squares += v * v / 30;
        }
      }
      CHECK(std::abs(mean) < 1e-14);
      CHECK(squares == doctest::Approx(1));
    }
  }
}

TEST_CASE("layer norm, group norm: defaults of both presets, and errors") {
  Graph g({.dtype = f64});
  const Value x = g.constant(Tensor::from<double>({1, 2}, {0, 2}));
  CHECK(evaluate(nn::LayerNorm()(x)).at(1) == doctest::Approx(1 / std::sqrt(1 + 1e-3)).epsilon(1e-14));
  CHECK(evaluate(nn::LayerNorm({.preset = nn::Preset::torch})(x)).at(1) ==
        doctest::Approx(1 / std::sqrt(1 + 1e-5)).epsilon(1e-14));
  CHECK_THROWS_WITH_AS(nn::LayerNorm({.axes = {0}})(x), doctest::Contains("axes must not include the batch axis 0"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(nn::LayerNorm({.axes = {2}, .name = "norm"})(x), doctest::Contains("norm: axis 2"), ShapeError);
  CHECK_THROWS_WITH_AS(nn::LayerNorm({.epsilon = -1}),
                       doctest::Contains("layer_norm: epsilon must be at least 0, got -1"), UserError);
  CHECK_THROWS_WITH_AS(
      nn::GroupNorm()(x),
      doctest::Contains("group_norm: channels must be a multiple of groups, got 2 channels and 32 groups"), ShapeError);
  CHECK_THROWS_WITH_AS(nn::GroupNorm(0), doctest::Contains("group_norm: groups must be at least 1, got 0"), UserError);
  CHECK_THROWS_WITH_AS(nn::GroupNorm(1)(g.input("v", {4})),
                       doctest::Contains("must have a batch axis and a channel axis"), ShapeError);
}

TEST_CASE("alpha dropout: preserves mean 0 and variance 1; the identity in inference") {
  Graph g(training);
  const Value x = g.constant(nn::normal(0, 1)({300, 300}, f64, 5));
  const Tensor y = evaluate(nn::AlphaDropout(0.3)(x));
  double mean = 0, squares = 0;
  std::vector<double> sorted;
  for (Index i = 0; i < y.elements(); ++i) {
    mean += y.at(i) / 9e4;
    squares += y.at(i) * y.at(i) / 9e4;
  }
  CHECK(std::abs(mean) < 0.02);
  CHECK(squares == doctest::Approx(1).epsilon(0.02));
  // Dropped elements are selu(-inf), scaled and shifted; their fraction is the rate.
  const double alpha = -1.0507009873554805 * 1.6732632423543772;
  const double a = 1 / std::sqrt(0.7 * (1 + 0.3 * alpha * alpha));
  Index dropped = 0;
  for (Index i = 0; i < y.elements(); ++i) dropped += std::abs(y.at(i) - a * alpha * 0.7) < 1e-12 ? 1 : 0;
  CHECK(std::abs(static_cast<double>(dropped) - 27000) < 700);  // five standard deviations of a binomial

  Graph plain;
  const Value z = plain.input("z", {3});
  CHECK(nn::AlphaDropout(0.5)(z) == z);
  CHECK(nn::AlphaDropout(0)(x) == x);
  CHECK_THROWS_WITH_AS(nn::AlphaDropout(1), doctest::Contains("alpha_dropout: rate must be in [0, 1), got 1"),
                       UserError);
}

TEST_CASE("gaussian noise: has its standard deviation in training; the identity in inference") {
  Graph g(training);
  const Value x = g.constant(Tensor::full({200, 200}, 3, f64));
  const Value y = nn::GaussianNoise(0.5)(x);
  const Tensor a = evaluate(y, {}, {.step = 1});
  CHECK_FALSE(bitwise_equal(a, evaluate(y, {}, {.step = 2})));
  double mean = 0, squares = 0;
  for (Index i = 0; i < a.elements(); ++i) {
    mean += a.at(i) / 4e4;
    squares += (a.at(i) - 3) * (a.at(i) - 3) / 4e4;
  }
  CHECK(mean == doctest::Approx(3).epsilon(0.005));
  CHECK(squares == doctest::Approx(0.25).epsilon(0.04));
  Graph plain;
  const Value z = plain.input("z", {3});
  CHECK(nn::GaussianNoise(0.5)(z) == z);
  CHECK(nn::GaussianNoise(0)(x) == x);
  CHECK_THROWS_WITH_AS(nn::GaussianNoise(-1),
                       doctest::Contains("gaussian_noise: stddev must be finite and at least 0, got -1"), UserError);
}

TEST_CASE("embedding: looks up rows of its table, also for floating-point indices") {
  const nn::Embedding table(5, 3);
  Graph g;
  const Value y = table(g.constant(Tensor::from<std::int64_t>({2, 2}, {4, 0, 1, 4})));
  CHECK(y.shape() == Shape{2, 2, 3});
  CHECK(table.table().shape() == Shape{5, 3});
  const Tensor rows = evaluate(y), numbers_of_table = table.table().value();
  for (Index i = 0; i < 3; ++i) {
    CHECK(rows.at(i) == numbers_of_table.at(12 + i));
    CHECK(rows.at(3 + i) == numbers_of_table.at(i));
    CHECK(std::abs(numbers_of_table.at(i)) <= 0.05);
  }
  CHECK(bitwise_equal(rows, evaluate(table(g.constant(Tensor::from<float>({2, 2}, {4, 0, 1, 4}))))));
  CHECK_THROWS_AS(evaluate(table(g.constant(Tensor::from<float>({1}, {5})))), ValueError);
  CHECK_THROWS_AS(evaluate(table(g.constant(Tensor::from<float>({1}, {-1})))), ValueError);
  CHECK_THROWS_WITH_AS(nn::Embedding(0, 3),
                       doctest::Contains("embedding: entries and outputs must be at least 1, got 0 and 3"), UserError);
}

TEST_CASE("embedding: a model learns to classify words") {
  nn::Model model{nn::Sequential{nn::Embedding(20, 4), nn::GlobalAveragePool(), nn::Dense(1, nn::sigmoid)}, {3}};
  model.compile({.loss = nn::binary_crossentropy,
                 .optimizer = nn::Adam{.learning_rate = 0.05},
                 .metrics = {nn::binary_accuracy(), nn::f1()}});
  Tensor x({60, 3}), y({60, 1});
  nn::HostRandom random(3);
  for (std::size_t r = 0; r < 60; ++r) {
    int low = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const std::uint64_t word = random.below(20);
      x.mutable_values<float>()[3 * r + i] = static_cast<float>(word);
      low += word < 10 ? 1 : 0;
    }
    y.mutable_values<float>()[r] = low > 1 ? 1 : 0;
  }
  const nn::History h = model.fit({x, y}, {.batch_size = 20, .epochs = 60, .verbose = nn::Verbose::silent});
  CHECK(h["binary_accuracy"].back() > 0.95);
  CHECK(h["f1"].back() > 0.95);
  CHECK(nn::check_table(model, {x.rows(0, 3), y.rows(0, 3)}).passed());
}

TEST_CASE("prelu: has one slope per element, or shares it along axes") {
  Graph g({.dtype = f64});
  const nn::PReLU own({.preset = nn::Preset::torch}), shared({.shared_axes = {1, 2}});
  const Value x = g.constant(Tensor::from<double>({2, 2}, {1, -2, -4, 3}));
  CHECK(bitwise_equal(evaluate(own(x)), Tensor::from<double>({2, 2}, {1, -0.5, -1, 3})));
  shared(g.input("y", {2, 3, 4, 5}));
  CHECK(shared.slope().shape() == Shape{1, 1, 5});
  CHECK(shared.slope().value().at(0) == 0);
  CHECK_THROWS_WITH_AS(nn::PReLU({.shared_axes = {3}})(x), doctest::Contains("axis 3"), ShapeError);
}

TEST_CASE("reshape: changes the shape of rows and keeps the batch axis") {
  Graph g;
  const Value x = g.input("x", {2, 12});
  CHECK(nn::Reshape({3, 4})(x).shape() == Shape{2, 3, 4});
  CHECK(nn::Reshape({2, -1, 3})(x).shape() == Shape{2, 2, 2, 3});
  CHECK(nn::Reshape({12})(nn::Reshape({3, 4})(x)).shape() == Shape{2, 12});
  CHECK_THROWS_WITH_AS(nn::Reshape({5, -1}, "grid")(x),
                       doctest::Contains("grid: rows cannot be reshaped to [5, -1]\n  input: "), ShapeError);
  CHECK_THROWS_WITH_AS(nn::Reshape({24})(x), doctest::Contains("reshape_4: rows cannot be reshaped to [24]"),
                       ShapeError);
  CHECK_THROWS_AS(nn::Reshape({-1, -1})(x), ShapeError);
  CHECK_THROWS_AS(nn::Reshape({0, -1})(x), ShapeError);
}

TEST_CASE("merge layers: add, multiply and concatenate outputs of branches") {
  Graph g({.dtype = f64});
  const Value x = g.constant(Tensor::from<double>({1, 2}, {3, -1}));
  const auto twice = [](Value v) { return 2 * v; };
  CHECK(bitwise_equal(evaluate(nn::Add{nn::linear, twice}(x)), Tensor::from<double>({1, 2}, {9, -3})));
  CHECK(bitwise_equal(evaluate(nn::Multiply{nn::linear, twice, nn::relu}(x)), Tensor::from<double>({1, 2}, {54, 0})));
  CHECK(bitwise_equal(evaluate(nn::Concatenate{nn::relu, twice}(x)), Tensor::from<double>({1, 4}, {3, 0, 6, -2})));
  CHECK(bitwise_equal(evaluate(nn::Concatenate({nn::relu, twice}, 0)(x)), Tensor::from<double>({2, 2}, {3, 0, 6, -2})));
  CHECK_THROWS_WITH_AS((nn::Add{nn::Dense(2), nn::Dense(3)}(x)),
                       doctest::Contains("add_1: the branches must have outputs of equal shape\n  first: "),
                       ShapeError);
  CHECK_THROWS_WITH_AS((nn::Concatenate{nn::linear, nn::Reshape({1, 2})}(x)),
                       doctest::Contains("the outputs of the branches may differ only on axis 1"), ShapeError);
  CHECK_THROWS_WITH_AS(nn::Add(std::vector<nn::AnyModule>{}), doctest::Contains("add: at least 1 branch is needed"),
                       UserError);
}

TEST_CASE("merge layers: a residual net equals the same function of Values") {
  const nn::Dense a(4, nn::tanh), b(4);
  const nn::Sequential net{nn::Add{nn::linear, nn::Sequential{a, b}}, nn::Dense(1)};
  Graph g({.dtype = f64});
  const Value x = g.constant(numbers({3, 4}));
  const Value y = net(x);
  CHECK(y.shape() == Shape{3, 1});
  CHECK(g.parameters()[0].name() == "add/dense/kernel");
  const Tensor by_branches = evaluate(nn::Add{nn::linear, nn::Sequential{a, b}}(x));
  CHECK(bitwise_equal(by_branches, evaluate(x + b(a(x)))));
}

TEST_CASE("activations: equal the operations of the same names") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2, 3});
  const std::pair<nn::Activation, Value> all[] = {
      {nn::linear, x},
      {nn::relu, relu(x)},
      {nn::sigmoid, sigmoid(x)},
      {nn::tanh, tanh(x)},
      {nn::exponential, exp(x)},
      {nn::softmax, softmax(x)},
      {nn::log_softmax, log_softmax(x)},
      {nn::logsigmoid, logsigmoid(x)},
      {nn::hardsigmoid, hardsigmoid(x)},
      {nn::softplus, softplus(x)},
      {nn::softsign, softsign(x)},
      {nn::silu, silu(x)},
      {nn::gelu, gelu(x)},
      {nn::gelu_tanh, gelu_tanh(x)},
      {nn::hardswish, hardswish(x)},
      {nn::mish, mish(x)},
      {nn::relu6, relu6(x)},
      {nn::leaky_relu, leaky_relu(x)},
      {nn::elu, elu(x)},
      {nn::selu, selu(x)},
  };
  for (const auto& each : all) {
    CAPTURE(each.first.name());
    CHECK(each.first(x) == each.second);  // the same node
  }
}

TEST_CASE("norms, noise, branches: first and second derivatives, in training and inference") {
  check_derivatives(nn::LayerNorm(), {4});
  check_derivatives(nn::LayerNorm({.axes = {1, 2}, .gamma_regularizer = nn::l2()}), {2, 3});
  check_derivatives(nn::GroupNorm(2), {3, 4});
  check_derivatives(nn::BatchNorm({.gamma_regularizer = nn::l1(0.1)}), {4});
  check_derivatives(nn::BatchNorm({.trainable = false}), {4});
  check_derivatives(nn::AlphaDropout(0.4), {4});
  check_derivatives(nn::GaussianNoise(0.3), {4});
  check_derivatives(nn::Dropout(0.3), {4});
  check_derivatives(nn::PReLU({.preset = nn::Preset::torch}), {4});
  check_derivatives(nn::Reshape({2, 2}), {4});
  check_derivatives(nn::Add{nn::linear, nn::Dense(4, nn::tanh, {.kernel_regularizer = nn::l2()})}, {4});
  check_derivatives(nn::Multiply{nn::Dense(3, nn::sigmoid), nn::Dense(3)}, {4});
  check_derivatives(nn::Concatenate{nn::linear, nn::Dense(3, nn::gelu)}, {4});
  check_derivatives(
      nn::Dense(3, nn::tanh, {.kernel_regularizer = nn::orthogonal_regularizer(), .activity_regularizer = nn::l2()}),
      {4});
}
