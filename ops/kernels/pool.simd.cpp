// Max and average pooling of images [images, rows, columns, channels], and their gradients. Vectors run over channels.
// Compiled once per instruction set.
//
// Note [Comparing again]. Max pooling stores no positions: the gradient compares the elements of a window again, which
// reads no more memory. The first largest element in row-major order is taken, and NaN counts as largest.
//
// Note [Order of means]. A window is summed by columns, then the sums of its columns are added. More than `in_order`
// terms along an axis are added pairwise. So the sums of columns may be computed once for overlapping windows.
#include <algorithm>
#include <bit>
#include <numeric>

#include <xgrad/ops/kernels/conv_axes.hpp>
#include <xgrad/ops/kernels/pool_kernels.hpp>
#include <xgrad/ops/kernels/simd.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr Index task_elements = 1 << 16;  // elements read by one task
constexpr Index in_order = 32;            // terms that are added in order

// The elements first, first + step, ... of an axis.
struct Taps {
  Index first, step, count;
  bool operator==(const Taps&) const = default;
};

// The elements of window i inside the axis.
Taps taps_of_window(const ConvAxis& a, Index i) {
  const Index begin = i * a.stride - a.before;
  if (begin >= 0 && begin + (a.window - 1) * a.dilation < a.in) return {begin, a.dilation, a.window};
  const Index first = round_up_div(-begin, a.dilation);
  const Index last = std::min(a.window, round_up_div(a.in - begin, a.dilation));
  return {begin + first * a.dilation, a.dilation, std::max<Index>(0, last - first)};
}

// The first window that may reach the position, and the last one.
Index first_window_at(const ConvAxis& a, Index position) {
  return round_up_div(position + a.before - (a.window - 1) * a.dilation, a.stride);
}
Index last_window_at(const ConvAxis& a, Index position) {
  return std::min(a.out - 1, (position + a.before) / a.stride);
}
// The windows that contain the position.
Taps windows_of(const ConvAxis& a, Index position) {
  Index first = first_window_at(a, position);
  const Index last = last_window_at(a, position);
  const Index step = a.dilation / std::gcd(a.stride, a.dilation);
  for (Index i = 0; i < step && first <= last; ++i, ++first) {
    if ((position + a.before - first * a.stride) % a.dilation == 0) return {first, step, (last - first) / step + 1};
  }
  return {0, 1, 0};
}

// Access to `vectors` full vectors, or to the first `count` elements of one.
template <class T, int n>
struct Whole {
  static constexpr int vectors = n;
  simd::Batch<T> load(const T* p, int v) const { return simd::load(p + v * simd::width<T>); }
  void store(T* p, int v, simd::Batch<T> x) const { simd::store(p + v * simd::width<T>, x); }
};
template <class T>
struct Part {
  static constexpr int vectors = 1;
  Index count;
  simd::Batch<T> load(const T* p, int) const { return simd::load_partial(p, count); }
  void store(T* p, int, simd::Batch<T> x) const { simd::store_partial(p, x, count); }
};
// Calls f(access, first) for pieces of n consecutive elements.
template <class T, class F>
void each_piece(Index n, const F& f) {
  constexpr Index w = simd::width<T>;
  Index i = 0;
  for (; i + 4 * w <= n; i += 4 * w) f(Whole<T, 4>(), i);
  for (; i + w <= n; i += w) f(Whole<T, 1>(), i);
  if (i < n) f(Part<T>{n - i}, i);
}
template <class T, class Lanes>
struct Vectors {
  simd::Batch<T> v[Lanes::vectors];

  static Vectors zero() {
    Vectors out;
    for (auto& x : out.v) x = simd::Batch<T>(T(0));
    return out;
  }
  static Vectors load(const Lanes& lanes, const T* from) {
    Vectors out;
    for (int i = 0; i < Lanes::vectors; ++i) out.v[i] = lanes.load(from, i);
    return out;
  }
  void store(const Lanes& lanes, T* to) const {
    for (int i = 0; i < Lanes::vectors; ++i) lanes.store(to, i, v[i]);
  }
  void add(const Vectors& other) {
    for (int i = 0; i < Lanes::vectors; ++i) v[i] = v[i] + other.v[i];
  }
};

