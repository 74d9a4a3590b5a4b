// One axis of a tensor, and what lies around it: what operations along an axis share.
#pragma once

#include <cstddef>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

// The axis an attribute names; throws if the input has no such axis.
int axis_of(const Infer& in, int input = 0);

// A tensor seen as [outer, extent, inner] around one axis.
struct Around {
  Index outer = 1, extent = 1, inner = 1;
};
Around around(const Shape& shape, int axis);

// Where an element of a buffer begins.
inline char* at(void* data, Index element, DType dtype) {
  return static_cast<char*>(data) + element * static_cast<Index>(size_of(dtype));
}
inline const char* at(const void* data, Index element, DType dtype) {
  return static_cast<const char*>(data) + element * static_cast<Index>(size_of(dtype));
}

// Calls `f` with an unsigned number of so many bytes: what moves elements of any dtype.
template <class F>
void with_element(std::size_t bytes, F f) {
  if (bytes == 1)
    f(std::uint8_t{});
  else if (bytes == 4)
    f(std::uint32_t{});
  else
    f(std::uint64_t{});
}

// Calls task(first, last) for stretches of [0, count), each of at most `size` and at least one, in parallel.
template <class F>
void for_stretches(const Parallel& parallel, Index count, Index size, const F& task) {
  const Index step = size < 1 ? 1 : size;
  parallel.for_each((count + step - 1) / step, [&](Index i) {
    const Index first = i * step;
    task(first, first + step < count ? first + step : count);
  });
}

}  // namespace xgrad::inline v0
