// The tables of kernels of each instruction set; kernels.cpp merges those of the active one.
#pragma once

#include <xgrad/ops/kernels/isa.hpp>
#include <xgrad/ops/kernels/kernels.hpp>

namespace xgrad::inline v0 {

#define XGRAD_DECLARE_TABLES(isa, unused)          \
  namespace isa {                                  \
  extern const MatmulKernels matmul_kernels;       \
  extern const ReduceKernels reduce_kernels;       \
  extern const RandomKernels random_kernels;       \
  extern const MoveKernels move_kernels;           \
  extern const ConvKernels conv_kernels;           \
  extern const AttentionKernels attention_kernels; \
  }
XGRAD_FOR_EACH_ISA(XGRAD_DECLARE_TABLES, )
#undef XGRAD_DECLARE_TABLES

}  // namespace xgrad::inline v0
