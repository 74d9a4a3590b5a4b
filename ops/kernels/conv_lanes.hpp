// Convolutions with small groups of channels. Included by conv.simd.cpp, once per instruction set.
//
// Note [Lanes]. If each group has as many filters as channels, and this `size` is a power of two below the width of a
// vector, a vector of channels holds whole groups. Lane i of each group is spread over the group and multiplied by the
// weights [tap][i][filters], which are contiguous. So no lane is idle, and no weight is a zero that would turn an
// infinite input into NaN. A depthwise convolution has size 1.
#pragma once

#include <bit>

#include <xgrad/ops/kernels/conv_plane.hpp>

namespace xgrad::inline v0 {
namespace {

// The size of the groups, or 0 if they are not computed by lanes.
template <class T>
Index lane_size(const ConvSizes& s) {
  const Index size = s.channels / s.groups;
  const bool power = size > 0 && std::has_single_bit(static_cast<std::size_t>(size));
  return s.groups > 1 && s.filters == s.channels && power && size < simd::width<T> ? size : 0;
}

// Layout, in elements: steps between taps in the operand, between positions, and in the kernel.
struct LaneTile {
  Index tap_rows, taps, channels;
  Index a_position, a_tap_row, a_tap;
  Index b_tap_row, b_tap, b_lane;
  Index c_position;
};

// Calls run(first channel, load, store) for each vector of channels; the last one may be partial.
template <class T, class F>
[[gnu::always_inline]] inline void each_vector(Index channels, const F& run) {
  constexpr Index w = simd::width<T>;
  Index c = 0;
  for (; c + w <= channels; c += w)
    run(
        c, [](const T* p) { return simd::load(p); }, [](T* p, simd::Batch<T> v) { simd::store(p, v); });
  if (const Index rest = channels - c; rest > 0)
    run(
        c, [=](const T* p) { return simd::load_partial(p, rest); },
        [=](T* p, simd::Batch<T> v) { simd::store_partial(p, v, rest); });
}

// Lane j takes lane j - j % size + i: spreads lane i of each group of `size` lanes over the group.
template <std::size_t size, std::size_t i, class T, std::size_t... lane>
simd::Batch<T> spread(simd::Batch<T> v, std::index_sequence<lane...>) {
  return simd::Batch<T>(__builtin_shufflevector(v.data, v.data, static_cast<int>(lane / size * size + i)...));
}
// Sets out[i] to v with lane i of each group spread over the group.
template <std::size_t size, class T>
[[gnu::always_inline]] inline void spread_all(simd::Batch<T> v, simd::Batch<T> (&out)[size]) {
  [&]<std::size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
    ((out[i] = spread<size, i, T>(v, std::make_index_sequence<simd::Batch<T>::size>())), ...);
  }
  (std::make_index_sequence<size>());
}

// A few positions and all channels. With `row_taps`, the number of taps of a row, neighboring positions share elements
// (a_tap equals a_position), and each is loaded once for all taps.
template <class T, std::size_t size, std::size_t rows, std::size_t row_taps>
void lane_tile(const LaneTile& s, const T* a, const T* b, T* c) {
  using B = simd::Batch<T>;
  const Index a_position = s.a_position, a_tap = s.a_tap, a_tap_row = s.a_tap_row, c_position = s.c_position;
  const Index b_tap = s.b_tap, b_tap_row = s.b_tap_row, b_lane = s.b_lane, taps = s.taps, tap_rows = s.tap_rows;
  each_vector<T>(
      s.channels, [&](Index channel, auto load, auto store) __attribute__((always_inline)) {
        B sums[rows];
#pragma GCC unroll 16
        for (std::size_t r = 0; r < rows; ++r) sums[r] = B(T(0));
        for (Index i = 0; i < tap_rows; ++i) {
          const T* from = a + i * a_tap_row + channel;
          const T* weights = b + i * b_tap_row + channel;
          if constexpr (row_taps > 0) {
            B of_tap[row_taps][size];
#pragma GCC unroll 16
            for (std::size_t t = 0; t < row_taps; ++t) {
#pragma GCC unroll 16
              for (std::size_t k = 0; k < size; ++k)
                of_tap[t][k] = load(weights + static_cast<Index>(t) * b_tap + static_cast<Index>(k) * b_lane);
            }
#pragma GCC unroll 16
            for (std::size_t j = 0; j < rows + row_taps - 1; ++j, from += a_position) {
              B of_a[size];
              spread_all<size, T>(load(from), of_a);
#pragma GCC unroll 16
              for (std::size_t k = 0; k < size; ++k) {
#pragma GCC unroll 16
                for (std::size_t t = 0; t < row_taps; ++t)
                  if (j >= t && j - t < rows) sums[j - t] = simd::fma(of_a[k], of_tap[t][k], sums[j - t]);
              }
            }
          } else {
            for (Index t = 0; t < taps; ++t, from += a_tap, weights += b_tap) {
              const T* at = from;
#pragma GCC unroll 16
              for (std::size_t r = 0; r < rows; ++r, at += a_position) {
                B of_a[size];
                spread_all<size, T>(load(at), of_a);
#pragma GCC unroll 16
                for (std::size_t k = 0; k < size; ++k)
                  sums[r] = simd::fma(of_a[k], load(weights + static_cast<Index>(k) * b_lane), sums[r]);
              }
            }
          }
        }
        // Prefetch the next positions of the last row, one of which is new in each tile.
        const T* ahead = a + (tap_rows - 1) * a_tap_row + static_cast<Index>(rows + 2) * a_position + channel;
        T* to = c + channel;
#pragma GCC unroll 16
        for (std::size_t r = 0; r < rows; ++r, to += c_position, ahead += a_position) {
          __builtin_prefetch(ahead);
          store(to, sums[r]);
        }
      });
}

// Layout of the gradient with respect to the kernel, for positions that have the same taps inside x.
struct LaneSumTile {
  Index images, rows, columns, channels;
  Index a_image, a_row, a_column, a_tap_row, a_tap;
  Index b_image, b_row, b_column;
  Index c_tap_row, c_tap, c_lane;
};

// Adds the sums over all positions to the gradients of tap_rows * taps taps.
template <class T, std::size_t size, std::size_t tap_rows, std::size_t taps>
void lane_sum_tile(const LaneSumTile& s, const T* a, const T* b, T* c) {
  using B = simd::Batch<T>;
  // With few sums, add even and odd positions separately, so that more additions are independent.
  constexpr std::size_t parts = size * tap_rows * taps < 8 ? 2 : 1;
  constexpr auto step = static_cast<Index>(parts);
  const Index a_column = s.a_column, b_column = s.b_column, a_tap_row = s.a_tap_row, a_tap = s.a_tap;
  each_vector<T>(
      s.channels, [&](Index channel, auto load, auto store) __attribute__((always_inline)) {
        B sums[parts][tap_rows][taps][size];
        for (auto& part : sums) {
#pragma GCC unroll 4
          for (std::size_t i = 0; i < tap_rows; ++i) {
#pragma GCC unroll 4
            for (std::size_t t = 0; t < taps; ++t) {
#pragma GCC unroll 16
              for (std::size_t k = 0; k < size; ++k) part[i][t][k] = B(T(0));
            }
          }
        }
        const auto add = [&](B(&part)[tap_rows][taps][size], const T* left, const T* right)
            __attribute__((always_inline)) {
          const B of_y = load(right);
#pragma GCC unroll 4
          for (std::size_t i = 0; i < tap_rows; ++i) {
#pragma GCC unroll 4
            for (std::size_t t = 0; t < taps; ++t) {
              B of_x[size];
              spread_all<size, T>(load(left + static_cast<Index>(i) * a_tap_row + static_cast<Index>(t) * a_tap), of_x);
#pragma GCC unroll 16
              for (std::size_t k = 0; k < size; ++k) part[i][t][k] = simd::fma(of_x[k], of_y, part[i][t][k]);
            }
          }
        };
        for (Index i = 0; i < s.images * s.rows; ++i) {
          const Index image = i / s.rows, y = i % s.rows;
          const T* left = a + image * s.a_image + y * s.a_row + channel;
          const T* right = b + image * s.b_image + y * s.b_row + channel;
          Index x = 0;
          for (; x + step <= s.columns; x += step, left += step * a_column, right += step * b_column) {
            add(sums[0], left, right);
            if constexpr (parts == 2) add(sums[1], left + a_column, right + b_column);
          }
          if (x < s.columns) add(sums[0], left, right);
        }
#pragma GCC unroll 4
        for (std::size_t i = 0; i < tap_rows; ++i) {
#pragma GCC unroll 4
          for (std::size_t t = 0; t < taps; ++t) {
            T* to = c + static_cast<Index>(i) * s.c_tap_row + static_cast<Index>(t) * s.c_tap + channel;
#pragma GCC unroll 16
            for (std::size_t k = 0; k < size; ++k, to += s.c_lane) {
              B sum = sums[0][i][t][k];
              if constexpr (parts == 2) sum = sum + sums[1][i][t][k];
              store(to, load(to) + sum);
            }
          }
        }
      });
}

// Tiles of 8, 4, 2 and 1 positions, for any window and for rows of three taps; and sums of 1 to 4 taps and of 3 x 3.
constexpr Index lane_rows = 8;
constexpr std::size_t shared_taps = 3;
template <class T>
struct LaneTable {
  using Tile = void (*)(const LaneTile&, const T*, const T*, T*);
  using SumTile = void (*)(const LaneSumTile&, const T*, const T*, T*);
  Tile tile[2][4];
  SumTile sum[4];
  SumTile square;   // null if its sums do not fit into registers
  Index most_taps;  // of `sum`
};
template <class T, std::size_t size>
constexpr LaneTable<T> make_lanes() {
  constexpr std::size_t most = size <= 2 ? 4 : size == 4 ? 3 : 1;
  LaneTable<T> out{
      {{lane_tile<T, size, 1, 0>, lane_tile<T, size, 2, 0>, lane_tile<T, size, 4, 0>, lane_tile<T, size, 8, 0>},
       {lane_tile<T, size, 1, 0>, lane_tile<T, size, 2, shared_taps>, lane_tile<T, size, 4, shared_taps>,
        lane_tile<T, size, 8, shared_taps>}},
      {lane_sum_tile<T, size, 1, 1>, lane_sum_tile<T, size, 1, std::min<std::size_t>(2, most)>,
       lane_sum_tile<T, size, 1, std::min<std::size_t>(3, most)>,
       lane_sum_tile<T, size, 1, std::min<std::size_t>(4, most)>},
      nullptr,
      most};
  if constexpr (size == 1) out.square = lane_sum_tile<T, size, 3, 3>;
  return out;
}
template <class T, std::size_t... level>
constexpr std::array<LaneTable<T>, sizeof...(level)> make_lane_tables(std::index_sequence<level...>) {
  return {make_lanes<T, std::size_t{1} << level>()...};
}
// The tables for groups of 1, 2, 4, ... channels.
template <class T>
constexpr auto lane_tables =
    make_lane_tables<T>(std::make_index_sequence<std::bit_width(static_cast<std::size_t>(simd::width<T>)) - 1>());
template <class T>
const LaneTable<T>& lanes_of(Index size) {
  return lane_tables<T>[static_cast<std::size_t>(std::countr_zero(static_cast<std::size_t>(size)))];
}

// Swaps the axes of each group in the kernel, for the gradient with respect to the input.
template <class T>
void swap_lanes(const ConvSizes& s, Index size, const T* kernel, T* to) {
  for (Index row = 0; row < s.rows.window * s.columns.window * size; ++row, to += s.channels) {
    const T* from = kernel + row / size * size * s.filters + row % size;
    for (Index c = 0; c < s.channels; ++c) to[c] = from[c % size * s.filters + c / size * size];
  }
}

// Computes the results of a unit. `kernel` is [taps, size, channels].
template <class T>
void run_lanes(const Plane<T>& p, const ConvSizes& s, Index size, const Units& units, Index unit, const T* kernel) {
  const LaneTable<T>& lanes = lanes_of<T>(size);
  const Index b_tap = size * s.channels, b_row = s.columns.window * b_tap;
  const T* const first_tap = kernel + p.rows.w_first * b_row + p.columns.w_first * b_tap;
  const Range rows = p.rows.positions(units.rows_of(unit)), columns = p.columns.positions(units.columns_of(unit));
  each_rectangle(p, rows, columns, [&](const Rectangle& r) {
    const Job<T> job = job_of(p, r, units.images_of(unit), 0, 0, first_tap, p.rows.w_step * b_row,
                              p.columns.w_step * b_tap, s.channels);
    if (job.tile.tap_rows <= 0 || job.tile.taps <= 0) return fill_nothing(job);
    const LaneTile tile{job.tile.tap_rows,  job.tile.taps,      s.channels,         job.tile.a_position,
                        job.tile.a_tap_row, job.tile.a_tap,     job.tile.b_tap_row, job.tile.b_tap,
                        s.channels,         job.tile.c_position};
    const bool shared = tile.taps == static_cast<Index>(shared_taps) && tile.a_tap == tile.a_position;
    const auto& tiles = lanes.tile[shared ? 1 : 0];
    job.each_line([&](Index count, const T* a, T* c) {
      for (Index level = 3, step = lane_rows; count > 0; --level, step /= 2) {
        for (; count >= step; count -= step, a += step * tile.a_position, c += step * tile.c_position)
          tiles[level](tile, a, job.b, c);
      }
    });
  });
}

// Adds the sums of a unit to the gradients of the rows of taps `which`. `p` is the plane of the output.
template <class T>
void add_lanes(const Plane<T>& p, const ConvSizes& s, Index size, const Units& units, Index unit, Range which,
               const T* y, T* out) {
  constexpr Index few_columns = 64;  // positions in a call, whose rows stay in the L1 cache
  const LaneTable<T>& lanes = lanes_of<T>(size);
  const Range images = units.images_of(unit);
  each_rectangle(p, units.rows_of(unit), units.columns_of(unit), [&](const Rectangle& r) {
    const T* const a = first_input(p, r, images.first, 0);
    const Index a_row = p.in_columns * p.in_pixel;
    const Index b_row = s.columns.out * s.channels;
    LaneSumTile tile{images.count(),
                     0,
                     r.columns.count(),
                     s.channels,
                     p.in_image,
                     p.rows.in_step * a_row,
                     p.columns.in_step * p.in_pixel,
                     p.rows.step * a_row,
                     p.columns.step * p.in_pixel,
                     s.rows.out * b_row,
                     b_row,
                     s.channels,
                     s.columns.window * size * s.channels,
                     size * s.channels,
                     s.channels};
    const Range tap_rows{std::max(which.first, r.tap_rows.first), std::min(which.last, r.tap_rows.last)};
    const Range taps = r.tap_columns;
    each_range_of(r.rows.count(), std::max<Index>(1, few_columns / r.columns.count()), [&](Index row, Index count) {
      tile.rows = count;
      const T* left = a + row * tile.a_row;
      const T* right = y + (images.first * s.rows.out + r.rows.first + row) * b_row + r.columns.first * s.channels;
      const auto run = [&](auto sum, Index i, Index t) {
        sum(tile, left + (i - r.tap_rows.first) * tile.a_tap_row + (t - taps.first) * tile.a_tap, right,
            out + i * tile.c_tap_row + t * tile.c_tap);
      };
      if (lanes.square != nullptr && tap_rows.count() == 3 && taps.count() == 3)
        return run(lanes.square, tap_rows.first, taps.first);
      for (Index i = tap_rows.first; i < tap_rows.last; ++i) {
        each_range_of(taps.count(), lanes.most_taps,
                      [&](Index first, Index some) { run(lanes.sum[some - 1], i, taps.first + first); });
      }
    });
  });
}

}  // namespace
}  // namespace xgrad::inline v0
