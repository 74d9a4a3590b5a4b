#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/internal/memory_plan.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/graph/profile/profile.hpp>
#include <xgrad/graph/run/finite.hpp>
#include <xgrad/ops/ops.hpp>

#include "support/allocations.hpp"

using namespace xgrad;

namespace {

Tensor numbers(Shape shape, double first = 0.5, double step = 0.25, DType dtype = f32) {
  Tensor out(shape, f64);
  auto values = out.mutable_values<double>();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = first + step * static_cast<double>(i % 13);
  return out.cast(dtype);
}

}  // namespace

TEST_CASE("plan: results are bit-identical to the interpreter") {
  Graph g;
  const Value x = g.input("x", {5, 7});
  const Value w = g.parameter(Parameter("w", numbers({7, 3})));
  const Value y = softmax(matmul(tanh(x), w) * 2 + 1);
  const Tensor fed = numbers({5, 7}, -1);
  const Tensor expected = evaluate(y, {{x, fed}});
  for (bool in_place : {false, true}) {
    for (bool reuse : {false, true}) {
      CAPTURE(in_place);
      CAPTURE(reuse);
      const Plan plan({y}, {}, {.in_place = in_place, .reuse = reuse});
      CHECK(bitwise_equal(plan.run({{x, fed}})[0], expected));
    }
  }
}

TEST_CASE("plan: in_place and reuse reduce peak_bytes") {
  Graph g;
  const Value x = g.input("x", {1000});
  Value y = x;
  for (int i = 0; i < 20; ++i) y = tanh(y);
  const Plan thrifty({y});
  const Plan lavish({y}, {}, {.fuse = false, .in_place = false, .reuse = false});
  CHECK(thrifty.peak_bytes() == 2 * 4032);  // the input and one buffer, in cache lines
  CHECK(lavish.peak_bytes() == 21 * 4032);
  CHECK(thrifty.total_bytes() == 21 * 4000);
}

TEST_CASE("plan: updates read the old values of parameters") {
  Graph g;
  const Parameter a("a", Tensor::from<float>({2}, {1, 2}));
  const Parameter b("b", Tensor::from<float>({2}, {10, 20}));
  const Value va = g.parameter(a);
  const Value vb = g.parameter(b);

  SUBCASE("swapping two parameters") {
    const Plan plan({va}, {{a, vb}, {b, va}});
    const auto out = plan.run({});
    CHECK(out[0].at(0) == 1);  // an output has the value before the update
    CHECK(a.value().at(1) == 20);
    CHECK(b.value().at(1) == 2);
  }
  SUBCASE("an update that another one reads") {
    const Value sum = va + vb;
    const Plan plan({}, {{a, sum}, {b, sum * va}});
    plan.run({});
    CHECK(a.value().at(0) == 11);
    CHECK(b.value().at(0) == 11);  // 11 * 1, not 11 * 11
  }
  SUBCASE("a value assigned to two parameters") {
    const Value next = va * 3;
    const Plan plan({next}, {{a, next}, {b, next}});
    CHECK(plan.run({})[0].at(1) == 6);
    CHECK(a.value().at(1) == 6);
    CHECK(b.value().at(1) == 6);
  }
  SUBCASE("an update that reads its parameter through another shape") {
    const Value turned = reshape(reshape(va, {2, 1}) + reshape(va, {1, 2}), {4});  // 1+1 1+2 2+1 2+2
    const Plan plan({}, {{a, slice(turned, 0, 1, 3) + va}});
    plan.run({});
    CHECK(a.value().at(0) == 4);
    CHECK(a.value().at(1) == 5);
  }
}

TEST_CASE("plan: an update is in place if no later step reads the old value") {
  Graph g;
  const Parameter w("w", numbers({64}));
  const Value v = g.parameter(w);
  const Plan plan({}, {{w, v - 0.5 * v}});
  CHECK(plan.peak_bytes() <= 256);
  CHECK(plan.str().find("commit") == std::string::npos);
  const Tensor expected = evaluate(v - 0.5 * v);
  plan.run({});
  CHECK(bitwise_equal(w.value(), expected));
}

