// Convolutions of images and their gradients. They read images in place, without copies of windows. Compiled once per
// instruction set.
//
// The output and the gradient with respect to the input are gathers (Note [Gather] in conv_axes.hpp). The kernel is
// packed into panels once; then units of work, strips of rows of the result, run in parallel. A unit is split into
// rectangles of positions that have the same taps inside the operand: one in the middle, and narrow ones along the
// borders. So no time is spent on taps outside of an image, and the loops over a rectangle need no conditions.
//
// Note [Order of sums]. A sum over taps is split into segments of at most `most_terms` terms. A segment is a chain of
// fused multiply-adds; segments are added in order, or pairwise if there are many. The gradient with respect to the
// kernel adds the sums of the units within each of `parts` ranges of units, and then the ranges pairwise. The order
// depends only on sizes, so results do not depend on the number of threads, and rounding errors grow slowly.
#include <algorithm>

#include <xgrad/ops/kernels/conv_axes.hpp>
#include <xgrad/ops/kernels/conv_lanes.hpp>
#include <xgrad/ops/kernels/conv_plane.hpp>
#include <xgrad/ops/kernels/conv_tile.hpp>
#include <xgrad/ops/kernels/conv_winograd.hpp>
#include <xgrad/ops/kernels/conv_winograd_sum.hpp>
#include <xgrad/ops/kernels/kernel_tables.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr Index most_terms = 512;
constexpr Index few_segments = 16;
constexpr Index most_pixels = 384;          // pixels of a unit of work of the kernel gradient, the length of its chains
constexpr Index gather_budget = 160 << 10;  // bytes that a unit of work accesses: a fraction of the L2 cache
constexpr Index most_unit_pixels = 1 << 14;
constexpr Index sum_budget = 96 << 10;
constexpr Index least_units = 16;         // minimum number of units of work if the convolution is large
constexpr Index parallel_work = 200'000;  // minimum number of multiply-adds that run in parallel
constexpr Index large_kernel = 1 << 20;   // bytes of a kernel above which units are large, see Note [Large kernels]
constexpr Index large_budget = 2 << 20;
constexpr Index few_parts = 16, most_parts = 256;
constexpr Index units_of_part = 16;

using Part = Kernels::ConvPart;

Index window_elements(const ConvSizes& s) { return s.rows.window * s.columns.window; }
Index work_of(const ConvSizes& s) {
  return s.images * s.rows.out * s.columns.out * s.filters * (s.channels / s.groups) * window_elements(s);
}
Parallel threads_for(Index work, const Parallel& parallel) { return work > parallel_work ? parallel : Parallel(1); }

// Calls run(tile, offset in a, offset in b) for each segment of the terms.
template <class T, class F>
void each_segment(const ConvTile& all, const F& run) {
  const Index vectors = vectors_of<T>(all.columns) * simd::width<T>;
  const Index length = std::min(all.length, most_terms);
  const Index taps = std::clamp<Index>(most_terms / all.length, 1, all.taps);
  const Index rows = taps < all.taps ? 1 : std::clamp<Index>(most_terms / (all.length * taps), 1, all.tap_rows);
  ConvTile tile = all;
  for (Index i = 0; i < all.tap_rows; i += rows) {
    tile.tap_rows = std::min(rows, all.tap_rows - i);
    for (Index j = 0; j < all.taps; j += taps) {
      tile.taps = std::min(taps, all.taps - j);
      for (Index k = 0; k < all.length; k += length) {
        tile.length = std::min(length, all.length - k);
        run(tile, i * all.a_tap_row + j * all.a_tap + k, i * all.b_tap_row + j * all.b_tap + k * vectors);
        tile.first = false;
      }
    }
  }
}

