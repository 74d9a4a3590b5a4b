// Convolution and pooling layers: known answers, weights, gradients of whole models, errors, training.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

#include "support/check_network.hpp"

using namespace xgrad;

namespace {

Tensor numbers(Shape shape, double phase = 0) {
  Tensor out(shape, f64);
  Index i = 0;
  for (double& x : out.mutable_values<double>()) x = std::sin(static_cast<double>(++i) * 1.7 + phase);
  return out;
}

Tensor counting(Shape shape) {
  Tensor out(shape, f64);
  double i = 0;
  for (double& x : out.mutable_values<double>()) x = ++i;
  return out;
}

Tensor run(const nn::AnyModule& layer, const Tensor& x) {
  Graph g({.dtype = f64});
  return evaluate(layer(g.constant(x)));
}

void check_derivatives(const nn::AnyModule& layer, const Shape& row) {
  testing::check_network({layer, nn::ActivationLayer(nn::tanh), nn::Flatten(), nn::Dense(2)}, row);
}

}  // namespace

TEST_CASE("conv2d: computes activation(windows . kernel + bias)") {
  Graph g({.dtype = f64});
  const nn::Conv2D conv(1, 2, nn::relu, {.bias_initializer = nn::constant(-30)});
  const Value y = conv(g.constant(counting({1, 3, 3, 1})));
  CHECK(y.shape() == Shape{1, 2, 2, 1});
  Parameter(conv.kernel()).set(Tensor::from<double>({2, 2, 1, 1}, {1, 2, 3, 4}));
  // Windows 1 2 4 5, 2 3 5 6, 4 5 7 8, 5 6 8 9.
  CHECK(bitwise_equal(evaluate(y), Tensor::from<double>({1, 2, 2, 1}, {7, 17, 37, 47})));
}

TEST_CASE("conv2d: output extents with groups, strides and padding") {
  Graph g;
  const Value x = g.input("x", {2, 9, 8, 6});
  const nn::Conv2D same(4, 3, nn::linear, {.strides = 2, .padding = "same"});
  CHECK(same(x).shape() == Shape{2, 5, 4, 4});
  CHECK(same.kernel().shape() == Shape{3, 3, 6, 4});
  CHECK(same.bias().shape() == Shape{4});
  const nn::Conv2D groups(4, {3, 1}, nn::linear, {.dilation = {2, 1}, .groups = 2, .use_bias = false});
  CHECK(groups(x).shape() == Shape{2, 5, 8, 4});
  CHECK(groups.kernel().shape() == Shape{3, 1, 3, 4});
  CHECK_FALSE(groups.bias().valid());
  const nn::Conv2DTranspose back(3, 3, nn::linear, {.strides = 2, .padding = "same"});
  CHECK(back(x).shape() == Shape{2, 18, 16, 3});
  CHECK(back.kernel().shape() == Shape{3, 3, 3, 6});
  CHECK(back.bias().shape() == Shape{3});
  const nn::Conv1D line(5, 3);
  CHECK(line(g.input("s", {2, 9, 6})).shape() == Shape{2, 7, 5});
  CHECK(line.kernel().shape() == Shape{3, 6, 5});
}

TEST_CASE("conv2d_transpose: is the gradient of conv2d with the same kernel") {
  Graph g({.dtype = f64});
  const nn::Conv2D conv(3, 2, nn::linear, {.strides = 2, .use_bias = false});
  const nn::Conv2DTranspose back(2, 2, nn::linear, {.strides = 2, .use_bias = false});
  const Value x = g.input("x", {1, 4, 4, 2});
  const Value y = conv(x);
  const Value seed = g.constant(numbers({1, 2, 2, 3}));
  const Value z = back(seed);
  Parameter(back.kernel()).set(conv.kernel().value());
  const Tensor from_layer = evaluate(z);
  const Tensor from_rule = evaluate(gradients(sum(y * seed), x), {{x, Tensor({1, 4, 4, 2}, f64)}});
  for (Index i = 0; i < 32; ++i) CHECK(from_layer.at(i) == doctest::Approx(from_rule.at(i)).epsilon(1e-12));
}

