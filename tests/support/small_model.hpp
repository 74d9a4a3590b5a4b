// Small data sets and models that train quickly.
#pragma once

#include <cmath>
#include <vector>

#include <xgrad/xgrad.hpp>

namespace small_model {

using namespace xgrad;

constexpr auto silent = nn::Verbose::silent;

inline Tensor numbers(Shape shape, double phase = 0) {
  Tensor out(shape);
  Index i = 0;
  for (float& x : out.mutable_values<float>()) x = static_cast<float>(std::sin(static_cast<double>(++i) * 1.7 + phase));
  return out;
}

// Points of two noisy half planes, easy to classify.
inline nn::Dataset points(Index rows) {
  nn::Dataset data{numbers({rows, 2}), Tensor(Shape{rows}, i64)};
  const auto x = data.x.values<float>();
  for (std::size_t i = 0; i < static_cast<std::size_t>(rows); ++i) {
    data.y.mutable_values<std::int64_t>()[i] = x[2 * i] + 0.5F * x[2 * i + 1] > 0 ? 1 : 0;
  }
  return data;
}

inline nn::Sequential small_net() {
  return {nn::Dense(8, nn::relu), nn::BatchNorm(), nn::Dropout(0.2), nn::Dense(2, nn::softmax)};
}

inline nn::Model classifier(std::uint64_t seed = 1) {
  nn::Model model{small_net(), {2}, {.seed = seed}};
  model.compile({.loss = nn::sparse_categorical_crossentropy,
                 .optimizer = nn::Adam{.learning_rate = 0.01},
                 .metrics = {nn::accuracy}});
  return model;
}

inline nn::Model line() {
  nn::Model model{nn::Dense(1), {2}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{.learning_rate = 0.1}});
  return model;
}

inline std::vector<Tensor> weights(const nn::Model& model) {
  std::vector<Tensor> out;
  for (const Parameter& p : model.parameters()) out.push_back(p.value());
  return out;
}

inline bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  bool equal = a.size() == b.size();
  for (std::size_t i = 0; equal && i < a.size(); ++i) equal = bitwise_equal(a[i], b[i]);
  return equal;
}

}  // namespace small_model
