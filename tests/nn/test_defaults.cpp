// Functions have the same defaults as the layers, activations and losses of the same name.
#include <cmath>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "support/small_model.hpp"

using namespace xgrad;

namespace {

// Values for which every default matters: both signs, above 1, small variance.
Tensor waves(Shape shape, double scale = 2) {
  Tensor out(shape, f64);
  Index i = 0;
  for (double& x : out.mutable_values<double>()) x = scale * std::sin(static_cast<double>(++i) * 1.7);
  return out;
}

struct Pair {
  const char* name;
  Value function, layer;
};

void check_same(const std::vector<Pair>& pairs) {
  for (const Pair& p : pairs) {
    CAPTURE(p.name);
    CHECK(bitwise_equal(evaluate(p.function), evaluate(p.layer)));
  }
}

}  // namespace

TEST_CASE("defaults: normalizations and pooling, as functions and as layers") {
  Graph g({.dtype = f64});
  const Value small = g.constant(waves({2, 4}, 0.05));  // so that a wrong epsilon changes the result
  const Value image = g.constant(waves({2, 5, 5, 4})), sequence = g.constant(waves({2, 5, 4}));
  const Value one = g.constant(Tensor::full({4}, 1, f64)), zero = g.constant(Tensor({4}, f64));
  check_same({
      {"layer_norm", layer_norm(small), nn::LayerNorm()(small)},
      {"layer_norm, scaled", layer_norm(small, one, zero), nn::LayerNorm()(small)},
      {"group_norm", group_norm(image, 2), nn::GroupNorm(2)(image)},
      {"max_pool2d", max_pool2d(image, 2), nn::MaxPool2D(2)(image)},
      {"max_pool2d, same", max_pool2d(image, 2, {.padding = "same"}), nn::MaxPool2D(2, {.padding = "same"})(image)},
      {"max_pool1d", max_pool1d(sequence, 2), nn::MaxPool1D(2)(sequence)},
      {"average_pool2d", average_pool2d(image, 2), nn::AveragePool2D(2)(image)},
      {"average_pool2d, same", average_pool2d(image, 2, {.padding = "same"}),
       nn::AveragePool2D(2, {.padding = "same"})(image)},
      {"average_pool2d, padded", average_pool2d(image, 3, {.padding = 1}), nn::AveragePool2D(3, {.padding = 1})(image)},
      {"average_pool1d, same", average_pool1d(sequence, 2, {.padding = "same"}),
       nn::AveragePool1D(2, {.padding = "same"})(sequence)},
      {"average_pool1d, counted", average_pool1d(sequence, 2, {.padding = "same", .count_padding = true}),
       nn::AveragePool1D(2, {.padding = "same", .preset = nn::Preset::torch})(sequence)},
      {"global_max_pool", global_max_pool(image), nn::GlobalMaxPool()(image)},
      {"global_average_pool", global_average_pool(image), nn::GlobalAveragePool()(image)},
  });
}

TEST_CASE("defaults: convolutions, as functions and as layers") {
  Graph g({.dtype = f64});
  const Value image = g.constant(waves({2, 5, 5, 4})), sequence = g.constant(waves({2, 5, 4}));
  const nn::Conv2D conv2d_layer(3, 3);
  const nn::Conv1D conv1d_layer(3, 3);
  const nn::Conv2DTranspose transposed(3, 3);
  const Value a = conv2d_layer(image), b = conv1d_layer(sequence), c = transposed(image);
  check_same({{"conv2d", conv2d(image, g.parameter(conv2d_layer.kernel())), a},
              {"conv1d", conv1d(sequence, g.parameter(conv1d_layer.kernel())), b},
              {"conv2d_transpose", conv2d_transpose(image, g.parameter(transposed.kernel())), c}});
}

