// Inner loops of convolutions. Included by conv.simd.cpp, once per instruction set.
//
// Note [Rows of taps]. If channels are the last axis, the elements under one row of a window are contiguous, and those
// of the next window begin `stride` pixels later. So a row of taps is a matrix product whose left operand has
// overlapping rows, read in place. A tile is a few neighboring positions times one or two vectors of filters. Its sums
// stay in registers over all rows of taps. With dilation or groups, each tap is a separate product.
#pragma once

#include <array>
#include <utility>

#include <xgrad/ops/kernels/matmul_tile.hpp>

namespace xgrad::inline v0 {
namespace {

// Layout of a tile, in elements. Steps are distances between consecutive positions, rows of taps or taps.
struct ConvTile {
  Index tap_rows, taps, length;        // a sum has tap_rows * taps runs of `length` contiguous terms
  Index a_position, a_tap_row, a_tap;  // steps in the operand
  Index b_tap_row, b_tap;              // steps in the packed kernel
  Index c_position, columns;           // step in the result, and the number of its columns in this panel
  bool first;                          // overwrite c instead of adding to it
};

template <class T, std::size_t rows, std::size_t vectors>
void conv_tile(const ConvTile& s, const T* a, const T* b, T* c) {
  using B = simd::Batch<T>;
  constexpr Index w = simd::width<T>;
  constexpr std::size_t pointers = (rows + 2) / 3;
  const Index length = s.length, a_position = s.a_position;
  B sums[rows][vectors];
#pragma GCC unroll 16
  for (std::size_t r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v) sums[r][v] = B(T(0));
  }
  for (Index i = 0; i < s.tap_rows; ++i) {
    for (Index j = 0; j < s.taps; ++j) {
      const T* from = a + i * s.a_tap_row + j * s.a_tap;
      const T* right = b + i * s.b_tap_row + j * s.b_tap;
      // Three rows share a pointer: with one each, the pointers would not fit into the registers.
      const T* at[pointers];
#pragma GCC unroll 8
      for (std::size_t p = 0; p < pointers; ++p) at[p] = from + static_cast<Index>(3 * p) * a_position;
      for (Index k = 0; k < length; ++k, right += static_cast<Index>(vectors) * w) {
        const auto left = [&](std::size_t r) { return B(at[r / 3][static_cast<Index>(r % 3) * a_position]); };
        multiply_add<T, rows, vectors>(left, LoadWhole(), right, static_cast<Index>(vectors - 1) * w, sums);
#pragma GCC unroll 8
        for (std::size_t p = 0; p < pointers; ++p) ++at[p];
      }
    }
  }
  put<T, rows, vectors>(sums, c, s.c_position, s.columns, s.first);
}

// Note [Kernel gradient]. The gradient of a row of taps is the sum over all positions of x times the cotangent: a
// matrix product whose left operand is transposed, so that the elements of a tile are contiguous.
struct ConvSumTile {
  Index images, rows, columns;     // numbers of positions
  Index a_image, a_row, a_column;  // steps in x
  Index b_image, b_row, b_column;  // steps in the cotangent
  Index c_row, filters;            // step in the gradient, and the number of filters in this panel
};

// Adds the sums over all positions to c[rows, filters].
template <class T, std::size_t rows, std::size_t vectors>
void conv_sum_tile(const ConvSumTile& s, const T* a, const T* b, T* c) {
  using B = simd::Batch<T>;
  const Index a_column = s.a_column, b_column = s.b_column, count = s.columns;
  const Index b_last = s.filters - simd::width<T>;
  const auto sum = [&](auto load) {
    B sums[rows][vectors];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < rows; ++r) {
#pragma GCC unroll 8
      for (std::size_t v = 0; v < vectors; ++v) sums[r][v] = B(T(0));
    }
    for (Index i = 0; i < s.images * s.rows; ++i) {
      const Index image = i / s.rows, y = i % s.rows;
      const T* left = a + image * s.a_image + y * s.a_row;
      const T* right = b + image * s.b_image + y * s.b_row;
      for (Index x = 0; x < count; ++x, left += a_column, right += b_column)
        multiply_add<T, rows, vectors>([&](std::size_t r) { return B(left[r]); }, load, right,
                                       vectors == 1 ? 0 : b_last, sums);
    }
    put<T, rows, vectors>(sums, c, s.c_row, s.filters, false);
  };
  if (vectors == 1 && b_last < 0)
    sum([&](const T* p) { return simd::load_partial(p, s.filters); });
  else
    sum(LoadWhole());
}

// Functions by number of rows and of vectors, each minus 1.
template <class T>
struct ConvTileTable {
  using Tile = void (*)(const ConvTile&, const T*, const T*, T*);
  using SumTile = void (*)(const ConvSumTile&, const T*, const T*, T*);
  Tile tile[tile_rows][2];
  SumTile sum[tile_rows][2];
};
template <class T, std::size_t... row>
constexpr ConvTileTable<T> make_conv_tiles(std::index_sequence<row...>) {
  return {{{conv_tile<T, row + 1, 1>, conv_tile<T, row + 1, 2>}...},
          {{conv_sum_tile<T, row + 1, 1>, conv_sum_tile<T, row + 1, 2>}...}};
}
template <class T>
constexpr ConvTileTable<T> conv_tiles =
    make_conv_tiles<T>(std::make_index_sequence<static_cast<std::size_t>(tile_rows)>());

constexpr Index parts_bytes = 4 << 20;  // limit of the size of separate sums of a kernel gradient
constexpr Index add_chunk = 4096;

// Adds elements [first, first + count) of `parts` sums pairwise. The first sum is `to`; the others are `size` apart.
template <class T>
void add_parts(T* to, T* others, Index size, Index parts, Index first, Index count) {
  const auto sum_of = [&](Index part) { return (part == 0 ? to : others + (part - 1) * size) + first; };
  for (Index step = 1; step < parts; step *= 2) {
    for (Index part = 0; part < parts; part += 2 * step) {
      T* const left = sum_of(part);
      const T* const right = sum_of(part + step);
      for (Index i = 0; i < count; ++i) left[i] += right[i];
    }
  }
}

// Splits [0, all) into ranges of nearly equal size, at most `most`, and calls run(first, count) for each.
template <class F>
[[gnu::always_inline]] inline void each_range_of(Index all, Index most, const F& run) {
  const Index tiles = (all + most - 1) / most;
  for (Index i = 0, first = 0; i < tiles; ++i) {
    const Index count = (all - first + tiles - i - 1) / (tiles - i);
    run(first, count);
    first += count;
  }
}

}  // namespace
}  // namespace xgrad::inline v0
