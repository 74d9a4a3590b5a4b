// Kernels that compute rows one by one and have an epilogue.
#pragma once

#include <algorithm>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

// Calls task(first, count, n) in parallel for ranges of rows of n elements, the last axes of the output. Reports the
// rows as ready in portions that an epilogue finds in the L1 cache.
template <class Task>
void for_ready_rows(const KernelCall& call, Index n, Task task) {
  constexpr Index task_elements = 1 << 14, ready_elements = 1 << 12;
  const Shape& shape = call.output.type.shape;
  if (shape.elements() == 0) return;
  const Index lines = n / shape.back();  // rows of the last axis, as on_rows_ready counts them
  const Index some = std::max<Index>(1, ready_elements / n);
  for_stretches(call.parallel, shape.elements() / n, std::max(some, task_elements / n), [&](Index first, Index last) {
    for (Index row = first; row < last; row += some) {
      const Index end = std::min(last, row + some);
      task(row, end - row, n);
      if (call.on_rows_ready != nullptr) (*call.on_rows_ready)(row * lines, end * lines);
    }
  });
}

}  // namespace xgrad::inline v0
