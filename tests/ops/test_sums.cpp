// Rounding errors of long sums: the error of every accumulating kernel grows no faster than that of `sum`.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/internal/window_attrs.hpp>

using namespace xgrad;

namespace {

constexpr Index many = 1 << 20;

// A computation whose result elements are each a sum of `terms` equal values.
struct Accumulation {
  std::string name;
  std::function<Value(Graph& g, Value x)> make;  // x: [many], all 0.1
  double terms = many;                           // number of summands per element of the result
};

Value indices(Graph& g, const Shape& shape, std::int64_t index) {
  Tensor out(shape, i64);
  for (auto& i : out.mutable_values<std::int64_t>()) i = index;
  return g.constant(out);
}

Value last(Value x) { return slice(x, 0, many - 1); }

const std::vector<Accumulation> accumulations{
    {"scatter_add, elements",
     [](Graph& g, Value x) {
       return slice(
           apply("scatter_add", {x, indices(g, {many}, 2), g.constant(Tensor({3}, x.dtype()))}, {{"axis", Index{0}}}),
           0, 2, 3);
     }},
    {"scatter_add, rows",
     [](Graph& g, Value x) {
       const Value rows = reshape(x, {many / 8, 8});
       return slice(apply("scatter_add", {rows, indices(g, {many / 8}, 1), g.constant(Tensor({2, 8}, x.dtype()))},
                          {{"axis", Index{0}}}),
                    0, 1, 2);
     },
     many / 8},
    {"gradient of gather",
     [](Graph& g, Value x) {
       const Value table = g.constant(Tensor({4}, x.dtype()));
       return slice(gradients(sum(gather(table, indices(g, {many}, 3)) * x), table), 0, 3, 4);
     }},
    {"gradient of take_along_axis",
     [](Graph& g, Value x) {
       const Value table = g.constant(Tensor({3}, x.dtype()));
       return slice(gradients(sum(take_along_axis(table, indices(g, {many}, 1), 0) * x), table), 0, 1, 2);
     }},
    {"gradient of broadcasting",
     [](Graph& g, Value x) {
       const Value number = g.constant(Tensor({1}, x.dtype()));
       return gradients(sum(number * x), number);
     }},
    {"cumsum", [](Graph&, Value x) { return last(cumsum(x, 0)); }},
    {"cumsum, reversed", [](Graph&, Value x) { return slice(cumsum(x, 0, true), 0, 0, 1); }},
    {"cumsum, first axis",
     [](Graph&, Value x) {
       return slice(cumsum(reshape(x, {many / 16, 16}), 0), 0, many / 16 - 1);
     },
     many / 16},
    {"linear_scan", [](Graph&, Value x) { return last(linear_scan(ones_like(x), x, 0)); }},
    {"fold",
     [](Graph&, Value x) {  // 1024 windows of 1024 pixels: pixel 1023 is in all of them
       Attrs attrs = window_attrs({1, 1024}, 1, 1, {0, 0, 0, 0});
       attrs.set("extents", Axes{1, 2047});
       return slice(apply("fold", {reshape(x, {1, 1, 1024, 1024, 1})}, attrs), 2, 1023, 1024);
     },
     1024},
    {"average_pool, one window",
     [](Graph&, Value x) {
       return average_pool2d(reshape(x, {1, 1024, 1024, 1}), 1024) * static_cast<double>(many);
     }},
    {"average_pool, long overlapping windows",
     [](Graph&, Value x) {
       return average_pool1d(reshape(x, {1, many, 1}), many - 3, {.stride = 1}) * static_cast<double>(many - 3);
     },
     many - 3},
    {"gradient of average_pool",
     [](Graph& g, Value x) {  // pixel 1023 is in all 1024 windows
       const Value image = g.constant(Tensor({1, 2047, 1}, x.dtype()));
       const Value y = average_pool1d(image, 1024, {.stride = 1});
       const Value c = slice(reshape(x, {1, many, 1}), 1, 0, 1024);
       return slice(gradients(y, image, {.cotangent = c}), 1, 1023, 1024) * 1024;
     },
     1024},
    {"gradient of max_pool",
     [](Graph& g, Value x) {  // pixel 1023 is the largest of all 1024 windows
       Tensor peak({1, 2047, 1}, f64);
       peak.mutable_values<double>()[1023] = 1;
       const Value image = g.constant(peak.cast(x.dtype()));
       const Value y = max_pool1d(image, 1024, {.stride = 1});
       const Value c = slice(reshape(x, {1, many, 1}), 1, 0, 1024);
       return slice(gradients(y, image, {.cotangent = c}), 1, 1023, 1024);
     },
     1024},
    {"convolution, a long window",
     [](Graph&, Value x) {
       const Value image = reshape(x, {1, 1, many, 1});
       return conv2d(image, reshape(ones_like(x), {1, many, 1, 1}));
     }},
    {"convolution, many channels",
     [](Graph&, Value x) {
       const Value image = reshape(x, {1, 1, 1, many});
       return conv2d(image, reshape(ones_like(x), {1, 1, many, 1}), {.strides = 2});
     }},
    {"convolution, gradient by the kernel",
     [](Graph& g, Value x) {
       const Value kernel = g.constant(Tensor({1, 2, 1, 1}, x.dtype()));
       const Value y = conv2d(reshape(x, {1, 1024, 1024, 1}), kernel, {.padding = {0, 0, 0, 1}});
       return slice(gradients(sum(y), kernel), 1, 0, 1);
     }},
    {"convolution, gradient by the input",
     [](Graph&, Value x) {  // one pixel of many filters
       const Value kernel = reshape(ones_like(x), {1, 1, 1, many});
       return conv2d_transpose(reshape(x, {1, 1, 1, many}), kernel);
     }},
    {"matmul, a row by a column",
     [](Graph&, Value x) {
       return matmul(reshape(x, {1, many}), ones_like(reshape(x, {many, 1})));
     }},
    {"matmul, a row by columns",
     [](Graph&, Value x) {
       const Value wide = broadcast_to(reshape(ones_like(x), {many, 1}), {many, 20});
       return matmul(reshape(x, {1, many}), wide);
     }},
    {"matmul, transposed",
     [](Graph&, Value x) {
       const Value wide = broadcast_to(reshape(x, {many, 1}), {many, 5});
       return matmul(wide, ones_like(wide), true, false);
     }},
    {"matmul, small matrices",
     [](Graph&, Value x) {
       const Value wide = broadcast_to(reshape(x, {1, many}), {5, many});
       return matmul(wide, ones_like(wide), false, true);
     }},
    {"matmul, a batch",
     [](Graph&, Value x) {
       const Value wide = broadcast_to(reshape(x, {2, 1, many / 2}), {2, 3, many / 2});
       return matmul(wide, ones_like(wide), false, true);
     },
     many / 2},
    {"mean", [](Graph&, Value x) { return mean(x) * static_cast<double>(many); }},
    {"norm", [](Graph&, Value x) { return square(norm(sqrt(x))); }},
    {"logsumexp", [](Graph&, Value x) { return exp(logsumexp(log(x))); }},
    {"sum_to",
     [](Graph&, Value x) {
       return sum_to(reshape(x, {many / 4, 4}), {4});
     },
     many / 4},
};

// The largest relative error among the elements.
double error_of(const Tensor& got, double expected) {
  double out = 0;
  for (Index i = 0; i < got.elements(); ++i) {
    const double e = std::abs(got.at(i) - expected) / expected;
    out = std::isnan(e) ? e : std::max(out, e);
  }
  return out;
}

}  // namespace

