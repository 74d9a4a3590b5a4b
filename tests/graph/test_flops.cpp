// FLOP counts against counts by hand, and the operations that count 0.
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/engine.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/registry.hpp>

#include "support/tiny_ops.hpp"

using namespace xgrad;

namespace {

double counted(Value x) { return flops(x.graph(), x.id()); }

}  // namespace

TEST_CASE("flops: a dense layer counts 2 b i o for its product and b o for its bias") {
  constexpr Index b = 32, i = 784, o = 64;
  Graph g;
  const Value x = g.input("x", {b, i}), w = g.input("w", {i, o}), bias = g.input("bias", {o});
  const Value product = matmul(x, w);
  CHECK(counted(product) == 2.0 * b * i * o);
  CHECK(counted(product + bias) == 1.0 * b * o);
  const Value y = relu(product + bias);
  CHECK(flops({y}) == 2.0 * b * i * o + 2.0 * b * o);
  CHECK(counted(x) == 0);

  // y is needed twice but counted once.
  const Value loss = sum(square(y));
  CHECK(flops({loss, y, loss}) == 2.0 * b * i * o + 4.0 * b * o);

  // Backward by w: one more product. The rest is elementwise or a sum of [b, o].
  const double back = flops({gradients(loss, w)}) - flops({y});
  CHECK(back >= 2.0 * b * i * o);
  CHECK(back <= 2.0 * b * i * o + 8.0 * b * o);
  // Backward by x as well: two products.
  const auto both = gradients(loss, {w, x});
  CHECK(flops({both[0], both[1]}) - flops({both[0]}) == 2.0 * b * i * o);
}

TEST_CASE("flops: matmul counts 2 m n k, also transposed and batched") {
  Graph g;
  auto in = [&, k = 0](Shape shape) mutable { return g.input("x" + std::to_string(k++), shape); };
  CHECK(counted(matmul(in({5, 2}), in({5, 7}), true)) == 2.0 * 2 * 7 * 5);
  CHECK(counted(matmul(in({2, 5}), in({7, 5}), false, true)) == 2.0 * 2 * 7 * 5);
  CHECK(counted(matmul(in({4, 1, 2, 5}), in({3, 5, 7}))) == 4.0 * 3 * 2 * 2 * 7 * 5);
  CHECK(counted(matmul(in({2, 0}), in({0, 7}))) == 0);
  // (1 << 20) squared times (2 << 20) exceeds 64 bits.
  CHECK(counted(matmul(in({1 << 22, 1 << 21}), in({1 << 21, 1 << 22}))) == 0x1p66);
}

TEST_CASE("flops: a convolution counts as its matrix product") {
  Graph g;
  const Value x = g.input("x", {2, 8, 8, 3}), k = g.input("k", {3, 3, 3, 4});
  CHECK(flops({conv2d(x, k, {.padding = "same"})}) == 2.0 * (2 * 8 * 8) * (3 * 3 * 3) * 4);
  CHECK(flops({conv2d(x, k, {.strides = 2, .padding = "same"})}) == 2.0 * (2 * 4 * 4) * (3 * 3 * 3) * 4);
  // Both derivatives take the same products.
  const Value y = conv2d(x, k, {.padding = "same"});
  for (const Value dy : gradients(sum(y), std::vector<Value>{x, k}))
    CHECK(counted(dy) == 2.0 * (2 * 8 * 8) * (3 * 3 * 3) * 4);
}

