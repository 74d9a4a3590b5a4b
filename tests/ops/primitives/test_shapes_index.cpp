// Shape, indexing, sorting and range operations against results computed by hand, by the conventions of NumPy and
// PyTorch.
#include <limits>
#include <optional>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/plan.hpp>

#include "support/known_answers.hpp"

using namespace xgrad;
using testing::check_answer;
using testing::counting;
using testing::numbers;

TEST_CASE("flatten, unflatten, squeeze, unsqueeze: known results") {
  Graph g({.dtype = f64});
  const Value x = counting(g, {2, 3, 4});
  CHECK(flatten(x).shape() == Shape{2, 12});
  CHECK(flatten(x, 0, 1).shape() == Shape{6, 4});
  CHECK(flatten(x, 0).shape() == Shape{24});
  CHECK(flatten(x, -2, -2).shape() == Shape{2, 3, 4});
  CHECK(flatten(x, 3).shape() == Shape{2, 3, 4, 1});
  CHECK(flatten(numbers(g, {}, {5}), 0).shape() == Shape{1});
  CHECK_THROWS_WITH_AS(flatten(x, 2, 1), doctest::Contains("axis 2 does not come before axis 1"), ShapeError);
  CHECK(unflatten(flatten(x), 1, {-1, 4}).shape() == Shape{2, 3, 4});
  CHECK(unflatten(x, -1, {2, 2}).shape() == Shape{2, 3, 2, 2});
  CHECK(unsqueeze(x, 1).shape() == Shape{2, 1, 3, 4});
  CHECK(unsqueeze(x, -1).shape() == Shape{2, 3, 4, 1});
  const Value ones = counting(g, {1, 3, 1});
  CHECK(squeeze(ones).shape() == Shape{3});
  CHECK(squeeze(ones, {-1}).shape() == Shape{1, 3});
  CHECK_THROWS_WITH_AS(squeeze(ones, {1}), doctest::Contains("axis 1 has extent 3, not 1"), ShapeError);
  check_answer(flatten(slice(x, 0, 1), 0), {12}, {12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23});
}

TEST_CASE("tile, repeat, expand: known results") {
  Graph g({.dtype = f64});
  const Value x = counting(g, {2, 2});
  check_answer(tile(x, {2}), {2, 4}, {0, 1, 0, 1, 2, 3, 2, 3});
  check_answer(tile(x, {2, 1}), {4, 2}, {0, 1, 2, 3, 0, 1, 2, 3});
  check_answer(tile(numbers(g, {7, 8}), {2, 2}), {2, 4}, {7, 8, 7, 8, 7, 8, 7, 8});
  check_answer(tile(x, {0, 1}), {0, 2}, {});
  check_answer(repeat(x, 2, 0), {4, 2}, {0, 1, 0, 1, 2, 3, 2, 3});
  check_answer(repeat(x, 2, 1), {2, 4}, {0, 0, 1, 1, 2, 2, 3, 3});
  check_answer(repeat(numbers(g, {1, 0}, boolean), 3, -1), {6}, {1, 1, 1, 0, 0, 0});
  check_answer(expand(numbers(g, {1, 2}, {5, 6}), {2, 3, -1}), {2, 3, 2}, {5, 6, 5, 6, 5, 6, 5, 6, 5, 6, 5, 6});
  // The gradient of each element is the number of its copies.
  const Value y = g.input("y", {2, 1});
  const Tensor one({2, 1}, f64);
  CHECK(evaluate(gradients(sum(tile(y, {3, 5})), y), {{y, one}}).str() == "[[15],\n [15]]");
}

