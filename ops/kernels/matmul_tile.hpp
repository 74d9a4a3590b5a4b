// Inner loops of the matrix product: tiles, whose sums stay in registers, and packing of operands into the order in
// which tiles read them. Included by the kernels of products, convolutions and attention, once per instruction set.
//
// Note [Tiles]. A tile is a few rows of a times a panel, one or two vectors of columns of b. A full tile, `tile_rows`
// rows by two vectors, has as many sums as fit into registers next to two vectors of the panel and one of a, and needs
// fewer loads than multiply-adds. If the number of columns is not a multiple of a vector, the last two vectors of a
// panel overlap: their common columns are computed twice with the same result, and no access is out of bounds.
#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include <xgrad/ops/kernels/kernels.hpp>
#include <xgrad/ops/kernels/simd.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr Index tile_rows = simd::registers == 32 ? 12 : 6;
template <class T>
constexpr Index panel_columns = 2 * simd::width<T>;

// The next tiles of equal height for `remaining` rows: full ones first, and at the end two of nearly equal height.
struct Tiles {
  Index rows, count;
};
constexpr Tiles next_tiles(Index remaining) {
  if (remaining <= tile_rows) return {remaining, 1};
  if (remaining >= 2 * tile_rows) return {tile_rows, remaining / tile_rows - (remaining % tile_rows != 0 ? 1 : 0)};
  return {(remaining + 1) / 2, remaining % 2 == 0 ? 2 : 1};
}

// Columns of the next panel for `remaining` columns. A panel is narrower than a vector only if it is the only one.
template <class T>
constexpr Index next_columns(Index remaining) {
  constexpr Index w = simd::width<T>;
  if (remaining >= 3 * w) return 2 * w;
  return remaining <= 2 * w ? remaining : w;
}

// Number of vectors that cover the columns of a panel.
template <class T>
constexpr Index vectors_of(Index columns) {
  return (columns + simd::width<T> - 1) / simd::width<T>;
}

// Layout of a tile's operands. Strides are in elements: of a between rows, or between columns if it is read along
// columns; of b and c between rows.
struct TileArgs {
  Index length;  // number of terms, at most max_block
  Index a_stride, b_stride, c_stride;
  Index a_tile;   // distance between tiles of a
  Index b_last;   // offset of the last vector in a panel's row
  Index columns;  // columns of c, where the last vector ends
  bool first;     // overwrite c instead of adding to it
};

// sums += a * b for one k. `left(r)` broadcasts an element of a; `load` loads a vector of b.
template <class T, std::size_t rows, std::size_t vectors, class Left, class Load>
[[gnu::always_inline]] inline void multiply_add(const Left& left, const Load& load, const T* b, Index b_last,
                                                simd::Batch<T> (&sums)[rows][vectors]) {
  using B = simd::Batch<T>;
  const auto right = [&](std::size_t v) {
    return load(b + (v + 1 == vectors ? b_last : static_cast<Index>(v) * simd::width<T>));
  };
  if constexpr (vectors <= rows) {
    B of_b[vectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v) of_b[v] = right(v);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < rows; ++r) {
      const B of_a = left(r);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < vectors; ++v) sums[r][v] = simd::fma(of_a, of_b[v], sums[r][v]);
    }
  } else {
    B of_a[rows];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < rows; ++r) of_a[r] = left(r);
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v) {
      const B of_b = right(v);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < rows; ++r) sums[r][v] = simd::fma(of_a[r], of_b, sums[r][v]);
    }
  }
}

struct LoadWhole {
  template <class T>
  simd::Batch<T> operator()(const T* p) const {
    return simd::load(p);
  }
};
// sums = a[rows, length] * b[length, vectors], or with a stored as [length, rows].
template <class T, std::size_t rows, std::size_t vectors, bool along_columns, class Load = LoadWhole>
[[gnu::always_inline]] inline void multiply(Index length, const T* a, Index a_stride, const T* b, Index b_stride,
                                            Index b_last, simd::Batch<T> (&sums)[rows][vectors],
                                            const Load& load = {}) {
  using B = simd::Batch<T>;
#pragma GCC unroll 16
  for (std::size_t r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v) sums[r][v] = B(T(0));
  }
  if constexpr (along_columns) {
#pragma GCC unroll 4
    for (Index k = 0; k < length; ++k) {
      __builtin_prefetch(a + 16);  // cache lines of later tiles
      multiply_add<T, rows, vectors>([&](std::size_t r) { return B(a[r]); }, load, b, b_last, sums);
      a += a_stride;
      b += b_stride;
    }
  } else {
    const T* at[rows];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < rows; ++r) {
      at[r] = a;
      a += a_stride;
      asm("" : "+r"(a));  // keep each in a register: the compiler would recompute them from strides
    }
