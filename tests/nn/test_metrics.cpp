// Metrics: known values, and epochs with a partial last batch against reference loops.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

#include "support/scratch.hpp"

using namespace xgrad;

namespace {

constexpr auto silent = nn::Verbose::silent;

// Distinct values in (0, 1).
Tensor probabilities(Shape shape, std::uint64_t seed) {
  Tensor out(shape, f64);
  nn::HostRandom random(seed);
  for (double& x : out.mutable_values<double>()) x = random.between(0.01, 0.99);
  return out;
}

Tensor binary_targets(const Tensor& p, std::uint64_t seed) {
  Tensor out(p.shape(), f64);
  nn::HostRandom random(seed);
  for (Index i = 0; i < p.elements(); ++i)
    out.mutable_values<double>()[static_cast<std::size_t>(i)] = random.uniform() < p.at(i) ? 1 : 0;
  return out;
}

Tensor labels(Index rows, Index classes, std::uint64_t seed) {
  Tensor out(Shape{rows}, i64);
  nn::HostRandom random(seed);
  for (auto& x : out.mutable_values<std::int64_t>())
    x = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(classes)));
  return out;
}

// The metric that evaluate() reports for a model that outputs its input `p`, with targets `y`.
double reported(const nn::Metric& metric, const Tensor& p, const Tensor& y, int batch) {
  Shape row;
  for (int axis = 1; axis < p.shape().rank(); ++axis) row.push_back(p.shape()[axis]);
  nn::Model model{nn::linear, row, {.dtype = p.dtype()}};
  const nn::Loss classes{"none", [](Value v, Value) { return mean(v); }, nn::Target::class_index};
  const nn::Loss like_prediction{"none", [](Value v, Value) { return mean(v); }};
  model.compile({.loss = y.dtype() == i64 ? classes : like_prediction, .optimizer = nn::SGD{}, .metrics = {metric}});
  return model.evaluate({p, y}, {.batch_size = batch})[metric.name];
}

// Checks the reported metric for batch sizes with and without a partial last batch.
void check_epoch(const nn::Metric& metric, const Tensor& p, const Tensor& y, double expected) {
  CAPTURE(metric.name);
  for (const int batch : {1, 4, 7, 1000}) {
    CAPTURE(batch);
    CHECK(reported(metric, p, y, batch) == doctest::Approx(expected).epsilon(1e-12));
  }
}

struct Counts {
  double true_positives = 0, predicted = 0, positives = 0;
};

Counts counts(const Tensor& p, const Tensor& t, double threshold) {
  Counts c;
  for (Index i = 0; i < p.elements(); ++i) {
    c.true_positives += p.at(i) > threshold && t.at(i) == 1 ? 1 : 0;
    c.predicted += p.at(i) > threshold ? 1 : 0;
    c.positives += t.at(i);
  }
  return c;
}

Index largest(const Tensor& p, Index row) {
  const Index n = p.shape()[1];
  Index best = 0;
  for (Index c = 1; c < n; ++c) best = p.at(row * n + c) > p.at(row * n + best) ? c : best;
  return best;
}

}  // namespace

TEST_CASE("metric: accuracies, known values") {
  const Tensor p = Tensor::from<double>({3, 3}, {0.7, 0.2, 0.1, 0.3, 0.3, 0.4, 0.5, 0.4, 0.1});
  const Tensor classes = Tensor::from<std::int64_t>({3}, {0, 2, 1});
  const Tensor one_hot = nn::one_hot(classes, 3).cast(f64);
  for (const Tensor& y : {classes, one_hot}) {
    CHECK(reported(nn::accuracy, p, y, 3) == doctest::Approx(2.0 / 3));
    CHECK(reported(nn::categorical_accuracy, p, y, 3) == doctest::Approx(2.0 / 3));
    CHECK(reported(nn::top_k_accuracy(1), p, y, 3) == doctest::Approx(2.0 / 3));
    CHECK(reported(nn::top_k_accuracy(2), p, y, 3) == 1);
  }
  CHECK(nn::top_k_accuracy(2).name == "top_2_accuracy");
  const Tensor q = Tensor::from<double>({4, 1}, {0.2, 0.6, 0.8, 0.5});
  const Tensor t = Tensor::from<double>({4, 1}, {0, 0, 1, 1});
  CHECK(reported(nn::accuracy, q, t, 4) == 0.5);
  CHECK(reported(nn::binary_accuracy(), q, t, 4) == 0.5);
  CHECK(reported(nn::binary_accuracy(0.4), q, t, 4) == 0.75);
  CHECK(reported(nn::binary_accuracy(0.4), q.reshaped({2, 2}), t.reshaped({2, 2}), 2) == 0.75);
}

