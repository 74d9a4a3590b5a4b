// Metrics: known answers, and whole epochs with a short last batch against a plain recomputation.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

#include "scratch.hpp"

using namespace xgrad;

namespace {

constexpr auto silent = nn::Verbose::silent;

// In (0, 1), all different.
Tensor probabilities(Shape shape, std::uint64_t seed) {
  Tensor out(shape, f64);
  nn::HostRandom random(seed);
  for (double& x : out.mutable_values<double>()) x = random.between(0.01, 0.99);
  return out;
}

Tensor truths(const Tensor& p, std::uint64_t seed) {
  Tensor out(p.shape(), f64);
  nn::HostRandom random(seed);
  for (Index i = 0; i < p.elements(); ++i)
    out.mutable_values<double>()[static_cast<std::size_t>(i)] = random.unit() < p.at(i) ? 1 : 0;
  return out;
}

Tensor labels(Index rows, Index classes, std::uint64_t seed) {
  Tensor out(Shape{rows}, i64);
  nn::HostRandom random(seed);
  for (auto& x : out.mutable_values<std::int64_t>())
    x = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(classes)));
  return out;
}

// What evaluate() reports for a model that hands its input on, for the targets `y`, in batches of some rows.
double reported(const nn::Metric& metric, const Tensor& p, const Tensor& y, int batch) {
  Shape row;
  for (int axis = 1; axis < p.shape().rank(); ++axis) row.push_back(p.shape()[axis]);
  nn::Model model{nn::linear, row, {.dtype = p.dtype()}};
  const nn::Loss classes{"none", [](Value v, Value) { return mean(v); }, nn::Target::class_number};
  const nn::Loss alike{"none", [](Value v, Value) { return mean(v); }};
  model.compile({.loss = y.dtype() == i64 ? classes : alike, .optimizer = nn::SGD{}, .metrics = {metric}});
  return model.evaluate({p, y}, {.batch_size = batch})[metric.name];
}

// The same in batches with and without a short last one must be the number computed here.
void check_epoch(const nn::Metric& metric, const Tensor& p, const Tensor& y, double wanted) {
  CAPTURE(metric.name);
  for (const int batch : {1, 4, 7, 1000}) {
    CAPTURE(batch);
    CHECK(reported(metric, p, y, batch) == doctest::Approx(wanted).epsilon(1e-12));
  }
}

struct Counts {
  double found = 0, predicted = 0, held = 0;
};