TEST_CASE("conv1d: known answers") {
  Graph g({.dtype = f64});
  const nn::Conv1D conv(1, 2, nn::linear, {.stride = 2});
  const Value y = conv(g.constant(counting({1, 5, 1})));
  Parameter(conv.kernel()).set(Tensor::from<double>({2, 1, 1}, {1, -3}));
  Parameter(conv.bias()).set(Tensor::from<double>({1}, {0.5}));
  CHECK(bitwise_equal(evaluate(y), Tensor::from<double>({1, 2, 1}, {-4.5, -8.5})));
}

TEST_CASE("convolutions: have the initial weights of both presets") {
  Graph g;
  const Value x = g.input("x", {1, 8, 8, 16});
  const nn::Conv2D keras(32, 5), torch(32, 5, nn::linear, {.preset = nn::Preset::torch});
  keras(x), torch(x);
  const auto largest = [](const Tensor& t) {
    double most = 0;
    for (Index i = 0; i < t.elements(); ++i) most = std::max(most, std::abs(t.at(i)));
    return most;
  };
  const double glorot = std::sqrt(6.0 / (25 * 16 + 25 * 32));
  CHECK(largest(keras.kernel().value()) <= glorot);
  CHECK(largest(keras.kernel().value()) > 0.99 * glorot);
  CHECK(largest(keras.bias().value()) == 0);
  CHECK(largest(torch.kernel().value()) <= 0.0500001);  // 1 / sqrt(400)
  CHECK(largest(torch.kernel().value()) > 0.0495);
  CHECK(largest(torch.bias().value()) <= 0.0500001);
  CHECK(largest(torch.bias().value()) > 0.04);
}

TEST_CASE("pooling: known answers") {
  const Tensor x = counting({1, 4, 4, 1});
  CHECK(bitwise_equal(run(nn::MaxPool2D(), x), Tensor::from<double>({1, 2, 2, 1}, {6, 8, 14, 16})));
  CHECK(bitwise_equal(run(nn::AveragePool2D(), x), Tensor::from<double>({1, 2, 2, 1}, {3.5, 5.5, 11.5, 13.5})));
  CHECK(bitwise_equal(run(nn::MaxPool2D(3, {.strides = 1}), x), Tensor::from<double>({1, 2, 2, 1}, {11, 12, 15, 16})));
  CHECK(bitwise_equal(run(nn::GlobalAveragePool(), x), Tensor::from<double>({1, 1}, {8.5})));
  CHECK(bitwise_equal(run(nn::GlobalMaxPool(), x), Tensor::from<double>({1, 1}, {16})));
  const Tensor s = counting({1, 5, 1});
  CHECK(bitwise_equal(run(nn::MaxPool1D(), s), Tensor::from<double>({1, 2, 1}, {2, 4})));
  CHECK(bitwise_equal(run(nn::AveragePool1D(3, {.stride = 2}), s), Tensor::from<double>({1, 2, 1}, {2, 4})));
  CHECK(bitwise_equal(run(nn::GlobalMaxPool(), s), Tensor::from<double>({1, 1}, {5})));
  // At the border Keras divides by the elements inside, PyTorch by the window size.
  CHECK(run(nn::AveragePool1D(2, {.padding = "same"}), s).at(2) == 5);
  CHECK(run(nn::AveragePool1D(2, {.padding = "same", .preset = nn::Preset::torch}), s).at(2) == 2.5);
}

TEST_CASE("window layers: first and second derivatives, in training and inference") {
  check_derivatives(nn::Conv2D(2, 2), {3, 4, 2});
  check_derivatives(nn::Conv2D(4, {3, 2}, nn::tanh, {.strides = {2, 1}, .padding = "same", .groups = 2}), {4, 3, 2});
  check_derivatives(nn::Conv2DTranspose(2, 3, nn::sigmoid, {.strides = 2, .padding = "same"}), {2, 2, 2});
  check_derivatives(nn::Conv1D(3, 2, nn::tanh, {.dilation = 2}), {5, 2});
  check_derivatives(nn::Sequential{nn::Conv2D(2, 2), nn::MaxPool2D()}, {5, 5, 1});
  check_derivatives(nn::Sequential{nn::Conv2D(2, 2), nn::AveragePool2D(2, {.padding = "same"})}, {4, 4, 1});
  check_derivatives(nn::Sequential{nn::Conv1D(2, 2), nn::MaxPool1D(), nn::AveragePool1D()}, {9, 1});
  check_derivatives(nn::Sequential{nn::Conv2D(2, 2), nn::GlobalMaxPool()}, {3, 3, 1});
  check_derivatives(nn::Sequential{nn::Conv2D(2, 2), nn::GlobalAveragePool()}, {3, 3, 1});
}

