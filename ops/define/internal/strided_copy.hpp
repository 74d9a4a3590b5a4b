// Copies between strided layouts, used by all operations that only move elements.
#pragma once

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

using Strides = std::array<Index, Shape::max_rank>;

// to[sum(i * to_strides)] = from[sum(i * from_strides)] for every index i of `shape`; strides count elements of
// `element_bytes` and may be 0 (in `from`) or negative. Runs in parallel where the work is large.
void strided_copy(const Shape& shape, const void* from, const Strides& from_strides, void* to,
                  const Strides& to_strides, std::size_t element_bytes, const Parallel& parallel);

}  // namespace xgrad::inline v0
