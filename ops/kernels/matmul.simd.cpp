// Matrix product. Compiled once per instruction set.
//
// Note [Blocking]. The right operand is packed into panels of `panel` columns, cut along k into blocks of at most
// `max_block` rows, so that a panel's block stays in the first-level cache while the tiles of the left operand pass by.
// A tile is up to `tile` rows of the left operand times one panel: its sums live in registers for a whole block of k.
// The left operand is read in place, transposed or not: a tile needs single numbers of it, which are broadcast. Each
// element of the result is summed over k in order within a block, and block after block, whatever the tiling.
#include <algorithm>
#include <array>
#include <utility>

#include <xgrad/ops/kernels/kernel_tables.hpp>
#include <xgrad/ops/kernels/simd.hpp>

namespace xgrad {
namespace {

// Rows: tile x 2 vectors of sums, 2 of the panel and 1 of the left fill the registers.
constexpr Index tile = simd::registers == 32 ? 12 : 6;
constexpr Index max_block = 256;
// Multiply-adds below which threads do not pay: starting them costs little, but what one core has made the other must
// fetch.
constexpr Index parallel_work = 1'000'000;

template <class T>
constexpr Index panel = 2 * simd::width<T>;

// Blocks of k of nearly equal length.
Index block_length(Index k) {
  const Index blocks = (k + max_block - 1) / max_block;
  return blocks == 0 ? 1 : (k + blocks - 1) / blocks;
}

// The left operand of a tile: where its first number is and how to reach the others.
template <class T>
struct Left {
  const T* at;
  Index row_stride;  // 1 if it is stored transposed
  Index k_stride;    // 1 if it is stored as it is read
};

// sums += left[rows, length] * panel[length, vectors]. `b_stride` is between rows of the panel.
template <class T, std::size_t rows, std::size_t vectors, bool transposed>
[[gnu::always_inline]] inline void multiply(Index length, Left<T> left, const T* b, Index b_stride,
                                            simd::Batch<T> (&sums)[rows][vectors]) {
  using B = simd::Batch<T>;
  const Index step = transposed ? left.k_stride : 1;
  for (Index k = 0; k < length; ++k) {
    B right[vectors];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < vectors; ++v) right[v] = simd::load(b + v * B::size);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < rows; ++r) {
      const B a(left.at[transposed ? static_cast<Index>(r) : static_cast<Index>(r) * left.row_stride]);
#pragma GCC unroll 4
      for (std::size_t v = 0; v < vectors; ++v) sums[r][v] = simd::fma(a, right[v], sums[r][v]);
    }
    left.at += step;
    b += b_stride;
  }
}

// One tile: c[rows, columns] (+)= left * panel.
template <class T, std::size_t rows, std::size_t vectors, bool transposed>
void run_tile(Index length, Left<T> left, const T* b, Index b_stride, T* c, Index c_stride, Index columns, bool first) {
  using B = simd::Batch<T>;
  constexpr Index w = simd::width<T>;
  B sums[rows][vectors];
#pragma GCC unroll 16
  for (std::size_t r = 0; r < rows; ++r) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < vectors; ++v) sums[r][v] = B(T(0));
  }
  multiply<T, rows, vectors, transposed>(length, left, b, b_stride, sums);
#pragma GCC unroll 16
  for (std::size_t r = 0; r < rows; ++r) {
    T* row = c + static_cast<Index>(r) * c_stride;
#pragma GCC unroll 4
    for (std::size_t v = 0; v < vectors; ++v) {
      const Index done = static_cast<Index>(v) * w;
      const Index left_over = columns - done;
      if (left_over >= w) {
        simd::store(row + done, first ? sums[r][v] : simd::load(row + done) + sums[r][v]);
      } else if (left_over > 0) {
        const B before = first ? B(T(0)) : simd::load_partial(row + done, left_over);
        simd::store_partial(row + done, first ? sums[r][v] : before + sums[r][v], left_over);
      }
    }
  }
}

template <class T>
using TileFn = void (*)(Index, Left<T>, const T*, Index, T*, Index, Index, bool);

template <class T, std::size_t vectors, bool transposed, std::size_t... row>
constexpr std::array<TileFn<T>, sizeof...(row)> tiles_of_rows(std::index_sequence<row...>) {
  return {run_tile<T, row + 1, vectors, transposed>...};
}

template <class T>
TileFn<T> choose_tile(Index rows, bool narrow, bool transposed) {
  constexpr auto all = std::make_index_sequence<static_cast<std::size_t>(tile)>();
  static constexpr std::array<TileFn<T>, static_cast<std::size_t>(tile)> of_rows[2][2] = {
      {tiles_of_rows<T, 2, false>(all), tiles_of_rows<T, 2, true>(all)},
      {tiles_of_rows<T, 1, false>(all), tiles_of_rows<T, 1, true>(all)}};
  return of_rows[narrow ? 1 : 0][transposed ? 1 : 0][static_cast<std::size_t>(rows - 1)];
}

// Copies columns [first, first + panel) of all k rows; columns beyond n are zero.
template <class T>
void pack_panel(const MatmulArgs& args, Index first, T* to) {
  constexpr Index w = panel<T>;
  const T* b = static_cast<const T*>(args.b);
  const Index columns = std::min(w, args.n - first);
  if (!args.transpose_b) {
    for (Index k = 0; k < args.k; ++k) {
      const T* from = b + k * args.b_stride + first;
      if (columns == w) {
        std::memcpy(to + k * w, from, sizeof(T) * static_cast<std::size_t>(w));
      } else {
        for (Index j = 0; j < w; ++j) to[k * w + j] = j < columns ? from[j] : T(0);
      }
    }
    return;
  }
  // Four rows of k at a time, so that each source line is used while it is at hand.
  Index k = 0;
  for (; k + 4 <= args.k; k += 4) {
    for (Index j = 0; j < w; ++j) {
      const T* from = b + (first + std::min(j, columns - 1)) * args.b_stride + k;
      for (Index i = 0; i < 4; ++i) to[(k + i) * w + j] = j < columns ? from[i] : T(0);
    }
  }
  for (; k < args.k; ++k) {
    for (Index j = 0; j < w; ++j) to[k * w + j] = j < columns ? b[(first + j) * args.b_stride + k] : T(0);
  }
}