// Adds many segments of a tile pairwise, with one buffer per bit of their number.
template <class T>
void run_long_sum(const ConvTile& all, Index vector, Index count, const T* a, const T* b, T* c) {
  constexpr std::size_t size = static_cast<std::size_t>(tile_rows * panel_columns<T>);
  alignas(64) T buffers[48][size];
  const Index elements = count * all.columns;
  std::size_t segments = 0, level = 0;
  const auto join = [&] {
    --level;
    for (Index i = 0; i < elements; ++i) buffers[level - 1][i] += buffers[level][i];
  };
  each_segment<T>(all, [&](ConvTile tile, Index at_a, Index at_b) {
    tile.first = true;
    tile.c_position = all.columns;
    conv_tiles<T>.tile[count - 1][vector](tile, a + at_a, b + at_b, buffers[level++]);
    for (std::size_t bits = ++segments; bits % 2 == 0; bits /= 2) join();
  });
  while (level > 1) join();
  for (Index i = 0; i < count; ++i) std::copy_n(buffers[0] + i * all.columns, all.columns, c + i * all.c_position);
}

template <class T>
void run_job(const Job<T>& job) {
  const ConvTile& all = job.tile;
  const Index vector = all.columns > simd::width<T> ? 1 : 0;
  if (all.tap_rows * all.taps * all.length > few_segments * most_terms) {
    job.each_tile(tile_rows, [&](Index count, const T* a, T* c) { run_long_sum(all, vector, count, a, job.b, c); });
    return;
  }
  each_segment<T>(all, [&](const ConvTile& tile, Index at_a, Index at_b) {
    job.each_tile(tile_rows, [&](Index count, const T* a, T* c) {
      conv_tiles<T>.tile[count - 1][vector](tile, a + at_a, job.b + at_b, c);
    });
  });
}

// Number of panels of all groups.
template <class T>
Index count_panels(Index results, Index groups) {
  Index out = 0;
  for (Index j = 0; j < results; ++out) j += next_columns<T>(results - j);
  return out * groups;
}

// Computes the panels `which` of the results of a unit, with the packed kernel of this plane.
template <class T>
void run_plane(const Plane<T>& p, Index groups, const Units& units, Index unit, Range which, const T* packed) {
  constexpr Index w = simd::width<T>;
  const Range rows = p.rows.positions(units.rows_of(unit)), columns = p.columns.positions(units.columns_of(unit));
  Index panel = 0;
  for (Index g = 0; g < groups; ++g) {
    const T* const panels = packed + g * vectors_of<T>(p.results) * w * p.taps() * p.terms;
    for (Index j = 0, width = 0; j < p.results; j += width, ++panel) {
      width = next_columns<T>(p.results - j);
      if (panel < which.first || panel >= which.last) continue;
      const Index b_tap = p.terms * vectors_of<T>(width) * w;
      each_rectangle(p, rows, columns, [&](const Rectangle& r) {
        Job<T> job = job_of(p, r, units.images_of(unit), g * p.terms, g * p.results + j,
                            panels + j * p.taps() * p.terms, p.columns.taps * b_tap, b_tap, width);
        if (job.tile.tap_rows <= 0 || job.tile.taps <= 0 || p.terms == 0) return fill_nothing(job);
        if (p.contiguous()) {
          job.tile.length *= job.tile.taps;
          job.tile.taps = 1;
        }
        run_job(job);
      });
    }
  }
}

// ---- packing the kernel

// Packs a tap of a plane for all groups.
template <class T>
void pack_tap(const ConvSizes& s, bool transposed, const Plane<T>& p, Index tap, const T* kernel, T* packed) {
  constexpr Index w = simd::width<T>;
  const Index i = tap / p.columns.taps, j = tap % p.columns.taps;
  const Index element =
      (p.rows.w_first + i * p.rows.w_step) * s.columns.window + p.columns.w_first + j * p.columns.w_step;
  MatmulArgs args{.k = p.terms, .b_stride = s.filters, .transpose_b = transposed};
  for (Index g = 0; g < s.groups; ++g) {
    args.b = kernel + element * (s.channels / s.groups) * s.filters + g * (s.filters / s.groups);
    T* const panels = packed + g * vectors_of<T>(p.results) * w * p.taps() * p.terms;
    for (Index first = 0, width = 0; first < p.results; first += width) {
      width = next_columns<T>(p.results - first);
      const Index size = p.terms * vectors_of<T>(width) * w;
      T* const to = panels + first * p.taps() * p.terms + tap * size;
      if (width < w) std::fill_n(to, size, T(0));
      pack_panel<T>(args, 0, p.terms, first, width, to);
    }
  }
}

