// Splits, row weights and augmentation in training.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

#include "support/scratch.hpp"

using namespace xgrad;
using namespace scratch;

namespace {

constexpr auto silent = nn::Verbose::silent;

std::vector<double> numbers(const Tensor& t) {
  std::vector<double> out;
  for (Index i = 0; i < t.elements(); ++i) out.push_back(t.at(i));
  return out;
}

std::vector<Tensor> weights(const nn::Model& model) {
  std::vector<Tensor> out;
  for (const Parameter& p : model.parameters()) out.push_back(p.value().clone());
  return out;
}

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Tensor& x, const Tensor& y) { return bitwise_equal(x, y); });
}

nn::Dataset counting(Index rows, Tensor row_weights = {}) {
  Tensor x({rows, 2}), y({rows}, i64);
  for (Index i = 0; i < rows; ++i) {
    x.mutable_values<float>()[static_cast<std::size_t>(2 * i)] = static_cast<float>(i);
    y.mutable_values<std::int64_t>()[static_cast<std::size_t>(i)] = i;
  }
  return {x, y, std::move(row_weights)};
}

// Six rows of two features in three classes, in f64.
nn::Dataset six(Tensor row_weights = {}) {
  return {Tensor::from<double>({6, 2}, {0.5, 1, -1, 0.25, 2, -0.5, 0, 1.5, -0.75, -1, 1, 1}),
          Tensor::from<std::int64_t>({6}, {0, 2, 1, 0, 2, 1}), std::move(row_weights)};
}

nn::Model classifier(nn::Loss loss = nn::sparse_categorical_crossentropy) {
  nn::Model model{nn::Dense(3, nn::softmax), {2}, {.seed = 3, .dtype = f64}};
  model.compile({.loss = std::move(loss), .optimizer = nn::SGD{.learning_rate = 0.1}, .metrics = {nn::accuracy}});
  return model;
}

}  // namespace

TEST_CASE("split: numpy_permutation is bit-identical to NumPy") {
  const std::vector<Index> order = nn::numpy_permutation(506, 113);
  CHECK(std::vector<Index>(order.begin(), order.begin() + 3) == std::vector<Index>{22, 202, 368});
  CHECK(std::set<Index>(order.begin(), order.end()).size() == 506);
  CHECK(nn::numpy_permutation(0, 1).empty());
  CHECK(nn::numpy_permutation(1, 1) == std::vector<Index>{0});
  // numpy.random.RandomState(42) shuffles range(10) to this.
  CHECK(nn::numpy_permutation(10, 42) == std::vector<Index>{8, 1, 5, 0, 7, 2, 9, 4, 3, 6});
  CHECK_THROWS_AS(nn::numpy_permutation(-1, 1), UserError);
}

TEST_CASE("split: Keras' split of the Boston housing data") {
  const auto file = real_data("boston_housing.csv");
  if (!file) return;
  const auto [train, valid] = nn::keras_split(nn::load_csv(*file).dataset("MEDV"));
  CHECK(train.size() == 404);
  CHECK(valid.size() == 102);
  CHECK(train.y.at(0) == doctest::Approx(15.2));
  CHECK(train.y.at(1) == doctest::Approx(42.3));
  CHECK(train.x.at(0) == doctest::Approx(1.23247));
  CHECK(train.x.at(12) == doctest::Approx(18.72));
  CHECK(valid.y.at(0) == doctest::Approx(7.2));
  CHECK(valid.y.at(42) == doctest::Approx(14.1));
}