#pragma GCC unroll 4
    for (Index k = 0; k < length; ++k) {
      multiply_add<T, rows, vectors>([&](std::size_t r) { return B(at[r][k]); }, load, b, b_last, sums);
      b += b_stride;
    }
  }
}

// c[rows, columns] (+)= sums.
template <class T, std::size_t rows, std::size_t vectors>
[[gnu::always_inline]] inline void put(const simd::Batch<T> (&sums)[rows][vectors], T* c, Index c_stride, Index columns,
                                       bool first) {
  using B = simd::Batch<T>;
  constexpr Index w = simd::width<T>;
  const Index last = columns - w;
  if constexpr (vectors == 1) {
    if (last < 0) {
      for (std::size_t r = 0; r < rows; ++r, c += c_stride) {
        const B before = first ? B(T(0)) : simd::load_partial(c, columns);
        simd::store_partial(c, first ? sums[r][0] : before + sums[r][0], columns);
      }
      return;
    }
  }
  const auto column = [&](std::size_t v) { return v + 1 == vectors ? last : static_cast<Index>(v) * w; };
  if (first) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < rows; ++r, c += c_stride) {
#pragma GCC unroll 8
      for (std::size_t v = 0; v < vectors; ++v) simd::store(c + column(v), sums[r][v]);
    }
    return;
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < rows; ++r, c += c_stride) {
    B all[vectors];  // load all before storing, since vectors may overlap
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v) all[v] = simd::load(c + column(v)) + sums[r][v];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v) simd::store(c + column(v), all[v]);
  }
}

// c (+)= a * b for `count` consecutive row tiles.
template <class T, std::size_t rows, std::size_t vectors, bool along_columns>
void run_tiles(const TileArgs& args, Index count, const T* a, const T* b, T* c) {
  // Local copies, which stores to c cannot alias.
  const Index length = args.length, a_stride = args.a_stride, b_stride = args.b_stride, c_stride = args.c_stride;
  const Index a_tile = args.a_tile, b_last = args.b_last, columns = args.columns;
  const bool first = args.first;
  for (; count > 0; --count) {
    asm("" : "+r"(a), "+r"(c));  // prevents keeping derived addresses in registers
    simd::Batch<T> sums[rows][vectors];
    multiply<T, rows, vectors, along_columns>(length, a, a_stride, b, b_stride, b_last, sums);
    put<T, rows, vectors>(sums, c, c_stride, columns, first);
    a += a_tile;
    c += static_cast<Index>(rows) * c_stride;
  }
}

// The same for small products, where overhead outside of the tiles matters: `count` row tiles of all columns, more than
// one vector, and all of k, with both operands in place. If the columns are not a multiple of a panel, the last two
// panels overlap. Pointers are passed as arguments: reading them from `args` would wait for the stores that wrote them.
template <class T, std::size_t rows, bool along_columns>
void run_small(const MatmulArgs& args, const void* left, const void* right, void* out, Index count) {
  constexpr Index w = simd::width<T>;
  const Index length = args.k, a_stride = args.a_stride, b_stride = args.b_stride, c_stride = args.c_stride;
  const Index a_tile = static_cast<Index>(rows) * (along_columns ? 1 : a_stride);
  const T* a = static_cast<const T*>(left);
  const T* b = static_cast<const T*>(right);
  T* c = static_cast<T*>(out);
  const Index last = std::min(w, args.n - w);
  for (Index columns = args.n;;) {
    const T* a_at = a;
    T* c_at = c;
    for (Index i = 0; i < count; ++i, a_at += a_tile) {
      simd::Batch<T> sums[rows][2];
      multiply<T, rows, 2, along_columns>(length, a_at, a_stride, b, b_stride, last, sums);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < rows; ++r, c_at += c_stride) {
        asm("" : "+r"(c_at));
        simd::store(c_at, sums[r][0]);
        simd::store(c_at + last, sums[r][1]);
      }
    }
    columns -= 2 * w;
    if (columns <= 0) return;
    const Index advance = std::min(2 * w, columns);
    b += advance;
    c += advance;
  }
}

