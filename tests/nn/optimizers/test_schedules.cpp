// Schedules compared with their formulas, and optimizers that use them.
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/xgrad.hpp>

#include "support/descent.hpp"

using namespace xgrad;
using testing::Descent;

namespace {

constexpr double pi = std::numbers::pi;

void expect(const nn::LearningRate& schedule, Index last, const std::function<double(double)>& formula) {
  for (Index step = 0; step <= last; ++step) {
    CAPTURE(schedule.name());
    CAPTURE(step);
    const double wanted = formula(static_cast<double>(step));
    CHECK(std::abs(schedule.at(step) - wanted) <= 1e-14 * std::max(wanted, 1e-3));
  }
}

}  // namespace

TEST_CASE("learning rate: a number is a constant") {
  CHECK(nn::LearningRate(0.25).at(7) == 0.25);
  CHECK(nn::LearningRate(1).at(0) == 1);
  CHECK_FALSE(nn::LearningRate(0.25).is_schedule());
  CHECK(nn::step_decay(0.1, 5).is_schedule());
}

TEST_CASE("schedules: step, multi-step and piecewise-constant values") {
  expect(nn::step_decay(0.4, 5, 0.5), 22, [](double s) { return 0.4 * std::pow(0.5, std::floor(s / 5)); });
  expect(nn::step_decay(0.4, 3), 7, [](double s) { return s < 3 ? 0.4 : s < 6 ? 0.04 : 0.004; });
  expect(nn::multi_step_decay(0.4, {3, 4, 10}, 0.5), 14, [](double s) {
    return s < 3 ? 0.4 : s < 4 ? 0.2 : s < 10 ? 0.1 : 0.05;
  });
  expect(nn::multi_step_decay(0.4, {}), 3, [](double) { return 0.4; });
  expect(nn::piecewise_constant({2, 6}, {0.1, 0.7, 0.3}), 9, [](double s) { return s < 2 ? 0.1 : s < 6 ? 0.7 : 0.3; });
}

TEST_CASE("schedules: exponential, inverse-time and polynomial values") {
  expect(nn::exponential_decay(0.1, 10, 0.9), 35, [](double s) { return 0.1 * std::pow(0.9, s / 10); });
  expect(nn::exponential_decay(0.1, 10, 0.9, {.staircase = true}), 35,
         [](double s) { return 0.1 * std::pow(0.9, std::floor(s / 10)); });
  expect(nn::inverse_time_decay(0.1, 4, 0.5), 20, [](double s) { return 0.1 / (1 + 0.5 * s / 4); });
  expect(nn::inverse_time_decay(0.1, 4, 0.5, {.staircase = true}), 20,
         [](double s) { return 0.1 / (1 + 0.5 * std::floor(s / 4)); });
  expect(nn::polynomial_decay(0.1, 8), 12, [](double s) { return s < 8 ? (0.1 - 1e-4) * (1 - s / 8) + 1e-4 : 1e-4; });
  expect(nn::polynomial_decay(0.1, 8, {.end = 0.01, .power = 2}), 12,
         [](double s) { return s < 8 ? 0.09 * std::pow(1 - s / 8, 2) + 0.01 : 0.01; });
  expect(nn::polynomial_decay(0.1, 8, {.end = 0, .power = 0.5, .cycle = true}), 30, [](double s) {
    const double whole = s == 0 ? 8 : 8 * std::ceil(s / 8);
    return 0.1 * std::sqrt(1 - s / whole);
  });
}

