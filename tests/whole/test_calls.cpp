// Calls as users of NumPy, PyTorch and Keras write them compile and have the expected meaning.
#include <doctest/doctest.h>

#include <type_traits>

#include <xgrad/xgrad.hpp>

using namespace xgrad;

namespace {

// y = sum(x^2 w) for x and w of two elements.
struct Small {
  Graph g{{.dtype = f64}};
  Value x = g.input("x", {2});
  Value w = g.input("w", {2});
  Value y = sum(square(x) * w);
  Feeds feeds{{x, Tensor::from({3.0, 4.0})}, {w, Tensor::from({1.0, 2.0})}};
};

template <class T>
constexpr bool is_a_list = std::is_same_v<T, std::vector<Value>>;

}  // namespace

TEST_CASE("api: values in braces are a list, also a single one") {
  Small s;
  static_assert(is_a_list<decltype(gradients(s.y, {s.x}))>);
  static_assert(is_a_list<decltype(gradients(s.y, {Parameter()}))>);
  static_assert(is_a_list<decltype(jacobian(s.y, {s.x}))>);
  static_assert(is_a_list<decltype(hvp(s.y, {s.x}, {s.x}))>);
  static_assert(is_a_list<decltype(vjp({s.y}, {s.x}, {s.y}))>);
  static_assert(is_a_list<decltype(jvp({s.y}, {s.x}, {s.x}))>);
  static_assert(std::is_same_v<decltype(hessian(s.y, {s.x})), std::vector<std::vector<Value>>>);
  static_assert(std::is_same_v<decltype(evaluate({s.y})), std::vector<Tensor>>);
  static_assert(std::is_same_v<decltype(evaluate(s.y)), Tensor>);

  const auto one = gradients(s.y, {s.x});
  REQUIRE(one.size() == 1);
  CHECK(one[0] == gradients(s.y, s.x));
  CHECK(gradients(s.y, {s.x, s.w}).size() == 2);
  CHECK(evaluate({s.y, s.x}, s.feeds)[0].item() == 41);
  CHECK(evaluate(hessian(s.y, {s.x})[0][0], s.feeds).to_vector<double>() == std::vector<double>{2, 0, 0, 4});
  CHECK(evaluate(hvp(s.y, {s.x}, {s.w}), s.feeds)[0].to_vector<double>() == std::vector<double>{2, 8});
  CHECK(evaluate(vjp({s.y}, {s.x}, {s.g.constant(2.0)}), s.feeds)[0].to_vector<double>() ==
        std::vector<double>{12, 32});
  CHECK(evaluate(jvp({s.y}, {s.x}, {s.w}), s.feeds)[0].item() == 38);
  CHECK(evaluate(jacobian(s.y, {s.x}), s.feeds)[0].to_vector<double>() == std::vector<double>{6, 16});
  CHECK(compare_gradients(s.y, {s.x}, s.feeds).passed);
  CHECK(compare_gradients(s.y, s.x, s.feeds).passed);
}

TEST_CASE("api: inputs can be fed by name") {
  Small s;
  const Tensor x = Tensor::from({3.0, 4.0}), w = Tensor::from({1.0, 2.0});
  CHECK(evaluate(s.y, {{"x", x}, {"w", w}}).item() == 41);
  CHECK(evaluate(s.y, {{s.x, x}, {"w", w}}).item() == 41);
  CHECK(evaluate({s.y}, {{"x", x}, {"w", w}})[0].item() == 41);
  CHECK(Plan({s.y}).run({{"x", x}, {"w", w}})[0].item() == 41);
  CHECK(compare_gradients(s.y, {s.x}, {{"x", x}, {"w", w}}).passed);
  const char* unknown = "feed \"v\": the graph has no input of that name; it has \"x\", \"w\"";
  CHECK_THROWS_WITH_AS(evaluate(s.y, {{"x", x}, {"v", w}}), unknown, FeedError);
  CHECK_THROWS_WITH_AS(Plan({s.y}).run({{"x", x}, {"v", w}}), unknown, FeedError);
  CHECK_THROWS_WITH_AS(evaluate(s.y, {{"x", x}, {s.x, x}, {"w", w}}), "feed \"x\": it is fed twice", FeedError);
  CHECK_THROWS_WITH_AS(Plan({s.y}).run({{"x", x}, {s.x, x}, {"w", w}}), "feed \"x\": it is fed twice", FeedError);
  CHECK_THROWS_AS(compare_gradients(s.y, {s.x}, {{"v", x}}), FeedError);
}

TEST_CASE("api: an axis is an integer or a list") {
  Graph g({.dtype = f64});
  const Value x = g.constant(Tensor::from({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}}));
  CHECK(sum(x, 0) == sum(x, {0}));
  CHECK(sum(x, {0, 1}) == sum(x));
  CHECK(mean(x, 1) == mean(x, {1}));
  CHECK(max(x, -1) == max(x, {1}));
  CHECK(norm(x, 2, 0) == norm(x, 2, {0}));
  CHECK(sum(x, 0, true).shape() == Shape{1, 3});
  CHECK(flip(x, 0) == flip(x, {0}));
  static_assert(!std::is_convertible_v<bool, Axes>, "sum(x, true) is a mistake for sum(x, {}, true)");
}

