#include <xgrad/graph/shape.hpp>

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/source_location_scope.hpp>

namespace xgrad::inline v0 {

Shape::Shape(std::span<const Index> extents) {
  for (Index extent : extents) push_back(extent);
}

void Shape::push_back(Index extent) {
  if (rank_ == max_rank) throw ShapeError(fmt::format("shape: more than {} axes", max_rank));
  if (!fits(rank_, extent))
    throw ShapeError(fmt::format("shape: too many elements: {} with another axis of {}", str(), extent));
  extents_[static_cast<std::size_t>(rank_++)] = extent;
}

void Shape::set(int axis, Index extent) {
  if (axis < 0 || axis >= rank_) throw ShapeError(fmt::format("shape: {} has no axis {}", str(), axis));
  if (!fits(axis, extent))
    throw ShapeError(fmt::format("shape: too many elements: {} with {} on axis {}", str(), extent, axis));
  extents_[static_cast<std::size_t>(axis)] = extent;
}

// The limit keeps later element and byte counts from overflowing. An extent of 0 counts as 1, since a reduction over
// that axis can remove it and leave the product of the others.
bool Shape::fits(int axis, Index extent) const {
  if (extent < 0) throw ShapeError(fmt::format("shape: negative extent {} on axis {}", extent, axis));
  Index product = std::max<Index>(extent, 1);
  for (int other = 0; other < rank_; ++other) {
    if (other != axis && __builtin_mul_overflow(product, std::max<Index>((*this)[other], 1), &product)) return false;
  }
  return product <= max_elements;
}

Index Shape::elements() const {
  Index n = 1;
  for (Index extent : *this) n *= extent;
  return n;
}

std::array<Index, Shape::max_rank> Shape::strides() const {
  std::array<Index, max_rank> out{};
  Index stride = 1;
  for (int axis = rank_ - 1; axis >= 0; --axis) {
    out[static_cast<std::size_t>(axis)] = stride;
    stride *= (*this)[axis];
  }
  return out;
}

std::string Shape::str() const { return fmt::format("[{}]", fmt::join(begin(), end(), ", ")); }

bool operator==(const Shape& a, const Shape& b) {
  return a.rank_ == b.rank_ && std::equal(a.begin(), a.end(), b.begin());
}

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  Shape out;
  for (int axis = 0; axis < rank; ++axis) {
    const int in_a = axis - (rank - a.rank());
    const int in_b = axis - (rank - b.rank());
    const Index from_a = in_a < 0 ? 1 : a[in_a];
    const Index from_b = in_b < 0 ? 1 : b[in_b];
    if (from_a != from_b && from_a != 1 && from_b != 1) return std::nullopt;
    out.push_back(from_a == 1 ? from_b : from_a);
  }
  return out;
}

std::array<Index, Shape::max_rank> broadcast_strides(const Shape& from, const Shape& to) {
  std::array<Index, Shape::max_rank> out{};
  const auto dense = from.strides();
  const int shift = to.rank() - from.rank();
  for (int axis = 0; axis < from.rank(); ++axis) {
    if (from[axis] != 1)
      out[static_cast<std::size_t>(axis) + static_cast<std::size_t>(shift)] = dense[static_cast<std::size_t>(axis)];
  }
  return out;
}

int axis_index(Index axis, int rank, const char* where) {
  if (axis < -rank || axis >= rank) {
    throw ShapeError(fmt::format("{}: axis {} is out of range for a tensor of rank {}",
                                 SourceLocationScope::function_or(where), axis, rank));
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

Axes normalize_axes(const Axes& axes, int rank, const char* where) {
  Axes out;
  if (axes.empty()) {
    for (int axis = 0; axis < rank; ++axis) out.push_back(axis);
    return out;
  }
  for (Index axis : axes) out.push_back(axis_index(axis, rank, where));
  std::sort(out.begin(), out.end());
  const auto repeated = std::adjacent_find(out.begin(), out.end());
  if (repeated != out.end())
    throw ShapeError(fmt::format("{}: axis {} is named twice", SourceLocationScope::function_or(where), *repeated));
  return out;
}

}  // namespace xgrad::inline v0
