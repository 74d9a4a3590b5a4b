// Results below the smallest normal number become 0 while a graph is evaluated, and only then.
#include <limits>

#include <doctest/doctest.h>

#include <xgrad/engine.hpp>
#include <xgrad/graph/float_mode.hpp>

using namespace xgrad;

#if defined(__x86_64__) || defined(__aarch64__)
TEST_CASE("tiny results are 0 in plans and in the interpreter, on every thread") {
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

TEST_CASE("the caller's arithmetic is left alone, also when a run throws") {
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

TEST_CASE("float mode: constants below the smallest normal number are the same in plans and in the interpreter") {
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
    // Operands are what they are; only results become 0.
    CHECK(expected[0].at(0) == (tiny > 0 ? -inf : inf));
    CHECK(expected[1].at(2) == (tiny > 0 ? 1 : 0));
#endif
  }
}
#endif