TEST_CASE("flip, roll, transpose: known results") {
  Graph g({.dtype = f64});
  const Value x = counting(g, {2, 3});
  check_answer(flip(x), {2, 3}, {5, 4, 3, 2, 1, 0});
  check_answer(flip(x, {0}), {2, 3}, {3, 4, 5, 0, 1, 2});
  check_answer(flip(x, {-1}), {2, 3}, {2, 1, 0, 5, 4, 3});
  check_answer(flip(counting(g, {4}, i64)), {4}, {3, 2, 1, 0});
  check_answer(roll(counting(g, {5}), 2), {5}, {3, 4, 0, 1, 2});
  check_answer(roll(counting(g, {5}), -1, 0), {5}, {1, 2, 3, 4, 0});
  check_answer(roll(counting(g, {5}), 12, 0), {5}, {3, 4, 0, 1, 2});
  check_answer(roll(x, 1, 1), {2, 3}, {2, 0, 1, 5, 3, 4});
  check_answer(roll(x, 1), {2, 3}, {5, 0, 1, 2, 3, 4});
  check_answer(roll(x, {1, 1}, {0, 1}), {2, 3}, {5, 3, 4, 2, 0, 1});
  check_answer(transpose(x), {3, 2}, {0, 3, 1, 4, 2, 5});
}

TEST_CASE("slice: as in Python") {
  Graph g({.dtype = f64});
  const Value x = counting(g, {5});
  const auto none = std::optional<Index>();
  check_answer(slice(x, 0, 1, 4), {3}, {1, 2, 3});
  check_answer(slice(x, 0, -2), {2}, {3, 4});
  check_answer(slice(x, 0, 0, -1), {4}, {0, 1, 2, 3});
  check_answer(slice(x, 0, 0, none, 2), {3}, {0, 2, 4});
  check_answer(slice(x, 0, -1, none, -1), {5}, {4, 3, 2, 1, 0});
  check_answer(slice(x, 0, -1, 0, -1), {4}, {4, 3, 2, 1});
  check_answer(slice(x, 0, 3, none, -2), {2}, {3, 1});
  check_answer(slice(x, 0, 99, -99, -3), {2}, {4, 1});
  check_answer(slice(x, 0, -99, 99), {5}, {0, 1, 2, 3, 4});
  check_answer(slice(x, 0, 2, 2), {0}, {});
  check_answer(slice(x, 0, 1, 3, -1), {0}, {});
  check_answer(slice(x, 0, 1, none, std::numeric_limits<Index>::min()), {1}, {1});
  check_answer(slice(x, 0, 1, none, std::numeric_limits<Index>::max()), {1}, {1});
  check_answer(slice(counting(g, {2, 3}), 1, -1, none, -2), {2, 2}, {2, 0, 5, 3});
  CHECK_THROWS_WITH_AS(slice(x, 0, 0, none, 0), doctest::Contains("step must not be 0"), ShapeError);
}

TEST_CASE("concat, stack, split, chunk: known results") {
  Graph g({.dtype = f64});
  const Value a = numbers(g, {1, 2});
  const Value b = numbers(g, {3, 4});
  check_answer(stack({a, b}), {2, 2}, {1, 2, 3, 4});
  check_answer(stack({a, b}, -1), {2, 2}, {1, 3, 2, 4});
  check_answer(concat({a, b, a}), {6}, {1, 2, 3, 4, 1, 2});
  const Value x = counting(g, {7});
  const auto sizes = [](const std::vector<Value>& pieces) {
    std::vector<Index> out;
    for (const Value p : pieces) out.push_back(p.shape()[0]);
    return out;
  };
  CHECK(sizes(split(x, 3)) == std::vector<Index>{3, 3, 1});
  CHECK(sizes(split(x, {2, 0, 5})) == std::vector<Index>{2, 0, 5});
  CHECK(sizes(chunk(x, 3)) == std::vector<Index>{3, 3, 1});
  CHECK(sizes(chunk(x, 4)) == std::vector<Index>{2, 2, 2, 1});
  CHECK(sizes(chunk(x, 5)) == std::vector<Index>{2, 2, 2, 1});  // as PyTorch: fewer chunks than requested
  CHECK(sizes(split(counting(g, {0}), 2)) == std::vector<Index>{0});
  check_answer(split(x, {2, 3, 2})[1], {3}, {2, 3, 4});
  check_answer(chunk(counting(g, {2, 4}), 2, 1)[1], {2, 2}, {2, 3, 6, 7});
}