TEST_CASE("metric: precision, recall and F1, known values") {
  // Predicted positive: 0.6, 0.8, 0.9. True positive class: the last three.
  const Tensor p = Tensor::from<double>({5, 1}, {0.2, 0.6, 0.8, 0.1, 0.9});
  const Tensor t = Tensor::from<double>({5, 1}, {0, 0, 1, 1, 1});
  CHECK(reported(nn::precision(), p, t, 2) == doctest::Approx(2.0 / 3));
  CHECK(reported(nn::recall(), p, t, 2) == doctest::Approx(2.0 / 3));
  CHECK(reported(nn::f1(), p, t, 2) == doctest::Approx(2.0 / 3));
  CHECK(reported(nn::precision(0.85), p, t, 2) == 1);
  CHECK(reported(nn::recall(0.85), p, t, 2) == doctest::Approx(1.0 / 3));
  CHECK(reported(nn::f1(0.85), p, t, 2) == 0.5);
  CHECK(reported(nn::precision(0.95), p, t, 2) == 0);  // nothing is predicted positive
  CHECK(reported(nn::recall(), p, Tensor({5, 1}, f64), 2) == 0);
}

TEST_CASE("metric: binary metrics of epochs agree with reference loops") {
  const Tensor p = probabilities({23, 2}, 1);
  const Tensor t = binary_targets(p, 2);
  for (const double threshold : {0.5, 0.3}) {
    const Counts c = counts(p, t, threshold);
    check_epoch(nn::precision(threshold), p, t, c.true_positives / c.predicted);
    check_epoch(nn::recall(threshold), p, t, c.true_positives / c.positives);
    check_epoch(nn::f1(threshold), p, t, 2 * c.true_positives / (c.predicted + c.positives));
  }
  // AUC is the probability that a positive has a higher score than a negative, up to the resolution of the thresholds.
  double above = 0, pairs = 0;
  for (Index i = 0; i < 46; ++i) {
    for (Index j = 0; j < 46; ++j) {
      if (t.at(i) != 1 || t.at(j) != 0) continue;
      above += p.at(i) > p.at(j) ? 1 : 0;
      ++pairs;
    }
  }
  CHECK(above / pairs > 0.6);
  check_epoch(nn::auc(100001), p, t, above / pairs);
  CHECK(reported(nn::auc(), p, t, 7) == doctest::Approx(above / pairs).epsilon(0.01));
  CHECK(std::isnan(reported(nn::auc(), p, Tensor({23, 2}, f64), 7)));
}

TEST_CASE("metric: AUC from three thresholds is two trapezoids") {
  // Above the lowest threshold: all; above 0.5: one true, one false positive; above 1: none.
  const Tensor p = Tensor::from<double>({4, 1}, {0.2, 0.6, 0.8, 0.1});
  const Tensor t = Tensor::from<double>({4, 1}, {0, 0, 1, 1});
  CHECK(reported(nn::auc(3), p, t, 3) == doctest::Approx(0.5 * (0.5 + 1) / 2 + 0.5 * 0.5 / 2));
}

