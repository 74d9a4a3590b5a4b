// Winograd's F(2x2, 3x3) for convolutions of stride 1. Included by conv.simd.cpp, once per instruction set.
//
// Note [Winograd]. A tile of 2 x 2 outputs of a 3 x 3 window takes 16 products instead of 36 (Lavin and Gray, "Fast
// algorithms for convolutional neural networks", 2016): y = A^T ((G w G^T) * (B^T d B)) A, where d are the 4 x 4 inputs
// of the tile, w is the window and * is elementwise. Summed over the channels, each of the 16 products is a matrix
// product of tiles by filters. All elements of A, B and G are 0, 1, -1 or 1/2, and each output depends only on the
// inputs under its window. Rounding errors are smaller than those of the direct sum, which has nine times as many
// terms. An infinite operand may give NaN where the direct sum is infinite.
#pragma once

#include <type_traits>

#include <xgrad/ops/kernels/conv_axes.hpp>
#include <xgrad/ops/kernels/conv_tile.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr Index winograd_products = 16;
constexpr Index winograd_tiles = 48;                       // largest number of tiles per matrix product
constexpr Index winograd_elements = 96 << 10;              // limit of the size of their transformed inputs
constexpr Index winograd_least = 32, winograd_most = 512;  // limits of channels and filters

template <class T>
alignas(64) constexpr T winograd_zeros[winograd_most] = {};  // a pixel outside of the image

// Whether to use Winograd's algorithm. Depends only on dtype and sizes: f64 uses direct sums.
template <class T>
bool use_winograd(const ConvSizes& s) {
  const auto fits = [](const ConvAxis& a) {
    return a.window == 3 && a.stride == 1 && a.dilation == 1 && a.in >= 4 && a.out >= 4;
  };
  const auto enough = [](Index n) { return n >= winograd_least && n <= winograd_most; };
  return std::is_same_v<T, float> && s.groups == 1 && fits(s.rows) && fits(s.columns) && enough(s.channels) &&
         enough(s.filters);
}

// Replaces (a, b, c, d) by B^T (a, b, c, d).
template <class B>
[[gnu::always_inline]] inline void winograd_input(B& a, B& b, B& c, B& d) {
  const B first = a - c, second = b + c, third = c - b, fourth = b - d;
  a = first;
  b = second;
  c = third;
  d = fourth;
}

// Transforms the window: 9 packed taps of `size` elements into 16 factors, each of this size.
template <class T>
void winograd_kernel(const T* taps, Index size, T* to) {
  using B = simd::Batch<T>;
  const B half(T(0.5));
  const auto transform = [&](B a, B b, B c, B(&out)[4]) {
    const B ends = (a + c) * half, middle = b * half;
    out[0] = a;
    out[1] = ends + middle;
    out[2] = ends - middle;
    out[3] = c;
  };
  for (Index i = 0; i < size; i += simd::width<T>) {
    B columns[3][4];
    for (Index j = 0; j < 3; ++j) {
      const auto tap = [&](Index row) { return simd::load(taps + (3 * row + j) * size + i); };
      transform(tap(0), tap(1), tap(2), columns[j]);
    }
    for (Index row = 0; row < 4; ++row) {
      B out[4];
      transform(columns[0][row], columns[1][row], columns[2][row], out);
      for (Index column = 0; column < 4; ++column) simd::store(to + (4 * row + column) * size + i, out[column]);
    }
  }
}

// Transforms the inputs of one tile, patch[4 * row + column][channels], into 16 rows that are `to_stride` apart.
template <class T>
void winograd_tile_in(const T* const (&patch)[16], Index channels, T* to, Index to_stride) {
  using B = simd::Batch<T>;
  constexpr Index w = simd::width<T>;
  for (Index next = 0; next < channels; next += w) {
    const Index c = std::min(next, channels - w);
    B d[16];
#pragma GCC unroll 16
    for (std::size_t i = 0; i < 16; ++i) d[i] = simd::load(patch[i] + c);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) winograd_input(d[i], d[4 + i], d[8 + i], d[12 + i]);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 16; i += 4) winograd_input(d[i], d[i + 1], d[i + 2], d[i + 3]);
#pragma GCC unroll 16
    for (std::size_t i = 0; i < 16; ++i) simd::store(to + static_cast<Index>(i) * to_stride + c, d[i]);
  }
}

// Transforms the 16 products of one tile, which are `from_stride` apart, into its outputs to[2 * row +
// column][filters]. Outputs outside of the image are null.
template <class T>
void winograd_tile_out(const T* from, Index from_stride, Index filters, T* const (&to)[4]) {
  using B = simd::Batch<T>;
  constexpr Index w = simd::width<T>;
  for (Index next = 0; next < filters; next += w) {
    const Index f = std::min(next, filters - w);
    const auto product = [&](Index i) { return simd::load(from + i * from_stride + f); };
    B rows[2][4];
#pragma GCC unroll 4
    for (Index i = 0; i < 4; ++i) {
      const B second = product(4 + i), third = product(8 + i);
      rows[0][i] = product(i) + second + third;
      rows[1][i] = second - third - product(12 + i);
    }
    for (std::size_t i = 0; i < 2; ++i) {
      if (to[2 * i] != nullptr) simd::store(to[2 * i] + f, rows[i][0] + rows[i][1] + rows[i][2]);
      if (to[2 * i + 1] != nullptr) simd::store(to[2 * i + 1] + f, rows[i][1] - rows[i][2] - rows[i][3]);
    }
  }
}