TEST_CASE("pad: as in NumPy") {
  Graph g({.dtype = f64});
  const Value x = numbers(g, {1, 2, 3});
  check_answer(pad(x, 0, 2, 1, 9.0), {6}, {9, 9, 1, 2, 3, 9});
  check_answer(pad(x, 0, 2, 2, PadMode::reflect), {7}, {3, 2, 1, 2, 3, 2, 1});
  check_answer(pad(x, 0, 2, 1, PadMode::edge), {6}, {1, 1, 1, 2, 3, 3});
  check_answer(pad(counting(g, {2, 2}), {{1, 0}, {0, 1}}, PadMode::edge), {3, 3}, {0, 1, 1, 0, 1, 1, 2, 3, 3});
  check_answer(pad(counting(g, {2, 2}), {{1, 0}, {0, 1}}, PadMode::reflect), {3, 3}, {2, 3, 2, 0, 1, 0, 2, 3, 2});
  check_answer(pad(counting(g, {1, 2}, i64), {{0, 1}, {1, 0}}, PadMode::constant, -7), {2, 3}, {-7, 0, 1, -7, -7, -7});
  check_answer(pad(numbers(g, {1}, boolean), 0, 1, 1, 1.0), {3}, {1, 1, 1});
  CHECK_THROWS_WITH_AS(pad(x, 0, 3, 0, PadMode::reflect), doctest::Contains("extent 3 can be reflected"), ShapeError);
  // The gradient of each element is the number of its copies.
  const Value v = g.input("v", {3});
  const Tensor at = Tensor::from<double>({3}, {1, 2, 3});
  CHECK(evaluate(gradients(sum(pad(v, 0, 2, 2, PadMode::reflect)), v), {{v, at}}).str() == "[2, 3, 2]");
  CHECK(evaluate(gradients(sum(pad(v, 0, 2, 1, PadMode::edge)), v), {{v, at}}).str() == "[3, 1, 2]");
}

TEST_CASE("gather, scatter_add, take_along_axis, one_hot, masked_fill: known results") {
  Graph g({.dtype = f64});
  const Value x = counting(g, {3, 2});
  const Value rows = numbers(g, {2, 0, 2}, i64);
  check_answer(gather(x, rows), {3, 2}, {4, 5, 0, 1, 4, 5});
  check_answer(gather(x, numbers(g, {1, 1}, {1}, i64), -1), {3, 1, 1}, {1, 3, 5});
  check_answer(index_select(x, numbers(g, {1, 0}, i64), 1), {3, 2}, {1, 0, 3, 2, 5, 4});
  check_answer(embedding(x, numbers(g, {2, 1}, {2, 1}, i64)), {2, 1, 2}, {4, 5, 2, 3});
  check_answer(take_along_axis(x, numbers(g, {1, 2}, {2, 0}, i64), 0), {1, 2}, {4, 1});
  check_answer(take_along_axis(x, numbers(g, {3, 3}, {0, 1, 1, 1, 0, 0, 0, 0, 1}, i64), 1), {3, 3},
               {0, 1, 1, 3, 2, 2, 4, 4, 5});
  check_answer(gather(numbers(g, {1, 0, 1}, boolean), rows), {3}, {1, 1, 1});
  // Slices with equal indices are added.
  check_answer(scatter_add(x, rows, counting(g, {3, 2})), {3, 2}, {2, 4, 2, 3, 8, 11});
  check_answer(scatter_add(numbers(g, {0, 0}, i64), numbers(g, {1, 1, 0, 1}, i64), numbers(g, {1, 1, 1, 1}, i64)), {2},
               {1, 3});
  check_answer(
      scatter_add_along_axis(x, numbers(g, {3, 2}, {0, 0, 1, 1, 0, 1}, i64), numbers(g, {3, 2}, {1, 2, 3, 4, 5, 6}), 1),
      {3, 2}, {3, 1, 2, 10, 9, 11});
  check_answer(one_hot(numbers(g, {2, 0}, i64), 3, i64), {2, 3}, {0, 0, 1, 1, 0, 0});
  check_answer(masked_fill(x, numbers(g, {1, 0}, boolean), -1), {3, 2}, {-1, 1, -1, 3, -1, 5});
  check_answer(masked_fill(numbers(g, {NAN, INFINITY}), numbers(g, {1, 0}, boolean), 0), {2}, {0, INFINITY});
}