template <class T>
Index packed_elements(Part part, const ConvSizes& s) {
  const Index channels = s.channels / s.groups, filters = s.filters / s.groups;
  const Index terms = part == Part::output ? channels : filters;
  const Index results = part == Part::output ? filters : channels;
  return window_elements(s) * s.groups * terms * vectors_of<T>(results) * simd::width<T>;
}

// Calls run(plane, number of taps of earlier planes) for each pair of classes of rows and columns.
template <class T, class F>
void each_plane(Part part, const ConvSizes& s, const T* in, T* out, const F& run) {
  const bool back = part == Part::input_gradient;
  const Index channels = s.channels / s.groups, filters = s.filters / s.groups;
  Plane<T> p{.rows = output_gather(s.rows),
             .columns = output_gather(s.columns),
             .terms = back ? filters : channels,
             .results = back ? channels : filters,
             .in_pixel = back ? s.filters : s.channels,
             .in_columns = back ? s.columns.out : s.columns.in,
             .in_image = 0,
             .out_pixel = back ? s.channels : s.filters,
             .out_columns = back ? s.columns.in : s.columns.out,
             .out_image = 0,
             .in = in,
             .out = out};
  p.in_image = (back ? s.rows.out : s.rows.in) * p.in_columns * p.in_pixel;
  p.out_image = (back ? s.rows.in : s.rows.out) * p.out_columns * p.out_pixel;
  if (!back) return run(p, Index{0});
  Index before = 0;
  for (Index i = 0; i < class_count(s.rows); ++i) {
    p.rows = input_gather(s.rows, i);
    for (Index j = 0; j < class_count(s.columns); ++j, before += p.taps()) {
      p.columns = input_gather(s.columns, j);
      run(p, before);
    }
  }
}

template <class T>
WinogradPlane<T> winograd_plane(const Plane<T>& p) {
  return {p.rows, p.columns, p.terms, p.results, p.in_image, p.out_image, p.in, p.out};
}

