// The geometry of convolutions along one axis. Included by conv.simd.cpp, once per instruction set.
//
// Note [Gather]. The output of a convolution and its gradient by the input are the same computation: each position of
// the result sums taps of the other operand. Along an axis of the output, position u reads u * stride - before + t *
// dilation for each tap t. Along an axis of x, the positions that leave the same remainder when divided by the stride
// form a class: with their elements of the window, in reverse, they are a convolution of stride 1 over y. So nothing is
// scattered, and no zeros are inserted.
#pragma once

#include <algorithm>
#include <numeric>

#include <xgrad/ops/kernels/kernels.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr Index round_up_div(Index a, Index b) { return a <= 0 ? 0 : (a + b - 1) / b; }

struct Range {
  Index first, last;
  Index count() const { return last - first; }
};

// Position out_first + u * out_step of the result, u < count, sums the taps t < taps at position u * in_step + first +
// t * step of the operand, times element w_first + t * w_step of the window.
struct Gather {
  Index out_first, out_step, count;
  Index in_step, first, step, taps;
  Index w_first, w_step;
  Index extent;  // of the operand

  Index at(Index u, Index tap) const { return u * in_step + first + tap * step; }
  // The taps of position u that lie inside the operand.
  Range inside(Index u) const {
    const Index begin = at(u, 0);
    return {round_up_div(-begin, step), std::min(taps, round_up_div(extent - begin, step))};
  }
  // The positions u of the results in `out`.
  Range positions(Range out) const {
    return {round_up_div(out.first - out_first, out_step),
            std::min(count, round_up_div(out.last - out_first, out_step))};
  }
  // The end of the positions from u on, below `last`, that have the same taps inside.
  Index same_taps_until(Index u, Index last) const {
    const Range now = inside(u);
    if (now.first == 0 && now.last == taps) {  // also true of all positions whose last tap is inside
      const Index room = extent - 1 - first - (taps - 1) * step;
      return std::min(last, room / in_step + 1);
    }
    for (++u; u < last; ++u) {
      const Range next = inside(u);
      if (next.first != now.first || next.last != now.last) break;
    }
    return u;
  }
};

Gather output_gather(const ConvAxis& s) { return {0, 1, s.out, s.stride, -s.before, s.dilation, s.window, 0, 1, s.in}; }

// The classes along an axis of x that have taps.
Index class_count(const ConvAxis& s) { return std::min(s.window, s.stride / std::gcd(s.stride, s.dilation)); }
// The class whose first element of the window is i.
Gather input_gather(const ConvAxis& s, Index i) {
  const Index period = s.stride / std::gcd(s.stride, s.dilation);
  const Index taps = (s.window - i + period - 1) / period;
  const Index last = i + (taps - 1) * period;
  const Index remainder = ((i * s.dilation - s.before) % s.stride + s.stride) % s.stride;
  return {remainder,
          s.stride,
          round_up_div(s.in - remainder, s.stride),
          1,
          (remainder + s.before - last * s.dilation) / s.stride,
          s.dilation * period / s.stride,
          taps,
          last,
          -period,
          s.out};
}

// The work on images in units: a few images, strips of rows of one or, if a row is long, parts of single rows. By size
// alone.
struct Units {
  Index images, rows, columns;  // extents
  Index together = 1, strip_rows = 1, strips = 1, pieces = 1, count = 0;

  // `per_pixel` is the bytes that a pixel touches. There are at least `least` units, if there are so many rows.
  Units(Index all_images, Index all_rows, Index all_columns, Index per_pixel, Index budget, Index most_pixels,
        Index least)
      : images(all_images), rows(all_rows), columns(all_columns) {
    if (images * rows * columns == 0) return;
    const Index most = std::clamp<Index>(budget / std::max<Index>(1, per_pixel), 1, most_pixels);
    strips = round_up_div(rows, std::max<Index>(1, most / columns));
    strips = std::min(rows, std::max(strips, round_up_div(least, images)));
    strip_rows = round_up_div(rows, strips);
    strips = round_up_div(rows, strip_rows);
    if (strip_rows == 1) {
      pieces = round_up_div(columns, std::max<Index>(most, 16));
      pieces = std::clamp<Index>(round_up_div(least, images * strips), pieces, std::max(pieces, columns / 64));
    }
    if (strips * pieces == 1) together = std::max<Index>(1, std::min(most / (rows * columns), images / least));
    count = round_up_div(images, together) * strips * pieces;
  }
  Range images_of(Index unit) const {
    const Index i = unit / (strips * pieces);
    return {i * together, std::min(images, (i + 1) * together)};
  }
  Range rows_of(Index unit) const {
    const Index strip = unit / pieces % strips;
    return {strip * strip_rows, std::min(rows, (strip + 1) * strip_rows)};
  }
  Range columns_of(Index unit) const {
    const Index piece = unit % pieces;
    return {columns * piece / pieces, columns * (piece + 1) / pieces};
  }
  // The pixels of a unit, which are contiguous, among those of all images.
  Range pixels_of(Index unit) const {
    const Range i = images_of(unit), r = rows_of(unit), c = columns_of(unit);
    return {(i.first * rows + r.first) * columns + c.first, ((i.last - 1) * rows + r.last - 1) * columns + c.last};
  }
};

}  // namespace
}  // namespace xgrad::inline v0