TEST_CASE("gather: an index out of range throws with index, position and axis") {
  Graph g({.dtype = f64});
  const Value x = counting(g, {3, 2});
  CHECK_THROWS_WITH_AS(evaluate(gather(x, numbers(g, {0, 3}, i64)), {}),
                       doctest::Contains("gather: index 3 at position 1 is outside axis 0 of extent 3"), ValueError);
  CHECK_THROWS_WITH_AS(evaluate(take_along_axis(x, numbers(g, {3, 1}, {0, 1, -1}, i64), 1), {}),
                       doctest::Contains("take_along_axis: index -1 at position 2 is outside axis 1 of extent 2"),
                       ValueError);
  CHECK_THROWS_WITH_AS(evaluate(scatter_add(x, numbers(g, {5}, i64), counting(g, {1, 2})), {}),
                       doctest::Contains("index 5 at position 0 is outside axis 0 of extent 3"), ValueError);
}

TEST_CASE("scatter_add: bit-identical on any number of threads") {
  Graph g;
  const Value slices = g.input("slices", {5000, 3});
  const Value rows = g.input("rows", {5000}, i64);
  const Value y = apply("scatter_add", {slices, rows, g.constant(Tensor({7, 3}))}, {{"axis", Index{0}}});
  Tensor s({5000, 3});
  Tensor r({5000}, i64);
  for (std::size_t i = 0; i < 15000; ++i) s.mutable_values<float>()[i] = 1.0F / static_cast<float>(i + 1);
  for (std::size_t i = 0; i < 5000; ++i) r.mutable_values<std::int64_t>()[i] = static_cast<std::int64_t>(i * i % 7);
  const Tensor expected = evaluate(y, {{slices, s}, {rows, r}}, {.threads = 1});
  for (const int threads : {2, 3, 8}) {
    CHECK(bitwise_equal(evaluate(y, {{slices, s}, {rows, r}}, {.threads = threads}), expected));
  }
  // Sums of many slices are correctly rounded.
  double first = 0;
  for (std::size_t i = 0; i < 5000; ++i) {
    if (i * i % 7 == 1) first += static_cast<double>(s.values<float>()[3 * i]);
  }
  CHECK(expected.values<float>()[3] == static_cast<float>(first));
}

