// The vector kernels as one table of functions, compiled once per instruction set and chosen at start-up.
//
// All arrays are row-major and contiguous unless a stride says otherwise. No kernel allocates: those that need memory
// say how many bytes for which sizes, and get them 64-byte aligned. Work is cut by its size alone, and what one element
// of a result is summed from, in which order, depends on the sizes alone; so bits do not depend on the number of
// threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include <xgrad/graph/dtype.hpp>
#include <xgrad/graph/machine/parallel.hpp>
#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

// c[m, n] = op(a)[m, k] op(b)[k, n]. A transposed operand is stored as [k, m] or [n, k]. Strides are between rows as
// stored.
struct MatmulArgs {
  Index m = 0, n = 0, k = 0;
  const void* a = nullptr;
  const void* b = nullptr;
  void* c = nullptr;
  Index a_stride = 0, b_stride = 0, c_stride = 0;
  bool transpose_a = false, transpose_b = false;
  const RangeRef* on_rows_ready = nullptr;  // as KernelCall::on_rows_ready, for the rows of c
};

// How products of one set of sizes and strides are done: what costs as much as a small product and need not be found
// out again for each.
struct PreparedMatmul {
  using Run = void (*)(const PreparedMatmul&, const MatmulArgs&, void* scratch, const Parallel&);
  // So many tiles one below the other, of all columns and of all k.
  using Tiles = void (*)(const MatmulArgs& sizes, const void* a, const void* b, void* c, Index count);
  enum class Right : std::uint8_t { in_place, packed_by_each, packed_once };

  MatmulArgs sizes;  // without memory
  Run run = nullptr;
  Tiles tile = nullptr;  // of a product that is a single tile, instead of `run`
  std::size_t scratch_bytes = 0;
  Index row_blocks = 1;
  Right right = Right::in_place;
  bool pack_left = false;

  void operator()(const void* a, const void* b, void* c, void* scratch, const Parallel& parallel,
                  const RangeRef* on_rows_ready = nullptr) const {
    if (tile != nullptr) {
      tile(sizes, a, b, c, 1);
      if (on_rows_ready != nullptr) (*on_rows_ready)(0, sizes.m);
      return;
    }
    MatmulArgs args = sizes;
    args.a = a;
    args.b = b;
    args.c = c;
    args.on_rows_ready = on_rows_ready;
    run(*this, args, scratch, parallel);
  }
};

// A tensor seen as [outer, reduce, inner], reduced over the middle to [outer, inner].
struct ReduceArgs {
  const void* in = nullptr;
  void* out = nullptr;
  Index outer = 1, reduce = 1, inner = 1;
};

// Random numbers are Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", 2011):
// the key is the seed, the counter is (element / 4, stream, step).
struct RandomArgs {
  void* out = nullptr;
  Index count = 0;
  std::uint64_t seed = 0, step = 0;
  std::uint32_t stream = 0;
  Index first = 0;      // the number of the first element
  double a = 0, b = 1;  // low and high; mean and standard deviation; probability of 1 in `a`
};

struct Kernels {
  using Reduce = void (*)(const ReduceArgs&, void* scratch, const Parallel&);
  // to[r, c] = from[c, r] for all r < rows and c < columns; strides are between rows as stored, in elements.
  using Transpose = void (*)(const void* from, Index from_stride, void* to, Index to_stride, Index rows, Index columns);
  using Random = void (*)(const RandomArgs&, const Parallel&);

  PreparedMatmul (*prepare_matmul)(DType, const MatmulArgs&);  // f32 and f64
  // By dtype; null where there is no such kernel.
  Reduce sum[dtype_count];
  Reduce prod[dtype_count];
  Reduce any[dtype_count];
  Reduce all[dtype_count];
  Reduce max[dtype_count];
  Reduce min[dtype_count];
  // The same within blocks.
  BlockReductions block_sum, block_prod, block_max, block_min;
  std::size_t (*reduce_scratch)(DType, Index outer, Index reduce, Index inner);
  Transpose transpose_4, transpose_8;  // of elements of so many bytes
  Random uniform[dtype_count];
  Random normal[dtype_count];
  Random bernoulli[dtype_count];
};

// Those of the active instruction set.
const Kernels& kernels();

}  // namespace xgrad::inline v0