TEST_CASE("plan: a kernel that throws leaves all parameters unchanged") {
  Graph g;
  const Parameter table("table", numbers({4, 2}));
  const Parameter counter("counter", Tensor(0.0F));
  const Value index = g.input("index", {3}, i64);
  const Value rows = gather(g.parameter(table), index);
  const Value next = g.parameter(counter) + 1;
  const Plan plan({sum(rows)}, {{counter, next}, {table, g.parameter(table) * 2}});
  Workspace memory(plan);
  memory.feed(index, Tensor::from<std::int64_t>({3}, {0, 9, 1}));
  const Tensor before = table.value();
  CHECK_THROWS_WITH_AS(plan.run(memory), doctest::Contains("9"), ValueError);
  CHECK(bitwise_equal(table.value(), before));
  CHECK(counter.value().item() == 0);
  memory.feed(index, Tensor::from<std::int64_t>({3}, {0, 3, 1}));
  plan.run(memory);
  CHECK(counter.value().item() == 1);
}

TEST_CASE("plan: str has the shapes of PlanOptions::shapes") {
  Graph g;
  const Value index = g.input("index", {3}, i64);
  const Value rows = gather(g.parameter(Parameter("table", numbers({4, 2}))), index);
  const Value y = tanh(matmul(rows, g.parameter(Parameter("w", numbers({2, 6})))));
  const Plan plan({y}, {}, {.shapes = {{index, {5}}}});
  std::string message;
  try {
    plan.run({{index, Tensor::from<std::int64_t>({5}, {0, 9, 1, 1, 1})}});
  } catch (const ValueError& error) {
    message = error.what();
  }
  CHECK_MESSAGE(message.find("gather f32[5, 2]") != std::string::npos, message);
  CHECK_MESSAGE(message.find("[3") == std::string::npos, message);
  const std::string table = plan.str();
  CHECK_MESSAGE(table.find("gather f32[5, 2]") != std::string::npos, table);
  CHECK_MESSAGE(table.find("matmul f32[5, 6]") != std::string::npos, table);
  CHECK_MESSAGE(table.find("[3") == std::string::npos, table);
}

TEST_CASE("plan: a run allocates nothing") {
  Graph g({.training = true});
  const Value x = g.input("x", {32, 20});
  const Parameter w("w", numbers({20, 10}, -1));
  const Value hidden = relu(matmul(x, g.parameter(w)));
  const Value loss = mean(square(softmax(hidden * bernoulli_like(hidden, 0.8))));
  const Value gradient = gradients(loss, g.parameter(w));
  const Plan plan({loss}, {{w, g.parameter(w) - 0.1 * gradient}});
  Workspace memory(plan);
  memory.feed(x, numbers({32, 20}));
  plan.run(memory, {.threads = 1});
  plan.run(memory, {.threads = 2});  // starts the thread of the pool
  const std::size_t before = allocations();
  for (std::uint64_t step = 0; step < 10; ++step) {
    plan.run(memory, {.threads = 1, .step = step});
    plan.run(memory, {.threads = 2, .step = step});
  }
  CHECK(allocations() == before);
  (void)numbers({2});
  CHECK(allocations() > before);  // the counter works
}

TEST_CASE("workspace: runs count their steps for random numbers") {
  Graph g({.seed = 3});
  const Value noise = random_uniform(g, {40}, f32);
  const Plan plan({noise});
  Workspace memory(plan);
  const auto run = [&](Workspace& in, const RunOptions& options = {}) {
    plan.run(in, options);
    return in.output(0).clone();
  };
  const auto at = [&](std::uint64_t step) { return evaluate(noise, {}, {.step = step}); };
  REQUIRE_FALSE(bitwise_equal(at(0), at(1)));
  CHECK(bitwise_equal(run(memory), at(0)));
  CHECK(bitwise_equal(run(memory), at(1)));
  CHECK(bitwise_equal(run(memory), at(2)));
  CHECK(bitwise_equal(run(memory, {.step = 10}), at(10)));  // an explicit step
  CHECK(bitwise_equal(run(memory), at(11)));                // counting continues from it
  CHECK(bitwise_equal(run(memory, {.step = 0}), at(0)));
  Workspace other(plan);
  CHECK(bitwise_equal(run(other), at(0)));
  CHECK(bitwise_equal(run(memory), at(1)));
  // Plan::run(feeds) keeps no count.
  for (int i = 0; i < 2; ++i) {
    CHECK(bitwise_equal(plan.run(Feeds{})[0], at(0)));
    CHECK(bitwise_equal(evaluate(noise), at(0)));
  }
}