// A convolution of stride 1 with a 3 x 3 window.
template <class T>
struct WinogradPlane {
  Gather rows, columns;
  Index terms, results;
  Index in_image, out_image;
  const T* in;
  T* out;

  struct Place {
    Index image, y, x;  // of the tile's first output
  };
  static Index tiles_of(const Gather& axis) { return (axis.count + 1) / 2; }
  Place place(Index tile) const {
    const Index across = tiles_of(columns), down = tiles_of(rows);
    return {tile / (across * down), tile / across % down * 2, tile % across * 2};
  }

  // Transforms the inputs of tiles [first, first + count) to inputs[16][count][terms].
  void transform_inputs(Index first, Index count, T* inputs) const {
    for (Index i = 0; i < count; ++i) {
      const Place at = place(first + i);
      const T* patch[16];
      for (Index k = 0; k < 16; ++k) {
        const Index y = at.y + rows.first + k / 4, x = at.x + columns.first + k % 4;
        const bool inside = y >= 0 && y < rows.extent && x >= 0 && x < columns.extent;
        patch[k] = inside ? in + at.image * in_image + (y * columns.extent + x) * terms : winograd_zeros<T>;
      }
      winograd_tile_in(patch, terms, inputs + i * terms, count * terms);
    }
  }

  // Computes the tiles [first, first + count), in row-major order over all images.
  void run(Index first, Index count, const T* kernel) const {
    alignas(64) T inputs[winograd_elements];
    constexpr Index row = panel_columns<T>;
    alignas(64) T products[static_cast<std::size_t>(winograd_products * winograd_tiles * row)];
    transform_inputs(first, count, inputs);
    for (Index j = 0, width = 0; j < results; j += width) {
      width = next_columns<T>(results - j);
      const Index vectors = vectors_of<T>(width);
      const T* const panel = kernel + j * winograd_products * terms;
      const ConvTile tile{1, 1, terms, terms, 0, 0, 0, 0, row, width, true};
      for (Index k = 0; k < winograd_products; ++k) {
        each_range_of(count, tile_rows, [&](Index from, Index rows_of_tile) {
          conv_tiles<T>.tile[rows_of_tile - 1][vectors - 1](tile, inputs + (k * count + from) * terms,
                                                            panel + k * terms * vectors * simd::width<T>,
                                                            products + (k * count + from) * row);
        });
      }
      for (Index i = 0; i < count; ++i) {
        const Place at = place(first + i);
        T* to[4];
        for (Index k = 0; k < 4; ++k) {
          const Index y = at.y + k / 2, x = at.x + k % 2;
          const bool inside = y < rows.count && x < columns.count;
          to[k] = inside ? out + at.image * out_image + (y * columns.count + x) * results + j : nullptr;
        }
        winograd_tile_out(products + i * row, count * row, width, to);
      }
    }
  }
};

// Computes the convolution with the packed taps. `transformed` is memory for the transformed kernel.
template <class T>
void run_winograd(const WinogradPlane<T>& p, Index images, const T* packed, T* transformed, const Parallel& threads,
                  const RangeRef* on_rows_ready) {
  threads.for_each(round_up_div(p.results, panel_columns<T>) + 1, [&](Index task) {
    Index panel = 0;
    for (Index j = 0, width = 0; j < p.results; j += width, ++panel) {
      width = next_columns<T>(p.results - j);
      if (panel != task) continue;
      winograd_kernel(packed + j * 9 * p.terms, p.terms * vectors_of<T>(width) * simd::width<T>,
                      transformed + j * winograd_products * p.terms);
    }
  });
  const Index across = p.tiles_of(p.columns), down = p.tiles_of(p.rows);
  const Index most = std::min(winograd_tiles, winograd_elements / (winograd_products * p.terms));
  const Units units(images, down, 1, across, most, most, 16);  // whole rows of tiles
  threads.for_each(units.count, [&](Index unit) {
    const Range of_images = units.images_of(unit), of_rows = units.rows_of(unit);
    const Index first = (of_images.first * down + of_rows.first) * across;
    const Index last = ((of_images.last - 1) * down + of_rows.last) * across;
    each_range_of(last - first, most, [&](Index from, Index count) { p.run(first + from, count, transformed); });
    if (on_rows_ready == nullptr) return;
    (*on_rows_ready)(
        (of_images.first * p.rows.count + 2 * of_rows.first) * p.columns.count,
        ((of_images.last - 1) * p.rows.count + std::min(2 * of_rows.last, p.rows.count)) * p.columns.count);
  });
}

}  // namespace
}  // namespace xgrad::inline v0