TEST_CASE("schedules: cosine values with warm-up and restarts") {
  expect(nn::cosine_decay(0.2, 10), 15, [](double s) { return 0.1 * (1 + std::cos(pi * std::min(s, 10.0) / 10)); });
  expect(nn::cosine_decay(0.2, 10, {.warmup = 4, .warmup_from = 0.04, .alpha = 0.1}), 20, [](double s) {
    if (s < 4) return 0.04 + 0.16 * s / 4;
    return 0.2 * (0.9 * 0.5 * (1 + std::cos(pi * std::min(s - 4, 10.0) / 10)) + 0.1);
  });
  CHECK(nn::cosine_decay(1e-3, 10000, {.warmup = 500}).at(0) == 0);
  CHECK(nn::cosine_decay(1e-3, 10000, {.warmup = 500}).at(500) == 1e-3);

  expect(nn::cosine_restarts(0.2, 5, {.t_mul = 1, .m_mul = 0.5}), 17, [](double s) {
    const double round = std::floor(s / 5);
    return 0.2 * std::pow(0.5, round) * 0.5 * (1 + std::cos(pi * (s / 5 - round)));
  });
  const auto growing = [](double s) {  // 5 steps, 10, 20, 40
    double length = 5, height = 0.2;
    while (s >= length) s -= length, length *= 2, height *= 0.8;
    return height * 0.5 * (1 + std::cos(pi * s / length));
  };
  expect(nn::cosine_restarts(0.2, 5, {.m_mul = 0.8}), 74, growing);
  expect(nn::cosine_restarts(0.2, 5, {.m_mul = 0.8, .warmup = 3}), 30,
         [&](double s) { return s < 3 ? 0.2 * s / 3 : growing(s - 3); });
}

TEST_CASE("schedules: cosine restarts begin exactly at their first step") {
  for (const double longer : {1.5, 2.0, 3.0}) {
    const nn::LearningRate schedule = nn::cosine_restarts(1, 1000, {.t_mul = longer});
    double begin = 0, length = 1000;
    for (int round = 0; round < 12; ++round, begin += length, length *= longer) {
      if (begin != std::floor(begin)) break;  // later restarts are between two steps
      CHECK(schedule.at(static_cast<Index>(begin)) == doctest::Approx(1).epsilon(1e-9));
      if (round > 0) CHECK(schedule.at(static_cast<Index>(begin) - 1) < 1e-5);
    }
  }
}

TEST_CASE("schedules: one_cycle values") {
  const auto formula = [](double s, bool straight) {
    const double top = 0.25 * 40 - 1, end = 39;
    const auto between = [&](double from, double to, double part) {
      return straight ? from + (to - from) * part : to + (from - to) / 2 * (1 + std::cos(pi * part));
    };
    if (s <= top) return between(0.05, 0.5, s / top);
    return between(0.5, 0.0005, std::min(1.0, (s - top) / (end - top)));
  };
  for (const bool straight : {false, true}) {
    expect(nn::one_cycle(0.5, 40, {.rise = 0.25, .start_divisor = 10, .end_divisor = 100, .straight = straight}), 45,
           [&](double s) { return formula(s, straight); });
  }
  const nn::LearningRate standard = nn::one_cycle(0.1, 100);
  CHECK(standard.at(0) == doctest::Approx(0.1 / 25));
  CHECK(standard.at(29) == doctest::Approx(0.1));
  CHECK(standard.at(99) == doctest::Approx(0.1 / 25 / 1e4));
}