TEST_CASE("sort, argsort, topk: stable, NaN is the largest") {
  Graph g({.dtype = f64});
  const Value x = numbers(g, {2, NAN, -INFINITY, 2, 0, INFINITY, NAN, -1});
  check_answer(sort(x), {8}, {-INFINITY, -1, 0, 2, 2, INFINITY, NAN, NAN});
  check_answer(argsort(x), {8}, {2, 7, 4, 0, 3, 5, 1, 6});
  check_answer(sort(x, 0, true), {8}, {NAN, NAN, INFINITY, 2, 2, 0, -1, -INFINITY});
  check_answer(argsort(x, 0, true), {8}, {1, 6, 5, 0, 3, 4, 7, 2});
  check_answer(argsort(numbers(g, {0.0, -0.0, 0.0})), {3}, {0, 1, 2});
  const Value m = numbers(g, {2, 3}, {3, 1, 2, 0, 5, 4});
  check_answer(sort(m, 0), {2, 3}, {0, 1, 2, 3, 5, 4});
  check_answer(argsort(m, 0), {2, 3}, {1, 0, 0, 0, 1, 1});
  check_answer(sort(m, 1, true), {2, 3}, {3, 2, 1, 5, 4, 0});
  check_answer(sort(numbers(g, {3, -1, 2}, i64)), {3}, {-1, 2, 3});
  check_answer(sort(numbers(g, {1, 0, 1}, boolean)), {3}, {0, 1, 1});
  const TopK top = topk(m, 2);
  check_answer(top.values, {2, 2}, {3, 2, 5, 4});
  check_answer(top.indices, {2, 2}, {0, 2, 1, 2});
  check_answer(topk(m, 1, 0, false).values, {1, 3}, {0, 1, 2});
  check_answer(topk(x, 3).indices, {3}, {1, 6, 5});
  const Value v = g.input("v", {4});
  const Value weights = numbers(g, {10, 20, 30, 40});
  CHECK(evaluate(gradients(sum(sort(v) * weights), v), {{v, Tensor::from<double>({4}, {3, 1, 4, 2})}}).str() ==
        "[30, 10, 40, 20]");
  CHECK(evaluate(gradients(sum(topk(v, 2).values), v), {{v, Tensor::from<double>({4}, {3, 1, 4, 2})}}).str() ==
        "[1, 0, 1, 0]");
}

TEST_CASE("arange, linspace, eye, meshgrid: as in NumPy") {
  Graph g({.dtype = f64});
  check_answer(arange(g, 0, 5), {5}, {0, 1, 2, 3, 4});
  CHECK(arange(g, 0, 5).dtype() == i64);
  check_answer(arange(g, 5, 0, -2), {3}, {5, 3, 1});
  check_answer(arange(g, 0, 1, 0.25, f32), {4}, {0, 0.25, 0.5, 0.75});
  check_answer(arange(g, 0, 1.1, 0.5, f64), {3}, {0, 0.5, 1});
  check_answer(arange(g, 3, 3), {0}, {});
  CHECK_THROWS_WITH_AS(arange(g, 0, 1, 0.25), doctest::Contains("0.25 is not an integer"), DTypeError);
  CHECK_THROWS_WITH_AS(arange(g, 0, 1, 0), doctest::Contains("step must be nonzero and point from begin to end"),
                       UserError);
  CHECK_THROWS_WITH_AS(arange(g, 0, 1, -1), doctest::Contains("step must be nonzero and point from begin to end"),
                       UserError);
  CHECK_THROWS_WITH_AS(arange(g, 0, INFINITY, 1, f64), doctest::Contains("must be finite"), UserError);
  CHECK_THROWS_WITH_AS(arange(g, 0, 1e18, 1, f64), doctest::Contains("elements are allowed"), UserError);
  CHECK_THROWS_AS(arange(g, 0, 1, 1, boolean), DTypeError);
  check_answer(linspace(g, 0, 1, 5), {5}, {0, 0.25, 0.5, 0.75, 1});
  check_answer(linspace(g, 2, -1, 4, f32), {4}, {2, 1, 0, -1});
  check_answer(linspace(g, 3, 4, 1), {1}, {3});
  check_answer(linspace(g, 3, 4, 0), {0}, {});
  const Tensor tenths = evaluate(linspace(g, -0.7, 0.7, 15), {});
  CHECK(tenths.at(0) == -0.7);
  CHECK(tenths.at(14) == 0.7);
  for (Index i = 0; i < 7; ++i) CHECK(tenths.at(i) == -tenths.at(14 - i));
  check_answer(linspace(g, -1e308, 1e308, 3), {3}, {-1e308, 0, 1e308});
  check_answer(linspace(g, -1e308, 1e308, 5), {5}, {-1e308, -0.5e308, 0, 0.5e308, 1e308});
  CHECK_THROWS_WITH_AS(linspace(g, 0, 1e300, 5, f32), "linspace: 1e+300 is out of range for f32", UserError);
  CHECK_THROWS_WITH_AS(arange(g, 0, 1e300, 1e299, f32), doctest::Contains("1e+300 is out of range for f32"), UserError);
  CHECK_THROWS_AS(linspace(g, 0, 1, 3, i64), DTypeError);
  CHECK_THROWS_AS(linspace(g, 0, 1, -1), UserError);
  check_answer(eye(g, 2), {2, 2}, {1, 0, 0, 1});
  check_answer(eye(g, 2, 3, i64), {2, 3}, {1, 0, 0, 0, 1, 0});
  check_answer(eye(g, 3, 1, boolean), {3, 1}, {1, 0, 0});
  CHECK_THROWS_AS(eye(g, -1), ShapeError);
  const Value a = numbers(g, {1, 2, 3});
  const Value b = numbers(g, {4, 5});
  const auto grid = meshgrid({a, b});
  check_answer(grid[0], {3, 2}, {1, 1, 2, 2, 3, 3});
  check_answer(grid[1], {3, 2}, {4, 5, 4, 5, 4, 5});
  const auto xy = meshgrid({a, b}, Indexing::xy);
  check_answer(xy[0], {2, 3}, {1, 2, 3, 1, 2, 3});
  check_answer(xy[1], {2, 3}, {4, 4, 4, 5, 5, 5});
  check_answer(meshgrid({a}, Indexing::xy)[0], {3}, {1, 2, 3});
  const auto cube = meshgrid({b, a, numbers(g, {0, 9})}, Indexing::xy);
  CHECK(cube[2].shape() == Shape{3, 2, 2});
  check_answer(cube[0], {3, 2, 2}, {4, 4, 5, 5, 4, 4, 5, 5, 4, 4, 5, 5});
  check_answer(cube[2], {3, 2, 2}, {0, 9, 0, 9, 0, 9, 0, 9, 0, 9, 0, 9});
  CHECK_THROWS_WITH_AS(meshgrid({counting(g, {2, 2})}), doctest::Contains("axis 0 must be a vector"), ShapeError);
  CHECK_THROWS_AS(meshgrid({}), ShapeError);
}