TEST_CASE("split: each row is in exactly one part, with its target and weight") {
  const nn::Dataset all = counting(20, Tensor::full({20}, 2));
  for (const nn::Split& parts : {nn::split(all, 0.25, 7), nn::keras_split(all, 0.25, 7)}) {
    CHECK(parts.train.size() == 15);
    CHECK(parts.valid.size() == 5);
    std::set<double> seen;
    for (const nn::Dataset& part : {parts.train, parts.valid}) {
      CHECK(part.weights.shape() == Shape{part.size()});
      for (Index i = 0; i < part.size(); ++i) {
        CHECK(part.x.at(2 * i) == part.y.at(i));
        seen.insert(part.y.at(i));
      }
    }
    CHECK(seen.size() == 20);
  }
  CHECK(bitwise_equal(nn::split(all, 0.25, 7).valid.y, nn::split(all, 0.25, 7).valid.y));
  CHECK_FALSE(bitwise_equal(nn::split(all, 0.25, 7).valid.y, nn::split(all, 0.25, 8).valid.y));
  for (const double fraction : {0.0, 1.0, 0.01, -1.0, std::nan("")}) {
    CHECK_THROWS_AS(nn::split(all, fraction, 7), UserError);
    if (fraction != 0.01) CHECK_THROWS_AS(nn::keras_split(all, fraction, 7), UserError);
  }
  CHECK(nn::keras_split(all, 0.01, 7).valid.size() == 1);  // int(19.8) training rows
  const std::vector<Index> rows{3, 0, 3}, bad{3, 20};
  CHECK(numbers(all.select(rows).y) == std::vector<double>{3, 0, 3});
  CHECK(all.select(rows).weights.shape() == Shape{3});
  CHECK(all.select({}).size() == 0);
  CHECK(contains(message_of<ShapeError>([&] { (void)all.select(bad); }), "row 20 is not in [0, 20)"));
}

TEST_CASE("weights: one per row, kept by slice and split") {
  const Tensor w = Tensor::from<float>({4}, {1, 2, 3, 4});
  const nn::Dataset data = counting(4, w);
  CHECK(numbers(data.slice(1, 2).weights) == std::vector<double>{2, 3});
  CHECK(numbers(nn::split(data, 0.25).valid.weights) == std::vector<double>{4});
  CHECK(counting(4).slice(1, 2).weights.empty());
  CHECK(contains(message_of<ShapeError>([&] { (void)counting(5, w); }), "weights: f32[4]"));
  CHECK_THROWS_AS(counting(4, w.reshaped({4, 1})), ShapeError);
  CHECK_THROWS_AS(counting(4, Tensor({4}, i64)), DTypeError);
}

TEST_CASE("weights: class weights") {
  const nn::Dataset data = six();
  CHECK(numbers(nn::with_class_weights(data, {1, 2, 4}).weights) == std::vector<double>{1, 4, 2, 1, 4, 2});
  CHECK(numbers(nn::with_class_weights(six(Tensor::from<double>({6}, {1, 2, 3, 4, 5, 6})), {1, 2, 4}).weights) ==
        std::vector<double>{1, 8, 6, 4, 20, 12});
  CHECK(nn::balanced_class_weights(Tensor::from<std::int64_t>({5}, {0, 1, 1, 1, 1}), 2) ==
        std::vector<double>{2.5, 0.625});
  CHECK(contains(message_of<ValueError>([&] {
                   (void)nn::with_class_weights(data, {1, 2});
                 }),
                 "label 2 in row 1 is not in [0, 2)"));
  CHECK_THROWS_AS(nn::with_class_weights(data, {1, -2, 3}), UserError);
  CHECK_THROWS_AS(nn::with_class_weights(data, {1, INFINITY, 3}), UserError);
  CHECK_THROWS_AS(nn::with_class_weights({data.x, Tensor({6, 3})}, {1, 2, 3}), ShapeError);
  CHECK(contains(message_of<ValueError>([&] { (void)nn::balanced_class_weights(data.y, 4); }), "class 3 has no rows"));
  CHECK_THROWS_AS(nn::balanced_class_weights(data.y, 2), ValueError);
  CHECK_THROWS_AS(nn::balanced_class_weights(data.y, 0), UserError);
}