// Rows of a tile when m is cut into tiles that differ by one row at most.
struct Tiles {
  explicit Tiles(Index m) : count((m + tile - 1) / tile), base(m / count), longer(m % count) {}
  Index begin(Index i) const { return i * base + std::min(i, longer); }
  Index rows(Index i) const { return base + (i < longer ? 1 : 0); }
  Index count, base, longer;
};

template <class T>
void multiply_packed(const MatmulArgs& args, const T* packed, Index first_tile, Index last_tile) {
  constexpr Index w = panel<T>;
  const Tiles tiles(args.m);
  const Index length = block_length(args.k);
  const Index panels = (args.n + w - 1) / w;
  const T* a = static_cast<const T*>(args.a);
  T* c = static_cast<T*>(args.c);
  for (Index k = 0; k < args.k; k += length) {
    const Index now = std::min(length, args.k - k);
    for (Index p = 0; p < panels; ++p) {
      const Index columns = std::min(w, args.n - p * w);
      const T* b = packed + p * w * args.k + k * w;
      for (Index t = first_tile; t < last_tile; ++t) {
        const Index row = tiles.begin(t);
        const Left<T> left = args.transpose_a ? Left<T>{a + k * args.a_stride + row, 1, args.a_stride}
                                              : Left<T>{a + row * args.a_stride + k, args.a_stride, 1};
        choose_tile<T>(tiles.rows(t), columns <= w / 2, args.transpose_a)(
            now, left, b, w, c + row * args.c_stride + p * w, args.c_stride, columns, k == 0);
      }
    }
  }
}

// Few rows do not pay for packing: the right operand is read where it is, if it is not transposed. The last columns,
// which fill no panel, are packed all the same. Sums are taken in the same order as by the packed way.
template <class T>
void multiply_direct(const MatmulArgs& args, T* packed) {
  constexpr Index w = panel<T>;
  const Tiles tiles(args.m);
  const Index length = block_length(args.k);
  const T* a = static_cast<const T*>(args.a);
  const T* b = static_cast<const T*>(args.b);
  T* c = static_cast<T*>(args.c);
  const Index whole = args.n / w;
  if (whole * w < args.n) pack_panel<T>(args, whole * w, packed);
  for (Index k = 0; k < args.k; k += length) {
    const Index now = std::min(length, args.k - k);
    for (Index p = 0; p * w < args.n; ++p) {
      const Index columns = std::min(w, args.n - p * w);
      const T* panel_at = p < whole ? b + k * args.b_stride + p * w : packed + k * w;
      for (Index t = 0; t < tiles.count; ++t) {
        const Index row = tiles.begin(t);
        const Left<T> left = args.transpose_a ? Left<T>{a + k * args.a_stride + row, 1, args.a_stride}
                                              : Left<T>{a + row * args.a_stride + k, args.a_stride, 1};
        choose_tile<T>(tiles.rows(t), columns <= w / 2, args.transpose_a)(
            now, left, panel_at, p < whole ? args.b_stride : w, c + row * args.c_stride + p * w, args.c_stride, columns,
            k == 0);
      }
    }
  }
}

void report(const MatmulArgs& args, Index first, Index last) {
  if (args.rows_done != nullptr && first < last) (*args.rows_done)(first, last);
}

template <class T>
void matmul(const MatmulArgs& args, void* scratch, const Parallel& parallel) {
  if (args.n == 0 || args.k == 0) {
    for (Index i = 0; i < args.m; ++i) {
      std::fill_n(static_cast<T*>(args.c) + i * args.c_stride, args.n, T(0));
    }
    return report(args, 0, args.m);
  }
  if (args.m == 0) return;
  constexpr Index w = panel<T>;
  const Index panels = (args.n + w - 1) / w;
  T* packed = static_cast<T*>(scratch);
  const Tiles tiles(args.m);
  if (args.m <= 2 * tile && !args.transpose_b) {
    multiply_direct<T>(args, packed);
    return report(args, 0, args.m);
  }
  const bool spread = parallel.threads() > 1 && args.m * args.n * args.k > parallel_work;
  const Parallel threads = spread ? parallel : Parallel(1);
  threads.for_each(panels, [&](Index p) { pack_panel<T>(args, p * w, packed + p * w * args.k); });
  const Index together = std::max<Index>(1, std::min<Index>(16, tiles.count / 8));
  threads.for_each((tiles.count + together - 1) / together, [&](Index task) {
    const Index first = task * together;
    const Index last = std::min(tiles.count, first + together);
    multiply_packed<T>(args, packed, first, last);
    report(args, tiles.begin(first), tiles.begin(last));
  });
}

std::size_t matmul_scratch(DType dtype, Index, Index n, Index k) {
  const Index w = dtype == DType::f32 ? panel<float> : panel<double>;
  return static_cast<std::size_t>((n + w - 1) / w * w * k) * size_of(dtype);
}

}  // namespace

namespace XGRAD_ISA {
extern const MatmulKernels matmul_kernels;
const MatmulKernels matmul_kernels = {matmul<float>, matmul<double>, matmul_scratch};
}  // namespace XGRAD_ISA
}  // namespace xgrad
