#include <limits>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/ops/ops.hpp>

using namespace xgrad;

namespace {

int kernel_calls = 0;

OpDef counted_copy() {
  OpDef op;
  op.name = "counted_copy";
  op.doc = "The identity; counts its runs.";
  op.infer = same_type;
  op.kernel = [](const KernelCall& call) {
    ++kernel_calls;
    const auto n = static_cast<std::size_t>(call.output.type.shape.elements());
    for (std::size_t i = 0; i < n; ++i) call.output.as<float>()[i] = call.inputs[0].as<float>()[i];
  };
  op.no_gradient = "only for tests";
  return op;
}

// Returns the number of elements of its input, of which it reads only the shape.
OpDef size_op() {
  OpDef op;
  op.name = "size";
  op.doc = "The number of elements.";
  op.traits.shape_only = 1;
  op.infer = [](const Infer& in) -> TensorType { return {in.dtype(0), Shape{}}; };
  op.kernel = [](const KernelCall& call) {
    *call.output.as<float>() = static_cast<float>(call.inputs[0].type.shape.elements());
    if (call.inputs[0].data != nullptr) *call.output.as<float>() = -1;
  };
  op.no_gradient = "only for tests";
  return op;
}

}  // namespace

TEST_CASE("evaluate: computes only the needed nodes, each once") {
  const OpDef copy = counted_copy();
  Graph g;
  const Value x = g.input("x", {2});
  const Value a = g.apply(copy, {x});
  const Value b = g.apply(copy, {a});
  const Value unneeded = g.apply(copy, {b});
  const Value y = a + b;
  kernel_calls = 0;
  const auto out = evaluate({y, a, y}, {{x, Tensor::from<float>({2}, {1, 2})}});
  CHECK(kernel_calls == 2);
  REQUIRE(out.size() == 3);
  CHECK(out[0].at(1) == 4);
  CHECK(out[1].at(0) == 1);
  CHECK(bitwise_equal(out[0], out[2]));
  CHECK(evaluate(std::vector<Value>{}).empty());
  (void)unneeded;
}

TEST_CASE("evaluate: an input of which only the shape is used is neither computed nor required") {
  const OpDef copy = counted_copy();
  const OpDef size = size_op();
  Graph g;
  const Value x = g.input("x", {5, 3});
  kernel_calls = 0;
  CHECK(evaluate(g.apply(size, {g.apply(copy, {x})})).item() == 15);
  CHECK(kernel_calls == 0);
}

TEST_CASE("evaluate: reads feeds, parameters and constants, and returns copies") {
  Graph g;
  const Parameter w("w", Tensor::from<float>({2}, {1, 2}));
  const Value x = g.input("x", {2});
  const Value p = g.parameter(w);
  const Value c = g.constant(Tensor::from<float>({2}, {5, 6}));
  float outside[2] = {10, 20};
  const auto out = evaluate({x, p, c, reshape(x, {2, 1}), g.constant(2.5)}, {{x, Tensor::borrow(outside, Shape{2})}});
  outside[0] = -1;
  Parameter handle = w;
  handle.set(Tensor::from<float>({2}, {7, 8}));
  CHECK(out[0].at(0) == 10);
  CHECK(out[1].at(0) == 1);
  CHECK(out[2].at(1) == 6);
  CHECK(out[3].shape() == Shape{2, 1});
  CHECK(out[3].at(0) == 10);
  CHECK(out[4].item() == 2.5);
  CHECK(evaluate(p).at(0) == 7);
}

TEST_CASE("evaluate: returns values without elements") {
  Graph g;
  const Value x = g.input("x", {0, 3});
  const auto out = evaluate({x * 2, sum(x, {0})}, {{x, Tensor({0, 3})}});
  CHECK(out[0].shape() == Shape{0, 3});
  CHECK(bitwise_equal(out[1], Tensor::zeros({3})));
}

TEST_CASE("evaluate: results without elements need no feeds") {
  Graph g;
  const Value x = g.input("x", {0, 3});
  CHECK(evaluate(exp(x) * 2).shape() == Shape{0, 3});
  CHECK(bitwise_equal(evaluate(sum(exp(g.input("y", {4, 3})), {0}) * x), Tensor({0, 3})));
}