TEST_CASE("window layers: errors name the layer and the mismatch") {
  Graph g;
  const nn::Conv2D conv(4, 3, nn::relu, {.name = "eyes"});
  conv(g.input("x", {2, 8, 8, 3}));
  CHECK_THROWS_WITH_AS(conv(g.input("y", {2, 8, 8, 5})),
                       doctest::Contains("eyes_1: the input has 5 features on axis -1, but the kernel was built for 3"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(nn::Conv2D(4, 3)(g.input("z", {2, 64})),
                       doctest::Contains("conv2d: the input must be [batch, height, width, channels]\n  input: "),
                       ShapeError);
  CHECK_THROWS_WITH_AS(nn::Conv1D(4, 3)(g.input("u", {2, 64})),
                       doctest::Contains("conv1d: the input must be [batch, length, channels]"), ShapeError);
  CHECK_THROWS_WITH_AS(nn::Conv2D(4, 3, nn::linear, {.groups = 2})(g.input("v", {2, 8, 8, 3})),
                       doctest::Contains("channels must be a multiple of groups, got 3 channels and 2 groups"),
                       ShapeError);
  try {
    nn::Conv2D(4, 9, nn::linear, {.name = "wide"})(g.input("w", {2, 8, 8, 3}));
    FAIL("a window that is wider than the image was accepted");
  } catch (const ShapeError& error) {
    CHECK(error.where().ends_with(", in layer \"wide\""));
  }
  CHECK_THROWS_WITH_AS(nn::Conv2D(0, 3), doctest::Contains("conv2d: filters must be at least 1, got 0"), UserError);
  CHECK_THROWS_WITH_AS(nn::Conv2D(3, 0), doctest::Contains("conv2d: the window must be at least 1 x 1, got 0 x 0"),
                       UserError);
  CHECK_THROWS_WITH_AS(nn::Conv2D(3, 1, nn::linear, {.groups = 2}),
                       doctest::Contains("filters must be a multiple of groups, got 3 filters and 2 groups"),
                       UserError);
  CHECK_THROWS_WITH_AS(nn::MaxPool2D()(g.input("a", {2, 8, 3})),
                       doctest::Contains("max_pool2d: the input must be [batch, height, width, channels]"), ShapeError);
  CHECK_THROWS_WITH_AS(nn::AveragePool1D()(g.input("b", {2, 8})),
                       doctest::Contains("average_pool1d: the input must be [batch, length, channels]"), ShapeError);
  CHECK_THROWS_WITH_AS(nn::GlobalAveragePool()(g.input("c", {2, 8})),
                       doctest::Contains("global_average_pool: the input must have an axis between batch and channels"),
                       ShapeError);
}

TEST_CASE("window layers: a small LeNet learns digits, bit-identical on one and two threads") {
  const nn::Dataset train = nn::make_digits(1500, 3), valid = nn::make_digits(300, 4);
  const auto run = [&](int threads, int epochs) {
    nn::Model model{nn::Sequential{nn::Reshape({28, 28, 1}), nn::Conv2D(6, 5, nn::relu), nn::MaxPool2D(),
                                   nn::Conv2D(12, 5, nn::relu), nn::MaxPool2D(), nn::Flatten(), nn::Dense(32, nn::relu),
                                   nn::Dense(10, nn::softmax)},
                    {784},
                    {.seed = 2}};
    model.compile({.loss = nn::sparse_categorical_crossentropy,
                   .optimizer = nn::Adam{.learning_rate = 3e-3},
                   .metrics = {nn::accuracy}});
    return model.fit(
        train,
        {.batch_size = 64, .epochs = epochs, .validation = valid, .verbose = nn::Verbose::silent, .threads = threads});
  };
  const nn::History h = run(2, 4);
  CHECK(h["val_accuracy"].back() > 0.9);
  const nn::History one = run(1, 1);
  CHECK(one["val_loss"][0] == h["val_loss"][0]);
}
