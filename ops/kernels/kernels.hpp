// Table of the vector kernels, compiled once per instruction set and selected at start-up.
//
// Arrays are row-major and contiguous unless a stride says otherwise. Kernels do not allocate: those that need scratch
// memory report its size, and get it 64-byte aligned. Work is split by size alone, and the summation order of an
// element depends on sizes alone, so results do not depend on the number of threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <xgrad/graph/dtype.hpp>
#include <xgrad/graph/machine/parallel.hpp>
#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

// c[m, n] = op(a)[m, k] op(b)[k, n]. A transposed operand is stored as [k, m] or [n, k]. Strides are the distances
// between stored rows.
struct MatmulArgs {
  Index m = 0, n = 0, k = 0;
  const void* a = nullptr;
  const void* b = nullptr;
  void* c = nullptr;
  Index a_stride = 0, b_stride = 0, c_stride = 0;
  bool transpose_a = false, transpose_b = false;
  const RangeRef* on_rows_ready = nullptr;  // see KernelCall::on_rows_ready; for the rows of c
};

// The algorithm for products of given sizes and strides. Choosing it costs as much as a small product, so it is
// prepared once.
struct PreparedMatmul {
  using Run = void (*)(const PreparedMatmul&, const MatmulArgs&, void* scratch, const Parallel&);
  // Computes `count` consecutive row tiles, of all columns and all of k.
  using Tiles = void (*)(const MatmulArgs& sizes, const void* a, const void* b, void* c, Index count);
  enum class Right : std::uint8_t { in_place, packed_by_each, packed_once };

  MatmulArgs sizes;  // without pointers
  Run run = nullptr;
  Tiles tile = nullptr;  // used instead of `run` for a product of a single tile
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

// Reduces a tensor viewed as [outer, reduce, inner] over the middle axis to [outer, inner].
struct ReduceArgs {
  const void* in = nullptr;
  void* out = nullptr;
  Index outer = 1, reduce = 1, inner = 1;
};

// Random numbers from Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", 2011).
// Key: seed; counter: (element / 4, stream, step).
struct RandomArgs {
  void* out = nullptr;
  Index count = 0;
  std::uint64_t seed = 0, step = 0;
  std::uint32_t stream = 0;
  Index first = 0;      // index of the first element
  double a = 0, b = 1;  // low, high; or mean, standard deviation; or probability of 1 in `a`
};

// One axis of a convolution: window i begins at position i * stride - before of x, and its elements are `dilation`
// apart. Elements outside of x are skipped, as if they were zeros times finite weights.
struct ConvAxis {
  Index in = 0, out = 0;  // extents of x and y
  Index window = 1, stride = 1, dilation = 1, before = 0;
};
// x: [images, rows.in, columns.in, channels], y: [images, rows.out, columns.out, filters], kernel: [rows.window,
// columns.window, channels / groups, filters].
struct ConvSizes {
  Index images = 0, channels = 0, filters = 0, groups = 1;
  ConvAxis rows, columns;
};

// Attention of query [heads, rows, depth], key [heads, keys, depth] and value [heads, keys, value_depth].
struct AttentionArgs {
  Index heads = 0, rows = 0, keys = 0, depth = 0, value_depth = 0;
  double scale = 1;
  bool causal = false;  // row i reads keys [0, i]
  const void* query = nullptr;
  const void* key = nullptr;
  const void* value = nullptr;
  const void* cotangent = nullptr;  // of the result; for gradients only
  // Elements that are added to the scores, or bools: where false, the score is -inf. Null: no mask.
  const void* mask = nullptr;
  bool keep_mask = false;                           // the mask is bool
  Index mask_row = 0;                               // elements between rows: 0 or `keys`
  Shape batch;                                      // the axes of `heads`
  std::array<Index, Shape::max_rank> mask_batch{};  // strides of the mask along them, in elements
  // Two i64 per head, of which a function draws the numbers for dropout. Null: no dropout.
  const std::int64_t* seeds = nullptr;
  double dropout = 0;
  void* out = nullptr;  // gradients: those of query, key and value, one after another
};

// Tables that each kernel file exports. Arrays are by dtype; null if there is no such kernel.
struct MatmulKernels {
  PreparedMatmul (*prepare_matmul)(DType, const MatmulArgs&);  // f32 and f64
};
struct ReduceKernels {
  using Reduce = void (*)(const ReduceArgs&, void* scratch, const Parallel&);
  Reduce sum[dtype_count], prod[dtype_count], max[dtype_count], min[dtype_count], any[dtype_count], all[dtype_count];
  std::size_t (*reduce_scratch)(DType, Index outer, Index reduce, Index inner);
  // The same, within the blocks of a block program.
  BlockReductions block_sum, block_prod, block_max, block_min;
};
struct RandomKernels {
  using Random = void (*)(const RandomArgs&, const Parallel&);
  Random uniform[dtype_count], normal[dtype_count], bernoulli[dtype_count];
};
struct MoveKernels {
  // to[r, c] = from[c, r] for all r < rows and c < columns; strides are in elements, between stored rows.
  using Transpose = void (*)(const void* from, Index from_stride, void* to, Index to_stride, Index rows, Index columns);
  Transpose transpose_4, transpose_8;  // for elements of 4 and 8 bytes
};
struct ConvKernels {
  // The convolution y(x, kernel), the gradients x(y, kernel) and kernel(x, y), or the scratch bytes of one of them.
  enum class ConvPart : std::uint8_t { output, input_gradient, kernel_gradient };
  using Convolve = void (*)(ConvPart, const ConvSizes&, const void* a, const void* b, void* out, void* scratch,
                            const Parallel&, const RangeRef* on_rows_ready);
  using ConvScratch = std::size_t (*)(ConvPart, const ConvSizes&);
  Convolve convolve[dtype_count];  // f32 and f64; on_rows_ready: see KernelCall, not for the kernel gradient
  ConvScratch conv_scratch[dtype_count];
};
struct AttentionKernels {
  using Attend = void (*)(const AttentionArgs&, void* scratch, const Parallel&);
  Attend attend[dtype_count];  // f32 and f64; with a cotangent, the gradients
  std::size_t (*attention_scratch)(DType, const AttentionArgs& sizes, bool gradient);
};
struct Kernels : MatmulKernels, ReduceKernels, RandomKernels, MoveKernels, ConvKernels, AttentionKernels {};

// The arguments that draw `count` numbers for dropout of a head, from element `first` of its scores on: 1 with
// probability 1 - dropout, else 0.
inline RandomArgs dropout_args(const std::int64_t* seeds, double dropout, Index first, Index count, void* out) {
  const std::uint64_t seed = static_cast<std::uint64_t>(seeds[0]) << 32 ^ static_cast<std::uint64_t>(seeds[1]);
  return {.out = out, .count = count, .seed = seed, .first = first, .a = 1 - dropout};
}

// The kernels of the active instruction set.
const Kernels& kernels();

}  // namespace xgrad::inline v0
