// Optimizers against their formulas, written out in plain numbers.
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/engine.hpp>
#include <xgrad/nn/optimizers/adam.hpp>
#include <xgrad/nn/optimizers/sgd.hpp>

using namespace xgrad;

namespace {

// A bowl whose gradient differs from element to element: sum(c (w - 1)^4 / 4).
const std::vector<double> start{3, -2, 0.5}, weight{1, 0.1, 2};
double slope(double w, double c) { return c * std::pow(w - 1, 3); }

// The weights after each of ten steps, by the plan.
std::vector<std::vector<double>> by_plan(const nn::Optimizer& optimizer) {
  Graph g({.dtype = f64});
  const Parameter w("w", Tensor::from<double>({3}, start));
  const Value c = g.constant(Tensor::from<double>({3}, weight));
  const Value d = g.parameter(w) - 1;
  const Value loss = sum(c * square(square(d)) / 4);
  nn::OptimizerState state(optimizer.learning_rate());
  const Plan plan({loss}, optimizer.updates(g, {w}, {gradients(loss, g.parameter(w))}, state));
  Workspace memory(plan);
  std::vector<std::vector<double>> out;
  for (std::uint64_t step = 0; step < 10; ++step) {
    plan.run(memory, {.step = step});
    const auto values = w.view().values<double>();
    out.emplace_back(values.begin(), values.end());
  }
  CHECK(state.iterations.value().item() == 10);
  return out;
}

// The same, one element after the other, by `rule(w, g, t)`; `fresh` makes a rule with its memory cleared.
using Rule = std::function<double(double w, double g, int t)>;
void expect_same(const nn::Optimizer& optimizer, const std::function<Rule()>& fresh) {
  const auto steps = by_plan(optimizer);
  for (std::size_t i = 0; i < start.size(); ++i) {
    const Rule rule = fresh();
    double w = start[i];
    for (int t = 1; t <= 10; ++t) {
      w = rule(w, slope(w, weight[i]), t);
      CHECK(steps[static_cast<std::size_t>(t - 1)][i] == doctest::Approx(w).epsilon(1e-12));
    }
  }
}

}  // namespace

TEST_CASE("sgd") {
  expect_same(nn::SGD{}, [] { return [](double w, double g, int) { return w - 0.01 * g; }; });
  expect_same(nn::SGD{.learning_rate = 0.05}, [] { return [](double w, double g, int) { return w - 0.05 * g; }; });
}

TEST_CASE("sgd with momentum, plain and Nesterov's, as Keras has it") {
  for (const bool nesterov : {false, true}) {
    expect_same(nn::SGD{.learning_rate = 0.02, .momentum = 0.9, .nesterov = nesterov}, [=] {
      return [=, v = 0.0](double w, double g, int) mutable {
        v = 0.9 * v - 0.02 * g;
        return nesterov ? w + 0.9 * v - 0.02 * g : w + v;
      };
    });
  }
}

TEST_CASE("sgd with momentum, plain and Nesterov's, as PyTorch has it") {
  for (const bool nesterov : {false, true}) {
    expect_same(nn::SGD{.preset = nn::Preset::torch, .learning_rate = 0.02, .momentum = 0.9, .nesterov = nesterov},
                [=] {
                  return [=, b = 0.0](double w, double g, int) mutable {
                    b = 0.9 * b + g;
                    return w - 0.02 * (nesterov ? g + 0.9 * b : b);
                  };
                });
  }
}

TEST_CASE("adam as Keras has it") {
  expect_same(nn::Adam{}, [] {
    return [m = 0.0, v = 0.0](double w, double g, int t) mutable {
      m = 0.9 * m + 0.1 * g;
      v = 0.999 * v + 0.001 * g * g;
      const double rate = 1e-3 * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
      return w - rate * m / (std::sqrt(v) + 1e-7);
    };
  });
}

TEST_CASE("adam as PyTorch has it, with numbers of its own") {
  expect_same(
      nn::Adam{.preset = nn::Preset::torch, .learning_rate = 0.1, .beta_1 = 0.8, .beta_2 = 0.99, .epsilon = 1e-2}, [] {
        return [m = 0.0, v = 0.0](double w, double g, int t) mutable {
          m = 0.8 * m + 0.2 * g;
          v = 0.99 * v + 0.01 * g * g;
          return w - 0.1 / (1 - std::pow(0.8, t)) * m / (std::sqrt(v) / std::sqrt(1 - std::pow(0.99, t)) + 1e-2);
        };
      });
}

TEST_CASE("presets differ in the numbers of the table alone where formulas agree") {
  CHECK(nn::Optimizer(nn::SGD{}).learning_rate() == 0.01);
  CHECK(nn::Optimizer(nn::SGD{.preset = nn::Preset::torch}).learning_rate() == 1e-3);
  CHECK(nn::defaults(nn::Preset::keras).adam.epsilon == 1e-7);
  CHECK(nn::defaults(nn::Preset::torch).adam.epsilon == 1e-8);
}

namespace {
struct SignDescent {
  static constexpr const char* name = "sign_descent";
  double learning_rate = 0.125;
  Value operator()(nn::ParameterStep& s) const { return s.parameter - s.rate() * sign(s.gradient); }
};
struct Wrong {
  static constexpr const char* name = "wrong";
  double learning_rate = 0.1;
  Value operator()(nn::ParameterStep& s) const { return sum(s.parameter); }
};
}  // namespace

TEST_CASE("an optimizer of the user's own is a struct with a rule") {
  expect_same(SignDescent{}, [] {
    return [](double w, double g, int) { return g > 0 ? w - 0.125 : g < 0 ? w + 0.125 : w; };
  });
}

TEST_CASE("optimizers refuse what has no meaning") {
  CHECK_THROWS_WITH_AS(nn::Optimizer(nn::SGD{.learning_rate = -1}), doctest::Contains("sgd: a learning rate of -1"),
                       UserError);
  CHECK_THROWS_WITH_AS(nn::Optimizer(nn::Adam{.learning_rate = NAN}), doctest::Contains("adam"), UserError);
  CHECK_THROWS_WITH_AS(by_plan(Wrong{}),
                       doctest::Contains("wrong: the rule gives f64[] for the parameter \"w\" f64[3]"), ShapeError);
}
