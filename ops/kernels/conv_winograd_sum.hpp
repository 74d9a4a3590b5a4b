// The gradient with respect to a 3 x 3 kernel by Winograd's algorithm. Included by conv.simd.cpp, once per instruction
// set.
//
// Note [Winograd's kernel gradient]. Winograd's algorithm (Note [Winograd]) is bilinear, so its derivative takes as
// many products: dw = G^T (sum over all tiles of (B^T d B) * (A dy A^T)) G. For each of the 16 elements, the sum over
// the tiles is a matrix product [channels, tiles] by [tiles, filters].
#pragma once

#include <xgrad/ops/kernels/conv_winograd.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr Index winograd_sum_tiles = 64;           // largest number of tiles per matrix product
constexpr Index winograd_sum_elements = 64 << 10;  // limit of the size of their transformed x, and of dy
// Limits of channels, filters and their product: larger sums do not fit into the L2 cache.
constexpr Index winograd_sum_most = 256, winograd_sum_products = 128 * 128;
constexpr Index winograd_sum_parts = 8;

template <class T>
bool use_winograd_sum(const ConvSizes& s) {
  return use_winograd<T>(s) && std::max(s.channels, s.filters) <= winograd_sum_most &&
         s.channels * s.filters <= winograd_sum_products;
}

// Transforms the cotangents of one tile, from[2 * row + column][filters], into 16 rows that are `to_stride` apart.
template <class T>
void winograd_tile_cotangent(const T* const (&from)[4], Index filters, T* to, Index to_stride) {
  using B = simd::Batch<T>;
  constexpr Index w = simd::width<T>;
  const auto expand = [](B a, B b, B(&out)[4]) {
    out[0] = a;
    out[1] = a + b;
    out[2] = a - b;
    out[3] = simd::neg(b);
  };
  for (Index next = 0; next < filters; next += w) {
    const Index f = std::min(next, filters - w);
    B columns[2][4], out[4];
#pragma GCC unroll 2
    for (std::size_t j = 0; j < 2; ++j) expand(simd::load(from[j] + f), simd::load(from[2 + j] + f), columns[j]);
#pragma GCC unroll 4
    for (std::size_t row = 0; row < 4; ++row) {
      expand(columns[0][row], columns[1][row], out);
#pragma GCC unroll 4
      for (std::size_t j = 0; j < 4; ++j) simd::store(to + static_cast<Index>(4 * row + j) * to_stride + f, out[j]);
    }
  }
}

// Transforms elements [first, last) of 16 sums of `size` elements into those of the 9 taps.
template <class T>
void winograd_taps(const T* sums, Index size, Index first, Index last, T* out) {
  using B = simd::Batch<T>;
  constexpr Index w = simd::width<T>;
  const B half(T(0.5));
  const auto reduce = [&](B a, B b, B c, B d, B(&to)[3]) {
    const B even = (b + c) * half;
    to[0] = a + even;
    to[1] = (b - c) * half;
    to[2] = even + d;
  };
  for (Index next = first; next < last; next += w) {
    const Index i = std::min(next, last - w);
    B columns[4][3], taps[3];
    for (Index j = 0; j < 4; ++j) {
      const auto sum = [&](Index row) { return simd::load(sums + (4 * row + j) * size + i); };
      reduce(sum(0), sum(1), sum(2), sum(3), columns[j]);
    }
    for (Index row = 0; row < 3; ++row) {
      reduce(columns[0][row], columns[1][row], columns[2][row], columns[3][row], taps);
      for (Index j = 0; j < 3; ++j) simd::store(out + (3 * row + j) * size + i, taps[j]);
    }
  }
}

// How the tiles are divided into units, and these into ranges, each with its own sums.
template <class T>
struct WinogradSumSplit {
  Index size, most;  // elements of one of the 16 sums, and tiles per matrix product
  Units units;
  Index parts = 1;

  explicit WinogradSumSplit(const ConvSizes& s)
      : size(s.channels * s.filters),
        most(std::min(winograd_sum_tiles,
                      winograd_sum_elements / (winograd_products * std::max(s.channels, s.filters)))),
        units(s.images, (s.rows.out + 1) / 2, 1, (s.columns.out + 1) / 2, most, most, winograd_sum_parts) {
    const Index bytes = winograd_products * size * static_cast<Index>(sizeof(T));
    while (2 * parts <= std::min(winograd_sum_parts, units.count) && 2 * parts * bytes <= parts_bytes) parts *= 2;
  }
  Index elements() const { return parts * winograd_products * size; }
};

// Adds the products of tiles [first, first + count) to the 16 sums. `p` is the plane of the output.
template <class T>
void add_winograd_tiles(const WinogradPlane<T>& p, const T* y, Index first, Index count, T* sums) {
  alignas(64) T inputs[winograd_sum_elements];
  alignas(64) T cotangents[winograd_sum_elements];
  p.transform_inputs(first, count, inputs);
  for (Index i = 0; i < count; ++i) {
    const auto at = p.place(first + i);
    const T* from[4];
    for (Index k = 0; k < 4; ++k) {
      const Index row = at.y + k / 2, column = at.x + k % 2;
      const bool inside = row < p.rows.count && column < p.columns.count;
      from[k] = inside ? y + at.image * p.out_image + (row * p.columns.count + column) * p.results : winograd_zeros<T>;
    }
    winograd_tile_cotangent(from, p.results, cotangents + i * p.results, count * p.results);
  }
  for (Index k = 0; k < winograd_products; ++k) {
    const T* const left = inputs + k * count * p.terms;
    const T* const right = cotangents + k * count * p.results;
    T* const to = sums + k * p.terms * p.results;
    for (Index j = 0, width = 0; j < p.results; j += width) {
      width = next_columns<T>(p.results - j);
      const ConvSumTile tile{1, 1, count, 0, 0, p.terms, 0, 0, p.results, p.results, width};
      const Index vectors = vectors_of<T>(width);
      each_range_of(p.terms, tile_rows, [&](Index row, Index rows) {
        conv_tiles<T>.sum[rows - 1][vectors - 1](tile, left + row, right + j, to + row * p.results + j);
      });
    }
  }
}

template <class T>
void sum_winograd(const WinogradPlane<T>& p, const ConvSizes& s, const T* y, T* out, T* scratch,
                  const Parallel& threads) {
  const WinogradSumSplit<T> split(s);
  const Index across = p.tiles_of(p.columns), down = p.tiles_of(p.rows), all = winograd_products * split.size;
  threads.for_each(split.parts, [&](Index part) {
    T* const sums = scratch + part * all;
    std::fill_n(sums, all, T(0));
    for (Index unit = split.units.count * part / split.parts; unit < split.units.count * (part + 1) / split.parts;
         ++unit) {
      const Range images = split.units.images_of(unit), rows = split.units.rows_of(unit);
      const Index first = (images.first * down + rows.first) * across;
      const Index last = ((images.last - 1) * down + rows.last) * across;
      each_range_of(last - first, split.most,
                    [&](Index from, Index count) { add_winograd_tiles(p, y, first + from, count, sums); });
    }
  });
  const Index chunks = round_up_div(split.size, add_chunk);
  threads.for_each(chunks, [&](Index chunk) {
    const Index first = split.size * chunk / chunks, last = split.size * (chunk + 1) / chunks;
    for (Index k = 0; k < winograd_products; ++k)
      add_parts(scratch, scratch + all, all, split.parts, k * split.size + first, last - first);
    winograd_taps(scratch, split.size, first, last, out);
  });
}

}  // namespace
}  // namespace xgrad::inline v0
