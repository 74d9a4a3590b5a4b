#include <algorithm>
#include <cstdint>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/nn/data/dataset.hpp>
#include <xgrad/nn/data/digits.hpp>
#include <xgrad/nn/data/random.hpp>

#include "support/scratch.hpp"

using namespace xgrad;
using namespace xgrad::nn;
using namespace scratch;

namespace {

// x: [rows, 2], y: [rows]; row i has 2i, 2i + 1 and i.
Dataset counting(Index rows) {
  Tensor x({rows, 2}), y({rows}, i64);
  std::iota(x.mutable_values<float>().begin(), x.mutable_values<float>().end(), 0.0F);
  std::iota(y.mutable_values<std::int64_t>().begin(), y.mutable_values<std::int64_t>().end(), 0);
  return {x, y};
}

double mean(std::span<const float> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

TEST_CASE("data set: inputs and targets must have the same number of rows") {
  CHECK(Dataset().size() == 0);
  CHECK(counting(5).size() == 5);
  CHECK(counting(0).size() == 0);
  CHECK(contains(message_of<ShapeError>([] {
                   (void)Dataset(Tensor({3, 2}), Tensor::zeros({4}));
                 }),
                 "same number of rows"));
  CHECK_THROWS_AS(Dataset(Tensor(1.0F), Tensor(1.0F)), ShapeError);
  CHECK_THROWS_AS(Dataset(Tensor::zeros({1}), Tensor(1.0F)), ShapeError);
}

TEST_CASE("data set: a slice shares memory") {
  const Dataset all = counting(5);
  const Dataset part = all.slice(1, 3);
  CHECK(part.size() == 3);
  CHECK(part.x.raw() == static_cast<const void*>(all.x.values<float>().data() + 2));
  CHECK(part.y.at(2) == 3);
  CHECK(all.slice(5, 0).size() == 0);
  for (const auto& [first, count] : {std::pair<Index, Index>{3, 3}, {-1, 1}, {0, -1}, {6, 0}}) {
    CHECK_THROWS_AS(all.slice(first, count), ShapeError);
  }
}

TEST_CASE("split: takes the last rows for validation, rounded down") {
  const Dataset all = counting(11);
  const auto [train, valid] = split(all, 0.2);
  CHECK(train.size() == 9);
  CHECK(valid.size() == 2);
  CHECK(valid.y.at(0) == 9);
  CHECK(valid.x.at(0) == 18);
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  for (double fraction : {0.0, 1.0, -0.1, 1.1, 0.09, 1e-300, nan, infinity, -infinity}) {
    CAPTURE(fraction);
    CHECK_THROWS_AS(split(all, fraction), UserError);
  }
  CHECK_THROWS_AS(split(counting(1), 0.5), UserError);
  CHECK_THROWS_AS(split(Dataset(), 0.5), UserError);
}

TEST_CASE("one_hot: encodes class indices") {
  const Tensor out = one_hot(Tensor::from<std::int64_t>({3}, {2, 0, 1}), 3);
  CHECK(out.dtype() == f32);
  CHECK(bitwise_equal(out, Tensor::from<float>({3, 3}, {0, 0, 1, 1, 0, 0, 0, 1, 0})));
  CHECK(one_hot(Tensor({0}, i64), 4).shape() == Shape{0, 4});
  const auto refused = [](std::int64_t label) {
    return message_of<ValueError>([&] { (void)one_hot(Tensor::from<std::int64_t>({2}, {0, label}), 3); });
  };
  CHECK(contains(refused(3), "label 3 in row 1"));
  CHECK(contains(refused(-1), "label -1 in row 1"));
  CHECK_THROWS_AS(one_hot(Tensor({3}, f32), 3), ShapeError);
  CHECK_THROWS_AS(one_hot(Tensor({3, 1}, i64), 3), ShapeError);
  CHECK_THROWS_AS(one_hot(Tensor(1), 3), ShapeError);
  CHECK_THROWS_AS(one_hot(Tensor(), 3), ShapeError);
  CHECK_THROWS_AS(one_hot(Tensor({3}, i64), 0), UserError);
  CHECK_THROWS_AS(one_hot(Tensor({3}, i64), -1), UserError);
}

TEST_CASE("shuffle: returns a permutation by seed and epoch") {
  for (Index n : {0, 1, 2, 17, 1000}) {
    auto order = shuffled_indices(n, 3, 4);
    CHECK(order == shuffled_indices(n, 3, 4));
    std::vector<Index> in_place(static_cast<std::size_t>(n), 99);
    shuffle_indices(in_place, 3, 4);
    CHECK(in_place == order);
    std::sort(order.begin(), order.end());
    for (Index i = 0; i < n; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
  }
  CHECK(shuffled_indices(100, 3, 4) != shuffled_indices(100, 3, 5));
  CHECK(shuffled_indices(100, 3, 4) != shuffled_indices(100, 4, 4));
  CHECK(shuffled_indices(100, 3, 4) != shuffled_indices(100, 4, 3));
}

TEST_CASE("shuffle: all orders of four are equally likely") {
  std::vector<int> seen(256);
  constexpr int trials = 24000;
  for (int t = 0; t < trials; ++t) {
    const auto order = shuffled_indices(4, 1, static_cast<std::uint64_t>(t));
    ++seen[static_cast<std::size_t>(order[0] * 64 + order[1] * 16 + order[2] * 4 + order[3])];
  }
  double chi = 0;
  int orders = 0;
  for (int n : seen) {
    if (n == 0) continue;
    ++orders;
    chi += (n - 1000.0) * (n - 1000.0) / 1000.0;
  }
  CHECK(orders == 24);
  CHECK(chi < 49.7);  // 23 degrees of freedom: exceeded once in a thousand
}

TEST_CASE("host random: values are within their bounds") {
  HostRandom random(5);
  double sum = 0, squares = 0;
  for (int i = 0; i < 10000; ++i) {
    CHECK(random.below(7) < 7);
    const double uniform = random.uniform();
    CHECK((uniform >= 0 && uniform < 1));
    const double normal = random.near_normal();
    sum += normal;
    squares += normal * normal;
  }
  CHECK(random.below(1) == 0);
  CHECK(sum / 10000 == doctest::Approx(0).epsilon(0.05).scale(1));
  CHECK(squares / 10000 == doctest::Approx(1).epsilon(0.05));
}

TEST_CASE("gather_rows: copies rows in the given order") {
  const Dataset all = counting(4);
  float out[6] = {};
  const std::vector<Index> rows = {3, 0, 3};
  gather_rows(all.x, rows, out);
  CHECK(std::vector<float>(out, out + 6) == std::vector<float>{6, 7, 0, 1, 6, 7});
  std::int64_t labels[3] = {};
  gather_rows(all.y, rows, labels);
  CHECK(std::vector<std::int64_t>(labels, labels + 3) == std::vector<std::int64_t>{3, 0, 3});
  gather_rows(all.x, {}, nullptr);
  gather_rows(Tensor({0, 2}), {}, nullptr);
  gather_rows(Tensor({3, 0}), rows, out);
  CHECK(out[0] == 6);
}

TEST_CASE("digits: have the documented shape, range and class balance") {
  const Dataset digits = make_digits(1003, 1);
  CHECK(digits.x.shape() == Shape{1003, 784});
  CHECK(digits.x.dtype() == f32);
  CHECK(digits.y.shape() == Shape{1003});
  CHECK(digits.y.dtype() == i64);
  const auto pixels = digits.x.values<float>();
  CHECK(*std::min_element(pixels.begin(), pixels.end()) == 0);
  const float darkest = *std::max_element(pixels.begin(), pixels.end());
  CHECK((darkest > 0.9F && darkest <= 1.0F));
  std::vector<int> per_class(10);
  for (std::int64_t label : digits.y.values<std::int64_t>()) ++per_class.at(static_cast<std::size_t>(label));
  const auto [least, most] = std::minmax_element(per_class.begin(), per_class.end());
  CHECK(*most - *least <= 1);
  CHECK(make_digits(0, 1).size() == 0);
  CHECK_THROWS_AS(make_digits(-1, 1), UserError);
}

TEST_CASE("digits: depend on the seed") {
  const Dataset once = make_digits(50, 1), again = make_digits(50, 1), other = make_digits(50, 2);
  CHECK(bitwise_equal(once.x, again.x));
  CHECK(bitwise_equal(once.y, again.y));
  for (Index i = 0; i < 50; ++i) CHECK_FALSE(bitwise_equal(once.x.rows(i, 1), other.x.rows(i, 1)));
}

TEST_CASE("digits: image i depends only on the seed and i") {
  const Dataset few = make_digits(37, 1), many = make_digits(200, 1);
  CHECK(bitwise_equal(few.x, many.x.rows(0, 37)));
  CHECK(bitwise_equal(few.y, many.y.rows(0, 37)));
}

TEST_CASE("digits: labels are shuffled") {
  const Dataset digits = make_digits(1000, 1);
  const auto labels = digits.y.values<std::int64_t>();
  int rises = 0;
  for (std::size_t i = 1; i < labels.size(); ++i) rises += labels[i] == (labels[i - 1] + 1) % 10 ? 1 : 0;
  CHECK(rises < 200);
}

TEST_CASE("digits: have the mean ink of handwriting, inside the image") {
  const Dataset digits = make_digits(500, 1);
  const double ink = mean(digits.x.values<float>());
  CHECK((ink > 0.08 && ink < 0.22));  // MNIST: 0.131
  double border = 0;
  std::set<std::vector<float>> different;
  for (Index i = 0; i < digits.size(); ++i) {
    const Tensor row = digits.x.rows(i, 1);
    const auto image = row.values<float>();
    CHECK(mean(image) > 0.02);
    CHECK(mean(image) < 0.4);
    different.emplace(image.begin(), image.end());
    for (std::size_t p = 0; p < 28; ++p) border += static_cast<double>(image[p] + image[27 * 28 + p]);
  }
  CHECK(different.size() == 500);
  CHECK(border / (500 * 56) < 0.02);
}

TEST_CASE("digits: the nearest class mean classifies most of them") {
  const Dataset train = make_digits(2000, 1), test = make_digits(500, 2);
  std::vector<std::vector<double>> means(10, std::vector<double>(784));
  std::vector<double> counts(10);
  const auto pixels = train.x.values<float>();
  for (std::size_t i = 0; i < 2000; ++i) {
    const auto label = static_cast<std::size_t>(train.y.at(static_cast<Index>(i)));
    ++counts[label];
    for (std::size_t p = 0; p < 784; ++p) means[label][p] += static_cast<double>(pixels[i * 784 + p]);
  }
  int right = 0;
  const auto images = test.x.values<float>();
  for (std::size_t i = 0; i < 500; ++i) {
    double best = std::numeric_limits<double>::infinity();
    std::size_t guess = 0;
    for (std::size_t c = 0; c < 10; ++c) {
      double distance = 0;
      for (std::size_t p = 0; p < 784; ++p) {
        const double d = static_cast<double>(images[i * 784 + p]) - means[c][p] / counts[c];
        distance += d * d;
      }
      if (distance < best) best = distance, guess = c;
    }
    right += static_cast<double>(guess) == test.y.at(static_cast<Index>(i)) ? 1 : 0;
  }
  CHECK(right > 300);  // about 410 of 500 for MNIST
  CHECK(right < 499);  // not trivially separable
}
