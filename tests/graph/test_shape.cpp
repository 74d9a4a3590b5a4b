#include <cstdint>
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/shape.hpp>

using namespace xgrad;

TEST_CASE("shape: extents, strides and text") {
  const Shape s{2, 3, 4};
  CHECK(s.rank() == 3);
  CHECK(s.elements() == 24);
  CHECK(s.back() == 4);
  CHECK(s.str() == "[2, 3, 4]");
  CHECK(s.strides()[0] == 12);
  CHECK(s.strides()[1] == 4);
  CHECK(s.strides()[2] == 1);
  CHECK(Shape{}.elements() == 1);
  CHECK(Shape{}.str() == "[]");
  CHECK(Shape{5, 0, 3}.elements() == 0);
  CHECK(s == Shape{2, 3, 4});
  CHECK(s != Shape{2, 3});
  CHECK(s != Shape{2, 3, 5});
}

TEST_CASE("shape: negative extents, too many axes and too many elements throw") {
  CHECK_THROWS_AS((Shape{2, -1}), ShapeError);
  CHECK_NOTHROW((Shape{1, 1, 1, 1, 1, 1, 1, 1}));
  CHECK_THROWS_AS((Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}), ShapeError);
  constexpr Index most = Index{1} << 56;
  CHECK(Shape{most}.elements() == most);
  CHECK_THROWS_AS((Shape{most + 1}), ShapeError);
  CHECK_THROWS_AS((Shape{most, 2}), ShapeError);
  constexpr Index huge = std::numeric_limits<Index>::max();
  CHECK_THROWS_AS((Shape{huge}), ShapeError);
  CHECK_THROWS_AS((Shape{Index{1} << 40, Index{1} << 40}), ShapeError);
  // 2^32 * 2^32 is 0 modulo 2^64.
  CHECK_THROWS_AS((Shape{Index{1} << 32, Index{1} << 32}), ShapeError);
}

TEST_CASE("shape: a zero extent does not hide an overflow") {
  CHECK_THROWS_AS((Shape{0, std::numeric_limits<Index>::max(), 2}), ShapeError);
  CHECK_THROWS_AS((Shape{Index{1} << 40, 0, Index{1} << 40}), ShapeError);
}

TEST_CASE("shape: an axis that throws leaves the shape unchanged") {
  Shape s{3};
  CHECK_THROWS_AS(s.push_back(Index{1} << 56), ShapeError);
  CHECK_THROWS_AS(s.push_back(-4), ShapeError);
  CHECK(s == Shape{3});
}

template <class S>
concept WritableByIndex = requires(S s) {
  s[0] = Index{1};
};
static_assert(!WritableByIndex<Shape&>, "extents are written by set(), which checks them");

TEST_CASE("shape: set() checks the extent") {
  Shape s{2, 3};
  s.set(0, 5);
  s.set(1, 0);
  CHECK(s == Shape{5, 0});
  CHECK_THROWS_WITH_AS(s.set(2, 1), "shape: [5, 0] has no axis 2", ShapeError);
  CHECK_THROWS_WITH_AS(s.set(-1, 1), "shape: [5, 0] has no axis -1", ShapeError);
  CHECK_THROWS_WITH_AS(s.set(1, -4), "shape: negative extent -4 on axis 1", ShapeError);
  CHECK_THROWS_AS(s.set(0, Shape::max_elements + 1), ShapeError);
  CHECK_THROWS_AS(s.set(1, Shape::max_elements), ShapeError);  // times 5
  CHECK(s == Shape{5, 0});
  s.set(0, Shape::max_elements);
  CHECK(s[0] == Shape::max_elements);
}

TEST_CASE("shape: broadcasting aligns the last axes and stretches extents of 1") {
  CHECK(broadcast({2, 3}, {3}) == Shape{2, 3});
  CHECK(broadcast({3}, {2, 3}) == Shape{2, 3});
  CHECK(broadcast({2, 1}, {1, 3}) == Shape{2, 3});
  CHECK(broadcast({}, {4}) == Shape{4});
  CHECK(broadcast({}, {}) == Shape{});
  CHECK(broadcast({1}, {0}) == Shape{0});
  CHECK(broadcast({0}, {1}) == Shape{0});
  CHECK_FALSE(broadcast({2}, {3}).has_value());
  CHECK_FALSE(broadcast({0}, {3}).has_value());
  CHECK_FALSE(broadcast({2, 3}, {2}).has_value());
  CHECK_THROWS_AS((void)broadcast({Index{1} << 40, 1}, {1, Index{1} << 40}), ShapeError);
}

TEST_CASE("shape: broadcast strides are zero where an axis is stretched") {
  const auto a = broadcast_strides({3, 1}, {2, 3, 4});
  CHECK(a[0] == 0);
  CHECK(a[1] == 1);
  CHECK(a[2] == 0);
  const auto b = broadcast_strides({2, 3, 4}, {2, 3, 4});
  CHECK(b[0] == 12);
  CHECK(b[1] == 4);
  CHECK(b[2] == 1);
}

TEST_CASE("shape: axes count from either end and are checked") {
  CHECK(axis_index(0, 3, "f") == 0);
  CHECK(axis_index(-1, 3, "f") == 2);
  CHECK(axis_index(-3, 3, "f") == 0);
  CHECK_THROWS_WITH_AS(axis_index(3, 3, "f"), "f: axis 3 is out of range for a tensor of rank 3", ShapeError);
  CHECK_THROWS_AS(axis_index(-4, 3, "f"), ShapeError);
  CHECK_THROWS_AS(axis_index(0, 0, "f"), ShapeError);
  CHECK_THROWS_AS(axis_index(std::numeric_limits<Index>::min(), 3, "f"), ShapeError);
  CHECK(normalize_axes({}, 3, "f") == Axes{0, 1, 2});
  CHECK(normalize_axes({-1, 0}, 3, "f") == Axes{0, 2});
  CHECK(normalize_axes({}, 0, "f").empty());
  CHECK_THROWS_WITH_AS(normalize_axes({1, -2}, 3, "f"), "f: axis 1 is named twice", ShapeError);
}
