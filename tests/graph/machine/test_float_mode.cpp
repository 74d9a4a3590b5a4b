// Denormal results are flushed to 0 during runs only, and traps that the program has enabled are disabled meanwhile.
#include <algorithm>
#include <cfenv>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/autodiff/check/suites.hpp>
#include <xgrad/engine.hpp>
#include <xgrad/graph/machine/internal/float_mode.hpp>
#include <xgrad/ops/define/registry.hpp>

#include "support/child_process.hpp"

using namespace xgrad;

#if defined(__x86_64__) || defined(__aarch64__)
TEST_CASE("float mode: denormal results are 0 in plans and in the interpreter, on every thread") {
  Graph g;
  const Value x = g.input("x", {1 << 18});
  const Value y = x * 0.25;
  const Tensor smallest = Tensor::full({1 << 18}, static_cast<double>(std::numeric_limits<float>::min()));
  const Tensor interpreted = evaluate(y, {{x, smallest}}, {.threads = 1});
  CHECK(interpreted.at(0) == 0);
  const Plan plan({y});
  for (const int threads : {1, 2, 4}) {
    CAPTURE(threads);
    CHECK(bitwise_equal(plan.run({{x, smallest}}, {.threads = threads})[0], interpreted));
    CHECK(bitwise_equal(evaluate(y, {{x, smallest}}, {.threads = threads}), interpreted));
  }
}

TEST_CASE("float mode: the caller's mode is restored, also when a run throws") {
  const auto mode = float_mode();
  volatile float tiny = std::numeric_limits<float>::min();
  Graph g;
  const Value index = g.input("i", {1}, i64);
  const Value hot = one_hot(index, 2, f32);
  CHECK(evaluate(hot, {{index, Tensor({1}, i64)}}).at(0) == 1);
  CHECK(float_mode() == mode);
  CHECK_THROWS_AS(evaluate(hot, {{index, Tensor::full({1}, 5, i64)}}), ValueError);
  CHECK(float_mode() == mode);
  CHECK(tiny * 0.5F > 0);
}

TEST_CASE("float mode: denormal constants are the same in plans and in the interpreter") {
  const float inf = std::numeric_limits<float>::infinity();
  for (const double tiny : {1e-45, -1e-45, 1e-40}) {
    CAPTURE(tiny);
    Graph g;
    const Value x = g.input("x", {4});
    const Tensor t = Tensor::from<float>({4}, {-inf, 1, 0, inf});
    const std::vector<Value> values{x * tiny,
                                    x < tiny,
                                    x + tiny,
                                    maximum(x, tiny),
                                    where(x > 0, x, tiny),
                                    x / tiny,
                                    g.constant(tiny, f32),
                                    broadcast_to(g.constant(tiny, f32), {3})};
    const auto expected = evaluate(values, {{x, t}});
    for (const bool fuse : {true, false}) {
      for (const bool fold : {true, false}) {
        const auto got = Plan(values, {}, {.fold_constants = fold, .fuse = fuse}).run({{x, t}});
        for (std::size_t i = 0; i < values.size(); ++i) {
          CAPTURE(i);
          CHECK(bitwise_equal(got[i], expected[i]));
        }
      }
    }
#if defined(__x86_64__)
    // Only results are flushed, not operands.
    CHECK(expected[0].at(0) == (tiny > 0 ? -inf : inf));
    CHECK(expected[1].at(2) == (tiny > 0 ? 1 : 0));
#endif
  }
}

TEST_CASE("float mode: traps and flags are restored after a run") {
  const auto mode = float_mode();
  {
    const KernelFloatMode inside;
    CHECK(float_mode() != mode);
    volatile double zero = 0;
    volatile double infinite = 1 / zero;
    CHECK(infinite > 1);
  }
  CHECK(float_mode() == mode);
}
#endif

#ifdef FE_NOMASK_ENV  // on systems with feenableexcept
TEST_CASE("float mode: no operation and no gradient traps on ordinary values, in plans and in the interpreter") {
  std::vector<Subject> subjects;
  for (const auto& op : builtin_ops().all()) {
    if (op->traits.leaf == Leaf::none) subjects.emplace_back(*op);
  }
  for (const Composite& c : builtin_composites()) subjects.emplace_back(c.name, c.build, c.samples, c.bad_samples);
  REQUIRE(subjects.size() > 150);
  // Test several cases per child process, to save forks; test one by one only after a failure.
  const auto run = [&](std::size_t first, std::size_t last) {
    return testing::exit_code_of(
        [&] {
          feenableexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW);
          for (std::size_t i = first; i < last; ++i) {
            for (const Sample& sample : subjects[i].samples) suite_plan(subjects[i], sample);
          }
        },
        600);
  };
  constexpr std::size_t step = 16;
  for (std::size_t first = 0; first < subjects.size(); first += step) {
    const std::size_t last = std::min(first + step, subjects.size());
    if (run(first, last) == 0) continue;
    for (std::size_t i = first; i < last; ++i) {
      CAPTURE(subjects[i].name);
      CHECK(run(i, i + 1) == 0);
    }
  }
}

TEST_CASE("float mode: unused vector lanes do not trap, on one thread and on several") {
  CHECK(testing::exit_code_of([] {
          for (Index n = 1; n < 40; ++n) {
            Graph g;
            const Value x = g.input("x", {n});
            const Value y = mean(log(x)) + sum(1 / x) + mean(sqrt(x) / x);
            feenableexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW);
            const Tensor ones = Tensor::full({n}, 1);
            for (const int threads : {1, 4}) {
              (void)evaluate(y, {{x, ones}}, {.threads = threads});
              (void)Plan({y, gradients(y, x)}).run({{x, ones}}, {.threads = threads});
            }
            fedisableexcept(FE_ALL_EXCEPT);
          }
        }) == 0);
}
#endif
