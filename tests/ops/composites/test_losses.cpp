// Losses against results computed by hand, by the conventions of Keras and PyTorch that losses.hpp names.
#include <cmath>
#include <limits>
#include <utility>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/base/error.hpp>

#include "support/known_answers.hpp"
#include "support/points.hpp"

using namespace xgrad;
using testing::check_answer;
using testing::Numbers;
using testing::numbers;

namespace {

constexpr auto none = Reduction::none;
constexpr double tight = 1e-14;

// Checks the derivative of sum(loss(x)) by x.
void check_derivative(Graph& g, const Shape& shape, const std::vector<double>& at, Value (*loss)(Value),
                      const std::vector<double>& expected, double tolerance = tight, DType dtype = f64) {
  const Value x = numbers(g, shape, at, dtype);
  check_answer(gradients(sum(loss(x)), x), shape, expected, tolerance);
}
Value like(Value x, const std::vector<double>& values) { return numbers(x.graph(), x.shape(), values, x.dtype()); }

}  // namespace

TEST_CASE("losses: regression, known values and derivatives") {
  Graph g({.dtype = f64});
  const Value p = numbers(g, {1, 2, 4, -2});
  const Value t = numbers(g, {1, 1, 1, 1});
  check_answer(mse(p, t, none), {4}, {0, 1, 9, 9});
  check_answer(mse(p, t), {}, {19.0 / 4});
  check_answer(mse(p, t, Reduction::sum), {}, {19});
  check_answer(mae(p, t, none), {4}, {0, 1, 3, 3});
  check_answer(huber(p, t, 1, none), {4}, {0, 0.5, 2.5, 2.5});
  check_answer(huber(p, t, 2, none), {4}, {0, 0.5, 4, 4});
  check_answer(smooth_l1(p, t, 1, none), {4}, {0, 0.5, 2.5, 2.5});
  check_answer(smooth_l1(p, t, 2, none), {4}, {0, 0.25, 2, 2});
  check_answer(smooth_l1(p, t, 0, none), {4}, {0, 1, 3, 3});
  check_answer(log_cosh(numbers(g, {0, 1, -1, 1000, -1e-4, INFINITY}), numbers(g, {0, 0, 0, 0, 0, 0}), none), {6},
               {0, 0.4337808304830271, 0.4337808304830271, 999.3068528194401, 4.9999999916666667e-9, INFINITY}, tight);
  check_answer(mse(numbers(g, std::vector<double>{}), numbers(g, std::vector<double>{})), {}, {NAN});
  check_answer(mse(numbers(g, std::vector<double>{}), numbers(g, std::vector<double>{}), Reduction::sum), {}, {0});
  // Derivatives at kinks and for large errors.
  check_derivative(g, {3}, {0, 2, -2}, [](Value x) { return mae(x, zeros_like(x), none); }, {0, 1, -1});
  check_derivative(g, {6}, {0, 1, -1, 1e30, -INFINITY, 0.25}, [](Value x) { return huber(x, zeros_like(x), 1, none); },
                   {0, 1, -1, 1, -1, 0.25});
  check_derivative(g, {5}, {0, 1e-3, 20, -500, 1}, [](Value x) { return log_cosh(x, zeros_like(x), none); },
                   {0, std::tanh(1e-3), 1, -1, std::tanh(1)});
  // The second derivative of huber and log_cosh at 0 is 1.
  const Value x = numbers(g, {0, 0.5});
  for (const bool smooth : {false, true}) {
    const Value y = smooth ? log_cosh(x, zeros_like(x), none) : huber(x, zeros_like(x), 1, none);
    check_answer(gradients(sum(gradients(sum(y), x)), x), {2}, {1, smooth ? 1 - std::pow(std::tanh(0.5), 2) : 1},
                 tight);
  }
}

