// Shape: the extents of a tensor, and the broadcasting rule.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/base/index.hpp>

namespace xgrad::inline v0 {

// An axes argument, one axis or a list: `sum(x, 0)` or `sum(x, {0, 2})`.
class Axes : public std::vector<Index> {
 public:
  Axes() = default;
  template <std::integral I>
  requires(!std::same_as<I, bool>) Axes(I axis) : std::vector<Index>{static_cast<Index>(axis)} {}
  Axes(std::initializer_list<Index> axes) : std::vector<Index>(axes) {}
  Axes(std::vector<Index> axes) : std::vector<Index>(std::move(axes)) {}
};

// The extents of a tensor, outermost first. A Shape allocates no memory and has at most `max_rank` axes. Extents are at
// least 0. Their product is at most `max_elements`, where an extent of 0 counts as 1.
//
//   Shape s{2, 3};            // a matrix of two rows and three columns
//   s.elements() == 6;  s.str() == "[2, 3]";
class Shape {
 public:
  static constexpr int max_rank = 8;
  static constexpr Index max_elements = Index{1} << 56;

  Shape() = default;  // rank 0: one element, a scalar
  Shape(std::initializer_list<Index> extents) : Shape(std::span(extents.begin(), extents.size())) {}
  explicit Shape(std::span<const Index> extents);

  int rank() const { return rank_; }
  Index elements() const;
  // The extent of an axis in [0, rank), which is not checked; see `axis_index` for user input.
  Index operator[](int axis) const { return extents_[static_cast<std::size_t>(axis)]; }
  // Sets the extent of an axis. Throws ShapeError, leaving the shape unchanged, for an axis outside [0, rank), a
  // negative extent or more than max_elements.
  void set(int axis, Index extent);
  Index back() const { return extents_[static_cast<std::size_t>(rank_ - 1)]; }

  const Index* begin() const { return extents_.data(); }
  const Index* end() const { return extents_.data() + rank_; }

  // Appends an axis. Throws ShapeError for a negative extent, and for more than max_rank axes or max_elements.
  void push_back(Index extent);
  // Row-major strides in elements.
  std::array<Index, max_rank> strides() const;
  std::string str() const;

  friend bool operator==(const Shape& a, const Shape& b);

 private:
  // Whether the shape has at most max_elements if the axis gets this extent; throws ShapeError for a negative extent.
  bool fits(int axis, Index extent) const;

  std::array<Index, max_rank> extents_{};
  int rank_ = 0;
};

// The broadcast of two shapes by NumPy's rule: shapes are aligned at their last axes, and extents must be equal or 1.
// Empty if they do not broadcast.
std::optional<Shape> broadcast(const Shape& a, const Shape& b);

// Strides that read a tensor of shape `from` as `to`: 0 along broadcast axes. `from` must broadcast to `to`.
std::array<Index, Shape::max_rank> broadcast_strides(const Shape& from, const Shape& to);

// Maps an axis in [-rank, rank) to [0, rank). Throws ShapeError, beginning with `where`, for other axes.
int axis_index(Index axis, int rank, const char* where);

// Returns the axes sorted and in [0, rank); all axes for an empty list. Throws ShapeError for repeated axes and axes
// out of range.
Axes normalize_axes(const Axes& axes, int rank, const char* where);

}  // namespace xgrad::inline v0