TEST_CASE("weights: loss and metrics are weighted means") {
  const std::vector<double> w{1, 0, 2, 0.5, 3, 1};
  nn::Model model = classifier();
  const Tensor p = model.predict(six().x);
  const std::vector<int> labels{0, 2, 1, 0, 2, 1};
  double expected = 0, plain = 0, correct = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    const Index first = static_cast<Index>(i) * 3;
    const double probability = p.at(first + labels[i]);
    expected += w[i] * -std::log(probability) / 7.5, plain += -std::log(probability) / 6;
    if (probability >= p.at(first) && probability >= p.at(first + 1) && probability >= p.at(first + 2))
      correct += w[i] / 7.5;
  }
  const Tensor row_weights = Tensor::from<double>({6}, w);
  CHECK(model.evaluate(six())["loss"] == doctest::Approx(plain).epsilon(1e-12));
  for (const int batch : {6, 4, 1}) {
    const nn::Logs scores = model.evaluate(six(row_weights), {.batch_size = batch});
    CHECK(scores["loss"] == doctest::Approx(expected).epsilon(1e-12));
    CHECK(scores["accuracy"] == doctest::Approx(correct).epsilon(1e-12));
  }
  // Also in validation, and in training, where the loss is computed before the only step.
  const nn::History h =
      model.fit(six(row_weights), {.batch_size = 6, .validation = six(row_weights), .verbose = silent});
  CHECK(h["loss"][0] == doctest::Approx(expected).epsilon(1e-12));
  CHECK(h["val_loss"][0] == doctest::Approx(model.evaluate(six(row_weights))["loss"]).epsilon(1e-15));
  model.check_gradients(six(row_weights));
  CHECK(nn::check_table(model, six(row_weights)).passed());
}

TEST_CASE("weights: an integer weight equals that many copies of the row") {
  const std::vector<Index> copies{0, 0, 0, 1, 2, 2, 3, 5};
  nn::Model weighted = classifier(), copied = classifier();
  const Tensor row_weights = Tensor::from<double>({6}, {3, 1, 2, 1, 0, 1});
  const nn::History a = weighted.fit(six(row_weights), {.batch_size = 6, .epochs = 20, .verbose = silent});
  const nn::History b = copied.fit(six().select(copies), {.batch_size = 8, .epochs = 20, .verbose = silent});
  const auto wa = weights(weighted), wb = weights(copied);
  for (std::size_t i = 0; i < wa.size(); ++i) {
    for (Index k = 0; k < wa[i].elements(); ++k) CHECK(wa[i].at(k) == doctest::Approx(wb[i].at(k)).epsilon(1e-12));
  }
  for (const char* name : {"loss", "accuracy"}) CHECK(a[name].back() == doctest::Approx(b[name].back()).epsilon(1e-12));
}

TEST_CASE("weights: all built-in losses support them") {
  const Tensor ones = Tensor::full({6}, 1, f64);
  const nn::Dataset sparse = six(ones), hot{six().x, nn::one_hot(six().y, 3), ones};
  Tensor signs = nn::one_hot(six().y, 3);
  for (float& t : signs.mutable_values<float>()) t = 2 * t - 1;
  const nn::Dataset signed_hot{six().x, signs, ones};
  const nn::Loss all[] = {nn::mean_squared_error,
                          nn::mean_absolute_error,
                          nn::huber,
                          nn::smooth_l1,
                          nn::log_cosh,
                          nn::binary_crossentropy,
                          nn::binary_crossentropy_from_logits,
                          nn::hinge,
                          nn::categorical_crossentropy,
                          nn::categorical_crossentropy_from_logits,
                          nn::sparse_categorical_crossentropy,
                          nn::sparse_categorical_crossentropy_from_logits,
                          nn::nll,
                          nn::kl_divergence,
                          nn::cosine_similarity};
  for (const nn::Loss& loss : all) {
    CAPTURE(loss.name);
    const nn::Dataset& data = loss.target == nn::Target::class_index ? sparse
                              : loss.target == nn::Target::sign      ? signed_hot
                                                                     : hot;
    nn::Model a = classifier(loss), b = classifier(loss);
    CHECK(a.evaluate(data)["loss"] == doctest::Approx(a.evaluate({data.x, data.y})["loss"]).epsilon(1e-13));
    a.fit(data, {.batch_size = 4, .epochs = 3, .verbose = silent});
    b.fit({data.x, data.y}, {.batch_size = 4, .epochs = 3, .verbose = silent});
    const auto wa = weights(a), wb = weights(b);
    for (std::size_t i = 0; i < wa.size(); ++i) {
      for (Index k = 0; k < wa[i].elements(); ++k) CHECK(wa[i].at(k) == doctest::Approx(wb[i].at(k)).epsilon(1e-12));
    }
  }
}