TEST_CASE("metric: class metrics of epochs agree with reference loops") {
  const Tensor p = probabilities({29, 4}, 3);
  const Tensor y = labels(29, 3, 4);  // class 3 never occurs, but is predicted
  std::vector<double> table(16);
  double correct = 0, in_two = 0;
  for (Index r = 0; r < 29; ++r) {
    const auto label = static_cast<Index>(y.at(r));
    table[static_cast<std::size_t>(4 * label + largest(p, r))] += 1;
    correct += largest(p, r) == label ? 1 : 0;
    int larger = 0;
    for (Index c = 0; c < 4; ++c) larger += p.at(4 * r + c) > p.at(4 * r + label) ? 1 : 0;
    in_two += larger < 2 ? 1 : 0;
  }
  double precision = 0, recall = 0, f1 = 0;
  for (std::size_t c = 0; c < 4; ++c) {
    double predicted = 0, actual = 0;
    for (std::size_t o = 0; o < 4; ++o) {
      predicted += table[4 * o + c];
      actual += table[4 * c + o];
    }
    precision += predicted == 0 ? 0 : table[5 * c] / predicted / 4;
    recall += actual == 0 ? 0 : table[5 * c] / actual / 4;
    f1 += 2 * table[5 * c] / (predicted + actual) / 4;
  }
  for (const Tensor& target : {y, nn::one_hot(y, 4).cast(f64)}) {
    check_epoch(nn::accuracy, p, target, correct / 29);
    check_epoch(nn::top_k_accuracy(2), p, target, in_two / 29);
    check_epoch(nn::macro_precision, p, target, precision);
    check_epoch(nn::macro_recall, p, target, recall);
    check_epoch(nn::macro_f1, p, target, f1);
    const Tensor matrix = nn::confusion_matrix(p, target);
    CHECK(matrix.type() == TensorType{i64, {4, 4}});
    for (Index i = 0; i < 16; ++i) CHECK(matrix.at(i) == table[static_cast<std::size_t>(i)]);
  }
}