// ---- maximum

template <class T>
simd::Mask<T> beats(simd::Batch<T> x, simd::Batch<T> best) {
  if constexpr (std::is_integral_v<T>)
    return x > best;
  else
    return !(x <= best) && best == best;  // x > best, or x is the first NaN
}

// One window of an image: positions relative to its first channel.
struct Window {
  Taps rows, columns;
  Index row_stride, pixel;
  Index first() const { return rows.first * row_stride + columns.first * pixel; }
  // Calls f(offset) for each pixel but the first `skipped` ones of the first row, in row-major order.
  template <class F>
  void each(Index skipped, const F& f) const {
    for (Index e = 0; e < rows.count; ++e, skipped = 0) {
      const Index row = (rows.first + e * rows.step) * row_stride;
      for (Index k = skipped; k < columns.count; ++k) f(row + (columns.first + k * columns.step) * pixel);
    }
  }
};

// Calls take(v, mask, offset) whenever vector v of a pixel beats the best one so far, which is returned.
template <class T, class Lanes, class Take>
Vectors<T, Lanes> find_largest(const Lanes& lanes, const Window& w, const T* x, const Take& take) {
  auto best = Vectors<T, Lanes>::load(lanes, x + w.first());
  w.each(1, [&](Index offset) {
    for (int v = 0; v < Lanes::vectors; ++v) {
      const simd::Batch<T> now = lanes.load(x + offset, v);
      const simd::Mask<T> better = beats(now, best.v[v]);
      best.v[v] = simd::select(better, now, best.v[v]);
      take(v, better, offset);
    }
  });
  return best;
}

// Images and their windows.
template <class T>
struct Images {
  const ConvSizes& s;
  Index row_stride, image_stride, out_row, out_image;
  explicit Images(const ConvSizes& sizes)
      : s(sizes),
        row_stride(s.columns.in * s.channels),
        image_stride(s.rows.in * row_stride),
        out_row(s.columns.out * s.channels),
        out_image(s.rows.out * out_row) {}
  Window window(const Taps& rows, Index j) const {
    return {rows, taps_of_window(s.columns, j), row_stride, s.channels};
  }
};

template <class T>
void max_pool(const ConvSizes& s, const void* values, const void* scores, void* out, const Parallel& parallel) {
  const Images<T> g(s);
  const Index work = std::max<Index>(1, s.columns.out * s.channels * s.rows.window * s.columns.window);
  for_each_in_stretches(parallel, s.images * s.rows.out, task_elements / work, [&](Index r) {
    const Index image = r / s.rows.out * g.image_stride;
    const Taps rows = taps_of_window(s.rows, r % s.rows.out);
    for (Index j = 0; j < s.columns.out; ++j) {
      const Window w = g.window(rows, j);
      each_piece<T>(s.channels, [&](const auto& lanes, Index c) {
        using Lanes = std::decay_t<decltype(lanes)>;
        const T* x = static_cast<const T*>(scores) + image + c;
        T* y = static_cast<T*>(out) + r * g.out_row + j * s.channels + c;
        if (values == scores) {
          const auto best = find_largest(lanes, w, x, [](int, simd::Mask<T>, Index) {});
          return best.store(lanes, y);
        }
        const T* from = static_cast<const T*>(values) + image + c;
        auto chosen = Vectors<T, Lanes>::load(lanes, from + w.first());
        find_largest(lanes, w, x, [&](int v, simd::Mask<T> better, Index offset) {
          chosen.v[v] = simd::select(better, lanes.load(from + offset, v), chosen.v[v]);
        });
        chosen.store(lanes, y);
      });
    }
  });
}