TEST_CASE("weights: invalid weights throw before any change") {
  nn::Model model = classifier();
  const std::vector<Tensor> before = weights(model);
  const auto error_of = [&](const nn::Dataset& data) {
    const std::string message = message_of<UserError>([&] { model.fit(data, {.verbose = silent}); });
    CHECK(same(before, weights(model)));
    return message;
  };
  CHECK(contains(error_of(six(Tensor::from<double>({6}, {1, 1, -2, 1, 1, 1}))),
                 "fit: weights must be at least 0, got -2 in row 2"));
  CHECK(contains(error_of(six(Tensor::from<double>({6}, {1, 1, 1, 1, INFINITY, 1}))),
                 "weights is not finite: inf in row 4"));
  nn::Dataset shortened = six(Tensor::full({6}, 1, f64));
  shortened.weights = Tensor({5}, f64);
  CHECK(contains(error_of(shortened), "one number for each of the 6 rows"));
  const nn::Loss custom{"custom", [](Value p, Value t) { return xgrad::sparse_categorical_crossentropy(p, t); },
                        nn::Target::class_index};
  model = classifier(custom);
  CHECK(contains(error_of(six(Tensor::full({6}, 1, f64))),
                 "custom: the rows have weights, but the loss has no function `each` for the loss of a row"));
  nn::Loss scalar = custom;
  scalar.each = custom.apply;
  model = classifier(scalar);
  CHECK(contains(error_of(six(Tensor::full({6}, 1, f64))),
                 "`each` of a loss must return one or more numbers for each of 6 rows"));
}

TEST_CASE("augmentation: bit-identical on any number of threads") {
  const nn::Dataset digits = nn::make_digits(150, 2);
  const auto train = [&](int threads, const nn::Augment& augment) {
    nn::Model model{nn::Sequential{nn::Dense(16, nn::relu), nn::Dense(10, nn::softmax)}, {784}, {.seed = 4}};
    model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::Adam{}});
    const auto h = model.fit(
        digits, {.epochs = 3, .validation_split = 0.2, .augment = augment, .verbose = silent, .threads = threads});
    return std::pair{weights(model), h["val_loss"]};
  };
  const nn::Augment augment{{nn::shift(0.1), nn::rotate(10), nn::elastic(1), nn::noise(0.05)}, {.image = {28, 28}}};
  const auto one = train(1, augment);
  for (const int threads : {2, 3, 16}) {
    const auto other = train(threads, augment);
    CHECK(same(one.first, other.first));
    CHECK(one.second == other.second);
  }
  CHECK_FALSE(same(one.first, train(1, {}).first));
  CHECK(same(train(1, {}).first, train(2, nn::Augment{{nn::rotate(0)}, {.image = {28, 28}}}).first));
}

namespace {

// A network that outputs its input, with the mean of it as loss.
nn::Model mirror() {
  nn::Model model{[](Value x) { return x; }, {28, 28}, {.seed = 9}};
  model.compile({.loss = {"mean_output", [](Value p, Value) { return mean(p); }}, .optimizer = nn::SGD{}});
  return model;
}

double mean_of(const Tensor& t) {
  double sum = 0;
  for (Index i = 0; i < t.elements(); ++i) sum += t.at(i);
  return sum / static_cast<double>(t.elements());
}

}  // namespace