template <class T>
void gather(Part part, const ConvSizes& s, const T* in, const T* kernel, T* out, T* packed, const Parallel& parallel,
            const RangeRef* on_rows_ready) {
  const bool back = part == Part::input_gradient;
  const Index work = work_of(s);
  const Parallel threads = threads_for(work, parallel);
  const Index size = lane_size<T>(s);
  const Index per_tap = packed_elements<T>(part, s) / window_elements(s);
  if (size > 1 && back) {
    swap_lanes(s, size, kernel, packed);
    kernel = packed;
  }
  if (size == 0) {
    const Parallel packers = threads_for(packed_elements<T>(part, s) * 16, parallel);
    each_plane<T>(part, s, in, out, [&](const Plane<T>& p, Index before) {
      packers.for_each(p.taps(), [&](Index tap) { pack_tap(s, back, p, tap, kernel, packed + before * per_tap); });
    });
  }
  if (use_winograd<T>(s)) {
    each_plane<T>(part, s, in, out, [&](const Plane<T>& p, Index) {
      run_winograd(winograd_plane(p), s.images, packed, packed + window_elements(s) * per_tap, threads, on_rows_ready);
    });
    return;
  }
  // Note [Large kernels]. Each unit reads the whole packed kernel, from memory if it is large. So units are then large,
  // and each task computes some panels of a unit.
  const bool large = per_tap * window_elements(s) * static_cast<Index>(sizeof(T)) > large_kernel && size == 0;
  const Index in_pixels = back ? 1 : s.rows.stride * s.columns.stride;
  const Index bytes =
      (in_pixels * (back ? s.filters : s.channels) + (back ? s.channels : s.filters)) * static_cast<Index>(sizeof(T));
  const Units units(s.images, back ? s.rows.in : s.rows.out, back ? s.columns.in : s.columns.out, bytes,
                    large ? large_budget : gather_budget, most_unit_pixels,
                    work > parallel_work && !large ? least_units : 1);
  if (units.count == 0) return;
  const Index panels = count_panels<T>((back ? s.channels : s.filters) / s.groups, s.groups);
  const Index splits = large ? std::min(panels, round_up_div(least_units, units.count)) : 1;
  if (back && (class_count(s.rows) < s.rows.stride || class_count(s.columns) < s.columns.stride)) {
    threads.for_each(units.count, [&](Index unit) {  // positions without taps stay 0
      const Range pixels = units.pixels_of(unit);
      std::fill_n(out + pixels.first * s.channels, pixels.count() * s.channels, T(0));
    });
  }
  const Index together = std::max<Index>(1, units.count * parallel_work / 4 / std::max<Index>(1, work));
  const auto report = [&](Index unit) {
    const Range pixels = units.pixels_of(unit);
    if (on_rows_ready != nullptr) (*on_rows_ready)(pixels.first, pixels.last);
  };
  threads.for_each(round_up_div(units.count, together) * splits, [&](Index task) {
    const Index first = task / splits * together, split = task % splits;
    const Range which{panels * split / splits, panels * (split + 1) / splits};
    for (Index unit = first; unit < std::min(units.count, first + together); ++unit) {
      each_plane<T>(part, s, in, out, [&](const Plane<T>& p, Index before) {
        if (size > 0)
          run_lanes(p, s, size, units, unit, kernel);
        else
          run_plane(p, s.groups, units, unit, which, packed + before * per_tap);
      });
      if (splits == 1) report(unit);
    }
  });
  if (splits > 1 && on_rows_ready != nullptr) threads.for_each(units.count, report);
}

// ---- gradient with respect to the kernel

struct SumSplit {
  Units units;
  Index parts = 1;   // ranges of units, each with its own sum
  Index items = 1;   // independent parts of the kernel: rows of taps times panels of filters
  Index splits = 1;  // ranges of items
};

template <class T>
SumSplit sum_split(const ConvSizes& s) {
  constexpr auto size = static_cast<Index>(sizeof(T));
  const bool large = work_of(s) > parallel_work;
  const Index bytes = (s.rows.stride * s.columns.stride * s.channels + s.filters) * size;
  const Index kernel_bytes = window_elements(s) * (s.channels / s.groups) * s.filters * size;
  // Each unit writes the whole gradient, so units are large if it is large.
  const bool large_units = kernel_bytes > large_kernel;
  SumSplit out{Units(s.images, s.rows.out, s.columns.out, bytes, large_units ? large_budget : sum_budget, most_pixels,
                     large && !large_units ? least_units : 1)};
  while (large && out.parts < (out.units.count > out.parts * units_of_part ? most_parts : few_parts) &&
         2 * out.parts <= out.units.count && 2 * out.parts * kernel_bytes <= parts_bytes)
    out.parts *= 2;
  out.items = s.rows.window * (lane_size<T>(s) > 0 ? 1 : count_panels<T>(s.filters / s.groups, s.groups));
  if (large) out.splits = std::min(out.items, round_up_div(few_parts, out.parts));
  return out;
}

template <class T>
struct KernelSums {
  const ConvSizes& s;
  const T* x;
  const T* y;
  Gather columns;
  Index channels, filters, panels;  // numbers per group