TEST_CASE("shape operations: a plan runs for another batch size") {
  Graph g({.dtype = f64});
  const Value x = g.input("x", {2, 3, 4});
  const Value y =
      concat({roll(tile(repeat(x, 2, 1), {1, 1, 2}), 3, -1), tile(flip(flatten(x, 1, 1), {2}), {2})}, 1) * 2;
  const Value z = sort(pad(squeeze(expand_dims(topk(y, 3, 1).values, 2), {2}), 2, 1, 2, PadMode::reflect), 1);
  const Value dx = gradients(sum(z * z), x);
  const Plan plan({z, dx}, {}, {.shapes = {{x, {5, 3, 4}}}});
  Tensor at({5, 3, 4}, f64);
  for (std::size_t i = 0; i < 60; ++i) at.mutable_values<double>()[i] = static_cast<double>(i * 37 % 60) / 10;
  const auto whole = plan.run({{x, at}});
  for (const Index first : {0, 1, 3}) {
    const Tensor part = at.rows(first, 2).clone();
    CHECK(bitwise_equal(evaluate(z, {{x, part}}), whole[0].rows(first, 2).clone()));
    CHECK(bitwise_equal(evaluate(dx, {{x, part}}), whole[1].rows(first, 2).clone()));
  }
}

TEST_CASE("arange: too many elements and too large values throw") {
  Graph g;
  CHECK_THROWS_WITH_AS(arange(g, 0, 1e18), doctest::Contains("elements are allowed, got 1e+18"), UserError);
  CHECK_THROWS_WITH_AS(arange(g, 0, 9007199254740993.0 + 1), doctest::Contains("elements are allowed, got"), UserError);
  CHECK_THROWS_WITH_AS(arange(g, 1e18, 1e18 + 1024, 128), doctest::Contains("1e+18 is above 2^53"), UserError);
  CHECK_THROWS_WITH_AS(arange(g, 0, 1.5), doctest::Contains("1.5 is not an integer"), DTypeError);
}