TEST_CASE("workspace: runs that throw and profiled runs are not counted") {
  Graph g({.seed = 3});
  const Value x = g.input("x", {4});
  const Value i = g.input("i", {1}, i64);
  const Value noise = uniform_like(x);
  const Plan plan({noise, gather(sqrt(x), i)});
  Workspace memory(plan);
  const auto feed = [&](float number, std::int64_t index) {
    memory.feed(x, Tensor::from<float>({4}, {number, number, number, number}));
    memory.feed(i, Tensor::from<std::int64_t>({1}, {index}));
  };
  feed(1, 9);
  CHECK_THROWS_AS(plan.run(memory), ValueError);
  feed(-1, 0);
  CHECK_THROWS_AS(plan.run(memory, {.check_finite = true}), NonFiniteError);
  feed(1, 0);
  (void)profile(plan, memory, {.runs = 3});
  plan.run(memory);
  CHECK(bitwise_equal(memory.output(0), evaluate(noise, {{x, Tensor::zeros({4})}}, {.step = 0})));
  (void)profile(plan, memory, {.runs = 3});
  plan.run(memory, {.check_finite = true});
  CHECK(bitwise_equal(memory.output(0), evaluate(noise, {{x, Tensor::zeros({4})}}, {.step = 1})));
}

TEST_CASE("plan: another batch size infers all shapes again") {
  Graph g;
  const Value x = g.input("x", {8, 5});
  const Parameter w("w", numbers({5, 3}, -1));
  const Value y = log_softmax(matmul(x, g.parameter(w)));
  const Value loss = mean(square(y));
  const Value dw = gradients(loss, g.parameter(w));
  const Plan plan({loss, dw, y}, {}, {.shapes = {{x, Shape{3, 5}}}});
  const Tensor fed = numbers({3, 5});
  const auto got = plan.run({{x, fed}});
  CHECK(got[2].shape() == Shape{3, 3});

  Graph small;
  const Value x3 = small.input("x", {3, 5});
  const Value loss3 = mean(square(log_softmax(matmul(x3, small.parameter(w)))));
  const auto expected = evaluate({loss3, gradients(loss3, small.parameter(w))}, {{x3, fed}});
  CHECK(bitwise_equal(got[0], expected[0]));
  CHECK(bitwise_equal(got[1], expected[1]));

  CHECK_THROWS_WITH_AS(Plan({loss}, {}, {.shapes = {{x, Shape{3, 4}}}}), doctest::Contains("matmul"), ShapeError);
  CHECK_THROWS_WITH_AS(Plan({loss}, {}, {.shapes = {{y, Shape{3, 4}}}}), doctest::Contains("not an input"), GraphError);
}

TEST_CASE("plan: nodes that depend on constants alone are folded") {
  Graph g;
  const Value x = g.input("x", {4});
  const Value factor = exp(g.constant(1.0)) * 2 + mean(g.constant(numbers({4})));
  const Plan plan({x * factor});
  CHECK(plan.steps() == 1);
  CHECK(Plan({x * factor}, {}, {.fold_constants = false}).steps() > 1);
  CHECK(bitwise_equal(plan.run({{x, numbers({4})}})[0], evaluate(x * factor, {{x, numbers({4})}})));
}

