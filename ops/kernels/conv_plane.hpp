// The positions of a convolution in rectangles and tiles. Included by conv.simd.cpp, once per instruction set.
#pragma once

#include <utility>

#include <xgrad/ops/kernels/conv_axes.hpp>
#include <xgrad/ops/kernels/conv_tile.hpp>

namespace xgrad::inline v0 {
namespace {

// The sums of one class of rows and one of columns, see Note [Gather].
template <class T>
struct Plane {
  Gather rows, columns;
  Index terms, results;  // channels of one group in the operand and in the result
  Index in_pixel, in_columns, in_image;
  Index out_pixel, out_columns, out_image;
  const T* in;
  T* out;

  Index taps() const { return rows.taps * columns.taps; }
  // Whether the taps of a row are contiguous in the operand.
  bool contiguous() const { return (columns.step == 1 || columns.taps == 1) && in_pixel == terms; }
};

// Positions of a plane that have the same taps inside the operand.
struct Rectangle {
  Range rows, columns;          // positions
  Range tap_rows, tap_columns;  // taps inside the operand
};
template <class T, class F>
void each_rectangle(const Plane<T>& p, Range rows, Range columns, const F& run) {
  for (Index u = rows.first, u_end = u; u < rows.last; u = u_end) {
    u_end = p.rows.same_taps_until(u, rows.last);
    for (Index v = columns.first, v_end = v; v < columns.last; v = v_end) {
      v_end = p.columns.same_taps_until(v, columns.last);
      run(Rectangle{{u, u_end}, {v, v_end}, p.rows.inside(u), p.columns.inside(v)});
    }
  }
}

// The tiles of a rectangle in several images: their layout and operands, and the steps along three axes of positions. A
// tile takes its positions from the first of these axes.
template <class T>
struct Job {
  struct Axis {
    Index count, a, c;  // number of positions, and steps in the operand and in the result
  };
  ConvTile tile;
  const T* a;
  const T* b;
  T* c;
  Axis axes[3];

  // Calls run(count, a, c) for each line of positions along the first axis.
  template <class F>
  void each_line(const F& run) const {
    for (Index i = 0; i < axes[2].count * axes[1].count; ++i) {
      const Index outer = i / axes[1].count, middle = i % axes[1].count;
      run(axes[0].count, a + outer * axes[2].a + middle * axes[1].a, c + outer * axes[2].c + middle * axes[1].c);
    }
  }
  // Calls run(count, a, c) for parts of these lines of at most `most_rows` positions.
  template <class F>
  void each_tile(Index most_rows, const F& run) const {
    each_line([&](Index all, const T* from, T* to) {
      each_range_of(all, most_rows,
                    [&](Index first, Index count) { run(count, from + first * axes[0].a, to + first * axes[0].c); });
    });
  }
};

// The input at the first position and tap of a rectangle.
template <class T>
const T* first_input(const Plane<T>& p, const Rectangle& r, Index image, Index channel) {
  return p.in + image * p.in_image + p.rows.at(r.rows.first, r.tap_rows.first) * p.in_columns * p.in_pixel +
         p.columns.at(r.columns.first, r.tap_columns.first) * p.in_pixel + channel;
}

// `b` is the first tap of the packed kernel, `b_tap` the distance between the taps of a row.
template <class T>
Job<T> job_of(const Plane<T>& p, const Rectangle& r, Range images, Index channel_in, Index channel_out, const T* b,
              Index b_tap_row, Index b_tap, Index columns) {
  const Index a_row = p.in_columns * p.in_pixel, c_row = p.out_columns * p.out_pixel;
  Job<T> job;
  job.tile = {r.tap_rows.count(),
              r.tap_columns.count(),
              p.terms,
              0,
              p.rows.step * a_row,
              p.columns.step * p.in_pixel,
              b_tap_row,
              b_tap,
              0,
              columns,
              true};
  job.a = first_input(p, r, images.first, channel_in);
  job.b = b + r.tap_rows.first * b_tap_row + r.tap_columns.first * b_tap;
  job.c = p.out + images.first * p.out_image + (p.rows.out_first + r.rows.first * p.rows.out_step) * c_row +
          (p.columns.out_first + r.columns.first * p.columns.out_step) * p.out_pixel + channel_out;
  job.axes[0] = {r.columns.count(), p.columns.in_step * p.in_pixel, p.columns.out_step * p.out_pixel};
  job.axes[1] = {r.rows.count(), p.rows.in_step * a_row, p.rows.out_step * c_row};
  job.axes[2] = {images.count(), p.in_image, p.out_image};
  // Split narrow rectangles, such as those at a border, along another axis.
  for (auto* axis : {&job.axes[1], &job.axes[2]}) {
    if (job.axes[0].count < tile_rows / 2 && job.axes[0].count < axis->count) std::swap(job.axes[0], *axis);
  }
  job.tile.a_position = job.axes[0].a;
  job.tile.c_position = job.axes[0].c;
  return job;
}

template <class T>
void fill_nothing(const Job<T>& job) {
  job.each_tile(1, [&](Index, const T*, T* to) { std::fill_n(to, job.tile.columns, T(0)); });
}

}  // namespace
}  // namespace xgrad::inline v0
