// Transposition. Compiled once per instruction set.
#include <algorithm>

#include <xgrad/ops/kernels/kernel_tables.hpp>
#include <xgrad/ops/kernels/simd.hpp>

namespace xgrad::inline v0 {
namespace {

// Works on squares of full cache lines, and within them on blocks that are transposed in registers. Larger squares
// would thrash: elements a large power of two apart share few cache sets.
template <class T>
void transpose(const void* source, Index from_stride, void* target, Index to_stride, Index rows, Index columns) {
  constexpr Index side = simd::transpose_side<T>;
  constexpr Index line = 64 / static_cast<Index>(sizeof(T));
  const T* from = static_cast<const T*>(source);
  T* to = static_cast<T*>(target);
  const auto one_by_one = [&](Index first_row, Index last_row, Index first_column, Index last_column) {
    for (Index r = first_row; r < last_row; ++r) {
      for (Index c = first_column; c < last_column; ++c) {
        std::memcpy(to + r * to_stride + c, from + c * from_stride + r,
                    sizeof(T));  // not as T: a load could change NaNs
      }
    }
  };
  const Index whole_rows = rows / side * side;
  const Index whole_columns = columns / side * side;
  for (Index r0 = 0; r0 < whole_rows; r0 += line) {
    for (Index c0 = 0; c0 < whole_columns; c0 += line) {
      for (Index c = c0; c < std::min(whole_columns, c0 + line); c += side) {
        for (Index r = r0; r < std::min(whole_rows, r0 + line); r += side) {
          simd::transpose_block(from + c * from_stride + r, from_stride, to + r * to_stride + c, to_stride);
        }
      }
    }
  }
  one_by_one(0, whole_rows, whole_columns, columns);
  one_by_one(whole_rows, rows, 0, columns);
}

}  // namespace

namespace XGRAD_ISA {
const MoveKernels move_kernels = {transpose<float>, transpose<double>};
}  // namespace XGRAD_ISA
}  // namespace xgrad::inline v0