  KernelSums(const ConvSizes& sizes, Index items, const T* of_x, const T* of_y)
      : s(sizes),
        x(of_x),
        y(of_y),
        columns(output_gather(sizes.columns)),
        channels(sizes.channels / sizes.groups),
        filters(sizes.filters / sizes.groups),
        panels(items / (sizes.rows.window * sizes.groups)) {}

  // The columns of a panel, within its group.
  Range panel_of(Index panel) const {
    Range out{0, next_columns<T>(filters)};
    for (Index i = 0; i < panel; ++i) out = {out.last, out.last + next_columns<T>(filters - out.last)};
    return out;
  }
  ConvSumTile layout(Range images, Range rows, Range positions, Index width) const {
    return {images.count(),
            rows.count(),
            positions.count(),
            s.rows.in * s.columns.in * s.channels,
            s.rows.stride * s.columns.in * s.channels,
            s.columns.stride * s.channels,
            s.rows.out * s.columns.out * s.filters,
            s.columns.out * s.filters,
            s.filters,
            s.filters,
            width};
  }
  // Calls run(rows, columns, taps) for ranges of positions of a unit whose `taps` in row `tap_row` lie inside x.
  template <class F>
  void each_range(const Units& units, Index unit, Index tap_row, const F& run) const {
    const Index offset = s.rows.before - tap_row * s.rows.dilation;
    Range rows = units.rows_of(unit);
    rows.first = std::max(rows.first, round_up_div(offset, s.rows.stride));
    rows.last = std::min(rows.last, round_up_div(s.rows.in + offset, s.rows.stride));
    if (rows.first >= rows.last) return;
    const Range all = units.columns_of(unit);
    for (Index v = all.first, end = v; v < all.last; v = end) {
      end = columns.same_taps_until(v, all.last);
      const Range taps = columns.inside(v);
      if (taps.first < taps.last) run(rows, Range{v, end}, taps);
    }
  }
  const T* x_at(Index image, Index row, Index column, Index tap_row, Index tap) const {
    const Index y_at = row * s.rows.stride - s.rows.before + tap_row * s.rows.dilation;
    return x + ((image * s.rows.in + y_at) * s.columns.in + columns.at(column, tap)) * s.channels;
  }
  const T* y_at(Index image, Index row, Index column) const {
    return y + ((image * s.rows.out + row) * s.columns.out + column) * s.filters;
  }

  void clear(Index item, T* out) const {
    const Index row_elements = s.columns.window * channels;
    const Index group = item / panels % s.groups;
    const Range panel = panel_of(item % panels);
    T* to = out + item / (panels * s.groups) * row_elements * s.filters + group * filters + panel.first;
    for (Index i = 0; i < row_elements; ++i, to += s.filters) std::fill_n(to, panel.count(), T(0));
  }
  // Adds the sums of a unit to an item.
  void add(const Units& units, Index unit, Index item, T* out) const {
    const Index tap_row = item / (panels * s.groups), group = item / panels % s.groups;
    const Range panel = panel_of(item % panels);
    const Range images = units.images_of(unit);
    const bool contiguous = s.groups == 1 && (s.columns.dilation == 1 || s.columns.window == 1);
    const Index vector = panel.count() > simd::width<T> ? 1 : 0;
    each_range(units, unit, tap_row, [&](Range rows, Range positions, Range taps) {
      const ConvSumTile tile = layout(images, rows, positions, panel.count());
      const Index together = contiguous ? taps.count() : 1;
      const T* right = y_at(images.first, rows.first, positions.first) + group * filters + panel.first;
      for (Index t = taps.first; t < taps.last; t += together) {
        const T* left = x_at(images.first, rows.first, positions.first, tap_row, t) + group * channels;
        T* to = out + (tap_row * s.columns.window + t) * channels * s.filters + group * filters + panel.first;
        each_range_of(together * channels, tile_rows, [&](Index first, Index count) {
          conv_tiles<T>.sum[count - 1][vector](tile, left + first, right, to + first * s.filters);
        });
      }
    });
  }
};

