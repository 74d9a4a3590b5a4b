// Assigns arena offsets to buffers with known lifetimes. Buffers that are live at the same time never share memory.
#pragma once

#include <cstddef>
#include <vector>

namespace xgrad::inline v0 {

// A buffer that must exist from step `first` to step `last`, both included.
struct Lifetime {
  std::size_t bytes = 0;
  int first = 0;
  int last = 0;
};

struct MemoryPlan {
  std::vector<std::size_t> offsets;  // of each buffer, multiples of 64
  std::size_t total = 0;
};

// Best fit, in order of `first`: each buffer takes the smallest free range that holds it, in O(n log n). With `reuse`
// false no buffers share memory. Throws OutOfMemoryError if the total size overflows.
MemoryPlan place_buffers(const std::vector<Lifetime>& buffers, bool reuse = true);

}  // namespace xgrad::inline v0