TEST_CASE("confusion_matrix: one probability per row gives two classes") {
  const Tensor p = Tensor::from<float>({5, 1}, {0.2F, 0.6F, 0.8F, 0.1F, 0.9F});
  const Tensor expected = Tensor::from<std::int64_t>({2, 2}, {1, 1, 1, 2});
  CHECK(bitwise_equal(nn::confusion_matrix(p, Tensor::from<float>({5, 1}, {0, 0, 1, 1, 1})), expected));
  CHECK(bitwise_equal(nn::confusion_matrix(p, Tensor::from<std::int64_t>({5}, {0, 0, 1, 1, 1})), expected));
  CHECK_THROWS_WITH_AS(nn::confusion_matrix(p, Tensor({4, 1})),
                       doctest::Contains("confusion_matrix: targets must be class indices or one-hot rows"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(nn::confusion_matrix(Tensor(Shape{5}), Tensor(Shape{5})),
                       doctest::Contains("confusion_matrix: predictions must be [rows, classes]"), ShapeError);
  CHECK_THROWS_AS(nn::confusion_matrix(Tensor({1, 3}), Tensor::from<std::int64_t>({1}, {3})), ValueError);
}

TEST_CASE("confusion_matrix: uses the logits, ignored label and target convention of a loss") {
  const auto table = [](std::vector<std::int64_t> cells) { return Tensor::from<std::int64_t>({2, 2}, cells); };
  // A logit of 0.2 is a probability of 0.55.
  const Tensor z = Tensor::from<double>({4, 1}, {0.2, -0.2, 3, -1}), t = Tensor::from<double>({4, 1}, {1, 1, 1, 0});
  CHECK(bitwise_equal(nn::confusion_matrix(z, t, nn::binary_crossentropy_from_logits), table({1, 0, 1, 2})));
  CHECK(bitwise_equal(nn::confusion_matrix(z, t), table({1, 0, 2, 1})));
  const Tensor signs = Tensor::from<double>({4, 1}, {1, 1, 1, -1});
  CHECK(bitwise_equal(nn::confusion_matrix(z, signs, nn::hinge), table({1, 0, 1, 2})));
  const Tensor p = Tensor::from<double>({4, 2}, {0.9, 0.1, 0.2, 0.8, 0.6, 0.4, 0.3, 0.7});
  const nn::Loss ignoring = nn::sparse_categorical_crossentropy({.ignored_label = -1});
  const Tensor labels = Tensor::from<std::int64_t>({4}, {0, -1, 1, 1});
  CHECK(bitwise_equal(nn::confusion_matrix(p, labels, ignoring), table({1, 0, 1, 1})));
  CHECK(bitwise_equal(nn::confusion_matrix(p.reshaped({2, 2, 2}), labels.reshaped({2, 2}), ignoring),
                      table({1, 0, 1, 1})));
  CHECK_THROWS_AS(nn::confusion_matrix(p, labels), ValueError);
}

TEST_CASE("metric: regression metrics of epochs agree with reference loops") {
  const Tensor p = probabilities({23, 3}, 5);
  const Tensor t = probabilities({23, 3}, 6);
  double squares = 0, absolute = 0, r2 = 0;
  for (Index c = 0; c < 3; ++c) {
    double mean = 0, errors = 0, spread = 0;
    for (Index r = 0; r < 23; ++r) mean += t.at(3 * r + c) / 23;
    for (Index r = 0; r < 23; ++r) {
      const double e = p.at(3 * r + c) - t.at(3 * r + c);
      errors += e * e;
      absolute += std::abs(e) / 69;
      spread += (t.at(3 * r + c) - mean) * (t.at(3 * r + c) - mean);
    }
    squares += errors / 69;
    r2 += (1 - errors / spread) / 3;
  }
  check_epoch(nn::mean_squared_error, p, t, squares);
  check_epoch(nn::mean_absolute_error, p, t, absolute);
  check_epoch(nn::root_mean_squared_error, p, t, std::sqrt(squares));
  check_epoch(nn::r2, p, t, r2);
  CHECK(reported(nn::r2, t, t, 5) == 1);
}

TEST_CASE("metric: custom metrics, as a mean over rows or as totals with a result function") {
  const Tensor p = Tensor::from<double>({5, 1}, {1, 2, 3, 4, 10});
  const nn::Metric average{"average", [](Value v, Value) { return mean(v); }};
  const nn::Metric range{"sums",
                         [](Value v, Value) {
                           return stack({sum(v), count(v)});
                         },
                         [](std::span<const double> total) { return total[0] + 100 * total[1]; }};
  CHECK(reported(average, p, p, 2) == 4);
  CHECK(reported(range, p, p, 2) == 520);
  nn::Model model{nn::Dense(1), {2}};
  const nn::Metric vector{"vector", [](Value v, Value) { return v; }};
  CHECK_THROWS_WITH_AS(model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}, .metrics = {vector}}),
                       doctest::Contains("the metric \"vector\" must be a floating-point scalar"), ShapeError);
}

TEST_CASE("metric: in training, of the whole epoch and bit-identical on any number of threads") {
  const Tensor x = probabilities({23, 3}, 7).cast(f32);
  const Tensor y = probabilities({23, 1}, 8).cast(f32);
  const auto fit = [&](double rate, int threads) {
    nn::Model model{nn::Sequential{nn::Dense(16, nn::relu), nn::Dense(1)}, {3}};
    model.compile({.loss = nn::mean_squared_error,
                   .optimizer = nn::SGD{.learning_rate = rate},
                   .metrics = {nn::r2, nn::root_mean_squared_error, nn::auc(50)}});
    const nn::History h = model.fit({x, y}, {.batch_size = 5, .epochs = 3, .verbose = silent, .threads = threads});
    return std::pair{h, model.evaluate({x, y}, {.batch_size = 6, .threads = threads})};
  };
  const auto [still, scores] = fit(0, 1);
  for (const char* name : {"r2", "root_mean_squared_error"})
    CHECK(still[name].back() == doctest::Approx(scores[name]).epsilon(1e-6));
  const auto [one, a] = fit(0.1, 1);
  CHECK(one["r2"].front() < one["r2"].back());
  for (const int threads : {2, 3, 8}) {
    const auto [many, b] = fit(0.1, threads);
    for (const char* name : {"r2", "root_mean_squared_error"}) {
      CHECK(one[name] == many[name]);
      CHECK(a[name] == b[name]);
    }
  }
}