// Adds the elements of c to the largest elements of their windows, in order of the windows. A task computes a strip of
// rows from all windows that reach into it. Strips are higher than windows, so that few windows are compared twice.
template <class T>
void max_scatter(const ConvSizes& s, const void* c, const void* scores, void* out, const Parallel& parallel) {
  const Images<T> g(s);
  const Index reach = (s.rows.window - 1) * s.rows.dilation + 1;
  const Index least = std::max(task_elements / std::max<Index>(1, g.row_stride), 4 * std::min(reach, s.rows.in));
  const Index height = round_up_div(std::max<Index>(1, least), s.rows.stride) * s.rows.stride;
  const Index strips = round_up_div(s.rows.in, height);
  for_each_in_stretches(parallel, s.images * strips, task_elements / std::max<Index>(1, g.image_stride), [&](Index t) {
    const Index image = t / strips;
    const Index begin = t % strips * height, end = std::min(s.rows.in, begin + height);
    const T* x = static_cast<const T*>(scores) + image * g.image_stride;
    T* dx = static_cast<T*>(out) + image * g.image_stride;
    Index cleared = begin;  // rows are set to 0 shortly before their first window, when they are about to be cached
    const auto clear_until = [&](Index row) {
      if (row > cleared) std::fill_n(dx + cleared * g.row_stride, (row - cleared) * g.row_stride, T(0));
      cleared = std::max(cleared, row);
    };
    for (Index i = first_window_at(s.rows, begin); i <= last_window_at(s.rows, end - 1); ++i) {
      const Taps rows = taps_of_window(s.rows, i);
      clear_until(std::min(end, rows.first + (rows.count - 1) * rows.step + 1));
      const T* dy = static_cast<const T*>(c) + image * g.out_image + i * g.out_row;
      for (Index j = 0; j < s.columns.out; ++j) {
        const Window w = g.window(rows, j);
        each_piece<T>(s.channels, [&](const auto& lanes, Index k) {
          using Lanes = std::decay_t<decltype(lanes)>;
          using B = simd::Batch<T>;
          const auto best = find_largest(lanes, w, x + k, [](int, simd::Mask<T>, Index) {});
          const auto add = Vectors<T, Lanes>::load(lanes, dy + j * s.channels + k);
          simd::Mask<T> open[Lanes::vectors];
          for (auto& mask : open) mask = B(T(0)) == B(T(0));
          w.each(0, [&](Index offset) {
            const bool inside = offset >= begin * g.row_stride && offset < end * g.row_stride;
            for (int v = 0; v < Lanes::vectors; ++v) {
              const B now = lanes.load(x + k + offset, v);
              const simd::Mask<T> hit = open[v] && (now == best.v[v] || simd::is_nan(now));
              open[v] = open[v] && !hit;
              if (!inside) continue;
              T* to = dx + k + offset;
              const B old = lanes.load(to, v);
              lanes.store(to, v, simd::select(hit, old + add.v[v], old));
            }
          });
        });
      }
    }
    clear_until(end);
  });
}

// ---- mean

// The sum of get(first), ..., get(first + count - 1), see Note [Order of means]. Calls are inlined, so that sums stay
// in registers.
template <class V, class Get>
[[gnu::noinline]] V sum_of_many(Index first, Index count, const Get& get);
template <class V, class Get>
[[gnu::always_inline]] inline V sum_of(Index first, Index count, const Get& get) {
  if (count > in_order) return sum_of_many<V>(first, count, get);
  if (count == 0) return V::zero();
  V out = get(first);
  for (Index i = first + 1; i < first + count; ++i) out.add(get(i));
  return out;
}
template <class V, class Get>
V sum_of_many(Index first, Index count, const Get& get) {
  const Index half = (count / 2 + in_order - 1) / in_order * in_order;
  V out = sum_of<V>(first, half, get);
  out.add(sum_of<V>(first + half, count - half, get));
  return out;
}

