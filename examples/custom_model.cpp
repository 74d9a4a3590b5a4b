// A custom model: a residual block, written as a struct, in a network that classifies two spirals.
#include <cmath>
#include <cstdio>
#include <exception>
#include <iostream>

#include <xgrad/xgrad.hpp>

namespace xg = xgrad;
namespace nn = xgrad::nn;

struct Residual : nn::Module {
  nn::Dense a{32, nn::tanh}, b{32};
  xg::Value operator()(xg::Value x) { return x + b(a(x)); }
};

// Points on two interleaved spirals; the class is the spiral.
nn::Dataset spirals(xg::Index points) {
  nn::Dataset data{xg::Tensor({points, 2}), xg::Tensor({points}, xg::i64)};
  auto x = data.x.mutable_values<float>();
  auto y = data.y.mutable_values<std::int64_t>();
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = static_cast<std::int64_t>(i % 2);
    const double t = 0.5 + 2.5 * static_cast<double>(i) / static_cast<double>(points);
    const double angle = 2.5 * t + (y[i] == 1 ? 3.14159265 : 0);
    x[2 * i] = static_cast<float>(t * std::cos(angle) / 3);
    x[2 * i + 1] = static_cast<float>(t * std::sin(angle) / 3);
  }
  return data;
}

int main() try {
  const nn::Dataset data = spirals(1000);
  nn::Model model{
      nn::Sequential{nn::Dense(32, nn::tanh), Residual(), Residual(), nn::Dense(2, nn::softmax)}, {2}, {.seed = 1}};
  model.compile({.loss = nn::sparse_categorical_crossentropy,
                 .optimizer = nn::Adam{.learning_rate = 0.005},
                 .metrics = {nn::accuracy}});
  model.summary();
  model.check_gradients(data.slice(0, 6), {.max_elements = 8});  // gradient check before training
  const auto history = model.fit(data, {.batch_size = 50, .epochs = 100, .verbose = nn::Verbose::silent});
  std::printf("accuracy after %d epochs: %.3f\n", history.epochs(), history.best("accuracy"));
} catch (const std::exception& error) {
  std::cerr << "custom_model: " << error.what() << '\n';
  return 1;
}