TEST_CASE("metric: invalid arguments and shapes throw") {
  CHECK_THROWS_WITH_AS(nn::precision(1.5), doctest::Contains("precision: threshold must be in [0, 1], got 1.5"),
                       UserError);
  CHECK_THROWS_WITH_AS(nn::binary_accuracy(NAN), doctest::Contains("nan"), UserError);
  CHECK_THROWS_WITH_AS(nn::top_k_accuracy(0), doctest::Contains("top_k_accuracy: k must be at least 1, got 0"),
                       UserError);
  CHECK_THROWS_WITH_AS(nn::auc(1), doctest::Contains("auc: thresholds must be at least 2, got 1"), UserError);
  const auto with = [](const nn::Metric& metric) {
    nn::Model model{nn::Dense(3, nn::softmax), {2}};
    model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::SGD{}, .metrics = {metric}});
  };
  CHECK_THROWS_WITH_AS(with(nn::precision()),
                       doctest::Contains("precision: prediction and target must have one shape and dtype"), ShapeError);
  CHECK_THROWS_WITH_AS(with(nn::f1()), doctest::Contains("hint: for class indices use its macro_ form"), ShapeError);
  CHECK_THROWS_WITH_AS(with(nn::top_k_accuracy(4)),
                       doctest::Contains("top_k_accuracy: k = 4, but there are only 3 classes"), ShapeError);
  CHECK_NOTHROW(with(nn::macro_f1));
}

TEST_CASE("metric: a fit resumed in the middle of an epoch keeps the totals of the epoch") {
  const Tensor x = probabilities({23, 3}, 7).cast(f32);
  const Tensor y = probabilities({23, 1}, 8).cast(f32);
  const scratch::ScratchFolder folder;
  const std::filesystem::path path = folder / "middle.safetensors";
  const auto fit = [&](nn::FitOptions options) {
    nn::Model model{nn::Sequential{nn::Dense(16, nn::relu), nn::Dense(1)}, {3}};
    model.compile(
        {.loss = nn::mean_squared_error, .optimizer = nn::Adam{}, .metrics = {nn::r2, nn::mean_absolute_error}});
    options.batch_size = 5;
    options.epochs = 3;
    options.verbose = silent;
    return model.fit({x, y}, options);
  };
  const auto save = [&](nn::Training& t) {
    if (t.epoch() == 1 && t.batch() == 3) t.save(path);
  };
  const nn::History whole = fit({.callbacks = {nn::LambdaCallback{.on_batch_end = save}}});
  const nn::History resumed = fit({.resume = path});
  for (const char* name : {"loss", "r2", "mean_absolute_error"}) CHECK(whole[name] == resumed[name]);
}

namespace {

// The metrics whose targets have the shape of the prediction, and those of class indices.
std::vector<nn::Metric> elementwise_metrics() {
  return {nn::binary_accuracy(),
          nn::binary_accuracy(0.3),
          nn::precision(),
          nn::recall(0.7),
          nn::f1(),
          nn::auc(),
          nn::root_mean_squared_error,
          nn::r2,
          nn::mean_squared_error,
          nn::mean_absolute_error,
          nn::huber({.delta = 0.1})};
}
std::vector<nn::Metric> class_metrics() {
  return {nn::accuracy,
          nn::categorical_accuracy,
          nn::top_k_accuracy(2),
          nn::macro_precision,
          nn::macro_recall,
          nn::macro_f1,
          nn::sparse_categorical_crossentropy({.class_weights = {1, 2, 3}})};
}

nn::Logs scores(const nn::Loss& loss, const std::vector<nn::Metric>& metrics, const nn::Dataset& data, int batch = 0) {
  Shape row;
  for (int axis = 1; axis < data.x.shape().rank(); ++axis) row.push_back(data.x.shape()[axis]);
  nn::Model model{nn::linear, row, {.dtype = f64}};
  model.compile({.loss = loss, .optimizer = nn::SGD{}, .metrics = metrics});
  return model.evaluate(data, {.batch_size = batch});
}

void check_same(const nn::Logs& a, const nn::Logs& b) {
  REQUIRE(a.entries().size() == b.entries().size());
  for (std::size_t i = 0; i < a.entries().size(); ++i) {
    CAPTURE(a.entries()[i].first);
    CHECK(a.entries()[i].second == doctest::Approx(b.entries()[i].second).epsilon(1e-12));
  }
}

Tensor map(const Tensor& t, double (*f)(double)) {
  Tensor out = t.clone();
  for (double& x : out.mutable_values<double>()) x = f(x);
  return out;
}
double logit_of(double p) { return std::log(p / (1 - p)); }

}  // namespace