// The number of elements of a window, by which its sum is divided.
template <class T>
struct Divisor {
  T number, inverse;
  bool power_of_two;  // then a multiplication by the inverse has the same result, and is faster
  explicit Divisor(Index n)
      : number(static_cast<T>(n)),
        inverse(T(1) / number),
        power_of_two(std::has_single_bit(static_cast<std::size_t>(n))) {}
  template <class V>
  V operator()(V x) const {
    for (auto& v : x.v) v = power_of_two ? v * simd::Batch<T>(inverse) : v / simd::Batch<T>(number);
    return x;
  }
};

// The means of windows, or the gradient: each pixel sums the elements of all windows that contain it, each divided by
// the size of its window. Both are sums over taps of rows and of columns.
template <class T, bool scatter>
struct Means {
  static constexpr Index most_columns = 128;
  static constexpr Index buffer = (32 << 10) / static_cast<Index>(sizeof(T));
  const ConvSizes& s;
  bool count_padding;
  Divisor<T> whole_window{s.rows.window * s.columns.window};

  static Index in(const ConvAxis& a) { return scatter ? a.out : a.in; }
  static Index out(const ConvAxis& a) { return scatter ? a.in : a.out; }
  static Taps taps(const ConvAxis& a, Index i) { return scatter ? windows_of(a, i) : taps_of_window(a, i); }
  // The first input position that output i may read, and the one after the last.
  static Index begin(const ConvAxis& a, Index i) {
    return std::max<Index>(0, scatter ? first_window_at(a, i) : i * a.stride - a.before);
  }
  static Index end(const ConvAxis& a, Index i) {
    return scatter ? last_window_at(a, i) + 1
                   : std::min(a.in, i * a.stride - a.before + (a.window - 1) * a.dilation + 1);
  }
  Divisor<T> divisor(Index i, Index j) const {
    if (count_padding) return whole_window;
    const Index height = taps_of_window(s.rows, i).count, width = taps_of_window(s.columns, j).count;
    return height == s.rows.window && width == s.columns.window ? whole_window : Divisor<T>(height * width);
  }

  // The sum of the taps of one column, at x. Windows are divided first.
  template <class Lanes>
  [[gnu::always_inline]] Vectors<T, Lanes> column(const Lanes& lanes, const T* image, const Taps& rows, Index x,
                                                  Index c) const {
    using V = Vectors<T, Lanes>;
    return sum_of<V>(
        0, rows.count, [&](Index e) __attribute__((always_inline)) {
          const Index row = rows.first + e * rows.step;
          const V out = V::load(lanes, image + (row * in(s.columns) + x) * s.channels + c);
          if constexpr (scatter)
            return divisor(row, x)(out);
          else
            return out;
        });
  }
  template <class Lanes>
  void finish(const Lanes& lanes, const Vectors<T, Lanes>& sum, Index i, Index j, T* to) const {
    if constexpr (scatter)
      sum.store(lanes, to);
    else
      divisor(i, j)(sum).store(lanes, to);
  }

  // Whether the sums of columns are used several times, by other columns or by other rows.
  bool reused() const {
    if (scatter) return true;
    const Index height = s.rows.window, width = s.columns.window;
    return s.columns.dilation == 1 && height * width > height * s.columns.stride + width;
  }

