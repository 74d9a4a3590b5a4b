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

// Calls task(first, last) in parallel for ranges of [0, count) of at most max(size, 1) elements.
template <class F>
void for_stretches(const Parallel& parallel, Index count, Index size, const F& task) {
  const Index chunk = size < 1 ? 1 : size;
  parallel.for_each((count + chunk - 1) / chunk, [&](Index i) {
    const Index first = i * chunk;
    task(first, first + chunk < count ? first + chunk : count);
  });
}
// Calls f(i) for all i of [0, count), in such ranges.
template <class F>
void for_each_in_stretches(const Parallel& parallel, Index count, Index size, const F& f) {
  for_stretches(parallel, count, size, [&](Index first, Index last) {
    for (Index i = first; i < last; ++i) f(i);
  });
}

}  // namespace xgrad::inline v0