TEST_CASE("plan: feeds are checked before the run") {
  Graph g;
  const Value x = g.input("x", {2, 3});
  const Value labels = g.input("labels", {2}, i64);
  const Value unused = g.input("unused", {9});
  const Plan plan({sum(x) + cast(sum(labels), f32)});
  Workspace memory(plan);
  CHECK_THROWS_WITH_AS(plan.run(memory), doctest::Contains("\"x\""), FeedError);
  CHECK_THROWS_WITH_AS(memory.feed(x, Tensor({3, 2})), doctest::Contains("[2, 3]"), FeedError);
  CHECK_THROWS_WITH_AS(memory.feed(labels, Tensor({2}, f32)), doctest::Contains("labels"), FeedError);
  CHECK_THROWS_WITH_AS(memory.feed("z", Tensor::zeros({2})), doctest::Contains("\"z\""), FeedError);
  Graph other;
  CHECK_THROWS_AS(memory.feed(other.input("x", {2, 3}), Tensor({2, 3})), FeedError);
  CHECK_NOTHROW(memory.feed(unused, Tensor::zeros({9})));
  CHECK_THROWS_WITH_AS(plan.run({{x, Tensor({2, 3})}, {x, Tensor({2, 3})}}), doctest::Contains("twice"), FeedError);
  memory.feed(x, numbers({2, 3}, 0, 1, f64));  // doubles for an f32 input are converted
  memory.feed(labels, Tensor::from<std::int64_t>({2}, {3, 4}));
  plan.run(memory);
  CHECK(memory.output(0).item() == 22);
  CHECK_THROWS_AS(memory.output(1), GraphError);
}

TEST_CASE("plan: invalid arguments throw") {
  Graph g;
  Graph other;
  const Value x = g.input("x", {2});
  const Parameter p("p", Tensor::zeros({3}));
  CHECK_THROWS_AS(Plan({}, {}), GraphError);
  CHECK_THROWS_AS(Plan({x, other.input("x", {2})}), GraphError);
  CHECK_THROWS_AS(Plan({Value{}}), GraphError);
  CHECK_THROWS_WITH_AS(Plan({}, {{p, x}}), doctest::Contains("\"p\""), ShapeError);
  const Value v = g.parameter(p);
  CHECK_THROWS_WITH_AS(Plan({}, {{p, v + 1}, {p, v + 2}}), doctest::Contains("twice"), GraphError);
  const Plan a({x});
  const Plan b({x * 2});
  Workspace memory(a);
  CHECK_THROWS_WITH_AS(b.run(memory), doctest::Contains("another plan"), GraphError);
}

TEST_CASE("plan: it outlives its graph, and its workspaces run concurrently") {
  std::unique_ptr<Plan> plan;
  const Tensor fed = numbers({50, 40});
  Tensor expected;
  {
    Graph g;
    const Value x = g.input("x", {50, 40});
    const Value y = sum(tanh(matmul(x, x, false, true)), {1});
    expected = evaluate(y, {{x, fed}});
    plan = std::make_unique<Plan>(std::vector<Value>{y});
  }
  std::vector<std::thread> threads;
  std::vector<char> same(4, 0);
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Workspace memory(*plan);
      memory.feed("x", fed);
      bool all = true;
      for (int i = 0; i < 20; ++i) {
        plan->run(memory, {.threads = static_cast<int>(t) + 1});
        all = all && bitwise_equal(memory.output(0), expected);
      }
      same[t] = all;
    });
  }
  for (std::thread& t : threads) t.join();
  for (char s : same) CHECK(s == 1);
}

TEST_CASE("plan: outputs may be leaves or have no elements") {
  Graph g;
  const Value x = g.input("x", {0, 3});
  const Value y = g.input("y", {3});
  const Plan plan({x * 2, sum(x, {0}), y, g.constant(4.0), reshape(y, {3, 1})});
  const auto out = plan.run({{x, Tensor({0, 3})}, {y, numbers({3})}});
  CHECK(out[0].shape() == Shape{0, 3});
  CHECK(bitwise_equal(out[1], Tensor::zeros({3})));
  CHECK(bitwise_equal(out[2], numbers({3})));
  CHECK(out[3].item() == 4);
  CHECK(out[4].shape() == Shape{3, 1});
}

TEST_CASE("plan: values read only by empty results are not computed") {
  Graph g;
  const Value x = g.input("x", {3, 3});
  const Tensor numbers = Tensor::full({3, 3}, 0.5);
  const Value columns = sum(exp(x), {0}, true);
  const Value rows = sum(exp(x), {1}, true);
  for (const Value y : {columns, rows, exp(x), matmul(x, x), columns * 2 + 1, softmax(x)}) {
    CAPTURE(y.describe());
    const Value nothing = slice(y, 1, 0, 0);
    for (const std::vector<Value>& outputs : std::vector<std::vector<Value>>{
             {nothing}, {nothing, exp(x)}, {sum(nothing), columns}, {tanh(nothing), rows}}) {
      const Plan plan(outputs);
      const auto got = plan.run({{x, numbers}});
      const auto expected = evaluate(outputs, {{x, numbers}});
      for (std::size_t i = 0; i < outputs.size(); ++i) CHECK(bitwise_equal(got[i], expected[i]));
    }
  }
  CHECK(Plan({slice(columns, 1, 0, 0)}).steps() == 0);  // an empty result needs no step
}