  // Rows [first, last) of one image, columns [x, x_end).
  void direct(const T* image, T* to, Index first, Index last, Index x, Index x_end) const {
    for (Index i = first; i < last; ++i) {
      const Taps rows = taps(s.rows, i);
      for (Index j = x; j < x_end; ++j) {
        const Taps columns = taps(s.columns, j);
        each_piece<T>(s.channels, [&](const auto& lanes, Index c) {
          using V = Vectors<T, std::decay_t<decltype(lanes)>>;
          const V sum = sum_of<V>(
              0, columns.count, [&](Index k) __attribute__((always_inline)) {
                return column(lanes, image, rows, columns.first + k * columns.step, c);
              });
          finish(lanes, sum, i, j, to + (i * out(s.columns) + j) * s.channels + c);
        });
      }
    }
  }
  // The same, with the sums of columns in a buffer.
  void buffered(const T* image, T* to, Index first, Index last, Index x, Index x_end) const {
    alignas(64) T sums[static_cast<std::size_t>(buffer)];
    Taps columns[most_columns];
    for (Index j = x; j < x_end; ++j) columns[j - x] = taps(s.columns, j);
    const Index from = begin(s.columns, x), until = end(s.columns, x_end - 1);
    Taps before{-1, 0, 0};
    for (Index i = first; i < last; ++i) {
      const Taps rows = taps(s.rows, i);
      if (rows != before) {
        for (Index p = from; p < until; ++p) {
          each_piece<T>(s.channels, [&](const auto& lanes, Index c) {
            column(lanes, image, rows, p, c).store(lanes, sums + (p - from) * s.channels + c);
          });
        }
        before = rows;
      }
      for (Index j = x; j < x_end; ++j) {
        const Taps& now = columns[j - x];
        each_piece<T>(s.channels, [&](const auto& lanes, Index c) {
          using V = Vectors<T, std::decay_t<decltype(lanes)>>;
          const V sum = sum_of<V>(
              0, now.count, [&](Index k) __attribute__((always_inline)) {
                return V::load(lanes, sums + (now.first + k * now.step - from) * s.channels + c);
              });
          finish(lanes, sum, i, j, to + (i * out(s.columns) + j) * s.channels + c);
        });
      }
    }
  }

  // The end of the columns from x on whose sums fit the buffer, or x if there is none.
  Index buffered_until(Index x) const {
    Index to = x;
    const Index from = begin(s.columns, x);
    while (to < std::min(out(s.columns), x + most_columns) && (end(s.columns, to) - from) * s.channels <= buffer) ++to;
    return to;
  }

  void run(const T* from, T* to, const Parallel& parallel) const {
    const Index in_image = in(s.rows) * in(s.columns) * s.channels;
    const Index out_image = out(s.rows) * out(s.columns) * s.channels;
    const Index work = out(s.columns) * s.channels * (scatter ? 1 : s.rows.window * s.columns.window);
    const Index height = std::max<Index>(1, task_elements / std::max<Index>(1, work));
    const Index strips = round_up_div(out(s.rows), height);
    for_each_in_stretches(parallel, s.images * strips, height / std::max<Index>(1, out(s.rows)), [&](Index t) {
      const T* image = from + t / strips * in_image;
      T* result = to + t / strips * out_image;
      const Index first = t % strips * height, last = std::min(out(s.rows), first + height);
      if (!reused()) return direct(image, result, first, last, 0, out(s.columns));
      for (Index x = 0, until = x; x < out(s.columns); x = until) {
        until = buffered_until(x);
        if (until > x)
          buffered(image, result, first, last, x, until);
        else
          direct(image, result, first, last, x, ++until);
      }
    });
  }
};

template <class T, bool scatter>
void mean(const ConvSizes& s, bool count_padding, const void* in, void* out, const Parallel& parallel) {
  if (s.channels > 0)
    Means<T, scatter>{s, count_padding}.run(static_cast<const T*>(in), static_cast<T*>(out), parallel);
}

}  // namespace

namespace XGRAD_ISA {
const PoolKernels pool_kernels = {
    {max_pool<float>, max_pool<double>, max_pool<std::int64_t>, nullptr},
    {max_scatter<float>, max_scatter<double>, nullptr, nullptr},
    {mean<float, false>, mean<double, false>, nullptr, nullptr},
    {mean<float, true>, mean<double, true>, nullptr, nullptr},
};
}  // namespace XGRAD_ISA
}  // namespace xgrad::inline v0