TEST_CASE("losses: binary, known values and derivatives") {
  Graph g({.dtype = f64});
  const double log2 = std::log(2.0);
  check_answer(binary_crossentropy(numbers(g, {0.9, 0.2}), numbers(g, {1, 0}), {}, none), {2},
               {0.10536051565782628, 0.2231435513142097}, tight);
  // Probabilities are clipped: the loss is -log(1e-7) and the derivative 0.
  check_answer(binary_crossentropy(numbers(g, {0, 1}), numbers(g, {1, 0}), {}, none), {2},
               {16.11809565095832, 16.11809565095832}, 1e-9);
  check_derivative(g, {2}, {0, 1}, [](Value p) { return binary_crossentropy(p, like(p, {1, 0})); }, {0, 0});
  // The loss and its derivative sigmoid(z) - t are exact for any logits, also computed through sigmoid.
  for (const DType dtype : {f32, f64}) {
    const Value z = numbers(g, {1e4, -1e4, 1e4, -1e4, 0, 0}, dtype);
    const Value t = numbers(g, {1, 0, 0, 1, 1, 0}, dtype);
    for (const bool through_sigmoid : {false, true}) {
      const Value y = through_sigmoid ? binary_crossentropy(sigmoid(z), t, {}, none)
                                      : binary_crossentropy_from_logits(z, t, {}, none);
      check_answer(y, {6}, {0, 0, 1e4, 1e4, log2, log2}, dtype == f32 ? 1e-7 : tight);
      check_answer(gradients(sum(y), z), {6}, {0, 0, 1, -1, -0.5, 0.5});
    }
    // A small loss is not rounded to 0: log(1 + exp(-20)).
    check_answer(binary_crossentropy_from_logits(numbers(g, {-20}, dtype), numbers(g, {0}, dtype)) * 1e9, {},
                 {2.0611536203143808}, dtype == f32 ? 1e-6 : 1e-13);
  }
  const Value one = numbers(g, {1});
  check_answer(binary_crossentropy_from_logits(one, one, {.positive_weight = 3}), {}, {3 * 0.31326168751822286}, tight);
  check_answer(binary_crossentropy_from_logits(one, one, {.label_smoothing = 0.2}), {},
               {0.9 * 0.31326168751822286 + 0.1 * 1.3132616875182228}, tight);
  check_answer(binary_crossentropy(numbers(g, {0.25}), one, {.label_smoothing = 0.5, .positive_weight = 2}), {},
               {-2 * 0.75 * std::log(0.25) - 0.25 * std::log(0.75)}, tight);
  check_answer(hinge(numbers(g, {0.5, -2, 2, 1}), numbers(g, {1, 1, -1, 1}), none), {4}, {0.5, 3, 3, 0});
  check_derivative(g, {3}, {1, 0, 2}, [](Value p) { return hinge(p, ones_like(p), none); }, {0, -1, 0});
}

TEST_CASE("losses: categorical ones are exact at extreme logits") {
  Graph g({.dtype = f64});
  for (const DType dtype : {f32, f64}) {
    const Value z = numbers(g, {3, 3}, {1e4, 0, -1e4, 1e4, 0, -1e4, 0, 0, 0}, dtype);
    const Value labels = numbers(g, {2, 0, 1}, i64);
    const Value targets = one_hot(labels, 3, dtype);
    const double log3 = std::log(3.0);
    const double third = 1.0 / 3;
    for (int form = 0; form < 4; ++form) {
      CAPTURE(form);
      const Value y = form == 0   ? sparse_categorical_crossentropy_from_logits(z, labels, {}, none)
                      : form == 1 ? sparse_categorical_crossentropy(softmax(z), labels, {}, none)
                      : form == 2 ? categorical_crossentropy_from_logits(z, targets, {}, none)
                                  : categorical_crossentropy(softmax(z), targets, {}, none);
      check_answer(y, {3}, {2e4, 0, log3}, dtype == f32 ? 1e-7 : tight);
      check_answer(gradients(sum(y), z), {3, 3}, {1, 0, -1, 0, 0, 0, third, third - 1, third},
                   dtype == f32 ? 1e-7 : tight);
    }
  }
  // An impossible class: its logit is -inf.
  const Value z = numbers(g, {1, 3}, {0, 0, -INFINITY});
  const Value y = sparse_categorical_crossentropy_from_logits(z, numbers(g, {1}, i64));
  check_answer(y, {}, {std::log(2.0)}, tight);
  check_answer(gradients(y, z), {1, 3}, {0.5, -0.5, 0}, tight);
}

TEST_CASE("losses: probabilities are normalized and clipped") {
  Graph g({.dtype = f64});
  const Value labels = numbers(g, {0, 1}, i64);
  const Value p = numbers(g, {2, 2}, {2, 6, 0, 1});
  check_answer(sparse_categorical_crossentropy(p, labels, {}, none), {2}, {-std::log(0.25), -std::log(1 - 1e-7)},
               tight);
  check_answer(categorical_crossentropy(p, numbers(g, {2, 2}, {1, 0, 1, 0}), {}, none), {2},
               {-std::log(0.25), -std::log(1e-7)}, tight);
}