TEST_CASE("metric: an integer weight equals that many copies of the row, at any batch size") {
  const std::vector<double> counts{1, 0, 3, 2, 0, 1, 1, 2, 1, 4, 0};
  std::vector<Index> copies;
  for (std::size_t i = 0; i < counts.size(); ++i)
    copies.insert(copies.end(), static_cast<std::size_t>(counts[i]), static_cast<Index>(i));
  const Tensor w = Tensor::from<double>({11}, std::span<const double>(counts));
  const Tensor p = probabilities({11, 2}, 11), q = probabilities({11, 3}, 12);
  const nn::Dataset numbers{p, binary_targets(p, 13)}, classes{q, labels(11, 3, 14)};
  for (const int batch : {1, 4, 100}) {
    CAPTURE(batch);
    check_same(scores(nn::mean_squared_error, elementwise_metrics(), {numbers.x, numbers.y, w}, batch),
               scores(nn::mean_squared_error, elementwise_metrics(), numbers.select(copies)));
    check_same(scores(nn::sparse_categorical_crossentropy, class_metrics(), {classes.x, classes.y, w}, batch),
               scores(nn::sparse_categorical_crossentropy, class_metrics(), classes.select(copies)));
  }
}

TEST_CASE("metric: labels that the loss ignores do not count, at any batch size") {
  const Tensor p = probabilities({11, 3}, 15);
  Tensor y = labels(11, 3, 16);
  std::vector<Index> kept;
  for (Index i = 0; i < 11; ++i) {
    if (i % 4 != 1) kept.push_back(i);
    if (i % 4 == 1) y.mutable_values<std::int64_t>()[static_cast<std::size_t>(i)] = -1;
  }
  Tensor w({11}, f64);
  for (Index i = 0; i < 11; ++i)
    w.mutable_values<double>()[static_cast<std::size_t>(i)] = 0.5 * static_cast<double>(i % 3);
  const nn::Loss loss = nn::sparse_categorical_crossentropy({.ignored_label = -1});
  for (const nn::Dataset& data : {nn::Dataset{p, y}, nn::Dataset{p, y, w}}) {
    for (const int batch : {1, 4, 100})
      check_same(scores(loss, class_metrics(), data, batch), scores(loss, class_metrics(), data.select(kept)));
  }
}

TEST_CASE("metric: each label of a sequence counts separately") {
  const Tensor p = probabilities({2, 3, 4}, 17);
  Tensor y = Tensor::from<std::int64_t>({2, 3}, {0, -1, 2, 1, -1, -1});
  const Tensor kept = Tensor::from<std::int64_t>({3}, {0, 2, 1});
  Tensor rows({3, 4}, f64);
  for (const auto& [to, from] : {std::pair{0, 0}, std::pair{1, 2}, std::pair{2, 3}}) {
    for (int c = 0; c < 4; ++c)
      rows.mutable_values<double>()[static_cast<std::size_t>(4 * to + c)] = p.at(4 * from + c);
  }
  const nn::Loss loss = nn::sparse_categorical_crossentropy({.ignored_label = -1});
  const std::vector<nn::Metric> metrics{nn::accuracy, nn::top_k_accuracy(2), nn::macro_f1};
  check_same(scores(loss, metrics, {p, y}, 1), scores(loss, metrics, {rows, kept}));
  check_same(scores(loss, metrics, {p, y, Tensor::from<double>({2}, {2, 1})}, 1),
             scores(loss, metrics, {rows, kept, Tensor::from<double>({3}, {2, 2, 1})}));
}

