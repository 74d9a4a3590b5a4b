// Tables of kernels that each kernel file exports per instruction set; kernels.cpp merges them.
#pragma once

#include <xgrad/ops/kernels/isa.hpp>
#include <xgrad/ops/kernels/kernels.hpp>

namespace xgrad::inline v0 {

struct MatmulKernels {
  PreparedMatmul (*prepare)(DType, const MatmulArgs&);
};
struct ReduceKernels {
  Kernels::Reduce sum[dtype_count], prod[dtype_count], max[dtype_count], min[dtype_count], any[dtype_count],
      all[dtype_count];
  std::size_t (*scratch)(DType, Index, Index, Index);
  BlockReductions block_sum, block_prod, block_max, block_min;
};
struct RandomKernels {
  Kernels::Random uniform[dtype_count], normal[dtype_count], bernoulli[dtype_count];
};

struct MoveKernels {
  Kernels::Transpose transpose_4, transpose_8;
};

#define XGRAD_DECLARE_TABLES(isa, unused)    \
  namespace isa {                            \
  extern const MatmulKernels matmul_kernels; \
  extern const ReduceKernels reduce_kernels; \
  extern const RandomKernels random_kernels; \
  extern const MoveKernels move_kernels;     \
  }
XGRAD_FOR_EACH_ISA(XGRAD_DECLARE_TABLES, )
#undef XGRAD_DECLARE_TABLES

}  // namespace xgrad::inline v0
