// Table of the kernels of pooling, compiled once per instruction set.
#pragma once

#include <xgrad/ops/kernels/isa.hpp>
#include <xgrad/ops/kernels/kernels.hpp>

namespace xgrad::inline v0 {

// Windows slide over images of shape [images, rows.in, columns.in, channels]; `filters` and `groups` are unused. Arrays
// are by dtype; null if there is no such kernel.
struct PoolKernels {
  // out[window] = the value at the position of the window's first largest score; `values` may be `scores`. The reverse
  // adds each value of a window to that position of zeros. Each window must have elements inside the image.
  using MaxPool = void (*)(const ConvSizes&, const void* values, const void* scores, void* out, const Parallel&);
  MaxPool max_pool[dtype_count], max_scatter[dtype_count];  // f32 and f64; the first also i64
  // out[window] = the mean of the window's elements, or of those inside the image. The reverse adds each value, divided
  // by the same number, to the elements of its window.
  using MeanPool = void (*)(const ConvSizes&, bool count_padding, const void* in, void* out, const Parallel&);
  MeanPool mean_pool[dtype_count], mean_scatter[dtype_count];  // f32 and f64
};

#define XGRAD_DECLARE_TABLE(isa, unused) \
  namespace isa {                        \
  extern const PoolKernels pool_kernels; \
  }
XGRAD_FOR_EACH_ISA(XGRAD_DECLARE_TABLE, )
#undef XGRAD_DECLARE_TABLE

}  // namespace xgrad::inline v0
