// Matrix product. Compiled once per instruction set.
//
// Note [Blocking]. The sums over k are cut into blocks of at most `max_block` terms. An element is the sum, in order,
// of its blocks, and a block is a chain of fused multiply-adds, in order from zero. So results depend on k alone,
// whatever the tiles, the packing and the threads. Only for a vector times rows stored contiguously are the lanes of
// vectors summed instead (matmul_vector.hpp). Rows are cut into blocks small enough for a fused epilogue to find them
// in the cache. A block of rows iterates over the blocks of k and, within each, over the panels of b, which is
//   - read in place if rows are few or short, where packing costs more than it saves;
//   - packed by each task on its stack if it is small;
//   - packed once, by all threads, for all tasks if it is large.
// a is read in place, one element at a time. A block of it is packed only if it would be read at long strides or often:
// see Note [Packing a].
#include <algorithm>

#include <xgrad/ops/kernels/kernel_tables.hpp>
#include <xgrad/ops/kernels/matmul_tile.hpp>
#include <xgrad/ops/kernels/matmul_vector.hpp>

namespace xgrad::inline v0 {
namespace {

// A panel of this length fills most of the L1 cache.
constexpr Index max_block = 384;
// Products of fewer multiply-adds run on one thread. Starting threads is cheap, but data must move between the cores'
// caches.
constexpr Index parallel_work = 200'000;
// Minimum number of row or column blocks of a product that runs in parallel.
constexpr Index least_tasks = 8;
// Bytes of a row block of the result: a fraction of the L2 cache.
constexpr Index result_block = 1 << 16;
// A packed b of more bytes is read from memory for each row block, so row blocks should then be few and large.
constexpr Index large_operand = 1 << 23;
constexpr Index large_result_block = 1 << 19;
// b is read in place if its rows have at most this many bytes.
constexpr Index short_row = 256;
// If b has at most this many bytes, each task packs it on its stack.
constexpr Index small_operand = 1 << 17;

// Bytes of b that stay in the L1 cache while tiles iterate over them.
constexpr Index small_block = 1 << 14;

// Row stride of the copied rows of a, in elements.
template <class T>
constexpr Index copied_row = max_block + simd::width<T>;

template <class T>
constexpr auto bytes_of = static_cast<Index>(sizeof(T));
template <class T>
constexpr Index most_rows = 512 / bytes_of<T>;

constexpr Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

// Length of the blocks of k, which are nearly equal.
Index block_length(Index k) { return k <= max_block ? k : ceil_div(k, ceil_div(k, max_block)); }

using Right = PreparedMatmul::Right;

// Number of elements of packed b.
template <class T>
Index packed_size(const MatmulArgs& args) {
  return vectors_of<T>(args.n) * simd::width<T> * args.k;
}

Index work(const MatmulArgs& args) { return args.m * args.n * args.k; }

template <class T>
Right right_of(const MatmulArgs& args) {
  const bool read_few_times = args.m <= 2 * tile_rows || args.n * bytes_of<T> <= short_row;
  if (read_few_times && !args.transpose_b && args.n >= simd::width<T>) return Right::in_place;
  return packed_size<T>(args) * bytes_of<T> <= small_operand ? Right::packed_by_each : Right::packed_once;
}

// Number of row blocks, of nearly equal height.
template <class T>
Index count_row_blocks(const MatmulArgs& args, Right right) {
  const Index least = 2 * tile_rows * (right == Right::packed_once ? 2 : 1);
  const bool small = work(args) <= parallel_work;
  if (args.m <= least || (small && args.m <= most_rows<T> && args.m * args.n * bytes_of<T> <= result_block)) return 1;
  const bool large = packed_size<T>(args) * bytes_of<T> > large_operand;
  Index rows = std::clamp((large ? large_result_block : result_block) / (args.n * bytes_of<T>), least, most_rows<T>);
  if (!small) rows = std::min(rows, std::max(least, ceil_div(args.m, least_tasks)));
  return args.m <= rows ? 1 : ceil_div(args.m, 2 * rows) * 2;
}

// Note [Packing a]. A transposed a is packed in the order in which tiles read it. Otherwise a tile reads its rows side
// by side. Rows a multiple of 4096 bytes apart map to the same sets of the 8-way L1 cache; a tile of more than 8 such
// rows thrashes. Copy those rows first.
constexpr Index l1_alias_stride = 4096;
template <class T>
bool should_pack_a(const MatmulArgs& args) {
  if (args.n <= panel_columns<T>) return false;
  if (args.transpose_a) return args.n * bytes_of<T> > short_row || args.a_stride * bytes_of<T> % 1024 == 0;
  return tile_rows > 8 && args.m > 8 && args.n > 8 * panel_columns<T> &&
         args.a_stride * bytes_of<T> % l1_alias_stride == 0;
}

template <class T>
bool is_small(const MatmulArgs& args) {
  constexpr Index w = simd::width<T>;
  if (args.transpose_b || args.m > most_rows<T> || args.k > max_block) return false;
  if (args.n < w && (!simd::masked || args.n == 1)) return false;
  if (args.m <= few_rows && args.n >= wide_vectors[args.m - 1] * w) return false;
  if (args.transpose_a && args.a_stride * bytes_of<T> % 1024 == 0) return false;
  return args.n * args.k * bytes_of<T> <= small_block && args.m * args.n * bytes_of<T> <= result_block;
}

struct Range {
  Index first, last;
};
// The i-th of `parts` nearly equal ranges.
Range part(Index all, Index parts, Index i) { return {all * i / parts, all * (i + 1) / parts}; }
// The i-th of `parts` ranges of full panels; the last range also takes the remaining columns.
template <class T>
Range part_of_columns(Index n, Index parts, Index i) {
  constexpr Index w = panel_columns<T>;
  const Range out = part(n / w, parts, i);
  return {out.first * w, i + 1 == parts ? n : out.last * w};
}

// Multiplies a block of rows by a range of columns in full panels, reading b in place.
template <class T>
void multiply_in_place(const MatmulArgs& args, Range rows, Range columns) {
  constexpr Index w = simd::width<T>;
  const T* a = static_cast<const T*>(args.a) + rows.first * (args.transpose_a ? 1 : args.a_stride);
  const T* b = static_cast<const T*>(args.b);
  T* c = static_cast<T*>(args.c) + rows.first * args.c_stride;
  const Index count = rows.last - rows.first;
  const Rows<T> tiles(count, args.transpose_a, args.transpose_a ? 1 : args.a_stride, 0, args.c_stride);
  const Index wide = count <= few_rows ? wide_vectors[count - 1] * w : 0;
  const Index length = block_length(args.k);
  TileArgs layout{length, args.a_stride, args.b_stride, args.c_stride, 0, w, 0, true};
  for (Index k = 0; k < args.k; k += length) {
    layout.length = std::min(length, args.k - k);
    layout.first = k == 0;
    Index j = columns.first;
    if (wide > 0) {
      layout.columns = wide;
      layout.b_last = wide - w;
      const TileFn<T> run = wide_tiles<T>[args.transpose_a ? 1 : 0][count - 1];
      for (; columns.last - j == wide || columns.last - j >= wide + w; j += wide) run(layout, 1, a, b + j, c + j);
    }
    for (; j < columns.last; j += layout.columns) {
      layout.columns = next_columns<T>(columns.last - j);
      layout.b_last = layout.columns - w;
      tiles.run(layout, vectors_of<T>(layout.columns), a, b + j, c + j);
    }
    a += length * (args.transpose_a ? args.a_stride : 1);
    b += length * args.b_stride;
  }
}

// Like the function above, with packed b.
template <class T, bool pack_left>
void multiply_packed(const MatmulArgs& args, const T* packed, Range rows, Range columns) {
  constexpr Index w = simd::width<T>;
  constexpr Index most_packed =
      std::max((most_rows<T> / tile_rows + 2) * packed_tile(max_block), most_rows<T> * copied_row<T>);
  alignas(64) T packed_left[static_cast<std::size_t>(pack_left ? most_packed : 1)];
  const T* a = static_cast<const T*>(args.a) + rows.first * (args.transpose_a ? 1 : args.a_stride);
  T* c = static_cast<T*>(args.c) + rows.first * args.c_stride;
  const Index length = block_length(args.k);
  const bool by_tiles = pack_left && args.transpose_a;  // else copied row by row
  const Index a_row = by_tiles ? tile_rows : pack_left ? copied_row<T> : args.a_stride;
  TileArgs layout{length, a_row, 2 * w, args.c_stride, 0, w, 0, true};
  for (Index k = 0; k < args.k; k += length) {
    layout.length = std::min(length, args.k - k);
    layout.first = k == 0;
    if constexpr (pack_left) {
      if (by_tiles)
        pack_tiles<T>(args, k, layout.length, rows.first, rows.last, packed_left);
      else
        copy_rows<T>(args, k, layout.length, rows.first, rows.last, packed_left, copied_row<T>);
    }
    const Rows<T> tiles(rows.last - rows.first, args.transpose_a, args.transpose_a ? 1 : a_row,
                        by_tiles ? packed_tile(layout.length) : 0, args.c_stride);
    for (Index j = columns.first; j < columns.last; j += layout.columns) {
      layout.columns = next_columns<T>(columns.last - j);
      const Index vectors = vectors_of<T>(layout.columns);
      layout.b_stride = vectors * w;
      layout.b_last = (vectors - 1) * w;
      tiles.run(layout, vectors, pack_left ? packed_left : a, packed + j * layout.length, c + j);
    }
    a += length * (args.transpose_a ? args.a_stride : 1);
    packed += length * vectors_of<T>(args.n) * w;
  }
}

// Multiplies a block of rows by a range of columns. `packed` is null if b is read in place.
template <class T>
void multiply_block(const MatmulArgs& args, bool pack_left, const T* packed, Range rows, Range columns) {
  if (packed == nullptr)
    multiply_in_place<T>(args, rows, columns);
  else if (pack_left)
    multiply_packed<T, true>(args, packed, rows, columns);
  else
    multiply_packed<T, false>(args, packed, rows, columns);
}

// Packs the columns [first, last), in full panels, of all rows of b.
template <class T>
void pack_right(const MatmulArgs& args, Range columns, T* packed) {
  constexpr Index w = simd::width<T>;
  const Index length = block_length(args.k);
  for (Index k = 0; k < args.k; k += length) {
    const Index now = std::min(length, args.k - k);
    T* to = packed + k * vectors_of<T>(args.n) * w;
    Index j = columns.first;
    constexpr Index at_once = panels_at_once * panel_columns<T>;
    for (; !args.transpose_b && (columns.last - j >= at_once + w || columns.last - j == at_once); j += at_once)
      pack_panels<T>(args, k, now, j, to + j * now);
    while (j < columns.last) {
      const Index panel = next_columns<T>(columns.last - j);
      pack_panel<T>(args, k, now, j, panel, to + j * now);
      j += panel;
    }
  }
}

void report(const MatmulArgs& args, Range rows) {
  if (args.on_rows_ready != nullptr && rows.first < rows.last) (*args.on_rows_ready)(rows.first, rows.last);
}

// Multiplies the row blocks [first, last), packing b in this task.
template <class T>
void pack_and_multiply(const PreparedMatmul& how, const MatmulArgs& args, Range blocks) {
  alignas(64) T packed[small_operand / sizeof(T)];
  pack_right<T>(args, {0, args.n}, packed);
  for (Index i = blocks.first; i < blocks.last; ++i) {
    const Range rows = part(args.m, how.row_blocks, i);
    multiply_block<T>(args, how.pack_left, packed, rows, {0, args.n});
    report(args, rows);
  }
}

template <class T>
void multiply(const PreparedMatmul& how, const MatmulArgs& args, void* scratch, const Parallel& parallel) {
  const bool spread = parallel.threads() > 1 && work(args) > parallel_work;
  const Parallel threads = spread ? parallel : Parallel(1);
  if (how.right == Right::packed_by_each) {
    const Index tasks = std::min<Index>(threads.threads(), how.row_blocks);
    return threads.for_each(tasks, [&](Index i) { pack_and_multiply<T>(how, args, part(how.row_blocks, tasks, i)); });
  }
  T* const packed = how.right == Right::packed_once ? static_cast<T*>(scratch) : nullptr;
  if (packed != nullptr) {
    const Index most = std::max<Index>(1, args.n / (panels_at_once * panel_columns<T>));
    const Index tasks = std::clamp<Index>(args.n * args.k >> 14, 1, std::min<Index>(most, 64));
    threads.for_each(tasks, [&](Index i) { pack_right<T>(args, part_of_columns<T>(args.n, tasks, i), packed); });
  }
  // Split columns only if there are too few row blocks, and not if rows must complete in one task.
  Index column_blocks = 1;
  if (spread && how.row_blocks < least_tasks && (args.on_rows_ready == nullptr || how.row_blocks == 1)) {
    column_blocks = std::clamp<Index>(args.n / (4 * panel_columns<T>), 1, ceil_div(least_tasks, how.row_blocks));
  }
  threads.for_each(how.row_blocks * column_blocks, [&](Index i) {
    const Range rows = part(args.m, how.row_blocks, i / column_blocks);
    multiply_block<T>(args, how.pack_left, packed, rows, part_of_columns<T>(args.n, column_blocks, i % column_blocks));
    if (column_blocks == 1) report(args, rows);
  });
  if (column_blocks > 1) report(args, {0, args.m});
}

// A product with a single row or column: a vector times a matrix, as dot products or as a weighted sum of rows.
struct VectorProduct {
  bool along_rows = false;  // dot products with matrix rows; otherwise a weighted sum of the rows
  const void* x = nullptr;
  const void* matrix = nullptr;
  Index x_stride = 0, stride = 0, count = 0, out_stride = 1;
};

// Whether the product is faster as a VectorProduct than by tiles; sets `out`.
template <class T>
bool vector_product(const MatmulArgs& args, VectorProduct& out) {
  if (args.n == 1) {
    const Index b_step = args.transpose_b ? 1 : args.b_stride;
    out = {!args.transpose_a, args.b, args.a, b_step, args.a_stride, args.m, args.c_stride};
  } else if (args.m == 1) {
    out = {args.transpose_b, args.a, args.b, args.transpose_a ? args.a_stride : 1, args.b_stride, args.n, 1};
  } else {
    return false;
  }
  if (out.along_rows) return out.x_stride == 1;
  return out.out_stride == 1 && out.count >= 16 * simd::width<T>;
}

template <class T>
void multiply_vector(const PreparedMatmul& /*how*/, const MatmulArgs& args, void* /*scratch*/,
                     const Parallel& parallel) {
  VectorProduct v;
  vector_product<T>(args, v);
  const T* x = static_cast<const T*>(v.x);
  const T* matrix = static_cast<const T*>(v.matrix);
  T* c = static_cast<T*>(args.c);
  const Index length = block_length(args.k);
  const Index tasks = std::clamp<Index>(v.count * args.k / parallel_work, 1, least_tasks);
  (tasks > 1 ? parallel : Parallel(1)).for_each(tasks, [&](Index i) {
    const Range r = part(ceil_div(v.count, 16), tasks, i);
    const Index first = r.first * 16, count = std::min(v.count, r.last * 16) - first;
    if (v.along_rows)
      dot_all<T>(args.k, x, count, matrix + first * v.stride, v.stride, c + first * v.out_stride, v.out_stride);
    else
      add_all<T>(args.k, length, x, v.x_stride, matrix + first, v.stride, count, c + first);
    if (args.n == 1) report(args, {first, first + count});
  });
  if (args.n != 1) report(args, {0, 1});
}

// The tile functions of small products, by number of rows - 1.
template <class T>
const PreparedMatmul::Tiles* small_tiles(const MatmulArgs& args) {
  return (args.n <= simd::width<T> ? tiles<T>.narrow : tiles<T>.small)[args.transpose_a ? 1 : 0];
}

// Small products: calls the tile function without further setup.
template <class T>
void multiply_small(const PreparedMatmul& how, const MatmulArgs& args, void* /*scratch*/, const Parallel& parallel) {
  const PreparedMatmul::Tiles* run = small_tiles<T>(args);
  const Index a_row = args.transpose_a ? 1 : args.a_stride;
  const auto block = [&](Range rows) {
    for (Index row = rows.first; row < rows.last;) {
      const Tiles next = next_tiles(rows.last - row);
      run[next.rows - 1](args, static_cast<const T*>(args.a) + row * a_row, args.b,
                         static_cast<T*>(args.c) + row * args.c_stride, next.count);
      row += next.rows * next.count;
    }
    report(args, rows);
  };
  if (how.row_blocks == 1) return block({0, args.m});
  parallel.for_each(how.row_blocks, [&](Index i) { block(part(args.m, how.row_blocks, i)); });
}

// The product for k = 0: all elements are empty sums.
template <class T>
void multiply_nothing(const PreparedMatmul& /*how*/, const MatmulArgs& args, void* /*scratch*/,
                      const Parallel& /*parallel*/) {
  for (Index i = 0; i < args.m; ++i) std::fill_n(static_cast<T*>(args.c) + i * args.c_stride, args.n, T(0));
  report(args, {0, args.m});
}

template <class T>
PreparedMatmul prepare_for(const MatmulArgs& sizes) {
  PreparedMatmul out{.sizes = sizes};
  VectorProduct vector;
  if (work(sizes) == 0) {
    out.run = multiply_nothing<T>;
  } else if (is_small<T>(sizes)) {
    out.run = multiply_small<T>;
    if (sizes.m <= tile_rows) out.tile = small_tiles<T>(sizes)[sizes.m - 1];
    if (work(sizes) > parallel_work) out.row_blocks = count_row_blocks<T>(sizes, Right::in_place);
  } else if (vector_product<T>(sizes, vector)) {
    out.run = multiply_vector<T>;
  } else {
    out.run = multiply<T>;
    out.right = right_of<T>(sizes);
    out.row_blocks = count_row_blocks<T>(sizes, out.right);
    out.pack_left = should_pack_a<T>(sizes);
    if (out.right == Right::packed_once)
      out.scratch_bytes = static_cast<std::size_t>(packed_size<T>(sizes) * bytes_of<T>);
  }
  return out;
}

PreparedMatmul prepare(DType dtype, const MatmulArgs& sizes) {
  return dtype == DType::f32 ? prepare_for<float>(sizes) : prepare_for<double>(sizes);
}

}  // namespace

namespace XGRAD_ISA {
const MatmulKernels matmul_kernels = {prepare};
}  // namespace XGRAD_ISA
}  // namespace xgrad::inline v0