TEST_CASE("api: x += y rebinds x to the sum; other handles keep the old value") {
  Graph g({.dtype = f64});
  Value x = g.constant(3.0);
  const Value before = x;
  x += before;
  CHECK(evaluate(x).item() == 6);
  x -= 1;
  x *= 4.0;
  x /= before + 1;
  CHECK(evaluate(x).item() == 5);
  CHECK(evaluate(before).item() == 3);
}

TEST_CASE("api: x[i] is the slice at index i of axis 0") {
  Graph g({.dtype = f64});
  const Value x = g.constant(Tensor::from({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}}));
  CHECK(x[0].shape() == Shape{3});
  CHECK(evaluate(x[-1]).to_vector<double>() == std::vector<double>{4, 5, 6});
  CHECK(evaluate(x[1][2]).item() == 6);
  CHECK(evaluate(select(x, -1, 1)).to_vector<double>() == std::vector<double>{3, 6});
  const Value scalar = g.constant(1.0);
  const NodeId size = g.size();
  CHECK_THROWS_AS(x[2], ShapeError);
  CHECK_THROWS_AS(x[-3], ShapeError);
  CHECK_THROWS_AS(scalar[0], ShapeError);
  CHECK(g.size() == size);
}

TEST_CASE("api: zeros, ones and full store one element") {
  Graph g({.dtype = f64});
  CHECK(zeros(g, {2, 3}).type() == TensorType{f64, {2, 3}});
  CHECK(ones(g, {}, i64).type() == TensorType{i64, {}});
  CHECK(evaluate(full(g, {2}, 7)).to_vector<double>() == std::vector<double>{7, 7});
  CHECK(evaluate(sum(ones(g, {2, 3}))).item() == 6);
}

TEST_CASE("api: tensors from and to lists, elements by index") {
  const Tensor t = Tensor::from({{1.0F, 2.0F, 3.0F}, {4.0F, 5.0F, 6.0F}});
  CHECK(t.type() == TensorType{f32, {2, 3}});
  CHECK(t(1, 2) == 6);
  CHECK(t(-1, 0) == 4);
  CHECK(t.at({0, 1}) == 2);
  CHECK(t.to_vector<int>() == std::vector<int>{1, 2, 3, 4, 5, 6});
  CHECK_THROWS_WITH_AS(t(0, 3), "at: position 3 is outside axis 1 of f32[2, 3]", ShapeError);
  CHECK_THROWS_AS(t(0), ShapeError);
  CHECK_THROWS_AS(Tensor()(0), ShapeError);
  CHECK_THROWS_AS(Tensor::from({{1, 2}, {3}}), ShapeError);

  CHECK(Tensor::from({1, 2}).dtype() == i64);
  CHECK(Tensor::from({true, false}).type() == TensorType{boolean, {2}});
  const Tensor numbers = std::vector<double>{1, 2};
  CHECK(numbers.type() == TensorType{f64, {2}});
  CHECK(Tensor(std::vector<bool>{true, false, true}).to_vector<int>() == std::vector<int>{1, 0, 1});
  CHECK(Tensor(std::vector<float>()).shape() == Shape{0});

  CHECK(Tensor::zeros({3}).shape() == Shape{3});
  CHECK(Tensor::ones({2}, i64).to_vector<int>() == std::vector<int>{1, 1});
  CHECK(Tensor(3).shape() == Shape{});
  CHECK(Tensor{3}.shape() == Shape{});
  CHECK(Tensor({3}).shape() == Shape{3});
  CHECK(Tensor({}).type() == TensorType{f32, {}});
  CHECK(Tensor({}, f64).type() == TensorType{f64, {}});
  CHECK(Tensor({3}, f64).type() == TensorType{f64, {3}});
  CHECK(Tensor({2, 3}).shape() == Shape{2, 3});
}

TEST_CASE("api: losses and metrics are functions") {
  Graph g({.dtype = f64});
  const Value p = g.constant(Tensor::from({{1.0}, {3.0}})), t = g.constant(Tensor::from({{0.0}, {1.0}}));
  CHECK(evaluate(nn::mean_squared_error(p, t)).item() == 2.5);
  CHECK(evaluate(nn::huber(p, t)).item() == evaluate(nn::huber({.delta = 1})(p, t)).item());
  const Tensor classes = Tensor::from({{0.9F, 0.1F}, {0.2F, 0.8F}, {0.6F, 0.4F}});
  CHECK(nn::accuracy(classes, Tensor::from({0, 1, 1})) == doctest::Approx(2.0 / 3));
  CHECK(nn::macro_recall(classes, Tensor::from({0, 1, 1})) == doctest::Approx(0.75));
}

TEST_CASE("api: a const graph can be searched") {
  Small s;
  const Graph& g = s.g;
  CHECK(g.find_input("x") == s.x);
  CHECK(g.value(s.y.id()) == s.y);
}