TEST_CASE("sums: errors of every accumulating kernel grow no faster than those of sum") {
  for (const DType dtype : {f32, f64}) {
    CAPTURE(name_of(dtype));
    const Tensor tenths = Tensor::full({many}, 0.1, dtype);
    const double tenth = tenths.at(0);
    const double precision = dtype == f32 ? 0x1p-24 : 0x1p-53;
    for (const Accumulation& accumulation : accumulations) {
      CAPTURE(accumulation.name);
      Graph g({.dtype = dtype});
      const Value x = g.input("x", {many});
      const auto got = evaluate({sum(x), accumulation.make(g, x)}, {{x, tenths}}, {.threads = 1});
      REQUIRE(got[1].elements() > 0);
      // The constant part: pairwise sums end in sequential sums of up to 384 terms, the blocks of matmul.
      const double allowed = std::max(4 * error_of(got[0], many * tenth), 100 * precision);
      CHECK(error_of(got[1], accumulation.terms * tenth) <= allowed);
    }
  }
}

TEST_CASE("sums: long sums are bit-identical on any number of threads, in plans and the interpreter") {
  for (const DType dtype : {f32, f64}) {
    Tensor numbers({many}, f64);
    for (std::size_t i = 0; i < many; ++i) numbers.mutable_values<double>()[i] = std::sin(static_cast<double>(i));
    numbers = numbers.cast(dtype);
    for (const Accumulation& accumulation : accumulations) {
      CAPTURE(accumulation.name);
      Graph g({.dtype = dtype});
      const Value x = g.input("x", {many});
      const Value y = relu(accumulation.make(g, abs(x) + 0.5) - 3) * 2;
      const Tensor one = evaluate(y, {{x, numbers}}, {.threads = 1});
      const Plan plan({y});
      for (const int threads : {1, 2, 3}) {
        CHECK(bitwise_equal(evaluate(y, {{x, numbers}}, {.threads = threads}), one));
        CHECK(bitwise_equal(plan.run({{x, numbers}}, {.threads = threads})[0], one));
      }
    }
  }
}