TEST_CASE("augmentation: training uses augmented rows, validation the original ones") {
  const Tensor images = nn::make_digits(50, 5).x.reshaped({50, 28, 28});
  const nn::Dataset data{images, images};
  const nn::Augment augment{nn::shift(0.3), nn::zoom(0.3), nn::brightness(0.5)};
  for (const int threads : {1, 2}) {
    nn::Model model = mirror();
    for (int fit = 0; fit < 2; ++fit) {  // epochs are counted over all fits
      const nn::History h = model.fit(data, {.batch_size = 7,
                                             .epochs = 2,
                                             .validation = data,
                                             .augment = augment,
                                             .verbose = silent,
                                             .threads = threads});
      for (int epoch = 0; epoch < 2; ++epoch) {
        const auto e = static_cast<std::size_t>(epoch);
        CHECK(h["loss"][e] ==
              doctest::Approx(mean_of(augment(images, 9, static_cast<std::uint64_t>(2 * fit + epoch)))).epsilon(1e-6));
        CHECK(h["val_loss"][e] == doctest::Approx(mean_of(images)).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("augmentation: an invalid shape or a transform that throws leaves the model unchanged") {
  const nn::Dataset digits = nn::make_digits(64, 2);
  nn::Model model{nn::Dense(10, nn::softmax), {784}};
  model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::Adam{}});
  const auto before = weights(model);
  CHECK(contains(message_of<ShapeError>([&] { model.fit(digits, {.augment = {nn::rotate(5)}, .verbose = silent}); }),
                 "fit, augment: images must be [h, w] or [h, w, channels], got rows of shape [784]"));
  std::atomic<int> calls{0};
  const nn::Transform broken{.name = "broken", .change = [&](nn::Image&, nn::HostRandom&) {
                               if (++calls > 40) throw std::runtime_error("transform failed");
                             }};
  for (const int threads : {1, 2, 8}) {
    calls = 0;
    CHECK_THROWS_WITH_AS(
        model.fit(digits,
                  {.epochs = 3, .augment = {{broken}, {.image = {28, 28}}}, .verbose = silent, .threads = threads}),
        "transform failed", std::runtime_error);
    CHECK(same(before, weights(model)));
  }
  CHECK(model.fit(digits, {.verbose = silent})["loss"].size() == 1);
}

TEST_CASE("augmentation: a fit resumed in the middle of an epoch is bit-identical") {
  const ScratchFolder folder;
  const nn::Dataset digits = nn::with_class_weights(nn::make_digits(70, 2), {1, 2, 1, 1, 1, 3, 1, 1, 1, 1});
  const nn::Augment augment{{nn::shift(0.1), nn::elastic(1), nn::noise(0.05)}, {.image = {28, 28}}};
  const auto train = [&](const fs::path& path, int steps, int threads) {
    nn::Model model{nn::Sequential{nn::Dense(8, nn::relu), nn::Dense(10, nn::softmax)}, {784}, {.seed = 4}};
    model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::Adam{}});
    const nn::LambdaCallback interrupt{.on_batch_end = [&](nn::Training&) {
      if (--steps == 0) throw std::runtime_error("interrupted");
    }};
    model.fit(digits, {.batch_size = 16,
                       .epochs = 3,
                       .augment = augment,
                       .verbose = silent,
                       .threads = threads,
                       .callbacks = {nn::ModelCheckpoint{.path = path.string(), .every_steps = 1}, interrupt},
                       .resume = path});
    return weights(model);
  };
  const auto whole = train(folder / "whole", 0, 1);
  for (const int threads : {1, 2}) {
    for (const int steps : {2, 5, 8, 14}) {
      const fs::path path = folder / ("part" + std::to_string(threads) + "_" + std::to_string(steps));
      CHECK_THROWS_WITH_AS(train(path, steps, threads), "interrupted", std::runtime_error);
      CHECK(same(train(path, 0, threads), whole));
    }
  }
}
