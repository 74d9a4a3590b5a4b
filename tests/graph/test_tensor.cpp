#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/parameter.hpp>
#include <xgrad/graph/tensor.hpp>

#include "support/xtensor.hpp"

using namespace xgrad;

namespace {

template <class T>
std::vector<T> list(const Tensor& t) {
  const auto values = t.values<T>();
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("tensor: a new tensor is zero and aligned, an empty one has no elements") {
  const Tensor t({2, 3}, f64);
  CHECK(list<double>(t) == std::vector<double>(6, 0.0));
  CHECK(reinterpret_cast<std::uintptr_t>(t.raw()) % 64 == 0);
  CHECK(t.bytes() == 48);
  const Tensor none;
  CHECK(none.empty());
  CHECK(none.elements() == 0);
  CHECK(none.bytes() == 0);
  CHECK(none.clone().empty());
  CHECK(none.str() == "(no tensor)");
  CHECK_FALSE(Tensor({0, 3}).empty());
}

TEST_CASE("tensor: scalars take the dtype of their C++ type") {
  CHECK(Tensor(1.5F).dtype() == f32);
  CHECK(Tensor(1.5).dtype() == f64);
  CHECK(Tensor(3).dtype() == i64);
  CHECK(Tensor(std::uint8_t{3}).dtype() == i64);
  CHECK(Tensor(true).dtype() == boolean);
  CHECK(Tensor(3).item() == 3);
  CHECK(Tensor(1.5).shape().rank() == 0);
}

TEST_CASE("tensor: copies share memory until one is written") {
  Tensor a = Tensor::from<float>({3}, {1, 2, 3});
  Tensor b = a;
  const Tensor c = a.reshaped({3, 1});
  CHECK(a.raw() == b.raw());
  b.mutable_values<float>()[0] = 9;
  CHECK(list<float>(a) == std::vector<float>{1, 2, 3});
  CHECK(list<float>(b) == std::vector<float>{9, 2, 3});
  const void* before = b.raw();
  b.mutable_values<float>()[1] = 8;  // the only owner by now, so in place
  CHECK(b.raw() == before);
  a.mutable_values<float>()[0] = 7;
  CHECK(c.at(0) == 1);
}

TEST_CASE("tensor: a borrowed tensor reads the memory and copies before a write") {
  float memory[3] = {1, 2, 3};
  Tensor t = Tensor::borrow(memory, Shape{3});
  memory[1] = 5;
  CHECK(t.at(1) == 5);
  t.mutable_values<float>()[0] = 9;
  CHECK(memory[0] == 1);
  CHECK(t.at(0) == 9);
  memory[2] = 6;
  CHECK(t.at(2) == 3);
  const float* nothing = nullptr;
  CHECK_THROWS_AS(Tensor::borrow(nothing, Shape{3}), ValueError);
  CHECK(Tensor::borrow(nothing, Shape{0}).elements() == 0);
  CHECK_FALSE(Tensor::borrow(nothing, Shape{0}).empty());
}

TEST_CASE("tensor: rows() is a view that copies before a write") {
  Tensor t = Tensor::from<double>({3, 2}, {1, 2, 3, 4, 5, 6});
  Tensor r = t.rows(1, 2);
  CHECK(r.shape() == Shape{2, 2});
  CHECK(list<double>(r) == std::vector<double>{3, 4, 5, 6});
  r.mutable_values<double>()[0] = 9;
  CHECK(t.at(2) == 3);
  CHECK(list<double>(r) == std::vector<double>{9, 4, 5, 6});
  CHECK(t.rows(3, 0).elements() == 0);
  CHECK_THROWS_AS(t.rows(2, 2), ShapeError);
  CHECK_THROWS_AS(t.rows(-1, 1), ShapeError);
  CHECK_THROWS_AS(t.rows(0, -1), ShapeError);
  CHECK_THROWS_AS(t.rows(1, std::numeric_limits<Index>::max()), ShapeError);
  CHECK_THROWS_AS(t.rows(std::numeric_limits<Index>::max(), 1), ShapeError);
  CHECK_THROWS_AS(Tensor(1.0).rows(0, 1), ShapeError);
}

TEST_CASE("tensor: a view that is the last owner writes in place") {
  Tensor r = Tensor::from<double>({3, 2}, {1, 2, 3, 4, 5, 6}).rows(1, 1);
  r.mutable_values<double>()[1] = 9;
  CHECK(list<double>(r) == std::vector<double>{3, 9});
}

TEST_CASE("tensor: assigning a tensor to itself or to its view keeps the elements") {
  Tensor t = Tensor::from<double>({2, 2}, {1, 2, 3, 4});
  t.assign(t);
  CHECK(list<double>(t) == std::vector<double>{1, 2, 3, 4});
  t = t.rows(1, 1);
  CHECK(list<double>(t) == std::vector<double>{3, 4});
  CHECK_THROWS_AS(t.assign(Tensor({1, 2}, f32)), ShapeError);
  CHECK_THROWS_AS(t.assign(Tensor()), ShapeError);
  Tensor none;
  CHECK_THROWS_AS(none.assign(t), ShapeError);
}

TEST_CASE("tensor: a wrong element type, count or position throws") {
  Tensor t({2, 3});
  CHECK_THROWS_AS((void)t.values<double>(), DTypeError);
  CHECK_THROWS_AS((void)t.mutable_values<std::int64_t>(), DTypeError);
  CHECK_THROWS_AS(t.reshaped({4}), ShapeError);
  CHECK_THROWS_AS((Tensor::from<float>({2}, {1, 2, 3})), ShapeError);
  CHECK_THROWS_AS((void)t.item(), ShapeError);
  CHECK_THROWS_AS((void)t.at(6), ShapeError);
  CHECK_THROWS_AS((void)t.at(-1), ShapeError);
  CHECK_THROWS_AS((void)Tensor().item(), ShapeError);
}

TEST_CASE("tensor: an empty tensor has no shape") {
  CHECK_THROWS_AS(Tensor().reshaped({0, 2}), ShapeError);
  CHECK_THROWS_AS(Tensor().rows(0, 0), ShapeError);
}

TEST_CASE("tensor: a failed allocation throws OutOfMemoryError") {
  CHECK_THROWS_WITH_AS(Tensor({Index{1} << 56}, f64), "tensor: out of memory for 576460752303423488 bytes",
                       OutOfMemoryError);
}

TEST_CASE("tensor: casts truncate, saturate and test against zero") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  const Tensor t = Tensor::from<double>({6}, {1.9, -1.9, nan, inf, -inf, 0});
  CHECK(list<std::int64_t>(t.cast(i64)) == std::vector<std::int64_t>{1, -1, 0, INT64_MAX, INT64_MIN, 0});
  CHECK(list<bool>(t.cast(boolean)) == std::vector<bool>{true, true, true, true, true, false});
  CHECK(list<float>(t.cast(f32))[0] == 1.9F);
  CHECK(t.cast(f64).raw() == t.raw());
  CHECK(list<double>(Tensor::from<bool>({2}, {true, false}).cast(f64)) == std::vector<double>{1, 0});
  CHECK(Tensor::from<float>({1}, {3e38F}).cast(i64).item() == 0x1p63);
}

TEST_CASE("tensor: full() converts and repeats the number") {
  CHECK(list<float>(Tensor::full({2}, 0.1)) == std::vector<float>{0.1F, 0.1F});
  CHECK(list<std::int64_t>(Tensor::full({2}, -2, i64)) == std::vector<std::int64_t>{-2, -2});
  CHECK(list<bool>(Tensor::full({1}, 1, boolean)) == std::vector<bool>{true});
}

TEST_CASE("tensor: bitwise_equal distinguishes zeros and compares NaN by bits") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(bitwise_equal(Tensor(nan), Tensor(nan)));
  CHECK_FALSE(bitwise_equal(Tensor(0.0), Tensor(-0.0)));
  CHECK_FALSE(bitwise_equal(Tensor(0.0), Tensor(0.0F)));
  CHECK_FALSE(bitwise_equal(Tensor({2, 1}), Tensor({1, 2})));
  CHECK(bitwise_equal(Tensor(), Tensor()));
  CHECK_FALSE(bitwise_equal(Tensor(), Tensor(Shape{0})));
}

