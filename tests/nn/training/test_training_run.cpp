// A training run in f64 against a reference implementation in plain loops.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

using namespace xgrad;

namespace {

constexpr std::size_t inputs = 3, hidden = 5, classes = 4, rows = 10, batch = 4, epochs = 6;

// Data and initial weights without a random generator.
double wave(std::size_t i, double phase) { return std::sin(static_cast<double>(i + 1) * 1.3 + phase); }

// Adam for one scalar, as in the paper.
struct PlainAdam {
  double m = 0, v = 0;
  void step(double& w, double g, int t) {
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    const double rate = 0.02 * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
    w -= rate * m / (std::sqrt(v) + 1e-7);
  }
};

// One hidden layer with tanh, softmax and cross-entropy, in scalar loops.
struct PlainNet {
  std::vector<double> w1 = std::vector<double>(inputs * hidden), b1 = std::vector<double>(hidden),
                      w2 = std::vector<double>(hidden * classes), b2 = std::vector<double>(classes);
  std::vector<PlainAdam> adam = std::vector<PlainAdam>(w1.size() + b1.size() + w2.size() + b2.size());
  int t = 0;

  // One batch; returns the mean loss before the step.
  double train(const double* x, const int* label, std::size_t count) {
    std::vector<double> g1(w1.size()), gb1(b1.size()), g2(w2.size()), gb2(b2.size());
    const double n = static_cast<double>(count);
    double loss = 0;
    for (std::size_t r = 0; r < count; ++r, x += inputs) {
      double h[hidden], z[classes], p[classes], total = 0;
      for (std::size_t j = 0; j < hidden; ++j) {
        h[j] = b1[j];
        for (std::size_t i = 0; i < inputs; ++i) h[j] += x[i] * w1[i * hidden + j];
        h[j] = std::tanh(h[j]);
      }
      for (std::size_t k = 0; k < classes; ++k) {
        z[k] = b2[k];
        for (std::size_t j = 0; j < hidden; ++j) z[k] += h[j] * w2[j * classes + k];
        total += p[k] = std::exp(z[k]);
      }
      for (std::size_t k = 0; k < classes; ++k) p[k] /= total;
      const auto label_class = static_cast<std::size_t>(label[r]);
      loss -= std::log(p[label_class]) / n;
      for (std::size_t k = 0; k < classes; ++k) {
        const double dz = (p[k] - (k == label_class ? 1 : 0)) / n;
        gb2[k] += dz;
        for (std::size_t j = 0; j < hidden; ++j) g2[j * classes + k] += h[j] * dz;
      }
      for (std::size_t j = 0; j < hidden; ++j) {
        double dh = 0;
        for (std::size_t k = 0; k < classes; ++k) dh += w2[j * classes + k] * (p[k] - (k == label_class ? 1 : 0)) / n;
        const double da = dh * (1 - h[j] * h[j]);
        gb1[j] += da;
        for (std::size_t i = 0; i < inputs; ++i) g1[i * hidden + j] += x[i] * da;
      }
    }
    ++t;
    std::size_t at = 0;
    const auto step = [&](std::vector<double>& w, const std::vector<double>& g) {
      for (std::size_t i = 0; i < w.size(); ++i) adam[at++].step(w[i], g[i], t);
    };
    step(w1, g1), step(b1, gb1), step(w2, g2), step(b2, gb2);
    return loss;
  }
};

}  // namespace

TEST_CASE("fit: a training run agrees with a reference in plain loops") {
  PlainNet plain;
  std::vector<double> x(rows * inputs);
  std::vector<int> label(rows);
  std::vector<std::int64_t> label64;
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 2 * wave(i, 0.1);
  for (std::size_t r = 0; r < rows; ++r) label64.push_back(label[r] = static_cast<int>((r * 7 + r / 3) % classes));
  for (std::size_t i = 0; i < plain.w1.size(); ++i) plain.w1[i] = 0.7 * wave(i, 0.5);
  for (std::size_t i = 0; i < plain.b1.size(); ++i) plain.b1[i] = 0.1 * wave(i, 0.9);
  for (std::size_t i = 0; i < plain.w2.size(); ++i) plain.w2[i] = 0.8 * wave(i, 1.3);

  nn::Model model{
      nn::Sequential{nn::Dense(hidden, nn::tanh), nn::Dense(classes, nn::softmax)}, {inputs}, {.dtype = f64}};
  model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::Adam{.learning_rate = 0.02}});
  const std::vector<std::vector<double>*> weights{&plain.w1, &plain.b1, &plain.w2, &plain.b2};
  REQUIRE(model.parameters().size() == weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    Parameter p = model.parameters()[i];
    p.set(Tensor::from<double>(p.shape(), *weights[i]));
  }

  const nn::Dataset data{Tensor::from<double>({rows, inputs}, x), Tensor::from<std::int64_t>({rows}, label64)};
  const nn::History history =
      model.fit(data, {.batch_size = batch, .epochs = epochs, .shuffle = false, .verbose = nn::Verbose::silent});
  for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
    double loss = 0;
    for (std::size_t first = 0; first < rows; first += batch) {
      const std::size_t count = std::min(batch, rows - first);
      loss += plain.train(&x[first * inputs], &label[first], count) * static_cast<double>(count);
    }
    CHECK(std::abs(history["loss"][epoch] - loss / rows) < 1e-10);
  }
  CHECK(history["loss"].back() < 0.8 * history["loss"].front());  // the loss decreased
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Tensor trained = model.parameters()[i].value();
    for (std::size_t j = 0; j < weights[i]->size(); ++j)
      CHECK(std::abs(trained.at(static_cast<Index>(j)) - (*weights[i])[j]) < 1e-10);
  }
}