TEST_CASE("sums: scatter_add of many slices adds each slice at its index only") {
  // 300 integer slices at 5 indices. Index 4 stays empty; index i < 4 gets the slices i modulo 7, index 0 all others.
  Graph g({.dtype = f64});
  const Value x = g.input("x", {300, 2});
  const Value at = g.input("at", {300}, i64);
  Tensor numbers({300, 2}, f64);
  Tensor places({300}, i64);
  std::vector<double> expected(10, 0);
  for (Index i = 0; i < 300; ++i) {
    const Index place = i % 7 < 4 ? i % 7 : 0;
    places.mutable_values<std::int64_t>()[static_cast<std::size_t>(i)] = place;
    for (Index k = 0; k < 2; ++k) {
      const auto number = static_cast<double>(i * (k + 1));
      numbers.mutable_values<double>()[static_cast<std::size_t>(i * 2 + k)] = number;
      expected[static_cast<std::size_t>(place * 2 + k)] += number;
    }
  }
  const Value y = apply("scatter_add", {x, at, g.constant(Tensor({5, 2}, f64))}, {{"axis", Index{0}}});
  const Tensor got = evaluate(y, {{x, numbers}, {at, places}});
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(got.at(static_cast<Index>(i)) == expected[i]);
}

TEST_CASE("sums: infinities propagate through compensated sums") {
  const double inf = std::numeric_limits<double>::infinity();
  Graph g({.dtype = f64});
  const Value x = g.input("x", {200});
  Tensor numbers = Tensor::full({200}, 1, f64);
  numbers.mutable_values<double>()[100] = inf;
  const Value scattered =
      apply("scatter_add", {x, indices(g, {200}, 0), g.constant(Tensor({1}, f64))}, {{"axis", Index{0}}});
  CHECK(evaluate(scattered, {{x, numbers}}).item() == inf);
  CHECK(evaluate(cumsum(x, 0), {{x, numbers}}).at(199) == inf);
  CHECK(evaluate(cumsum(x, 0), {{x, numbers}}).at(99) == 100);
  CHECK(evaluate(linear_scan(ones_like(x), x, 0), {{x, numbers}}).at(199) == inf);
  numbers.mutable_values<double>()[150] = -inf;
  CHECK(std::isnan(evaluate(scattered, {{x, numbers}}).item()));
  CHECK(std::isnan(evaluate(cumsum(x, 0), {{x, numbers}}).at(199)));
}