template <class T>
void sum_kernel(const ConvSizes& s, const T* x, const T* y, T* out, T* scratch, const Parallel& parallel) {
  if (use_winograd_sum<T>(s)) {
    each_plane<T>(Part::output, s, x, nullptr, [&](const Plane<T>& p, Index) {
      sum_winograd(winograd_plane(p), s, y, out, scratch, threads_for(work_of(s), parallel));
    });
    return;
  }
  const Index size = window_elements(s) * (s.channels / s.groups) * s.filters;
  const Index lanes = lane_size<T>(s);
  const SumSplit split = sum_split<T>(s);
  const KernelSums<T> sums(s, split.items, x, y);
  const Parallel threads = threads_for(work_of(s), parallel);
  const auto sum_of = [&](Index part) { return part == 0 ? out : scratch + (part - 1) * size; };
  threads.for_each(split.parts * split.splits, [&](Index task) {
    const Index part = task / split.splits, one = task % split.splits;
    T* const to = sum_of(part);
    const Range items{split.items * one / split.splits, split.items * (one + 1) / split.splits};
    const Range range{split.units.count * part / split.parts, split.units.count * (part + 1) / split.parts};
    if (lanes > 0) {  // items are rows of taps
      const Index row = size / s.rows.window;
      std::fill_n(to + items.first * row, items.count() * row, T(0));
      each_plane<T>(Part::output, s, x, nullptr, [&](const Plane<T>& p, Index) {
        for (Index unit = range.first; unit < range.last; ++unit)
          add_lanes(p, s, lanes, split.units, unit, items, y, to);
      });
      return;
    }
    for (Index i = items.first; i < items.last; ++i) sums.clear(i, to);
    for (Index unit = range.first; unit < range.last; ++unit) {
      for (Index i = items.first; i < items.last; ++i) sums.add(split.units, unit, i, to);
    }
  });
  if (split.parts == 1) return;
  threads.for_each(round_up_div(size, add_chunk), [&](Index chunk) {
    const Index first = chunk * add_chunk, count = std::min(size - first, add_chunk);
    add_parts(out, scratch, size, split.parts, first, count);
  });
}

// ---- the table

template <class T>
void convolve(Part part, const ConvSizes& s, const void* a, const void* b, void* out, void* scratch,
              const Parallel& parallel, const RangeRef* on_rows_ready) {
  const T* left = static_cast<const T*>(a);
  const T* right = static_cast<const T*>(b);
  if (part == Part::kernel_gradient)
    sum_kernel<T>(s, left, right, static_cast<T*>(out), static_cast<T*>(scratch), parallel);
  else
    gather<T>(part, s, left, right, static_cast<T*>(out), static_cast<T*>(scratch), parallel, on_rows_ready);
}

template <class T>
std::size_t scratch_of(Part part, const ConvSizes& s) {
  Index elements = 0;
  if (part == Part::kernel_gradient && use_winograd_sum<T>(s))
    elements = WinogradSumSplit<T>(s).elements();
  else if (part == Part::kernel_gradient)
    elements = (sum_split<T>(s).parts - 1) * window_elements(s) * (s.channels / s.groups) * s.filters;
  else if (const Index lanes = lane_size<T>(s); lanes == 0)
    elements = packed_elements<T>(part, s);
  else if (lanes > 1 && part == Part::input_gradient)
    elements = window_elements(s) * lanes * s.channels;
  if (part != Part::kernel_gradient && use_winograd<T>(s)) elements += elements / 9 * winograd_products;
  return static_cast<std::size_t>(elements) * sizeof(T);
}

}  // namespace

namespace XGRAD_ISA {
extern const ConvKernels conv_kernels;
const ConvKernels conv_kernels = {{convolve<float>, convolve<double>, nullptr, nullptr},
                                  {scratch_of<float>, scratch_of<double>, nullptr, nullptr}};
}  // namespace XGRAD_ISA
}  // namespace xgrad::inline v0