TEST_CASE("evaluate: feeds that do not fit throw, naming the input") {
  Graph g;
  Graph other;
  const Value x = g.input("x", {32, 64});
  const Value labels = g.input("labels", {2}, i64);
  const Value mask = g.input("mask", {2}, boolean);
  const Value y = sum(x);
  const Tensor fits({32, 64});
  const auto refused = [&](const Feeds& feeds, const char* message) {
    CAPTURE(message);
    CHECK_THROWS_WITH_AS(evaluate(y, feeds), doctest::Contains(message), FeedError);
  };
  refused({{x, Tensor({32, 63})}}, "feed \"x\": expected f32[32, 64], got f32[32, 63]");
  refused({}, "evaluate: input \"x\" f32[32, 64] was not fed\n  needed for: ");
  refused({{x, fits}, {x, fits}}, "feed \"x\": it is fed twice");
  refused({{x, Tensor()}}, "feed \"x\": expected f32[32, 64], got an empty Tensor");
  refused({{other.input("z", {1}), Tensor::zeros({1})}}, "belongs to another graph");
  refused({{Value(), fits}}, "empty Value");
  refused({{y, Tensor(1.0F)}}, "only inputs can be fed");
  // Inputs that y does not need must still fit.
  refused({{x, fits}, {labels, Tensor::from<double>({2}, {1, 2})}}, "feed \"labels\": expected i64[2], got f64[2]");
  refused({{x, fits}, {mask, Tensor::from<std::int64_t>({2}, {0, 7})}}, "7 is neither 0 nor 1");
  Tensor huge({32, 64}, f64);
  huge.mutable_values<double>()[5] = 1e300;
  refused({{x, huge}}, "is too large");
  CHECK_THROWS_AS(evaluate(Value()), GraphError);
  CHECK_THROWS_AS(evaluate({x, other.input("x", {1})}, {{x, fits}}), GraphError);
}

TEST_CASE("evaluate: converts feeds if only precision is lost") {
  Graph g;
  const Value x = g.input("x", {2});
  const Value n = g.input("n", {2}, i64);
  const Value m = g.input("m", {2}, boolean);
  const double inf = std::numeric_limits<double>::infinity();
  const auto out = evaluate({x, n, m}, {{x, Tensor::from<double>({2}, {0.1, inf})},
                                        {n, Tensor::from<bool>({2}, {true, false})},
                                        {m, Tensor::from<std::int64_t>({2}, {1, 0})}});
  CHECK(out[0].values<float>()[0] == 0.1F);
  CHECK(out[0].at(1) == inf);
  CHECK(out[1].values<std::int64_t>()[0] == 1);
  CHECK(out[2].values<bool>()[0]);
  CHECK(evaluate(x, {{x, Tensor::from<std::int64_t>({2}, {3, 4})}}).at(1) == 4);
}

TEST_CASE("evaluate: random operations depend only on the step and the graph's seed") {
  const auto draw = [](std::uint64_t seed, std::uint64_t step, int threads) {
    Graph g({.seed = seed});
    return evaluate(random_normal(g, {500}, f32), {}, {.threads = threads, .step = step});
  };
  CHECK(bitwise_equal(draw(1, 1, 1), draw(1, 1, 4)));
  CHECK_FALSE(bitwise_equal(draw(1, 1, 1), draw(1, 2, 1)));
  CHECK_FALSE(bitwise_equal(draw(1, 1, 1), draw(2, 1, 1)));
}

TEST_CASE("evaluate: an error of a kernel names the node") {
  Graph g;
  const Value x = g.input("x", {4, 2});
  const Value rows = gather(x, g.constant(Tensor::from<std::int64_t>({2}, {0, 9})));
  CHECK_THROWS_WITH_AS(evaluate(rows, {{x, Tensor({4, 2})}}), doctest::Contains(("in " + rows.describe()).c_str()),
                       ValueError);
}
