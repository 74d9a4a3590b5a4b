// Operations on rows, compared with the compositions that other axes use.
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/autodiff/transforms.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/ops/ops.hpp>

#include "support/dice.hpp"

using namespace xgrad;

namespace {

Tensor draw(testing::Dice& dice, const Shape& shape, DType dtype, double mean = 0) {
  Tensor out(shape, f64);
  for (double& x : out.mutable_values<double>()) x = mean + dice.real(-3, 3);
  return out.cast(dtype);
}
Tensor draw_labels(testing::Dice& dice, Index rows, Index classes) {
  Tensor out({rows}, i64);
  for (auto& x : out.mutable_values<std::int64_t>()) x = dice.below(classes);
  return out;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() && std::memcmp(a.raw(), b.raw(), a.type().bytes()) == 0;
}

// The largest difference, relative to the largest element of b.
double error(const Tensor& a, const Tensor& b) {
  const Tensor x = a.cast(f64), y = b.cast(f64);
  double most = 0, largest = 1e-30;
  for (std::size_t i = 0; i < y.values<double>().size(); ++i) {
    most = std::max(most, std::abs(x.values<double>()[i] - y.values<double>()[i]));
    largest = std::max(largest, std::abs(y.values<double>()[i]));
  }
  return most / largest;
}

// A function of rows, and the same by other operations.
struct Case {
  std::string name;
  std::function<Value(Value x, Value labels)> by_rows, composed;
};
const std::vector<Case> cases{
    {"layer_norm", [](Value x, Value) { return layer_norm(x, {1}, 1e-3); },
     [](Value x, Value) { return transpose(layer_norm(transpose(x), {0}, 1e-3)); }},
    {"softmax", [](Value x, Value) { return softmax(x, 1); },
     [](Value x, Value) { return transpose(softmax(transpose(x), 0)); }},
    {"cross-entropy",
     [](Value x, Value labels) { return sparse_categorical_crossentropy_from_logits(x, labels, {}, Reduction::none); },
     [](Value x, Value labels) {
       return -squeeze(take_along_axis(log_softmax(x), expand_dims(labels, -1), -1), {-1});
     }}};

TEST_CASE("rows: values and gradients match the composition, in plans of any number of threads too") {
  testing::Dice dice(1);
  for (const Case& c : cases) {
    for (const DType dtype : {f32, f64}) {
      for (const Index n : {1, 2, 3, 15, 16, 17, 31, 64, 65, 100, 255, 256, 257, 1000, 1023, 1025, 2049, 5000}) {
        for (const Index rows : {1, 3, 17, 40}) {
          CAPTURE(c.name);
          CAPTURE(std::string(name_of(dtype)));
          CAPTURE(n);
          CAPTURE(rows);
          Graph g;
          const Value x = g.input("x", {rows, n}, dtype), labels = g.input("labels", {rows}, i64);
          const Value y = c.by_rows(x, labels), expected = c.composed(x, labels);
          const Value factors = g.constant(draw(dice, y.shape(), dtype));
          const Feeds feeds{{x, draw(dice, {rows, n}, dtype)}, {labels, draw_labels(dice, rows, n)}};
          const std::vector<Value> of_rows{y, gradients(sum(y * factors), x)};
          const std::vector<Value> composed{expected, gradients(sum(expected * factors), x)};
          const double bound = dtype == f32 ? 4e-6 : 1e-14;
          const std::vector<Tensor> results = evaluate(of_rows, feeds);
          const std::vector<Tensor> exact = evaluate(composed, feeds);
          CHECK(error(results[0], exact[0]) <= bound);
          // For rows of one or two elements, which a layer norm maps to constants, the gradient is rounding noise.
          if (n > 2) CHECK(error(results[1], exact[1]) <= 10 * bound);
          for (const int threads : {1, 3}) {
            const std::vector<Tensor> planned = Plan(of_rows).run(feeds, {.threads = threads});
            CHECK(same_bits(planned[0], results[0]));
            CHECK(same_bits(planned[1], results[1]));
          }
        }
      }
    }
  }
}

TEST_CASE("rows: a layer norm with its gradients is one step that stores nothing else") {
  Graph g;
  const Value x = g.input("x", {600, 512}), c = g.input("c", {600, 512});
  const Value scale = g.input("scale", {512}), shift = g.input("shift", {512});
  const Value y = layer_norm(x, scale, shift);
  std::vector<Value> results{y};
  for (const Value v : vjp({y}, {x, scale, shift}, {c})) results.push_back(v);
  testing::Dice dice(2);
  const Feeds feeds{{x, draw(dice, x.shape(), f32)},
                    {c, draw(dice, x.shape(), f32)},
                    {scale, draw(dice, {512}, f32)},
                    {shift, draw(dice, {512}, f32)}};
  const Plan plan(results);
  CHECK(plan.steps() == 1);
  const std::vector<Tensor> expected = evaluate(results, feeds);
  for (const int threads : {1, 2, 5}) {
    const std::vector<Tensor> planned = plan.run(feeds, {.threads = threads});
    for (std::size_t i = 0; i < results.size(); ++i) CHECK(same_bits(planned[i], expected[i]));
  }
}

TEST_CASE("rows: elements that are huge, equal, infinite or NaN") {
  constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  Graph g;
  const Value x = g.input("x", {5, 4});
  const Tensor in = Tensor::from<float>({5, 4}, {1e30F, -1e30F, 1e30F, -1e30F,  //
                                                 7e20F, 7e20F,  7e20F, 7e20F,   //
                                                 3,     3,      3,     3,       //
                                                 1,     nan,    2,     3,       //
                                                 1,     inf,    2,     3});
  const Tensor y = evaluate(layer_norm(x, {1}, 0), {{x, in}});
  for (Index i = 0; i < 4; ++i) {
    CHECK(y.at(i) == doctest::Approx(i % 2 == 0 ? 1 : -1));
    CHECK(y.at(4 + i) == 0);
    CHECK(std::isnan(y.at(12 + i)));
    CHECK(std::isnan(y.at(16 + i)));
  }
  Graph wide;
  const Value z = wide.input("z", {3, 70});
  Tensor rows = Tensor::full({3, 70}, -1e4);
  rows.mutable_values<float>()[1] = 1e4F;
  rows.mutable_values<float>()[72] = nan;
  rows.mutable_values<float>()[142] = -inf;
  const Tensor p = evaluate(softmax(z), {{z, rows}});
  CHECK(p.at(1) == 1);
  CHECK(p.at(0) == 0);
  CHECK(std::isnan(p.at(70)));
  CHECK(p.at(142) == 0);
  CHECK(p.at(140) == doctest::Approx(1.0 / 69));
}

}  // namespace
