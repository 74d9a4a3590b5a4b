// Helpers for operations along one axis.
#pragma once

#include <cstddef>
#include <span>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

// The attribute "axis"; throws ShapeError if it is out of range.
int axis_of(const Infer& in, int input = 0);

// A tensor seen as [outer, extent, inner] around one axis.
struct Around {
  Index outer = 1, extent = 1, inner = 1;
};
Around around(const Shape& shape, int axis);

// The shape without its last axes.
inline Shape without_last(const Shape& shape, int axes) { return Shape(std::span(shape.begin(), shape.end() - axes)); }

// Address of an element of a buffer.
inline char* at(void* data, Index element, DType dtype) {
  return static_cast<char*>(data) + element * static_cast<Index>(size_of(dtype));
}
inline const char* at(const void* data, Index element, DType dtype) {
  return static_cast<const char*>(data) + element * static_cast<Index>(size_of(dtype));
}

// Calls `f` with an unsigned integer of `bytes` bytes, to copy elements of any dtype.
template <class F>
void with_element(std::size_t bytes, F f) {
  if (bytes == 1)
    f(std::uint8_t{});
  else if (bytes == 4)
    f(std::uint32_t{});
  else
    f(std::uint64_t{});
}

}  // namespace xgrad::inline v0