TEST_CASE("metric: accuracy of padded sequences ignores the padding") {
  nn::Model model{nn::Embedding(3, 3), {4}};
  model.compile({.loss = nn::sparse_categorical_crossentropy_from_logits({.ignored_label = -1}),
                 .optimizer = nn::Adam{.learning_rate = 0.1},
                 .metrics = {nn::accuracy}});
  const nn::Dataset data{Tensor({1, 4}), Tensor::from<std::int64_t>({1, 4}, {0, -1, -1, -1})};
  for (int i = 0; i < 50; ++i) model.train_on_batch(data);
  CHECK(model.evaluate(data)["accuracy"] == 1);
}

TEST_CASE("metric: thresholds are probabilities, also with a loss of logits") {
  const Tensor p = probabilities({23, 2}, 18);
  const Tensor y = binary_targets(p, 19);
  check_same(scores(nn::binary_crossentropy_from_logits, elementwise_metrics(), {map(p, logit_of), y}), [&] {
    // The loss and the 6 metrics with thresholds use probabilities, the errors the output of the network.
    nn::Logs expected;
    const nn::Logs by_p = scores(nn::binary_crossentropy, elementwise_metrics(), {p, y});
    const nn::Logs by_z = scores(nn::mean_squared_error, elementwise_metrics(), {map(p, logit_of), y});
    for (std::size_t i = 0; i < by_p.entries().size(); ++i)
      expected.add(by_p.entries()[i].first, i < 7 ? by_p.entries()[i].second : by_z.entries()[i].second);
    return expected;
  }());
  // Class metrics of a single logit use its sign: the sigmoid of a tiny logit rounds to 0.5.
  const Tensor z = Tensor::from<double>({4, 1}, {1e-20, -1e-20, 0.2, -3}),
               t = Tensor::from<double>({4, 1}, {1, 0, 0, 0});
  for (const nn::Metric& metric : {nn::accuracy, nn::binary_accuracy(), nn::macro_recall}) {
    const double expected = metric.name == "macro_recall" ? (1 + 2.0 / 3) / 2 : 0.75;
    CHECK(scores(nn::binary_crossentropy_from_logits, {metric}, {z, t})[metric.name] == doctest::Approx(expected));
  }
  // Categorical logits are converted by softmax, log-probabilities by exp.
  const std::vector<nn::Metric> metrics{nn::precision(0.4), nn::recall(0.4), nn::auc(), nn::accuracy, nn::macro_f1};
  Tensor q = probabilities({9, 3}, 20);
  for (std::size_t r = 0; r < 9; ++r) {
    const auto v = q.mutable_values<double>().subspan(3 * r, 3);
    const double sum = v[0] + v[1] + v[2];
    for (double& x : v) x /= sum;
  }
  const Tensor hot = nn::one_hot(labels(9, 3, 21), 3).cast(f64);
  const Tensor logs = map(q, [](double x) { return std::log(x); });
  const Tensor shifted = map(q, [](double x) { return std::log(x) + 5; });
  const nn::Logs by_q = scores(nn::categorical_crossentropy, metrics, {q, hot});
  const nn::Logs by_logs = scores(nn::kl_divergence, metrics, {logs, hot});
  const nn::Logs by_logits = scores(nn::categorical_crossentropy_from_logits, metrics, {shifted, hot});
  for (const auto& entry : by_q.entries()) {
    const std::string& name = entry.first;
    CAPTURE(name);
    CHECK(by_logs[name] == doctest::Approx(entry.second));
    CHECK(by_logits[name] == doctest::Approx(entry.second));
  }
}