TEST_CASE("losses: label smoothing, class weights and ignored labels as in PyTorch") {
  Graph g({.dtype = f64});
  // nll does not normalize: the rows are used as log-probabilities.
  const Value logs = numbers(g, {3, 3}, {-1, -2, -3, -4, -5, -6, -7, -8, -9});
  const Value labels = numbers(g, {0, 2, 1}, i64);
  const Value weights = numbers(g, {1, 2, 4});
  const auto loss = [&](const ClassOptions& options, Reduction reduction = Reduction::mean) {
    return nll(logs, labels, options, reduction);
  };
  check_answer(loss({}, none), {3}, {1, 6, 8});
  check_answer(loss({}), {}, {5});
  check_answer(loss({}, Reduction::sum), {}, {15});
  check_answer(loss({.class_weights = weights}, none), {3}, {1, 24, 16});
  check_answer(loss({.class_weights = {1, 2, 4}}, none), {3}, {1, 24, 16});  // a list of numbers
  check_answer(loss({.class_weights = weights}), {}, {41.0 / 7});            // over the weights 1 + 4 + 2 of the labels
  check_answer(loss({.ignored_label = 2}, none), {3}, {1, 0, 8});
  check_answer(loss({.ignored_label = 2}), {}, {4.5});
  check_answer(loss({.ignored_label = -100}), {}, {5});
  check_answer(loss({.class_weights = weights, .ignored_label = 0}), {}, {40.0 / 6});
  check_answer(loss({.label_smoothing = 0.3}, none), {3}, {0.7 * 1 + 0.1 * 6, 0.7 * 6 + 0.1 * 15, 0.7 * 8 + 0.1 * 24},
               tight);
  check_answer(loss({.label_smoothing = 0.3}), {}, {15.0 / 3}, tight);
  check_answer(loss({.label_smoothing = 0.3, .class_weights = weights}), {},
               {(0.7 * 41 + 0.1 * (1 + 4 + 12 + 4 + 10 + 24 + 7 + 16 + 36)) / 7}, tight);
  check_answer(loss({.label_smoothing = 0.3, .class_weights = weights, .ignored_label = 1}), {},
               {(0.7 * 25 + 0.1 * (1 + 4 + 12 + 4 + 10 + 24)) / 5}, tight);
  check_answer(label_weights(labels, f64, {}), {3}, {1, 1, 1});
  check_answer(label_weights(labels, f64, {.class_weights = weights}), {3}, {1, 4, 2});
  check_answer(label_weights(labels, f64, {.class_weights = weights, .ignored_label = 2}), {3}, {1, 0, 2});
  const Value outside = numbers(g, {-100, -100, -100}, i64);
  check_answer(nll(logs, outside, {.ignored_label = -100}), {}, {NAN});  // the mean of no rows
  check_answer(nll(logs, outside, {.ignored_label = -100}, Reduction::sum), {}, {0});
  CHECK_THROWS_AS(evaluate(nll(logs, outside), {}), ValueError);
  // Ignored rows have a gradient of 0.
  check_answer(gradients(nll(logs, numbers(g, {0, 9, 1}, i64), {.ignored_label = 9}), logs), {3, 3},
               {-0.5, 0, 0, 0, 0, 0, 0, -0.5, 0});
  // With probabilities as targets the mean is over rows, with or without weights.
  const Value targets = one_hot(labels, 3, f64);
  check_answer(
      categorical_crossentropy_from_logits(logs, targets, {.class_weights = weights}), {},
      {evaluate(sparse_categorical_crossentropy_from_logits(logs, labels, {.class_weights = weights}, Reduction::sum),
                {})
           .item() /
       3},
      tight);
  check_answer(
      categorical_crossentropy_from_logits(logs, targets, {.label_smoothing = 0.3}), {},
      {evaluate(sparse_categorical_crossentropy_from_logits(logs, labels, {.label_smoothing = 0.3}), {}).item()},
      tight);
}