// The same for at most one vector of columns.
template <class T, std::size_t rows, bool along_columns>
void run_narrow(const MatmulArgs& args, const void* left, const void* right, void* out, Index count) {
  constexpr Index w = simd::width<T>;
  const Index length = args.k, a_stride = args.a_stride, b_stride = args.b_stride, c_stride = args.c_stride;
  const T* a = static_cast<const T*>(left);
  const T* b = static_cast<const T*>(right);
  T* c = static_cast<T*>(out);
  const Index columns = args.n;
  const auto run = [&](auto load, auto store) {
    for (Index i = 0; i < count; ++i, a += static_cast<Index>(rows) * (along_columns ? 1 : a_stride)) {
      simd::Batch<T> sums[rows][1];
      multiply<T, rows, 1, along_columns>(length, a, a_stride, b, b_stride, 0, sums, load);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < rows; ++r, c += c_stride) {
        asm("" : "+r"(c));
        store(c, sums[r][0]);
      }
    }
  };
  if (columns == w)
    run([](const T* p) { return simd::load(p); }, [](T* p, simd::Batch<T> v) { simd::store(p, v); });
  else
    run([=](const T* p) { return simd::load_partial(p, columns); },
        [=](T* p, simd::Batch<T> v) { simd::store_partial(p, v, columns); });
}

template <class T>
using TileFn = void (*)(const TileArgs&, Index count, const T* a, const T* b, T* c);

// The tile functions. `of` is indexed by whether a is read along columns, rows - 1 and vectors - 1; the others by the
// first two.
template <class T>
struct TileTable {
  TileFn<T> of[2][tile_rows][2];
  PreparedMatmul::Tiles small[2][tile_rows];
  PreparedMatmul::Tiles narrow[2][tile_rows];
};
template <class T, std::size_t... row>
constexpr TileTable<T> make_tiles(std::index_sequence<row...>) {
  return {{{{run_tiles<T, row + 1, 1, false>, run_tiles<T, row + 1, 2, false>}...},
           {{run_tiles<T, row + 1, 1, true>, run_tiles<T, row + 1, 2, true>}...}},
          {{run_small<T, row + 1, false>...}, {run_small<T, row + 1, true>...}},
          {{run_narrow<T, row + 1, false>...}, {run_narrow<T, row + 1, true>...}}};
}
template <class T>
constexpr TileTable<T> tiles = make_tiles<T>(std::make_index_sequence<static_cast<std::size_t>(tile_rows)>());

// Up to three rows use tiles of more vectors, since few sums would not hide the latency of multiply-adds. With vectors
// of a full cache line, four are enough.
constexpr Index few_rows = 3;
constexpr Index vectors_of_one = simd::width<float> == 16 ? 4 : 8;
constexpr Index wide_vectors[few_rows] = {vectors_of_one, 4, 4};
template <class T>
constexpr TileFn<T> wide_tiles[2][few_rows] = {
    {run_tiles<T, 1, vectors_of_one, false>, run_tiles<T, 2, 4, false>, run_tiles<T, 3, 4, false>},
    {run_tiles<T, 1, vectors_of_one, true>, run_tiles<T, 2, 4, true>, run_tiles<T, 3, 4, true>}};

// The tiles of a row block, in at most three groups of equal height.
template <class T>
struct Rows {
  struct Group {
    const TileFn<T>* run;  // by number of vectors - 1
    Index tiles;
    Index a_tile;
    Index a, c;  // offsets of the first tile
  };
  // The distance between tiles of a is `tile_distance` or, if that is 0, their number of rows times a_row.
  Rows(Index rows, bool along_columns, Index a_row, Index tile_distance, Index c_stride) {
    Index a = 0, c = 0;
    for (; rows > 0; ++count) {
      const Tiles next = next_tiles(rows);
      const Index a_tile = tile_distance != 0 ? tile_distance : next.rows * a_row;
      groups[count] = {tiles<T>.of[along_columns ? 1 : 0][next.rows - 1], next.count, a_tile, a, c};
      a += next.count * a_tile;
      c += next.count * next.rows * c_stride;
      rows -= next.count * next.rows;
    }
  }
  [[gnu::always_inline]] void run(TileArgs& layout, Index vectors, const T* a, const T* b, T* c) const {
    for (int i = 0; i < count; ++i) {
      const Group& g = groups[i];
      layout.a_tile = g.a_tile;
      g.run[vectors - 1](layout, g.tiles, a + g.a, b, c + g.c);
    }
  }
  Group groups[3];
  int count = 0;
};