TEST_CASE("tensor: elements are printed by rows") {
  CHECK(Tensor::from<float>({2, 2}, {1, 2.5, -3, 4}).str() == "[[1, 2.5],\n [-3, 4]]");
  CHECK(Tensor(2.0).str() == "2");
  CHECK(Tensor({0, 2}).str() == "f32[0, 2]");
  CHECK(Tensor(Shape{100}).str() == "f32[100] (100 elements)");
}

TEST_CASE("tensor: arrays of either layout arrive in row-major order") {
  const xt::xarray<double> row{{1, 2, 3}, {4, 5, 6}};
  xt::xarray<double, xt::layout_type::column_major> column = row;
  const std::vector<double> expected{1, 2, 3, 4, 5, 6};
  CHECK(list<double>(Tensor(row)) == expected);
  CHECK(list<double>(Tensor(column)) == expected);
  CHECK(list<double>(Tensor::view(column)) == expected);
  CHECK(Tensor(column).shape() == Shape{2, 3});
}

TEST_CASE("tensor: a view reads a row-major array in place and copies any other") {
  xt::xarray<float> row{{1, 2, 3}, {4, 5, 6}};
  xt::xarray<float, xt::layout_type::column_major> column = row;
  const Tensor in_place = Tensor::view(row);
  CHECK(in_place.raw() == row.data());
  row(0, 1) = 9;
  CHECK(in_place.at(1) == 9);
  CHECK(Tensor::view(column).raw() != column.data());
  const xt::xarray<int> ints{1, 2, 3};  // not an element type of tensors
  CHECK(list<std::int64_t>(Tensor::view(ints)) == std::vector<std::int64_t>{1, 2, 3});
  const xt::xarray<float> thin = xt::ones<float>({4, 1, 1});
  CHECK(Tensor::view(thin).raw() == thin.data());
  const xt::xarray<float> none = xt::xarray<float>::from_shape({0, 3});
  CHECK(Tensor::view(none).shape() == Shape{0, 3});
}