TEST_CASE("losses: kl_divergence") {
  Graph g({.dtype = f64});
  const double log2 = std::log(2.0);
  const Value t = numbers(g, {2, 3}, {0.5, 0.5, 0, 0, 0, 1});
  const Value logs = numbers(g, {2, 3}, {std::log(0.25), std::log(0.25), -INFINITY, 0, 0, std::log(0.5)});
  check_answer(kl_divergence(logs, t, none), {2}, {log2, log2}, tight);
  check_answer(kl_divergence(logs, t), {}, {log2}, tight);
  check_answer(kl_divergence(logs, t, Reduction::sum), {}, {2 * log2}, tight);
  check_answer(gradients(kl_divergence(logs, t, Reduction::sum), logs), {2, 3}, {-0.5, -0.5, 0, 0, 0, -1});
  check_answer(gradients(kl_divergence(logs, t, Reduction::sum), t), {2, 3}, {1 + log2, 1 + log2, 0, 0, 0, 1 + log2},
               tight);
}

TEST_CASE("losses: cosine and triplet losses of vectors") {
  Graph g({.dtype = f64});
  const Value a = numbers(g, {3, 2}, {3, 4, 1, 0, 0, 0});
  const Value b = numbers(g, {3, 2}, {4, 3, -2, 0, 1, 1});
  check_answer(cosine_similarity(a, b), {3}, {0.96, -1, 0}, tight);
  check_answer(cosine_similarity(numbers(g, {1e15, 0}), numbers(g, {1e15, 1e15})), {}, {std::sqrt(0.5)}, tight);
  check_answer(cosine_similarity(a, b, 0), {2}, {(12 - 2) / std::sqrt(10 * 21.0), 12 / (4 * std::sqrt(10.0))}, tight);
  check_answer(cosine_embedding(a, b, numbers(g, {1, -1, -1}, i64), 0, none), {3}, {0.04, 0, 0}, tight);
  check_answer(cosine_embedding(a, b, numbers(g, {-1, 1, 1}, i64), 0.5, none), {3}, {0.46, 2, 1}, tight);
  // Derivatives are finite where a vector is 0.
  const Value zero = numbers(g, {0, 0});
  check_answer(gradients(cosine_similarity(zero, numbers(g, {1, 0})), zero), {2}, {1e8, 0}, 1e-7);
  const Value anchor = numbers(g, {2, 2}, {0, 0, 0, 0});
  const Value positive = numbers(g, {2, 2}, {3, 4, 1, 0});
  const Value negative = numbers(g, {2, 2}, {0, 1, 5, 12});
  check_answer(triplet_margin(anchor, positive, negative, 1, none), {2}, {5, 0}, 1e-5);
  check_answer(triplet_margin(anchor, positive, negative, 1), {}, {2.5}, 1e-5);
  const Tensor d = evaluate(gradients(triplet_margin(anchor, anchor + 0, negative, 99), anchor), {});
  for (Index i = 0; i < d.elements(); ++i) CHECK(std::isfinite(d.at(i)));
}

TEST_CASE("losses: shapes that would broadcast throw") {
  Graph g;
  const Value row = g.input("row", {4});
  const Value column = g.input("column", {4, 1});
  const NodeId size = g.size();
  for (auto* loss : {+[](Value p, Value t) { return mse(p, t); }, +[](Value p, Value t) { return mae(p, t); },
                     +[](Value p, Value t) { return huber(p, t); }, +[](Value p, Value t) { return smooth_l1(p, t); },
                     +[](Value p, Value t) { return log_cosh(p, t); }, +[](Value p, Value t) { return hinge(p, t); },
                     +[](Value p, Value t) { return binary_crossentropy(p, t); },
                     +[](Value p, Value t) { return binary_crossentropy_from_logits(p, t); },
                     +[](Value p, Value t) { return kl_divergence(p, t); },
                     +[](Value p, Value t) { return categorical_crossentropy(p, t); },
                     +[](Value p, Value t) { return categorical_crossentropy_from_logits(p, t); },
                     +[](Value p, Value t) { return cosine_similarity(p, t); }}) {
    CHECK_THROWS_AS(loss(row, column), ShapeError);
    CHECK_THROWS_AS(loss(column, row), ShapeError);
  }
  CHECK(g.size() == size);
}