TEST_CASE("flops: counts of single operations") {
  Graph g;
  const Value x = g.input("x", {6, 5}), i = g.input("i", {4}, i64), n = g.input("n", {6, 5}, i64);
  const Value rows = g.input("rows", {4, 5}), images = g.input("images", {2, 8, 8, 3});
  const auto check = [](Value value, double expected) {
    CAPTURE(value.describe());
    CHECK(counted(value) == expected);
  };
  check(exp(x), 30);
  check(x * g.input("row", {5}), 30);  // elements of the result, though one operand is smaller
  check(x < 0, 30);                    // a boolean result of floats
  check(logical_not(x < 0), 0);
  check(n + n, 0);
  check(where(x < 0, x, -x), 30);
  check(sum(x, {0}), 30);
  check(max(x), 30);
  check(sum(n), 0);
  check(sum_like(x, g.input("like", {5})), 30);
  check(argmax(x, 1), 30);
  check(argmax(n, 1), 0);
  check(cumsum(x, 1), 30);
  check(cumsum(n, 1), 0);
  check(cumprod(x, 0), 30);
  check(linear_scan(x, x, 0), 60);
  check(argsort(x), 6 * 5 * 3);  // log2(5), rounded up
  check(argsort(n), 0);
  check(polygamma(2, x), 30);
  check(gather(x, i), 0);
  check(apply("scatter_add", {rows, i, x}, {{"axis", Index{0}}}), 20);
  check(apply("scatter_along_axis", {x, n, g.input("to", {6, 9})}, {{"axis", Index{1}}}), 30);
  check(transpose(x), 0);
  check(reshape(x, {30}), 0);
  check(broadcast_to(x, {3, 6, 5}), 0);
  check(concat({x, x}), 0);
  check(cast(x, f64), 0);
  check(random_normal(g, {7, 3}, f32), 21);
  check(random_bernoulli(g, {7, 3}, boolean, 0.5), 0);
  check(gradients(sum(pad(x, 1, 2, 1, PadMode::edge)), x), 6 * 3);  // unpad
  for (const Value pooled : {max_pool2d(images, {2, 3}, {.strides = 2, .padding = "same"}),
                             average_pool2d(images, {2, 3}, {.strides = 2, .padding = "same"})}) {
    check(pooled, 2 * 4 * 4 * 3 * 6);
    check(gradients(sum(pooled * pooled), images), 2 * 4 * 4 * 3 * 6);
  }
}

TEST_CASE("flops: a custom operation counts by its traits or its flops function") {
  Graph g;
  const Value x = g.input("x", {6, 5});
  CHECK(counted(g.apply(tiny::tanh, {x})) == 30);
  CHECK(counted(g.apply(tiny::random, {x})) == 30);
  OpDef op = tiny::concat;
  CHECK(counted(g.apply(op, {x})) == 0);
  op.flops = [](std::span<const TensorType> in, const TensorType&, const Attrs&) {
    return 7.0 * static_cast<double>(in.size());
  };
  CHECK(counted(g.apply(op, {x, x})) == 14);
}

// A complete list, so that a new operation without a count fails here.
TEST_CASE("flops: operations that count 0 move elements, return integers or read shapes") {
  const std::set<std::string> expected{"all",
                                       "any",
                                       "broadcast_like",
                                       "broadcast_to",
                                       "cast",
                                       "concat",
                                       "concat_part",
                                       "count",
                                       "count_true",
                                       "diagonal",
                                       "expand_dims",
                                       "flatten",
                                       "from_diagonal",
                                       "gather",
                                       "logical_and",
                                       "logical_not",
                                       "logical_or",
                                       "logical_xor",
                                       "one_hot",
                                       "pad",
                                       "probabilities",
                                       "random_permutation",
                                       "reshape",
                                       "reshape_like",
                                       "scatter_update",
                                       "slice",
                                       "squeeze",
                                       "stop_gradient",
                                       "stretch",
                                       "take_along_axis",
                                       "transpose",
                                       "tril",
                                       "triu",
                                       "unflatten",
                                       "unfold",
                                       "unslice",
                                       "updated_slices"};
  std::set<std::string> nothing;
  for (const auto& op : builtin_ops().all()) {
    double most = 0;
    for (const Sample& sample : op->samples) {
      std::vector<TensorType> types;
      for (const SampleInput& input : sample.inputs) types.push_back({input.domain.dtype(), input.shape});
      const TensorType output = op->infer(Infer(*op, types, sample.attrs));
      const double f = flops(*op, types, output, sample.attrs);
      CAPTURE(op->name);
      CAPTURE(sample.label);
      CHECK(f >= 0);
      // An operation without elements counts 0.
      if (output.shape.elements() == 0 && (types.empty() || types[0].shape.elements() == 0)) CHECK(f == 0);
      most = std::max(most, f);
    }
    if (most == 0) nothing.insert(op->name);
  }
  CHECK(nothing == expected);
}

TEST_CASE("flops: dead values and values of different graphs throw") {
  Graph g, other;
  const Value x = g.input("x", {3});
  CHECK(flops(std::vector<Value>{}) == 0);
  CHECK_THROWS_WITH_AS(flops({x, other.input("x", {3})}), doctest::Contains("flops: %0"), GraphError);
  CHECK_THROWS_AS(flops({Value{}}), GraphError);
  const NodeId mark = g.mark();
  const Value y = exp(x);
  g.rewind(mark);
  CHECK_THROWS_AS(flops({y}), GraphError);

  const Parameter w("w", Tensor::zeros({3}));
  const Value step = g.parameter(w) - 0.1 * x;
  CHECK(flops({}, {{w, step}}) == 6);
}