TEST_CASE("schedules: invalid arguments throw") {
  const auto refuses = [](const std::function<nn::LearningRate()>& make, const char* why) {
    CHECK_THROWS_WITH_AS(make(), doctest::Contains(why), UserError);
  };
  refuses([] { return nn::step_decay(-1, 5); }, "step_decay: rate must be finite and at least 0, got -1");
  refuses([] { return nn::step_decay(0.1, 0); }, "step_decay: steps must be finite and above 0, got 0");
  refuses([] { return nn::step_decay(0.1, 5, NAN); }, "step_decay: factor must be finite and at least 0, got nan");
  refuses(
      [] {
        return nn::multi_step_decay(0.1, {5, 5});
      },
      "steps must be ascending and at least 0, but steps[1] is 5");
  refuses([] { return nn::multi_step_decay(0.1, {-1}); }, "steps must be ascending and at least 0, but steps[0] is -1");
  refuses([] { return nn::multi_step_decay(0.1, {5}, -1); },
          "multi_step_decay: factor must be finite and at least 0, got -1");
  refuses([] { return nn::piecewise_constant({5}, {0.1}); }, "piecewise_constant: 1 steps need 2 rates, got 1");
  refuses([] { return nn::piecewise_constant({}, {NAN}); },
          "piecewise_constant: rate must be finite and at least 0, got nan");
  refuses([] { return nn::exponential_decay(0.1, -3, 0.5); },
          "exponential_decay: steps must be finite and above 0, got -3");
  refuses([] { return nn::exponential_decay(INFINITY, 3, 0.5); },
          "exponential_decay: rate must be finite and at least 0, got inf");
  refuses([] { return nn::inverse_time_decay(0.1, 3, -0.5); },
          "inverse_time_decay: factor must be finite and at least 0, got -0.5");
  refuses([] { return nn::polynomial_decay(0.1, 3, {.end = -1}); },
          "polynomial_decay: end must be finite and at least 0, got -1");
  refuses([] { return nn::polynomial_decay(0.1, 3, {.power = NAN}); },
          "polynomial_decay: power must be finite and at least 0, got nan");
  refuses([] { return nn::cosine_decay(0.1, 3, {.warmup = -1}); },
          "cosine_decay: warmup must be finite and at least 0, got -1");
  refuses([] { return nn::cosine_decay(0.1, 3, {.alpha = NAN}); },
          "cosine_decay: alpha must be finite and at least 0, got nan");
  refuses([] { return nn::cosine_restarts(0.1, 3, {.t_mul = 0.5}); },
          "cosine_restarts: t_mul must be finite and at least 1, got 0.5");
  refuses([] { return nn::cosine_restarts(0.1, 3, {.m_mul = -1}); },
          "cosine_restarts: m_mul must be finite and at least 0, got -1");
  refuses([] { return nn::one_cycle(0.1, 3); }, "one_cycle: rise = 0.3 of 3 steps leaves no step for the rise");
  refuses([] { return nn::one_cycle(0.1, 30, {.rise = 1}); }, "one_cycle: rise must be in [0, 1), got 1");
  refuses([] { return nn::one_cycle(0.1, 30, {.end_divisor = 0}); },
          "one_cycle: end_divisor must be finite and above 0, got 0");
  const nn::LearningRate wrong("wrong", [](Value step) { return cast(step, f32); });
  CHECK_THROWS_WITH_AS(nn::Optimizer(nn::SGD{.learning_rate = wrong}),
                       doctest::Contains("schedule \"wrong\": the learning rate must be a scalar f64"), ShapeError);
  const nn::LearningRate below("below", [](Value step) { return step - 1; });
  CHECK_THROWS_WITH_AS(nn::Optimizer(nn::SGD{.learning_rate = below}),
                       doctest::Contains("sgd: learning_rate must be finite and at least 0, got -1"), UserError);
}

TEST_CASE("schedules: a rule uses the schedule, and the state holds the next learning rate") {
  const nn::LearningRate schedule = nn::cosine_decay(0.1, 6, {.warmup = 2});
  Descent descent(nn::SGD{.learning_rate = schedule});
  double w = 1.7;
  for (Index t = 0; t < 10; ++t) {
    CHECK(descent.state.learning_rate.value().item() == schedule.at(t));
    descent.step();
    w -= schedule.at(t) * (w * w * w - w + 0.3);
    CHECK(descent.values()[0] == doctest::Approx(w).epsilon(1e-14));
  }
}

TEST_CASE("schedules: count weight updates, not batches") {
  const nn::LearningRate schedule = nn::step_decay(0.1, 1, 0.5);
  Descent descent({nn::SGD{.learning_rate = schedule}, {.accumulate = 3}});
  for (Index batch = 0; batch < 9; ++batch) {
    CHECK(descent.state.learning_rate.value().item() == schedule.at(batch / 3));
    descent.step();
  }
}

TEST_CASE("schedules: a model reports the scheduled learning rate and rejects set_learning_rate") {
  nn::Model model{nn::Dense(1), {1}, {.seed = 1}};
  const nn::LearningRate schedule = nn::exponential_decay(0.1, 10, 0.5);
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::Adam{.learning_rate = schedule}});
  CHECK(model.learning_rate() == 0.1);
  model.fit({Tensor({8, 1}), Tensor({8, 1})}, {.batch_size = 2, .epochs = 3, .verbose = nn::Verbose::silent});
  CHECK(model.learning_rate() == schedule.at(12));
  CHECK_THROWS_WITH_AS(
      model.set_learning_rate(0.1),
      doctest::Contains("set_learning_rate: the learning rate of adam is set by the schedule \"exponential_decay\""),
      UserError);
  CHECK(model.learning_rate() == schedule.at(12));
}