TEST_CASE("losses: an infinite loss with weight 0 contributes 0 to loss and gradient") {
  const double inf = std::numeric_limits<double>::infinity();
  const double log_2 = std::log(2.0);
  for (const DType dtype : {f32, f64}) {
    CAPTURE(name_of(dtype));
    const double tolerance = dtype == f32 ? 1e-6 : 1e-14;
    Graph g({.dtype = dtype});
    const Value logits = g.input("logits", {1, 3});
    const Value target = g.input("target", {1, 3});
    const Value class_weights = g.input("class weights", {3});
    const Value label = numbers(g, std::vector<double>{1}, i64);
    const Feeds feeds{{logits, Tensor::from<double>({1, 3}, {-inf, 0, 0}).cast(dtype)},
                      {target, Tensor::from<double>({1, 3}, {0, 1, 0}).cast(dtype)},
                      {class_weights, Tensor::from<double>({3}, {0, 1, 1}).cast(dtype)}};
    const std::vector<std::pair<Value, double>> losses{
        {categorical_crossentropy_from_logits(logits, target), log_2},
        {categorical_crossentropy(softmax(logits), target), log_2},
        {categorical_crossentropy_from_logits(logits, target, {.class_weights = class_weights}), log_2},
        {kl_divergence(log_softmax(logits), target), log_2},
        {nll(log_softmax(logits), label), log_2},
        {sparse_categorical_crossentropy_from_logits(logits, label, {.class_weights = class_weights}), log_2},
        // Label smoothing with a class of weight 0.
        {sparse_categorical_crossentropy_from_logits(logits, label,
                                                     {.label_smoothing = 0.3, .class_weights = class_weights}),
         0.9 * log_2},
        {categorical_crossentropy_from_logits(logits, target, {.label_smoothing = 0.3, .class_weights = class_weights}),
         0.9 * log_2}};
    for (std::size_t i = 0; i < losses.size(); ++i) {
      CAPTURE(i);
      CHECK(evaluate(losses[i].first, feeds).item() == doctest::Approx(losses[i].second).epsilon(tolerance));
      const Tensor grad = evaluate(gradients(losses[i].first, logits), feeds);
      const double expected = i < 6 ? 0.5 : 0.35;  // |softmax * sum(target) - target|
      CHECK(grad.at(0) == 0);
      CHECK(grad.at(1) == doctest::Approx(-expected).epsilon(1e-6));
      CHECK(grad.at(2) == doctest::Approx(expected).epsilon(1e-6));
    }
    // An impossible class as target: the loss is infinite.
    const Feeds wrong{{logits, feeds[0].value}, {target, Tensor::from<double>({1, 3}, {1, 0, 0}).cast(dtype)}};
    CHECK(evaluate(categorical_crossentropy_from_logits(logits, target), wrong).item() == inf);

    const Value sure = g.input("sure", {2});
    const Value truth = g.input("truth", {2});
    const Feeds certain{{sure, Tensor::from<double>({2}, {-inf, inf}).cast(dtype)},
                        {truth, Tensor::from<double>({2}, {0, 1}).cast(dtype)}};
    for (const Value loss : {binary_crossentropy_from_logits(sure, truth), binary_crossentropy(sigmoid(sure), truth),
                             binary_crossentropy_from_logits(sure, truth, {.positive_weight = 3})}) {
      CHECK(evaluate(loss, certain).item() == 0);
      CHECK(Numbers(evaluate(gradients(loss, sure), certain)) == Numbers{0, 0});
    }
    const Feeds wrong_binary{{sure, certain[0].value}, {truth, Tensor::from<double>({2}, {1, 0}).cast(dtype)}};
    CHECK(evaluate(binary_crossentropy_from_logits(sure, truth), wrong_binary).item() == inf);
  }
}

TEST_CASE("losses: the derivative with respect to a target of 0 is the negative log-probability of its class") {
  Graph g({.dtype = f64});
  const Value target = g.input("target", {1, 2});
  const Value logits = numbers(g, {1, 2}, {0, 0});
  const Tensor grad = evaluate(gradients(categorical_crossentropy_from_logits(logits, target), target),
                               {{target, Tensor::from<double>({1, 2}, {0, 1})}});
  check_answer(g.constant(grad), {1, 2}, {std::log(2.0), std::log(2.0)}, tight);
}

TEST_CASE("losses: cosine_similarity and triplet_margin of long vectors do not overflow") {
  Graph g;
  check_answer(cosine_similarity(numbers(g, {1e30, 0}, f32), numbers(g, {1e30, 1e30}, f32)), {}, {std::sqrt(0.5)},
               1e-6);
  const Value anchor = numbers(g, {1, 2}, {0, 0}, f32);
  check_answer(triplet_margin(anchor, numbers(g, {1, 2}, {3e30, 4e30}, f32), anchor, 0), {}, {5e30}, 1e-6);
}