TEST_CASE("plan: an empty batch reads nothing") {
  Graph g;
  const Value x = g.input("x", {4, 3});
  const Parameter w("w", Tensor::full({5, 3}, 2));
  const Value v = g.parameter(w);
  const Value scaled = x * sum(square(v), {0});
  const Value loss = sum(scaled);
  const Plan plan({scaled, loss, gradients(loss, v), sum(scaled, {0}), sum(scaled + 1, {0}), sum(exp(scaled), {0})},
                  {{w, v - gradients(loss, v)}}, {.shapes = {{x, {0, 3}}}});
  const auto out = plan.run({{x, Tensor({0, 3})}});
  CHECK(out[0].shape() == Shape{0, 3});
  CHECK(out[1].item() == 0);
  CHECK(bitwise_equal(out[2], Tensor({5, 3})));
  for (const std::size_t i : {3U, 4U, 5U}) CHECK(bitwise_equal(out[i], Tensor::zeros({3})));
  CHECK(bitwise_equal(w.value(), Tensor::full({5, 3}, 2)));
  const Plan checked({scaled, loss}, {}, {.shapes = {{x, {0, 3}}}});
  CHECK(checked.run({{x, Tensor({0, 3})}}, {.check_finite = true})[1].item() == 0);
}

TEST_CASE("plan: sizes whose sum overflows throw OutOfMemoryError") {
  Graph g;
  std::vector<Value> inputs;
  for (int i = 0; i < 32; ++i) inputs.push_back(g.input(fmt::format("x{}", i), {Index{1} << 56}, f64));
  CHECK_THROWS_WITH_AS(Plan{inputs},
                       "plan: out of memory: 17870283321406128128 and 576460752303423488 bytes cannot be addressed",
                       OutOfMemoryError);
  const Plan largest(std::vector<Value>(inputs.begin(), inputs.begin() + 31));
  CHECK(largest.peak_bytes() == std::size_t{31} << 59);
  CHECK_THROWS_WITH_AS(Workspace{largest}, "workspace: out of memory for 17870283321406128128 bytes", OutOfMemoryError);
  // Buffers that share memory still count in total_bytes.
  Value y = inputs[0];
  for (int i = 0; i < 40; ++i) y = sort(y * 2);
  CHECK_THROWS_AS(Plan({sum(y)}), OutOfMemoryError);
  CHECK_THROWS_AS(place_buffers({{SIZE_MAX, 0, 1}}), OutOfMemoryError);
  CHECK_THROWS_AS(place_buffers({{std::size_t{1} << 63, 0, 1}, {std::size_t{1} << 63, 1, 2}}), OutOfMemoryError);
  CHECK(place_buffers({{std::size_t{1} << 63, 0, 1}, {std::size_t{1} << 63, 2, 3}}).total == std::size_t{1} << 63);
}

TEST_CASE("memory plan: buffers with overlapping lifetimes never share memory") {
  std::vector<Lifetime> lives;
  std::uint64_t state = 7;
  const auto next = [&](std::uint64_t n) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<int>((state >> 33) % n);
  };
  for (int i = 0; i < 400; ++i) {
    const int first = next(200);
    lives.push_back({static_cast<std::size_t>(next(5000)), first, first + next(40)});
  }
  for (bool reuse : {false, true}) {
    const MemoryPlan plan = place_buffers(lives, reuse);
    for (std::size_t i = 0; i < lives.size(); ++i) {
      REQUIRE(plan.offsets[i] % 64 == 0);
      REQUIRE(plan.offsets[i] + lives[i].bytes <= plan.total);
      for (std::size_t j = 0; j < i; ++j) {
        const bool together = lives[i].first <= lives[j].last && lives[j].first <= lives[i].last;
        const bool apart =
            plan.offsets[i] + lives[i].bytes <= plan.offsets[j] || plan.offsets[j] + lives[j].bytes <= plan.offsets[i];
        REQUIRE((!together || apart || lives[i].bytes == 0 || lives[j].bytes == 0));
      }
    }
  }
  CHECK(place_buffers(lives, true).total < place_buffers(lives, false).total / 3);
}

