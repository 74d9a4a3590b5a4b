// Sliding windows over images: unfold and fold.
#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/list_text.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/internal/wide_sum.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/internal/slides.hpp>
#include <xgrad/ops/primitives/internal/window_attrs.hpp>

namespace xgrad::inline v0 {

Attrs window_attrs(HeightWidth window, HeightWidth strides, HeightWidth dilation, const std::vector<Index>& padding) {
  return {{"window", Axes{window.height, window.width}},
          {"strides", Axes{strides.height, strides.width}},
          {"dilation", Axes{dilation.height, dilation.width}},
          {"padding", padding}};
}

namespace {

constexpr Index most = 1 << 28;  // limit of each attribute, so that products of two cannot overflow

void check_numbers(const Infer& in, const char* what, Index least) {
  const std::vector<Index>& numbers = in.attrs().ints(what);
  const bool same = std::string_view(what) == "padding" && numbers.empty();
  const std::size_t wanted = least == 0 ? 4 : 2;
  if (numbers.size() != wanted && !same)
    in.fail_shape(fmt::format("{} must have {} numbers, got [{}]", what, wanted, list_text(numbers)));
  for (Index x : numbers) {
    if (x < least) in.fail_shape(fmt::format("{} must be at least {}, got {}", what, least, x));
    if (x > most) in.fail_shape(fmt::format("{} {} is too large", what, x));
  }
}

}  // namespace

Slides slides_of(const Infer& in, Index height, Index width) {
  check_numbers(in, "window", 1);
  const std::vector<Index>& window = in.attrs().ints("window");
  return slides_of(in, window[0], window[1], height, width);
}

Slides slides_of(const Infer& in, Index window_height, Index window_width, Index height, Index width) {
  const Attrs& attrs = in.attrs();
  check_numbers(in, "strides", 1);
  check_numbers(in, "dilation", 1);
  check_numbers(in, "padding", 0);
  if (std::max(window_height, window_width) > most)
    in.fail_shape(fmt::format("a window of {} x {} is too large", window_height, window_width));
  const Slides out(attrs, window_height, window_width, height, width);
  for (const Slide* s : {&out.rows, &out.columns}) {
    const char* axis = s == &out.rows ? "height" : "width";
    if (!attrs.ints("padding").empty() && s->reach() > s->extent + s->before + s->after) {
      in.fail_shape(fmt::format("a window of {} {} does not fit into {} with {} and {} of padding", axis, s->reach(),
                                s->extent, s->before, s->after));
    }
  }
  return out;
}

void require_images(const Infer& in, const Shape& x) {
  if (x.rank() != 4) in.fail_shape(fmt::format("images are [batch, height, width, channels], not {}", x.str()));
}

Value stacked(Value x) { return flatten(x, 0, 1); }
Value unstacked(const Batch& b, Value y, const Shape& one) { return unflatten(y, 0, {b.size(), one[0]}); }

namespace {

constexpr Index task_elements = 1 << 15;

// Copies a few bytes without a call of memcpy, which would take longer than the copy.
inline void copy_run(char* to, const char* from, std::size_t bytes) {
  const auto piece = [&](auto size, std::size_t at) { std::memcpy(to + at, from + at, decltype(size)::value); };
  const auto ends = [&](auto size) {
    piece(size, 0);
    piece(size, bytes - decltype(size)::value);
  };
  using Size16 = std::integral_constant<std::size_t, 16>;
  if (bytes > 128) {
    std::memcpy(to, from, bytes);
  } else if (bytes >= 16) {
    for (std::size_t at = 0; at + 16 <= bytes; at += 16) piece(Size16(), at);
    piece(Size16(), bytes - 16);
  } else if (bytes >= 8) {
    ends(std::integral_constant<std::size_t, 8>());
  } else if (bytes >= 4) {
    ends(std::integral_constant<std::size_t, 4>());
  } else {
    for (std::size_t at = 0; at < bytes; ++at) to[at] = from[at];
  }
}

// Calls run(element, position, count) for each contiguous run of elements of window i inside the axis.
template <class F>
void inside_runs(const Slide& s, Index i, const F& run) {
  const Index first = s.first(i), last = s.last(i);
  if (s.dilation == 1) {
    if (first < last) run(first, s.at(i, first), last - first);
    return;
  }
  for (Index e = first; e < last; ++e) run(e, s.at(i, e), 1);
}

struct Unfold : Operation {
  static constexpr const char* name = "unfold";
  static constexpr const char* doc =
      "The windows of images, [batch, height, width, channels] to [batch, height', width', elements, channels]. "
      "Elements outside the image are 0.";
  static TensorType infer(const Infer& in) {
    const Shape& x = in.shape(0);
    require_images(in, x);
    const Slides s = slides_of(in, x[1], x[2]);
    return {in.dtype(0), {x[0], s.rows.count, s.columns.count, s.elements(), x[3]}};
  }
  // Copies one row of windows; elements in the padding are 0.
  static void row(const KernelCall& call, const Slides& s, Index image, Index i) {
    const Shape& x = call.inputs[0].type.shape;
    const std::size_t pixel = static_cast<std::size_t>(x[3]) * size_of(call.output.type.dtype);
    const auto bytes = [&](Index pixels) { return static_cast<std::size_t>(pixels) * pixel; };
    const char* images = call.inputs[0].as<char>() + bytes(image * s.rows.extent * s.columns.extent);
    char* out = call.output.as<char>() + bytes((image * s.rows.count + i) * s.columns.count * s.elements());
    for (Index j = 0; j < s.columns.count; ++j) {
      for (Index e = 0; e < s.rows.window; ++e, out += bytes(s.columns.window)) {
        const Index y = s.rows.at(i, e);
        const Index begin = s.columns.at(j, 0);
        const bool whole =
            s.rows.holds(y) && s.columns.dilation == 1 && begin >= 0 && begin + s.columns.window <= s.columns.extent;
        if (whole) {
          copy_run(out, images + bytes(y * s.columns.extent + begin), bytes(s.columns.window));
          continue;
        }
        std::memset(out, 0, bytes(s.columns.window));
        if (!s.rows.holds(y)) continue;
        inside_runs(s.columns, j, [&](Index element, Index position, Index count) {
          copy_run(out + bytes(element), images + bytes(y * s.columns.extent + position), bytes(count));
        });
      }
    }
  }
  static void kernel(const KernelCall& call) {
    const Shape& x = call.inputs[0].type.shape;
    const Slides s(*call.attrs, x[1], x[2]);
    const Index work = s.columns.count * s.elements() * x[3];
    for_stretches(call.parallel, x[0] * s.rows.count, task_elements / std::max<Index>(1, work),
                  [&](Index first, Index last) {
                    for (Index r = first; r < last; ++r) row(call, s, r / s.rows.count, r % s.rows.count);
                  });
  }
  // Batch rule: unfolds all images of the batch as one.
  static Value batch(const Batch& b) {
    const Shape& windows = b.output().shape();
    return unstacked(b, apply("unfold", {stacked(b.input(0))}, b.attrs()), windows);
  }
  static Cotangents vjp(const Vjp& r) {
    Attrs attrs = r.attrs();
    attrs.set("extents", Axes{});
    return apply("fold", {r.cotangent(), r.input(0)}, attrs);
  }
  static std::vector<Sample> samples() {
    const auto make = [](const char* label, Shape x, Attrs attrs) {
      return Sample{label, {{x}}, std::move(attrs), 0, x.elements() == 0, true};
    };
    return {make("valid", {2, 4, 5, 3}, window_attrs({2, 3}, 1, 1, {0, 0, 0, 0})),
            make("one pixel", {1, 1, 1, 1}, window_attrs(1, 1, 1, {0, 0, 0, 0})),
            make("strides", {1, 5, 7, 2}, window_attrs(3, 2, 1, {0, 0, 0, 0})),
            make("padded", {1, 3, 4, 1}, window_attrs(3, 1, 1, {1, 2, 0, 3})),
            make("same", {1, 5, 4, 2}, window_attrs({3, 2}, 1, 1, {})),
            make("same, strides", {1, 5, 6, 1}, window_attrs(3, {2, 3}, 1, {})),
            make("dilation", {1, 6, 7, 2}, window_attrs({2, 3}, 1, {3, 2}, {1, 1, 1, 2})),
            make("longer strides than windows", {1, 5, 5, 9}, window_attrs(1, 3, 1, {0, 0, 0, 0})),
            make("many rows", {9, 12, 12, 17}, window_attrs(3, 1, 1, {1, 1, 1, 1})),
            make("no image", {0, 4, 4, 1}, window_attrs(2, 1, 1, {0, 0, 0, 0}))};
  }
  static std::vector<BadSample> bad_samples() {
    const Tensor x({1, 3, 4, 1});
    return {{"rank", {Tensor({3, 4, 1})}, window_attrs(1, 1, 1, {}), "images are [batch, height, width, channels]"},
            {"too high", {x}, window_attrs({4, 1}, 1, 1, {0, 0, 0, 0}), "a window of height 4 does not fit into 3"},
            {"too wide", {x}, window_attrs({1, 3}, 1, {1, 2}, {0, 0, 0, 0}), "a window of width 5 does not fit into 4"},
            {"stride", {x}, window_attrs(1, {1, 0}, 1, {}), "strides must be at least 1, got 0"},
            {"dilation", {x}, window_attrs(1, 1, {0, 1}, {}), "dilation must be at least 1, got 0"},
            {"window", {x}, window_attrs({0, 1}, 1, 1, {}), "window must be at least 1, got 0"},
            {"padding", {x}, window_attrs(1, 1, 1, {0, 0, -1, 0}), "padding must be at least 0, got -1"},
            {"two paddings", {x}, window_attrs(1, 1, 1, {0, 0}), "padding must have 4 numbers, got [0, 0]"}};
  }
};

struct Fold : Operation {
  static constexpr int min_inputs = 1, max_inputs = 2;
  static constexpr const char* name = "fold";
  static constexpr const char* doc =
      "Adds windows [batch, height', width', elements, channels] to images of the given extents, or of the shape of "
      "the second input, at the positions that unfold reads. Reverse of unfold.";
  static Traits traits() { return {.shape_only = 2}; }
  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {f32, f64});
    const Shape& w = in.shape(0);
    const std::vector<Index>& extents = in.attrs().ints("extents");
    if (w.rank() != 5) in.fail_shape(fmt::format("windows have 5 axes, not {}", w.str()));
    if (in.count() == 2)
      require_images(in, in.shape(1));
    else if (extents.size() != 2)
      in.fail_shape("expected extents [height, width] or a second input");
    const Shape out = in.count() == 2 ? in.shape(1) : Shape{w[0], extents[0], extents[1], w[4]};
    const Slides s = slides_of(in, out[1], out[2]);
    const Shape expected{out[0], s.rows.count, s.columns.count, s.elements(), out[3]};
    if (w != expected)
      in.fail_shape(fmt::format("the windows of {} are {}, not {}", out.str(), expected.str(), w.str()));
    return {in.dtype(0), out};
  }
  static double flops(std::span<const TensorType> in, const TensorType&, const Attrs&) {
    return flops_of(in[0].shape.elements(), in[0].dtype);
  }
  // Whether a pixel may be in so many windows that a plain sum would lose precision.
  static bool many_meet(const Slides& s) {
    const auto along = [](const Slide& slide) { return std::min(slide.window, slide.count); };
    return along(s.rows) * along(s.columns) > few_terms;
  }
  static std::size_t scratch_bytes(std::span<const TensorType>, const TensorType& out, const Attrs& attrs) {
    const bool many = many_meet(Slides(attrs, out.shape[1], out.shape[2]));
    return many ? static_cast<std::size_t>(out.shape.elements()) * sizeof(WideSum<double>) : 0;
  }
  // Sums one row of pixels over all windows, ordered by row of the window, then by window.
  template <class T>
  static void row(const KernelCall& call, const Slides& s, Index image, Index y) {
    const Index channels = call.output.type.shape[3];
    const Index n = s.columns.extent * channels;
    const Index at = (image * s.rows.extent + y) * n;
    T* out = call.output.as<T>() + at;
    if (many_meet(s)) {
      WideSum<T>* sums = static_cast<WideSum<T>*>(call.scratch) + at;
      std::fill_n(sums, n, WideSum<T>());
      add_windows<T>(call, s, image, y, [sums](Index k, T x) { sums[k].add(x); });
      for (Index k = 0; k < n; ++k) out[k] = static_cast<T>(sums[k]);
    } else {
      std::fill_n(out, n, T(0));
      add_windows<T>(call, s, image, y, [out](Index k, T x) { out[k] += x; });
    }
  }
  // Calls add(k, x) for each window element x that belongs to element k of the row.
  template <class T, class Add>
  static void add_windows(const KernelCall& call, const Slides& s, Index image, Index y, Add add) {
    const Index channels = call.output.type.shape[3];
    for (Index e = 0; e < s.rows.window; ++e) {
      const Index distance = y + s.rows.before - e * s.rows.dilation;
      const Index i = distance / s.rows.stride;
      if (distance < 0 || distance % s.rows.stride != 0 || i >= s.rows.count) continue;
      const T* windows =
          call.inputs[0].as<T>() + (image * s.rows.count + i) * s.columns.count * s.elements() * channels;
      for (Index j = 0; j < s.columns.count; ++j) {
        const T* from = windows + (j * s.elements() + e * s.columns.window) * channels;
        inside_runs(s.columns, j, [&](Index element, Index position, Index count) {
          const T* run = from + element * channels;
          for (Index k = 0; k < count * channels; ++k) add(position * channels + k, run[k]);
        });
      }
    }
  }
  static void kernel(const KernelCall& call) {
    const Shape& x = call.output.type.shape;
    const Slides s(*call.attrs, x[1], x[2]);
    const Index work = s.columns.count * s.elements() * x[3];
    for_stretches(call.parallel, x[0] * x[1], task_elements / std::max<Index>(1, work), [&](Index first, Index last) {
      for (Index r = first; r < last; ++r) {
        with_floating(call.output.type.dtype, [&](auto zero) { row<decltype(zero)>(call, s, r / x[1], r % x[1]); });
      }
    });
  }
  // The reference: adds each element of each window to its pixel.
  static void reference(const KernelCall& call) {
    const Shape& x = call.output.type.shape;
    const Shape& w = call.inputs[0].type.shape;
    const Slides s(*call.attrs, x[1], x[2]);
    std::fill_n(call.output.as<double>(), x.elements(), 0.0);
    for (Index flat = 0; flat < w.elements(); ++flat) {
      const Index element = flat / w[4] % w[3];
      const Index row = s.rows.at(flat / (w[4] * w[3] * w[2]) % w[1], element / s.columns.window);
      const Index column = s.columns.at(flat / (w[4] * w[3]) % w[2], element % s.columns.window);
      if (!s.rows.holds(row) || !s.columns.holds(column)) continue;
      const Index image = flat / (w[4] * w[3] * w[2] * w[1]);
      call.output.as<double>()[((image * x[1] + row) * x[2] + column) * x[3] + flat % w[4]] +=
          call.inputs[0].as<double>()[flat];
    }
  }
  static Value batch(const Batch& b) {
    const Shape& images = b.output().shape();
    Attrs attrs = b.attrs();
    attrs.set("extents", Axes{images[1], images[2]});
    return unstacked(b, apply("fold", {stacked(b.input(0))}, attrs), images);
  }
  static Cotangents vjp(const Vjp& r) {
    const Attrs& a = r.attrs();
    const auto pair = [&](const char* what) { return HeightWidth(a.ints(what)[0], a.ints(what)[1]); };
    const Value c = apply("unfold", {r.cotangent()},
                          window_attrs(pair("window"), pair("strides"), pair("dilation"), a.ints("padding")));
    return r.count() == 2 ? Cotangents{c, Value{}} : Cotangents(c);
  }
  static Attrs attrs(Axes extents, Attrs windows) {
    windows.set("extents", std::move(extents));
    return windows;
  }
  static std::vector<Sample> samples() {
    const Axes none{0, 0, 0, 0};
    return {zero_second({"valid", {{{2, 2, 3, 6, 2}}, {{2, 3, 5, 2}}}, attrs({}, window_attrs({2, 3}, 1, 1, none))}),
            zero_second({"to given extents", {{{1, 2, 2, 4, 3}}}, attrs({5, 4}, window_attrs(2, 2, 1, none))}),
            zero_second({"padded", {{{1, 3, 4, 6, 1}}}, attrs({3, 4}, window_attrs({3, 2}, 1, 1, {1, 1, 1, 0}))}),
            zero_second({"same, strides", {{{1, 3, 2, 9, 1}}}, attrs({5, 6}, window_attrs(3, {2, 3}, 1, {}))}),
            zero_second({"dilation", {{{1, 3, 3, 4, 2}}}, attrs({4, 6}, window_attrs(2, 1, {2, 3}, {1, 0, 0, 0}))}),
            zero_second({"many rows", {{{9, 12, 12, 9, 5}}}, attrs({12, 12}, window_attrs(3, 1, 1, {1, 1, 1, 1}))}),
            zero_second({"one pixel", {{{1, 1, 1, 1, 1}}}, attrs({1, 1}, window_attrs(1, 1, 1, none))}),
            zero_gradient({"no window", {{{1, 0, 0, 1, 1}}, {{1, 0, 0, 1}}}, attrs({}, window_attrs(1, 1, 1, {}))})};
  }
  static std::vector<BadSample> bad_samples() {
    const Axes none{0, 0, 0, 0};
    return {
        {"other count", {Tensor({1, 2, 2, 4, 3})}, attrs({6, 4}, window_attrs(2, 2, 1, none)), "not [1, 2, 2, 4, 3]"},
        {"other channels",
         {Tensor({1, 1, 1, 4, 3}), Tensor({1, 2, 2, 2})},
         attrs({}, window_attrs(2, 1, 1, none)),
         "the windows of [1, 2, 2, 2] are [1, 1, 1, 4, 2]"},
        {"rank", {Tensor({2, 2, 4, 3})}, attrs({3, 3}, window_attrs(2, 1, 1, none)), "windows have 5 axes"},
        {"integers", {Tensor({1, 1, 1, 1, 1}, i64)}, attrs({1, 1}, window_attrs(1, 1, 1, none)), "i64"}};
  }
};

}  // namespace

void register_windows(OpRegistry& registry) { add_operations<Unfold, Fold>(registry); }

}  // namespace xgrad::inline v0
