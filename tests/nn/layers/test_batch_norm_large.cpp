// Batch norm of large inputs, whose statistics are computed in one pass.
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/autodiff/transforms.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/nn/layers/batch_norm.hpp>
#include <xgrad/ops/ops.hpp>

#include "support/dice.hpp"

using namespace xgrad;

namespace {

constexpr Index rows = 4096, features = 65;

// The exact result for f32 elements: statistics, normalized values, and the gradient at x.
struct Expected {
  std::vector<double> mean, variance, y, dx;
  Expected(const Tensor& x, const Tensor& c) : mean(features), variance(features), y(rows * features), dx(y) {
    for (Index j = 0; j < features; ++j) {
      const auto at = [&](Index i) { return static_cast<std::size_t>(i * features + j); };
      const auto f = static_cast<std::size_t>(j);
      for (Index i = 0; i < rows; ++i) mean[f] += x.at(i * features + j) / rows;
      for (Index i = 0; i < rows; ++i) variance[f] += std::pow(x.at(i * features + j) - mean[f], 2) / rows;
      const double scale = 1 / std::sqrt(variance[f] + 1e-3);
      double of_mean = 0, of_scale = 0;
      for (Index i = 0; i < rows; ++i) {
        y[at(i)] = (x.at(i * features + j) - mean[f]) * scale;
        of_mean += c.at(i * features + j) / rows;
        of_scale += c.at(i * features + j) * y[at(i)] / rows;
      }
      for (Index i = 0; i < rows; ++i) dx[at(i)] = (c.at(i * features + j) - of_mean - y[at(i)] * of_scale) * scale;
    }
  }
};

double error(const Tensor& a, const std::vector<double>& b) {
  double most = 0;
  for (std::size_t i = 0; i < b.size(); ++i) most = std::max(most, std::abs(a.at(static_cast<Index>(i)) - b[i]));
  return most;
}

TEST_CASE("batch norm: statistics of large inputs in one pass are as exact as in two") {
  for (const double offset : {0.0, 1000.0}) {
    for (const Index differs : {rows, rows / 32}) {  // the distance of rows that are 30 larger
      CAPTURE(offset);
      CAPTURE(differs);
      testing::Dice dice(4);
      Tensor in({rows, features}), slope({rows, features});
      for (float& v : in.mutable_values<float>()) v = static_cast<float>(offset + dice.real(-2, 2));
      for (float& v : slope.mutable_values<float>()) v = static_cast<float>(dice.real(-1, 1));
      for (Index i = 0; i < rows; i += differs) {
        for (Index j = 0; j < features; ++j)
          in.mutable_values<float>()[static_cast<std::size_t>(i * features + j)] += 30;
      }
      Graph g({.training = true});
      const Value x = g.input("x", {rows, features}), c = g.input("c", {rows, features});
      const nn::BatchNorm norm;
      const Value y = norm(x);
      const std::vector<Value> results{y, vjp({y}, {x}, {c})[0]};
      const Feeds feeds{{x, in}, {c, slope}};
      const Plan plan(results, g.updates());
      const std::vector<Tensor> out = plan.run(feeds);
      const Expected expected(in, slope);
      // An element of 1000 is itself known to 6e-5 only.
      CHECK(error(out[0], expected.y) <= (offset == 0 ? 2e-5 : 2e-4));
      CHECK(error(out[1], expected.dx) <= (offset == 0 ? 2e-5 : 2e-4));
      std::vector<double> moving(features);
      for (std::size_t j = 0; j < features; ++j) moving[j] = 0.99 + 0.01 * expected.variance[j];
      CHECK(error(norm.moving_variance().value(), moving) <= 1e-6);
      for (std::size_t j = 0; j < features; ++j) moving[j] = 0.01 * expected.mean[j];
      CHECK(error(norm.moving_mean().value(), moving) <= 2e-6 * (1 + offset));
    }
  }
}

TEST_CASE("batch norm: equal elements of a large input become the offset") {
  Graph g({.training = true});
  const Value x = g.input("x", {rows, features});
  const nn::BatchNorm norm({.epsilon = 1e-12});
  const Value y = norm(x);
  const Tensor out = Plan({y}).run({{x, Tensor::full({rows, features}, 1234.5F)}})[0];
  for (Index i = 0; i < rows * features; ++i) {
    if (out.at(i) != 0) FAIL("element ", i, " is ", out.at(i));
  }
}

}  // namespace
