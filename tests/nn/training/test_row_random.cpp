// Random operations in predict and evaluate: a row's values depend only on seed, step and row position.
#include <functional>
#include <set>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/nn/training/internal/row_random.hpp>
#include <xgrad/xgrad.hpp>

#include "support/small_model.hpp"

using namespace xgrad;

namespace {

using Network = std::function<Value(Value)>;

nn::Model noisy(Network network, Index width, std::uint64_t seed = 0) {
  return {std::move(network), {width}, {.seed = seed, .dtype = f64}};
}

// Predictions for zeros. Checks that they do not depend on batch size and number of threads.
Tensor predicted(const nn::Model& model, Index rows, Index width, std::uint64_t step = 0) {
  const Tensor x({rows, width}, f64);
  const Tensor out = model.predict(x, {.step = step});
  for (const int batch : {1, 3, 256, static_cast<int>(rows)}) {
    for (const int threads : {1, 3}) {
      CHECK(bitwise_equal(model.predict(x, {.batch_size = batch, .threads = threads, .step = step}), out));
    }
  }
  // A row does not depend on the rows after it.
  CHECK(bitwise_equal(model.predict(x.rows(0, 1), {.step = step}), out.rows(0, 1)));
  CHECK(bitwise_equal(model.predict(x.rows(0, rows - 1), {.step = step}), out.rows(0, rows - 1)));
  return out;
}

Index different_rows(const Tensor& t) {
  const auto all = t.values<double>();
  const auto width = static_cast<std::size_t>(t.shape()[1]);
  std::set<std::vector<double>> seen;
  for (std::size_t at = 0; at < all.size(); at += width) {
    seen.emplace(all.begin() + static_cast<std::ptrdiff_t>(at), all.begin() + static_cast<std::ptrdiff_t>(at + width));
  }
  return static_cast<Index>(seen.size());
}

}  // namespace

TEST_CASE("predict: each row has its own random values, for any batch size; another step gives new ones") {
  const Network network = [](Value x) { return x + normal_like(x); };
  const nn::Model model = noisy(network, 3, 5);
  const Tensor p = predicted(model, 600, 3);
  CHECK(different_rows(p) == 600);
  // The values equal those of one batch of all rows.
  Graph g({.dtype = f64, .seed = 5});
  CHECK(bitwise_equal(p, evaluate(normal_like(g.constant(Tensor({600, 3}, f64))))));
  const Tensor later = predicted(model, 600, 3, 1);
  CHECK(different_rows(later) == 600);
  CHECK_FALSE(bitwise_equal(p, later));
  CHECK_FALSE(bitwise_equal(p, predicted(noisy(network, 3, 6), 600, 3)));
}

TEST_CASE("predict: random values per row are recognized for any way to give the shape") {
  // An explicit shape, several elements per row in another shape, and probabilities.
  CHECK(different_rows(
            predicted(noisy([](Value x) { return x + random_normal(x.graph(), x.shape(), f64); }, 2), 40, 2)) == 40);
  CHECK(different_rows(predicted(noisy(
                                     [](Value x) {
                                       const Index rows = x.shape()[0];
                                       return reshape(normal_like(reshape(x, {rows * 2, 2})), {rows, 4});
                                     },
                                     4),
                                 40, 4)) == 40);
  CHECK(different_rows(predicted(noisy([](Value x) { return bernoulli(sigmoid(x)) + uniform_like(x); }, 2), 40, 2)) ==
        40);
}

TEST_CASE("predict: random values whose shape does not depend on the rows are shared by all rows") {
  const nn::Model model = noisy([](Value x) { return x + random_normal(x.graph(), {2}, f64); }, 2);
  const Tensor p = predicted(model, 40, 2);
  CHECK(different_rows(p) == 1);
  CHECK_FALSE(bitwise_equal(p, predicted(model, 40, 2, 1)));
  // Noise of 40 elements stays shared also in a call with 40 rows.
  CHECK(different_rows(
            predicted(noisy([](Value x) { return x + sum(random_normal(x.graph(), {40}, f64)); }, 1), 40, 1)) == 1);
  // Weight noise together with noise per row.
  CHECK(different_rows(predicted(noisy(
                                     [](Value x) {
                                       const Value h = x + normal_like(x);
                                       return matmul(h, random_normal(x.graph(), {2, 2}, f64));
                                     },
                                     2),
                                 40, 2)) == 40);
}

TEST_CASE("predict: rows along another axis and permutations of the batch do not depend on the batch size") {
  const Network columns = [](Value x) {
    return x + transpose(random_normal(x.graph(), {x.shape()[1], x.shape()[0]}, f64));
  };
  CHECK(different_rows(predicted(noisy(columns, 2), 20, 2)) == 20);
  const Network shuffled = [](Value x) { return permutation(x + normal_like(x), 0); };
  CHECK(different_rows(predicted(noisy(shuffled, 2), 20, 2)) == 20);
  const Network columns_shuffled = [](Value x) { return permutation(x + normal_like(x), 1); };
  CHECK(different_rows(predicted(noisy(columns_shuffled, 5), 20, 5)) == 20);
  const Network row_by_row = [](Value x) {
    std::vector<Value> rows;
    for (Index i = 0; i < x.shape()[0]; ++i)
      rows.push_back(slice(x, 0, i, i + 1) + random_normal(x.graph(), {1, 2}, f64));
    return concat(rows, 0);
  };
  CHECK(different_rows(predicted(noisy(row_by_row, 2), 20, 2)) == 20);
}

TEST_CASE("evaluate: loss and metrics of a random network do not depend on the batch") {
  const nn::Dense dense(2);  // compile() needs weights; the output for zeros is zero
  nn::Model model = noisy([dense](Value x) { return dense(x) + normal_like(x); }, 2, 3);
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}, .metrics = {nn::mean_absolute_error}});
  const nn::Dataset zeros{Tensor({50, 2}, f64), Tensor({50, 2}, f64)};
  const Tensor p = model.predict(zeros.x), later = model.predict(zeros.x, {.step = 9});
  const auto squares = [](const Tensor& t) {
    double out = 0;
    for (const double x : t.values<double>()) out += x * x;
    return out / static_cast<double>(t.elements());
  };
  for (const int batch : {1, 7, 50}) {
    CHECK(model.evaluate(zeros, {.batch_size = batch})["loss"] == doctest::Approx(squares(p)).epsilon(1e-12));
    CHECK(model.evaluate(zeros, {.batch_size = batch, .step = 9})["loss"] ==
          doctest::Approx(squares(later)).epsilon(1e-12));
  }
  CHECK(squares(p) != squares(later));
}

TEST_CASE("model: equal layers and seeds give equal initial weights, other seeds different ones") {
  const auto start = [](const nn::ModelOptions& options) {
    return small_model::weights(nn::Model{small_model::small_net(), {2}, options});
  };
  CHECK(small_model::same(start({}), start({})));
  CHECK(small_model::same(start({}), start({.seed = 0})));
  CHECK_FALSE(bitwise_equal(start({.seed = 1})[0], start({.seed = 2})[0]));
}