TEST_CASE("metric: with hinge the threshold is 0 and targets are -1 and 1") {
  const Tensor p = Tensor::from<double>({4, 1}, {0.3, -0.1, 2, -4}), t = Tensor::from<double>({4, 1}, {1, 1, 1, -1});
  const nn::Logs logs = scores(
      nn::hinge, {nn::accuracy, nn::binary_accuracy(), nn::precision(), nn::recall(), nn::macro_recall, nn::auc(11)},
      {p, t});
  CHECK(logs["accuracy"] == 0.75);
  CHECK(logs["binary_accuracy"] == 0.75);
  CHECK(logs["precision"] == 1);
  CHECK(logs["recall"] == doctest::Approx(2.0 / 3));
  CHECK(logs["macro_recall"] == doctest::Approx((1 + 2.0 / 3) / 2));
  CHECK(logs["auc"] == 1);
}

TEST_CASE("metric: a custom metric with `measure` supports row weights") {
  const nn::Metric near{.name = "near", .measure = [](const nn::MetricInput& in) {
                          return in.mean(abs(in.prediction - in.target) < 0.5);
                        }};
  const Tensor p = Tensor::from<double>({3, 2}, {0, 0, 0, 1, 1, 1}), t({3, 2}, f64);
  const Tensor w = Tensor::from<double>({3}, {1, 4, 3});
  for (const int batch : {1, 2, 3}) {
    CHECK(scores(nn::mean_squared_error, {near}, {p, t}, batch)["near"] == 0.5);
    CHECK(scores(nn::mean_squared_error, {near}, {p, t, w}, batch)["near"] == 3.0 / 8);
  }
  const nn::Metric shapeless{.name = "all",
                             .measure = [](const nn::MetricInput& in) { return in.mean(sum(in.prediction)); }};
  CHECK_THROWS_WITH_AS(scores(nn::mean_squared_error, {shapeless}, {p, t, w}),
                       doctest::Contains("`each` must start with the axes of the weights"), ShapeError);
}

TEST_CASE("metric: duplicate names get a number, in evaluate, history, logs and files") {
  const Tensor p = Tensor::from<double>({4, 1}, {0.1, 0.3, 0.5, 0.9}), t = Tensor::from<double>({4, 1}, {0, 0, 1, 1});
  const nn::Metric loss{"loss", [](Value v, Value) { return mean(v); }};
  const scratch::ScratchFolder folder;
  nn::Model model{nn::linear, {1}, {.dtype = f64}};
  model.compile({.loss = nn::binary_crossentropy,
                 .optimizer = nn::SGD{},
                 .metrics = {nn::precision(0.2), nn::precision(0.8), nn::recall(0.8), nn::precision(0.95), loss}});
  const std::vector<std::string> names{"loss", "precision", "precision_1", "recall", "precision_2", "loss_1"};
  const std::vector<double> values{2.0 / 3, 1, 0.5, 0, 0.45};
  const nn::Logs scores = model.evaluate({p, t});
  for (std::size_t i = 0; i < names.size(); ++i) {
    CHECK(scores.entries()[i].first == names[i]);
    if (i > 0) CHECK(scores[names[i]] == doctest::Approx(values[i - 1]));
  }
  const nn::History h = model.fit({p, t}, {.validation = {p, t},
                                           .verbose = silent,
                                           .callbacks = {nn::CSVLogger{.path = (folder / "log.csv").string()},
                                                         nn::EarlyStopping{.monitor = "val_precision_1"}}});
  CHECK(h["val_precision_2"][0] == 0);
  CHECK(h["precision_1"][0] == 1);
  const nn::Table table = nn::load_csv(folder / "log.csv");
  std::vector<std::string> columns{"epoch"};
  for (const char* prefix : {"", "val_"}) {
    for (const std::string& name : names) columns.push_back(prefix + name);
  }
  columns.push_back("learning_rate");
  CHECK(table.columns == columns);
  CHECK(nn::larger_is_better("val_precision_12"));
  CHECK_FALSE(nn::larger_is_better("loss_1"));
}
