// The geometry of convolutions along one axis. Included by conv.simd.cpp, once per instruction set.
//
// Note [Gather]. The output of a convolution and its gradient with respect to the input are the same kind of sum: each
// position of the result reads elements of the other operand, one per tap of the window. Position u along an axis of
// the output reads the element u * stride - before + t * dilation for each tap t. Positions along an axis of x with the
// same remainder modulo the stride form a class: they use the same taps, and are a convolution of stride 1 over y with
// these taps in reverse. So the gradient needs neither scattered additions nor inserted zeros.
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

// The sums of one class: result[out_first + u * out_step] for u < count is the sum over t < taps of
// operand[u * in_step + first + t * step] * window[w_first + t * w_step].
struct Gather {
  Index out_first, out_step, count;
  Index in_step, first, step, taps;
  Index w_first, w_step;
  Index extent;  // extent of the operand

  Index at(Index u, Index tap) const { return u * in_step + first + tap * step; }
  // The taps that read inside the operand at position u.
  Range inside(Index u) const {
    const Index begin = at(u, 0);
    return {round_up_div(-begin, step), std::min(taps, round_up_div(extent - begin, step))};
  }
  // The values of u whose results lie in `out`.
  Range positions(Range out) const {
    return {round_up_div(out.first - out_first, out_step),
            std::min(count, round_up_div(out.last - out_first, out_step))};
  }
  // The end, at most `last`, of the range of positions from u on that have the same taps inside the operand.
  Index same_taps_until(Index u, Index last) const {
    const Range now = inside(u);
    if (now.first == 0 && now.last == taps) {  // so have all next positions whose last tap is inside
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

// The number of classes along an axis of x that have taps.
Index class_count(const ConvAxis& s) { return std::min(s.window, s.stride / std::gcd(s.stride, s.dilation)); }
// The class whose first tap is element i of the window.
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

// Divides the pixels of images into units of work: several images, strips of rows of one image or, if rows are long,
// parts of a row. Depends only on sizes, so that results do not depend on the number of threads.
struct Units {
  Index images, rows, columns;  // extents
  Index together = 1, strip_rows = 1, strips = 1, pieces = 1, count = 0;

  // `per_pixel` and `budget` are the bytes that a pixel and a unit access. Makes at least `least` units if there are
  // enough rows.
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
  // The contiguous pixels of a unit, counted over all images.
  Range pixels_of(Index unit) const {
    const Range i = images_of(unit), r = rows_of(unit), c = columns_of(unit);
    return {(i.first * rows + r.first) * columns + c.first, ((i.last - 1) * rows + r.last - 1) * columns + c.last};
  }
};

}  // namespace
}  // namespace xgrad::inline v0