TEST_CASE("tensor: fixed and static arrays, booleans and scalars of rank 0 are accepted") {
  const xt::xtensor<double, 2> two{{1, 2}, {3, 4}};
  const xt::xtensor_fixed<float, xt::xshape<2, 2>> fixed{{1, 2}, {3, 4}};
  CHECK(list<double>(Tensor(two)) == std::vector<double>{1, 2, 3, 4});
  CHECK(list<float>(Tensor(fixed)) == std::vector<float>{1, 2, 3, 4});
  const xt::xarray<bool> mask{true, false, true};
  CHECK(list<bool>(Tensor(mask)) == std::vector<bool>{true, false, true});
  const xt::xarray<double> scalar = 2.5;
  CHECK(Tensor(scalar).shape().rank() == 0);
  CHECK(Tensor(scalar).item() == 2.5);
}

TEST_CASE("tensor: a strided view comes in through eval") {
  const xt::xarray<double> base{{1, 2, 3, 4}, {5, 6, 7, 8}};
  const auto odd = xt::view(base, xt::all(), xt::range(0, 4, 2));
  CHECK(list<double>(Tensor(xt::xarray<double>(xt::eval(odd)))) == std::vector<double>{1, 3, 5, 7});
  const auto turned = xt::xarray<double>(xt::transpose(base));
  CHECK(list<double>(Tensor(turned)) == std::vector<double>{1, 5, 2, 6, 3, 7, 4, 8});
}

TEST_CASE("tensor: converts to arrays of either layout and any element type") {
  const Tensor t = Tensor::from<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  const xt::xarray<double> row = t;
  CHECK(row == xt::xarray<double>{{1, 2, 3}, {4, 5, 6}});
  const auto column = t.to<xt::xarray<int, xt::layout_type::column_major>>();
  CHECK(column(0, 2) == 3);
  CHECK(column(1, 0) == 4);
  const auto two = t.to<xt::xtensor<float, 2>>();
  CHECK(two(1, 2) == 6);
  CHECK(Tensor(3.5).to<xt::xarray<double>>()() == 3.5);
  CHECK(bitwise_equal(Tensor(xt::xarray<float>(t)), t));
}

TEST_CASE("tensor: an array of another rank throws") {
  const Tensor t({2, 3});
  CHECK_THROWS_AS((t.to<xt::xtensor<float, 1>>()), ShapeError);
  CHECK_THROWS_AS((t.to<xt::xtensor<float, 3>>()), ShapeError);
}

TEST_CASE("tensor: sources without elements throw or give an empty tensor") {
  CHECK_THROWS_AS(Tensor().to<xt::xarray<float>>(), ShapeError);
  CHECK(Tensor({0, 3}).to<xt::xarray<float>>().size() == 0);
}

TEST_CASE("parameter: copies are handles to the same value at a stable address") {
  Tensor initial = Tensor::from<float>({2}, {1, 2});
  Parameter p("p", initial);
  Parameter q = p;
  initial.mutable_values<float>()[0] = 5;
  CHECK(p.value().at(0) == 1);
  const void* memory = p.raw();
  q.set(Tensor::from<float>({2}, {3, 4}));
  CHECK(p.value().at(0) == 3);
  CHECK(p.raw() == memory);
  CHECK(p == q);
  CHECK(p != Parameter("p", initial));
  p.set(p.view());
  CHECK(p.value().at(1) == 4);
  CHECK_THROWS_WITH_AS(p.set(Tensor(Shape{3})), "parameter \"p\": set: expected f32[2], got f32[3]", ShapeError);
  CHECK_THROWS_AS(p.set(Tensor(Shape{2}, f64)), ShapeError);
  CHECK_THROWS_AS(p.set(Tensor()), ShapeError);
  CHECK_THROWS_AS(Parameter("p", Tensor()), UserError);
  CHECK_FALSE(Parameter().valid());
}

TEST_CASE("tensor: prints all digits of integers, and NaN without a sign") {
  CHECK(Tensor::from<std::int64_t>({3}, {1234567, INT64_MAX, INT64_MIN}).str() ==
        "[1234567, 9223372036854775807, -9223372036854775808]");
  CHECK(Tensor(std::int64_t{9007199254740993}).str() == "9007199254740993");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(Tensor::from<double>({4}, {nan, std::copysign(nan, -1), inf, -inf}).str() == "[nan, nan, inf, -inf]");
  CHECK(Tensor::from<float>({1}, {-std::numeric_limits<float>::quiet_NaN()}).str() == "[nan]");
}