Counts counts(const Tensor& p, const Tensor& t, double threshold) {
  Counts c;
  for (Index i = 0; i < p.elements(); ++i) {
    c.found += p.at(i) > threshold && t.at(i) == 1 ? 1 : 0;
    c.predicted += p.at(i) > threshold ? 1 : 0;
    c.held += t.at(i);
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

TEST_CASE("accuracies: known answers") {
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

TEST_CASE("precision, recall and F1: known answers") {
  // Predicted: 0.6, 0.8, 0.9. Held: the last three.
  const Tensor p = Tensor::from<double>({5, 1}, {0.2, 0.6, 0.8, 0.1, 0.9});
  const Tensor t = Tensor::from<double>({5, 1}, {0, 0, 1, 1, 1});
  CHECK(reported(nn::precision(), p, t, 2) == doctest::Approx(2.0 / 3));
  CHECK(reported(nn::recall(), p, t, 2) == doctest::Approx(2.0 / 3));
  CHECK(reported(nn::f1(), p, t, 2) == doctest::Approx(2.0 / 3));
  CHECK(reported(nn::precision(0.85), p, t, 2) == 1);
  CHECK(reported(nn::recall(0.85), p, t, 2) == doctest::Approx(1.0 / 3));
  CHECK(reported(nn::f1(0.85), p, t, 2) == 0.5);
  CHECK(reported(nn::precision(0.95), p, t, 2) == 0);  // nothing is predicted
  CHECK(reported(nn::recall(), p, Tensor({5, 1}, f64), 2) == 0);
}

TEST_CASE("whole epochs of truth values") {
  const Tensor p = probabilities({23, 2}, 1);
  const Tensor t = truths(p, 2);
  for (const double threshold : {0.5, 0.3}) {
    const Counts c = counts(p, t, threshold);
    check_epoch(nn::precision(threshold), p, t, c.found / c.predicted);
    check_epoch(nn::recall(threshold), p, t, c.found / c.held);
    check_epoch(nn::f1(threshold), p, t, 2 * c.found / (c.predicted + c.held));
  }
  // The chance that one that holds is above one that does not; within what thresholds can tell.
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

TEST_CASE("AUC from three thresholds is two trapezoids") {
  // Above -: all; above 0.5: one right, one wrong; above 1: none.
  const Tensor p = Tensor::from<double>({4, 1}, {0.2, 0.6, 0.8, 0.1});
  const Tensor t = Tensor::from<double>({4, 1}, {0, 0, 1, 1});
  CHECK(reported(nn::auc(3), p, t, 3) == doctest::Approx(0.5 * (0.5 + 1) / 2 + 0.5 * 0.5 / 2));
}

TEST_CASE("whole epochs of classes") {
  const Tensor p = probabilities({29, 4}, 3);
  const Tensor y = labels(29, 3, 4);  // class 3 never occurs, but is predicted
  std::vector<double> table(16);
  double right = 0, in_two = 0;
  for (Index r = 0; r < 29; ++r) {
    const auto truth = static_cast<Index>(y.at(r));
    table[static_cast<std::size_t>(4 * truth + largest(p, r))] += 1;
    right += largest(p, r) == truth ? 1 : 0;
    int larger = 0;
    for (Index c = 0; c < 4; ++c) larger += p.at(4 * r + c) > p.at(4 * r + truth) ? 1 : 0;
    in_two += larger < 2 ? 1 : 0;
  }
  double precision = 0, recall = 0, f1 = 0;
  for (std::size_t c = 0; c < 4; ++c) {
    double predicted = 0, there = 0;
    for (std::size_t o = 0; o < 4; ++o) {
      predicted += table[4 * o + c];
      there += table[4 * c + o];
    }
    precision += predicted == 0 ? 0 : table[5 * c] / predicted / 4;
    recall += there == 0 ? 0 : table[5 * c] / there / 4;
    f1 += 2 * table[5 * c] / (predicted + there) / 4;
  }
  for (const Tensor& target : {y, nn::one_hot(y, 4).cast(f64)}) {
    check_epoch(nn::accuracy, p, target, right / 29);
    check_epoch(nn::top_k_accuracy(2), p, target, in_two / 29);
    check_epoch(nn::macro_precision, p, target, precision);
    check_epoch(nn::macro_recall, p, target, recall);
    check_epoch(nn::macro_f1, p, target, f1);
    const Tensor matrix = nn::confusion_matrix(p, target);
    CHECK(matrix.type() == TensorType{i64, {4, 4}});
    for (Index i = 0; i < 16; ++i) CHECK(matrix.at(i) == table[static_cast<std::size_t>(i)]);
  }
}

TEST_CASE("the confusion matrix of one probability a row is that of no and yes") {
  const Tensor p = Tensor::from<float>({5, 1}, {0.2F, 0.6F, 0.8F, 0.1F, 0.9F});
  const Tensor wanted = Tensor::from<std::int64_t>({2, 2}, {1, 1, 1, 2});
  CHECK(bitwise_equal(nn::confusion_matrix(p, Tensor::from<float>({5, 1}, {0, 0, 1, 1, 1})), wanted));
  CHECK(bitwise_equal(nn::confusion_matrix(p, Tensor::from<std::int64_t>({5}, {0, 0, 1, 1, 1})), wanted));
  CHECK_THROWS_WITH_AS(nn::confusion_matrix(p, Tensor({4, 1})),
                       doctest::Contains("confusion_matrix: targets must be class numbers or one-hot rows"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(nn::confusion_matrix(Tensor(Shape{5}), Tensor(Shape{5})),
                       doctest::Contains("confusion_matrix: predictions must be [rows, classes]"), ShapeError);
  CHECK_THROWS_AS(nn::confusion_matrix(Tensor({1, 3}), Tensor::from<std::int64_t>({1}, {3})), ValueError);
}

TEST_CASE("whole epochs of numbers") {
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

TEST_CASE("metrics of ones own: a mean over rows, or sums and what is made of them") {
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
                       doctest::Contains("the metric \"vector\" must be one number"), ShapeError);
}

TEST_CASE("in training, too, a metric is that of the epoch; its bits do not depend on threads") {
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

TEST_CASE("metrics that make no sense are refused") {
  CHECK_THROWS_WITH_AS(nn::precision(1.5), doctest::Contains("precision: a threshold of 1.5 is not in [0, 1]"),
                       UserError);
  CHECK_THROWS_WITH_AS(nn::binary_accuracy(NAN), doctest::Contains("nan"), UserError);
  CHECK_THROWS_WITH_AS(nn::top_k_accuracy(0), doctest::Contains("top_k_accuracy: the largest 0"), UserError);
  CHECK_THROWS_WITH_AS(nn::auc(1), doctest::Contains("auc: 1 thresholds"), UserError);
  const auto with = [](const nn::Metric& metric) {
    nn::Model model{nn::Dense(3, nn::softmax), {2}};
    model.compile({.loss = nn::sparse_categorical_crossentropy, .optimizer = nn::SGD{}, .metrics = {metric}});
  };
  CHECK_THROWS_WITH_AS(with(nn::precision()),
                       doctest::Contains("precision: prediction and target must have one shape and dtype"), ShapeError);
  CHECK_THROWS_WITH_AS(with(nn::f1()), doctest::Contains("hint: for class numbers use its macro_ form"), ShapeError);
  CHECK_THROWS_WITH_AS(with(nn::top_k_accuracy(4)), doctest::Contains("top_k_accuracy: there are no 4 of 3 classes"),
                       ShapeError);
  CHECK_NOTHROW(with(nn::macro_f1));
}

TEST_CASE("a fit that is resumed in the middle of an epoch has the sums of the whole epoch") {
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
