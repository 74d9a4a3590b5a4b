// The losses that models are compiled with: their options reach the formulas, and what is ignored is.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

using namespace xgrad;

namespace {

double value_of(const nn::Loss& loss, const Tensor& p, const Tensor& t) {
  Graph g({.dtype = f64});
  return evaluate(loss.apply(g.constant(p), g.constant(t))).item();
}

const Tensor p = Tensor::from<double>({2, 3}, {0.7, 0.2, 0.1, 0.25, 0.25, 0.5});
const Tensor classes = Tensor::from<std::int64_t>({2}, {0, 1});
const Tensor hot = Tensor::from<double>({2, 3}, {1, 0, 0, 0, 1, 0});

}  // namespace

TEST_CASE("losses of numbers") {
  const Tensor a = Tensor::from<double>({2, 1}, {1, 4}), b = Tensor::from<double>({2, 1}, {1.5, 1});
  CHECK(value_of(nn::mean_squared_error, a, b) == 4.625);
  CHECK(value_of(nn::mean_absolute_error, a, b) == 1.75);
  CHECK(value_of(nn::huber, a, b) == doctest::Approx((0.125 + 2.5) / 2));
  CHECK(value_of(nn::huber({.delta = 2}), a, b) == doctest::Approx((0.125 + 4) / 2));
  CHECK(value_of(nn::smooth_l1({.beta = 2}), a, b) == doctest::Approx((0.0625 + 2) / 2));
  CHECK(value_of(nn::log_cosh, a, b) == doctest::Approx((std::log(std::cosh(0.5)) + std::log(std::cosh(3))) / 2));
}

TEST_CASE("losses of truth values") {
  const Tensor q = Tensor::from<double>({2, 1}, {0.8, 0.3}), t = Tensor::from<double>({2, 1}, {1, 0});
  CHECK(value_of(nn::binary_crossentropy, q, t) == doctest::Approx(-(std::log(0.8) + std::log(0.7)) / 2));
  CHECK(value_of(nn::binary_crossentropy({.positive_weight = 3}), q, t) ==
        doctest::Approx(-(3 * std::log(0.8) + std::log(0.7)) / 2));
  CHECK(value_of(nn::binary_crossentropy({.label_smoothing = 0.2}), q, t) ==
        doctest::Approx(-(0.9 * std::log(0.8) + 0.1 * std::log(0.2) + 0.1 * std::log(0.3) + 0.9 * std::log(0.7)) / 2));
  const Tensor z = Tensor::from<double>({2, 1}, {std::log(4), std::log(3.0 / 7)});
  CHECK(value_of(nn::binary_crossentropy_from_logits, z, t) ==
        doctest::Approx(value_of(nn::binary_crossentropy, q, t)));
  CHECK(value_of(nn::hinge, q, Tensor::from<double>({2, 1}, {1, -1})) == doctest::Approx((0.2 + 1.3) / 2));
}

TEST_CASE("losses of classes: smoothing, weights, labels passed over") {
  const double first = -std::log(0.7), second = -std::log(0.25);
  CHECK(value_of(nn::categorical_crossentropy, p, hot) == doctest::Approx((first + second) / 2));
  CHECK(value_of(nn::sparse_categorical_crossentropy, p, classes) == doctest::Approx((first + second) / 2));
  const double smooth_1 = -(0.8 * std::log(0.7) + 0.1 * std::log(0.2) + 0.1 * std::log(0.1));
  const double smooth_2 = -(0.1 * std::log(0.25) + 0.8 * std::log(0.25) + 0.1 * std::log(0.5));
  CHECK(value_of(nn::categorical_crossentropy({.label_smoothing = 0.3}), p, hot) ==
        doctest::Approx((smooth_1 + smooth_2) / 2));
  const nn::ClassLossOptions weighted{.class_weights = {3, 1, 0}};
  CHECK(value_of(nn::categorical_crossentropy(weighted), p, hot) == doctest::Approx((3 * first + second) / 2));
  CHECK(value_of(nn::sparse_categorical_crossentropy(weighted), p, classes) ==
        doctest::Approx((3 * first + second) / 4));
  const nn::ClassLossOptions ignoring{.ignored_label = -1};
  const Tensor some = Tensor::from<std::int64_t>({2}, {-1, 1});
  CHECK(value_of(nn::sparse_categorical_crossentropy(ignoring), p, some) == doctest::Approx(second));
  Tensor logs = p.clone();
  for (double& x : logs.mutable_values<double>()) x = std::log(x);
  CHECK(value_of(nn::nll, logs, classes) == doctest::Approx((first + second) / 2));
  CHECK(value_of(nn::sparse_categorical_crossentropy_from_logits, logs, classes) ==
        doctest::Approx((first + second) / 2));
  CHECK(value_of(nn::categorical_crossentropy_from_logits(weighted), logs, hot) ==
        doctest::Approx((3 * first + second) / 2));
  CHECK(value_of(nn::kl_divergence, logs, p) == doctest::Approx(0).epsilon(1e-12));
  CHECK(value_of(nn::kl_divergence, logs, hot) == doctest::Approx((first + second) / 2));
  CHECK_THROWS_WITH_AS(nn::categorical_crossentropy(ignoring),
                       doctest::Contains("categorical_crossentropy: only losses of class numbers can ignore a label"),
                       UserError);
}

TEST_CASE("cosine similarity is -1 where rows point the same way") {
  const Tensor a = Tensor::from<double>({2, 2}, {1, 1, 1, 0}), b = Tensor::from<double>({2, 2}, {3, 3, 0, 2});
  CHECK(value_of(nn::cosine_similarity, a, b) == doctest::Approx(-0.5));
}

TEST_CASE("a model passes over the label it ignores, and refuses others that are no classes") {
  nn::Model model{nn::Dense(3, nn::softmax), {2}, {.dtype = f64}};
  const nn::Loss loss = nn::sparse_categorical_crossentropy({.ignored_label = -1});
  model.compile({.loss = loss, .optimizer = nn::SGD{.learning_rate = 0.1}});
  const Tensor x = Tensor::from<double>({3, 2}, {1, 2, 3, 4, 5, 6});
  const nn::Dataset all{x, Tensor::from<std::int64_t>({3}, {2, -1, 0})};
  const nn::Dataset kept{Tensor::from<double>({2, 2}, {1, 2, 5, 6}), Tensor::from<std::int64_t>({2}, {2, 0})};
  CHECK(model.evaluate(all)["loss"] == doctest::Approx(model.evaluate(kept)["loss"]).epsilon(1e-12));
  CHECK_NOTHROW(model.fit(all, {.verbose = nn::Verbose::silent}));
  CHECK_THROWS_WITH_AS(model.evaluate({x, Tensor::from<std::int64_t>({3}, {2, -2, 0})}),
                       doctest::Contains("class number -2 in row 1 of y is not in [0, 3)"), ValueError);
}

TEST_CASE("options out of range are refused when the loss meets a model") {
  nn::Model model{nn::Dense(3, nn::softmax), {2}};
  const auto compile = [&](const nn::Loss& loss) { model.compile({.loss = loss, .optimizer = nn::SGD{}}); };
  CHECK_THROWS_WITH_AS(compile(nn::huber({.delta = -1})), doctest::Contains("huber: delta -1"), UserError);
  CHECK_THROWS_AS(compile(nn::categorical_crossentropy({.label_smoothing = 2})), UserError);
  CHECK_THROWS_AS(compile(nn::categorical_crossentropy({.class_weights = {1, 2}})), ShapeError);
}