TEST_CASE("plan: a chain of 100,000 nodes is planned and run without recursion") {
  Graph g;
  const Value x = g.input("x", {4});
  Value y = x;
  for (int i = 0; i < 100000; ++i) y = y + x;
  for (const bool fuse : {false, true}) {
    const Plan plan({y}, {}, {.fuse = fuse});
    CHECK(plan.steps() == (fuse ? (100000 + 23) / 24 : 100000));  // at most 24 operations per group
    CHECK(plan.run({{x, Tensor::full({4}, 1)}})[0].at(0) == 100001);
  }
}

TEST_CASE("workspace: next_input is a second buffer, also for views of the input") {
  Graph g;
  const Value x = g.input("x", {2, 3});
  const Value y = reshape(x, {3, 2}) * 2;
  const Value z = matmul(x, reshape(x, {3, 2}));
  const Plan plan({y, z, x});
  Workspace memory(plan);
  memory.feed(x, numbers({2, 3}, 1));
  const Buffer next = memory.next_input(x);
  REQUIRE(next.type == x.type());
  CHECK(next.data != memory.feed_in_place(x).data);
  for (int round = 0; round < 4; ++round) {
    const Tensor now = numbers({2, 3}, 1 + round);
    const Tensor then = numbers({2, 3}, 2 + round);
    std::memcpy(memory.next_input(x).data, then.raw(), then.bytes());
    plan.run(memory);
    for (int i = 0; i < 3; ++i)
      CHECK(bitwise_equal(memory.output(i), plan.run({{x, now}})[static_cast<std::size_t>(i)]));
    memory.swap_inputs();
  }
  memory.feed(x, numbers({2, 3}, 7));  // feeds the current buffer
  plan.run(memory);
  CHECK(bitwise_equal(memory.output(0), plan.run({{x, numbers({2, 3}, 7)}})[0]));
}

TEST_CASE("workspace: feed_in_place marks an input as fed") {
  Graph g;
  const Value x = g.input("x", {2}), unused = g.input("unused", {2});
  const Plan plan({x * 2});
  Workspace memory(plan);
  CHECK_THROWS_WITH_AS(plan.run(memory), doctest::Contains("input \"x\" f32[2] was not fed"), FeedError);
  CHECK(memory.feed_in_place(unused).data == nullptr);
  std::fill_n(memory.feed_in_place(x).as<float>(), 2, 3.0F);
  plan.run(memory);
  CHECK(memory.output(0).at(1) == 6);
  memory.feed({{"x", Tensor::full({2}, 4)}});
  plan.run(memory);
  CHECK(memory.output(0).at(1) == 8);
}

TEST_CASE("workspace: a swapped input counts as fed; an unneeded input has no second buffer") {
  Graph g;
  const Value x = g.input("x", {2});
  const Value unused = g.input("unused", {2});
  const Plan plan({x * 2});
  Workspace memory(plan);
  CHECK(memory.next_input(unused).data == nullptr);
  std::fill_n(memory.next_input(x).as<float>(), 2, 3.0F);
  CHECK_THROWS_AS(plan.run(memory), FeedError);
  memory.swap_inputs();
  plan.run(memory);
  CHECK(memory.output(0).at(1) == 6);
}

TEST_CASE("plan: a view of a view of a constant is folded") {
  Graph g;
  const Value x = g.input("x", {6});
  const Value c = g.constant(Tensor::from<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
  const Value y = reshape(stop_gradient(c), {6}) + x;
  const Feeds feeds{{x, Tensor::full({6}, 10)}};
  CHECK(bitwise_equal(Plan({y}).run(feeds)[0], evaluate(y, feeds)));
}

TEST_CASE("plan: a no-op view of a view of a constant is folded") {
  Graph g;
  const Value c = g.constant(Tensor::from<float>({6}, {1, 2, 3, 4, 5, 6}));
  const Value y = reshape(reshape(c, {6}), {2, 3});
  CHECK(bitwise_equal(Plan({y}).run({})[0], evaluate(y)));
}