TEST_CASE("defaults: activations, as functions and for layers") {
  Graph g({.dtype = f64});
  const Value x = g.constant(waves({3, 4}, 4));
  check_same({
      {"relu", relu(x), nn::relu(x)},
      {"sigmoid", sigmoid(x), nn::sigmoid(x)},
      {"tanh", tanh(x), nn::tanh(x)},
      {"softmax", softmax(x), nn::softmax(x)},
      {"log_softmax", log_softmax(x), nn::log_softmax(x)},
      {"logsigmoid", logsigmoid(x), nn::logsigmoid(x)},
      {"hardsigmoid", hardsigmoid(x), nn::hardsigmoid(x)},
      {"softplus", softplus(x), nn::softplus(x)},
      {"softsign", softsign(x), nn::softsign(x)},
      {"silu", silu(x), nn::silu(x)},
      {"gelu", gelu(x), nn::gelu(x)},
      {"gelu_tanh", gelu_tanh(x), nn::gelu_tanh(x)},
      {"hardswish", hardswish(x), nn::hardswish(x)},
      {"mish", mish(x), nn::mish(x)},
      {"relu6", relu6(x), nn::relu6(x)},
      {"leaky_relu", leaky_relu(x), nn::leaky_relu(x)},
      {"elu", elu(x), nn::elu(x)},
      {"selu", selu(x), nn::selu(x)},
      {"prelu", prelu(x, g.constant(0.0)), nn::PReLU()(x)},
  });
}

TEST_CASE("defaults: losses, as functions and for models") {
  Graph g({.dtype = f64});
  const Value p = g.constant(waves({3, 4}, 3)), t = g.constant(waves({3, 4}, -1));
  const Value yes = g.constant(Tensor::from<double>({3, 4}, {1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0}));
  const Value logs = log_softmax(p), classes = softmax(p), chance = sigmoid(p), signs = 2 * yes - 1;
  const Value labels = g.constant(Tensor::from<std::int64_t>({3}, {0, 2, 1}));
  check_same({
      {"mean_squared_error", mse(p, t), nn::mean_squared_error.apply(p, t)},
      {"mean_absolute_error", mae(p, t), nn::mean_absolute_error.apply(p, t)},
      {"huber", huber(p, t), nn::huber.apply(p, t)},
      {"smooth_l1", smooth_l1(p, t), nn::smooth_l1.apply(p, t)},
      {"log_cosh", log_cosh(p, t), nn::log_cosh.apply(p, t)},
      {"hinge", hinge(p, signs), nn::hinge.apply(p, signs)},
      {"binary_crossentropy", binary_crossentropy(chance, yes), nn::binary_crossentropy.apply(chance, yes)},
      {"binary_crossentropy_from_logits", binary_crossentropy_from_logits(p, yes),
       nn::binary_crossentropy_from_logits.apply(p, yes)},
      {"categorical_crossentropy", categorical_crossentropy(classes, yes),
       nn::categorical_crossentropy.apply(classes, yes)},
      {"categorical_crossentropy_from_logits", categorical_crossentropy_from_logits(p, yes),
       nn::categorical_crossentropy_from_logits.apply(p, yes)},
      {"sparse_categorical_crossentropy", sparse_categorical_crossentropy(classes, labels),
       nn::sparse_categorical_crossentropy.apply(classes, labels)},
      {"nll", nll(logs, labels), nn::nll.apply(logs, labels)},
      {"kl_divergence", kl_divergence(logs, classes), nn::kl_divergence.apply(logs, classes)},
  });
}

TEST_CASE("defaults: dropout as function and as layer; batch norm of both presets") {
  Graph g({.dtype = f64, .training = true});
  const Value x = g.constant(Tensor::full({1000}, 1, f64));
  double dropped[2] = {};
  int form = 0;
  for (const Value y : {x * dropout_mask(x, 0.25), nn::Dropout(0.25)(x)}) {
    const Tensor out = evaluate(y);
    for (Index i = 0; i < 1000; ++i) {
      dropped[form] += out.at(i) == 0 ? 1 : 0;
      CHECK((out.at(i) == 0 || out.at(i) == doctest::Approx(1 / 0.75)));
    }
    CHECK(dropped[form++] == doctest::Approx(250).epsilon(0.2));
  }
  constexpr auto keras = nn::defaults(nn::Preset::keras), torch = nn::defaults(nn::Preset::torch);
  CHECK(keras.batch_norm.momentum == 0.99);
  CHECK(keras.batch_norm.epsilon == 1e-3);
  CHECK(torch.batch_norm.momentum == 0.9);
  CHECK(torch.batch_norm.epsilon == 1e-5);
  CHECK(keras.norm_epsilon == 1e-3);
  CHECK(torch.norm_epsilon == 1e-5);
}