// Copies a panel, rows [k, k + length) of `columns` columns from `first` on, to rows of full vectors, the last of which
// may overlap as in a tile. The rest of a panel narrower than a vector is unspecified.
template <class T>
void pack_panel(const MatmulArgs& args, Index k, Index length, Index first, Index columns, T* to) {
  constexpr Index w = simd::width<T>;
  const Index vectors = vectors_of<T>(columns);
  const T* b = static_cast<const T*>(args.b);
  const Index stride = args.b_stride;
  if (columns < w) {
    for (Index i = 0; i < length; ++i) {
      for (Index j = 0; j < columns; ++j) {
        to[i * w + j] = args.transpose_b ? b[(first + j) * stride + k + i] : b[(k + i) * stride + first + j];
      }
    }
    return;
  }
  const Index last = columns - w;
  if (!args.transpose_b) {
    const T* from = b + k * stride + first;
    for (Index i = 0; i < length; ++i, from += stride, to += vectors * w) {
      if (vectors == 2) simd::store(to, simd::load(from));
      simd::store(to + (vectors - 1) * w, simd::load(from + last));
    }
    return;
  }
  constexpr Index side = simd::transpose_side<T>;
  for (Index v = 0; v < vectors; ++v) {
    for (Index j = 0; j < w; j += side) {
      const T* from = b + (first + (v + 1 == vectors ? last : v * w) + j) * stride + k;
      T* at = to + v * w + j;
      Index i = 0;
      for (; i + side <= length; i += side) {
        simd::transpose_block(from + i, stride, at + i * vectors * w, vectors * w);
      }
      if (i == length) continue;
      if (length >= side) {  // repeat some rows to cover the remainder
        i = length - side;
        simd::transpose_block(from + i, stride, at + i * vectors * w, vectors * w);
        continue;
      }
      for (; i < length; ++i) {
        for (Index x = 0; x < side; ++x) at[i * vectors * w + x] = from[x * stride + i];
      }
    }
  }
}

// The same for several adjacent full panels of a b that is not transposed: reads longer parts of rows, which is faster
// if rows are far apart.
constexpr Index panels_at_once = 8;
template <class T>
void pack_panels(const MatmulArgs& args, Index k, Index length, Index first, T* to) {
  constexpr Index w = simd::width<T>;
  const T* from = static_cast<const T*>(args.b) + k * args.b_stride + first;
  for (Index i = 0; i < length; ++i, from += args.b_stride, to += 2 * w) {
    for (Index p = 0; p < panels_at_once; ++p) {
      simd::store(to + p * length * 2 * w, simd::load(from + p * 2 * w));
      simd::store(to + p * length * 2 * w + w, simd::load(from + p * 2 * w + w));
    }
  }
}

// A transposed a is packed as [length, tile_rows] per tile, plus one row between tiles, since rows are written as full
// vectors.
template <class T>
constexpr Index packed_row = (tile_rows + simd::width<T> - 1) / simd::width<T>* simd::width<T>;
constexpr Index packed_tile(Index length) { return (length + 1) * tile_rows; }

// Packs rows [first, last) of a, terms [k, k + length).
template <class T>
void pack_tiles(const MatmulArgs& args, Index k, Index length, Index first, Index last, T* to) {
  constexpr Index w = simd::width<T>;
  static_assert(packed_row<T> <= 2 * tile_rows);
  const T* a = static_cast<const T*>(args.a);
  for (Index i = 0; i < length; ++i) {
    const T* from = a + (k + i) * args.a_stride;
    T* at = to + i * tile_rows;
    for (Index row = first; row < last;) {
      const Tiles tiles = next_tiles(last - row);
      for (Index t = 0; t < tiles.count; ++t, row += tiles.rows, at += packed_tile(length)) {
        if (row + packed_row<T> <= args.m) {
          for (Index j = 0; j < packed_row<T>; j += w) simd::store(at + j, simd::load(from + row + j));
        } else {
          for (Index j = 0; j < tiles.rows; ++j) at[j] = from[row + j];
        }
      }
    }
  }
}

// Copies rows [first, last) of a, terms [k, k + length), to rows `to_stride` apart.
template <class T>
void copy_rows(const MatmulArgs& args, Index k, Index length, Index first, Index last, T* to, Index to_stride) {
  const T* from = static_cast<const T*>(args.a) + first * args.a_stride + k;
  for (; first < last; ++first, from += args.a_stride, to += to_stride) std::copy_n(from, length, to);
}

}  // namespace
}  // namespace xgrad::inline v0
