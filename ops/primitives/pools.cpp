// Maxima and means of sliding windows, and their reverses.
#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/internal/wide_sum.hpp>
#include <xgrad/ops/kernels/pool_kernels.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/internal/slides.hpp>
#include <xgrad/ops/primitives/internal/window_attrs.hpp>

namespace xgrad::inline v0 {
namespace {

const PoolKernels& pool() {
  static const PoolKernels table{XGRAD_SELECT_ISA(pool_kernels)};
  return table;
}

Slides slides_over(const Attrs& attrs, const Shape& images) { return {attrs, images[1], images[2]}; }
ConvSizes sizes_of(const Attrs& attrs, const Shape& images) {
  const Slides s = slides_over(attrs, images);
  return {.images = images[0], .channels = images[3], .rows = s.rows.axis(), .columns = s.columns.axis()};
}
Shape windows_shape(const Infer& in, const Shape& images) {
  require_images(in, images);
  const Slides s = slides_of(in, images[1], images[2]);
  return {images[0], s.rows.count, s.columns.count, images[3]};
}
// Throws ShapeError unless input 0 has one element per window of the images.
void check_windows(const Infer& in, const Shape& images) {
  const Shape expected = windows_shape(in, images);
  if (in.shape(0) != expected) {
    in.fail_shape(fmt::format("the windows of {} are {}, not {}", images.str(), expected.str(), in.shape(0).str()));
  }
}
double flops_of_windows(const Attrs& attrs, Index windows, DType dtype) {
  const std::vector<Index>& window = attrs.ints("window");
  return flops_of(windows, dtype, static_cast<double>(window[0]) * static_cast<double>(window[1]));
}
std::size_t slot(DType dtype) { return static_cast<std::size_t>(dtype); }

// Calls f(window, pixel) with the flat indices of each pixel of each window, in row-major order.
template <class F>
void each_pixel(const Attrs& attrs, const Shape& images, const F& f) {
  const Slides s = slides_over(attrs, images);
  Index window = 0;
  for (Index image = 0; image < images[0]; ++image) {
    for (Index i = 0; i < s.rows.count; ++i) {
      for (Index j = 0; j < s.columns.count; ++j) {
        for (Index c = 0; c < images[3]; ++c, ++window) {
          for (Index e = s.rows.first(i); e < s.rows.last(i); ++e) {
            for (Index k = s.columns.first(j); k < s.columns.last(j); ++k) {
              const Index row = image * images[1] + s.rows.at(i, e);
              f(window, (row * images[2] + s.columns.at(j, k)) * images[3] + c);
            }
          }
        }
      }
    }
  }
}

// Throws ShapeError if a window lies entirely in the padding: it has no maximum.
void check_inside(const Infer& in, const Shape& images) {
  const Slides s = slides_over(in.attrs(), images);
  for (const Slide* slide : {&s.rows, &s.columns}) {
    const auto check = [&](Index i) {
      if (slide->first(i) >= slide->last(i)) in.fail_shape(fmt::format("window {} lies entirely in the padding", i));
    };
    if (slide->count == 0) continue;
    check(0);
    check(slide->count - 1);
    // Between valid first and last windows, only a dilated window can lie entirely in the padding.
    for (Index i = 1; slide->dilation > 1 && i + 1 < slide->count; ++i) check(i);
  }
}

const Axes no_padding{0, 0, 0, 0};

struct WindowMax : Operation {
  static constexpr int min_inputs = 1, max_inputs = 2;
  static constexpr const char* name = "window_max";
  static constexpr const char* doc =
      "The first largest element of each window, per channel: [batch, height, width, channels] to [batch, height', "
      "width', channels]. NaN counts as largest; padding is never chosen. With a second input, the element of the "
      "first input where the second is largest.";
  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {f32, f64, i64});
    const Shape out = windows_shape(in, in.shape(0));
    check_inside(in, in.shape(0));
    if (in.count() == 2) {
      in.require_same_dtype(0, 1);
      if (in.shape(0) != in.shape(1))
        in.fail_shape(fmt::format("the inputs {} and {} differ", in.shape(0).str(), in.shape(1).str()));
    }
    return {in.dtype(0), out};
  }
  static double flops(std::span<const TensorType> in, const TensorType& out, const Attrs& attrs) {
    return flops_of_windows(attrs, out.shape.elements(), in[0].dtype);
  }
  static void kernel(const KernelCall& call) {
    const TensorType& x = call.inputs[0].type;
    pool().max_pool[slot(x.dtype)](sizes_of(*call.attrs, x.shape), call.inputs[0].data, call.inputs.back().data,
                                   call.output.data, call.parallel);
  }
  static void reference(const KernelCall& call) {
    with_number(call.output.type.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T* scores = call.inputs.back().as<T>();
      T* out = call.output.as<T>();
      Index current = -1, best = 0;
      each_pixel(*call.attrs, call.inputs[0].type.shape, [&](Index window, Index pixel) {
        if (window != current || scores[pixel] > scores[best]) best = pixel;
        current = window;
        out[window] = call.inputs[0].as<T>()[best];
      });
    });
  }
  static Value batch(const Batch& b) {
    std::vector<Value> inputs;
    for (int i = 0; i < b.count(); ++i) inputs.push_back(stacked(batch_input(b, i)));
    return unstacked(b, apply("window_max", inputs, b.attrs()), b.output().shape());
  }
  static Cotangents vjp(const Vjp& r) {
    const Value scattered = apply("window_max_scatter", {r.cotangent(), r.input(r.count() - 1)}, r.attrs());
    return r.count() == 2 ? Cotangents{scattered, Value{}} : Cotangents(scattered);
  }
  static std::vector<Sample> samples() {
    const auto make = [](const char* label, Shape x, Attrs attrs) {
      return zero_second({label, {{x, domain::distinct()}}, std::move(attrs)});
    };
    const auto select = [](const char* label, Shape x, Attrs attrs) {
      return zero_gradient({label, {{x}, {x, domain::distinct()}}, std::move(attrs)});  // by the second input
    };
    return {make("one pixel", {1, 1, 1, 1}, window_attrs(1, 1, 1, no_padding)),
            make("halves", {2, 4, 6, 3}, window_attrs(2, 2, 1, no_padding)),
            make("overlapping", {1, 5, 5, 17}, window_attrs(3, 1, 1, {1, 1, 1, 1})),
            make("same", {1, 5, 4, 2}, window_attrs({3, 2}, 2, 1, {})),
            make("dilation", {1, 6, 6, 1}, window_attrs(2, 1, 2, no_padding)),
            make("many rows", {9, 20, 20, 8}, window_attrs(2, 1, 1, no_padding)),
            select("of another input", {2, 4, 6, 3}, window_attrs(2, 2, 1, no_padding)),
            select("of another input, overlapping", {1, 4, 3, 21}, window_attrs({3, 2}, {2, 1}, 1, {1, 1, 1, 0})),
            zero_gradient({"integers", {{{1, 4, 4, 2}, domain::integers(-2, 2)}}, window_attrs(3, 1, 1, no_padding)}),
            zero_gradient({"no image", {{{0, 4, 4, 1}}}, window_attrs(2, 1, 1, no_padding)}),
            zero_gradient({"no channel", {{{1, 4, 4, 0}}}, window_attrs(2, 1, 1, no_padding)})};
  }
  static std::vector<BadSample> bad_samples() {
    const Tensor x({1, 3, 4, 1});
    return {{"padding", {x}, window_attrs(2, 1, 1, {2, 0, 0, 0}), "window 0 lies entirely in the padding"},
            {"padding at the end", {x}, window_attrs(2, 1, 1, {0, 0, 0, 2}), "window 4 lies entirely in the padding"},
            {"gaps",
             {Tensor({1, 1, 9, 1})},
             window_attrs(2, 1, {3, 1}, {2, 2, 0, 0}),
             "window 0 lies entirely in the padding"},
            {"booleans", {Tensor({1, 3, 4, 1}, boolean)}, window_attrs(2, 1, 1, {}), "bool"},
            {"rank", {Tensor({3, 4})}, window_attrs(2, 1, 1, {}), "images are"},
            {"shapes", {x, Tensor({1, 3, 4, 2})}, window_attrs(2, 1, 1, {}), "[1, 3, 4, 1] and [1, 3, 4, 2] differ"},
            {"dtypes", {x, Tensor({1, 3, 4, 1}, f64)}, window_attrs(2, 1, 1, {}), "f64"}};
  }
};

struct WindowMaxScatter : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "window_max_scatter";
  static constexpr const char* doc =
      "Adds each element of [batch, height', width', channels] to zeros shaped like the second input, at the position "
      "of the first largest element of its window there. Reverse of window_max.";
  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {f32, f64});
    in.require_same_dtype(0, 1);
    check_windows(in, in.shape(1));
    check_inside(in, in.shape(1));
    return in.type(1);
  }
  static double flops(std::span<const TensorType> in, const TensorType&, const Attrs& attrs) {
    return flops_of_windows(attrs, in[0].shape.elements(), in[0].dtype);
  }
  // Whether an element may be the largest of so many windows that a plain sum would lose precision.
  static bool many_meet(const Attrs& attrs, const Shape& images) {
    const Slides s = slides_over(attrs, images);
    const auto along = [](const Slide& slide) { return std::min(slide.window, slide.count); };
    return along(s.rows) * along(s.columns) > few_terms;
  }
  static std::size_t scratch_bytes(std::span<const TensorType>, const TensorType& out, const Attrs& attrs) {
    return many_meet(attrs, out.shape) ? static_cast<std::size_t>(out.shape.elements()) * sizeof(WideSum<double>) : 0;
  }
  // Calls add(pixel, element) for each window.
  template <class T, class Add>
  static void each_largest(const KernelCall& call, const Add& add) {
    const T* c = call.inputs[0].as<T>();
    const T* scores = call.inputs[1].as<T>();
    Index current = -1, best = 0;
    each_pixel(*call.attrs, call.output.type.shape, [&](Index window, Index pixel) {
      if (window != current && current >= 0) add(best, c[current]);
      const T x = scores[pixel], largest = scores[best];
      if (window != current || x > largest || (x != x && largest == largest)) best = pixel;
      current = window;
    });
    if (current >= 0) add(best, c[current]);
  }
  static void kernel(const KernelCall& call) {
    const TensorType& x = call.output.type;
    if (!many_meet(*call.attrs, x.shape)) {
      pool().max_scatter[slot(x.dtype)](sizes_of(*call.attrs, x.shape), call.inputs[0].data, call.inputs[1].data,
                                        call.output.data, call.parallel);
      return;
    }
    with_floating(x.dtype, [&](auto zero) {
      using T = decltype(zero);
      auto* sums = static_cast<WideSum<T>*>(call.scratch);
      std::fill_n(sums, x.shape.elements(), WideSum<T>());
      each_largest<T>(call, [sums](Index pixel, T c) { sums[pixel].add(c); });
      std::transform(sums, sums + x.shape.elements(), call.output.as<T>(),
                     [](const WideSum<T>& s) { return static_cast<T>(s); });
    });
  }
  static void reference(const KernelCall& call) {
    double* out = call.output.as<double>();
    std::fill_n(out, call.output.type.shape.elements(), 0.0);
    each_largest<double>(call, [out](Index pixel, double c) { out[pixel] += c; });
  }
  static Value batch(const Batch& b) {
    const Value c = stacked(batch_input(b, 0)), x = stacked(batch_input(b, 1));
    return unstacked(b, apply("window_max_scatter", {c, x}, b.attrs()), b.output().shape());
  }
  static Cotangents vjp(const Vjp& r) { return {apply("window_max", {r.cotangent(), r.input(1)}, r.attrs()), Value{}}; }
  static std::vector<Sample> samples() {
    const auto make = [](const char* label, Shape c, Shape x, Attrs attrs) {
      return zero_gradient({label, {{c}, {x, domain::distinct()}}, std::move(attrs)});  // by the second input
    };
    return {make("one pixel", {1, 1, 1, 1}, {1, 1, 1, 1}, window_attrs(1, 1, 1, no_padding)),
            make("halves", {2, 2, 3, 3}, {2, 4, 7, 3}, window_attrs(2, 2, 1, no_padding)),
            make("overlapping", {1, 5, 5, 17}, {1, 5, 5, 17}, window_attrs(3, 1, 1, {1, 1, 1, 1})),
            make("same", {1, 3, 2, 2}, {1, 5, 4, 2}, window_attrs({3, 2}, 2, 1, {})),
            make("dilation", {1, 4, 4, 1}, {1, 6, 6, 1}, window_attrs(2, 1, 2, no_padding)),
            make("gaps", {1, 2, 2, 5}, {1, 5, 6, 5}, window_attrs(2, 3, 1, no_padding)),
            make("many rows", {9, 19, 19, 8}, {9, 20, 20, 8}, window_attrs(2, 1, 1, no_padding)),
            make("many windows per pixel", {1, 9, 9, 2}, {1, 9, 9, 2}, window_attrs(9, 1, 1, {})),
            zero_gradient({"no image", {{{0, 3, 3, 1}}, {{0, 4, 4, 1}}}, window_attrs(2, 1, 1, no_padding)})};
  }
  static std::vector<BadSample> bad_samples() {
    const Tensor x({1, 4, 4, 1});
    return {{"windows", {x, x}, window_attrs(2, 1, 1, no_padding), "[1, 4, 4, 1] are [1, 3, 3, 1], not [1, 4, 4, 1]"},
            {"padding", {x, x}, window_attrs(1, 1, 1, {1, 0, 0, 0}), "[1, 4, 4, 1] are [1, 5, 4, 1]"},
            {"rank", {x, Tensor({4, 4})}, window_attrs(1, 1, 1, {}), "images are"},
            {"integers", {Tensor({1, 4, 4, 1}, i64), Tensor({1, 4, 4, 1}, i64)}, window_attrs(1, 1, 1, {}), "i64"}};
  }
};

Attrs mean_attrs(bool count_padding, Attrs windows) {
  windows.set("count_padding", count_padding);
  return windows;
}
// The number of pixels by which each window's sum is divided.
Index pixels_of(const Attrs& attrs, const Shape& images, Index window) {
  const Slides s = slides_over(attrs, images);
  if (attrs.flag("count_padding")) return s.elements();
  const Index j = window / images[3] % s.columns.count, i = window / images[3] / s.columns.count % s.rows.count;
  return (s.rows.last(i) - s.rows.first(i)) * (s.columns.last(j) - s.columns.first(j));
}

struct WindowMean : Operation {
  static constexpr const char* name = "window_mean";
  static constexpr const char* doc =
      "Mean of each window, per channel: [batch, height, width, channels] to [batch, height', width', channels]. "
      "Padding is not summed; it is counted if `count_padding`. Columns of a window are summed first, then their sums.";
  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {f32, f64});
    (void)in.attrs().flag("count_padding");  // throws if it is missing
    return {in.dtype(0), windows_shape(in, in.shape(0))};
  }
  static double flops(std::span<const TensorType> in, const TensorType& out, const Attrs& attrs) {
    return flops_of_windows(attrs, out.shape.elements(), in[0].dtype);
  }
  static void kernel(const KernelCall& call) {
    const TensorType& x = call.inputs[0].type;
    pool().mean_pool[slot(x.dtype)](sizes_of(*call.attrs, x.shape), call.attrs->flag("count_padding"),
                                    call.inputs[0].data, call.output.data, call.parallel);
  }
  static void reference(const KernelCall& call) {
    const Shape& images = call.inputs[0].type.shape;
    const Index windows = call.output.type.shape.elements();
    double* out = call.output.as<double>();
    std::fill_n(out, windows, 0.0);
    each_pixel(*call.attrs, images,
               [&](Index window, Index pixel) { out[window] += call.inputs[0].as<double>()[pixel]; });
    for (Index i = 0; i < windows; ++i) out[i] /= static_cast<double>(pixels_of(*call.attrs, images, i));
  }
  static Value batch(const Batch& b) {
    return unstacked(b, apply("window_mean", {stacked(b.input(0))}, b.attrs()), b.output().shape());
  }
  static Cotangents vjp(const Vjp& r) { return apply("window_mean_scatter", {r.cotangent(), r.input(0)}, r.attrs()); }
  static std::vector<Sample> samples() {
    const auto make = [](const char* label, Shape x, bool count_padding, Attrs attrs) {
      return zero_second({label, {{x}}, mean_attrs(count_padding, std::move(attrs))});
    };
    return {make("one pixel", {1, 1, 1, 1}, true, window_attrs(1, 1, 1, no_padding)),
            make("halves", {2, 4, 6, 3}, true, window_attrs(2, 2, 1, no_padding)),
            make("overlapping", {1, 5, 5, 17}, false, window_attrs(3, 1, 1, {1, 1, 1, 1})),
            make("same", {1, 5, 4, 2}, false, window_attrs({3, 2}, 2, 1, {})),
            make("dilation", {1, 6, 7, 1}, true, window_attrs(2, {2, 3}, {3, 2}, {1, 1, 1, 2})),
            make("a long window", {1, 1, 70, 3}, true, window_attrs({1, 65}, 1, 1, {0, 0, 2, 3})),
            make("many channels", {1, 3, 9, 1500}, false, window_attrs({2, 8}, 1, 1, {1, 0, 0, 1})),
            make("many rows", {9, 20, 20, 8}, true, window_attrs(2, 1, 1, no_padding)),
            zero_gradient({"no image", {{{0, 4, 4, 1}}}, mean_attrs(true, window_attrs(2, 1, 1, no_padding))}),
            zero_gradient({"no channel", {{{1, 4, 4, 0}}}, mean_attrs(true, window_attrs(2, 1, 1, no_padding))})};
  }
  static std::vector<BadSample> bad_samples() {
    const Attrs attrs = mean_attrs(true, window_attrs(2, 1, 1, {}));
    return {{"rank", {Tensor({3, 4})}, attrs, "images are"}, {"integers", {Tensor({1, 3, 4, 1}, i64)}, attrs, "i64"}};
  }
};

struct WindowMeanScatter : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "window_mean_scatter";
  static constexpr const char* doc =
      "Adds each element of [batch, height', width', channels], divided by the size of its window, to all pixels of "
      "the "
      "window, for images shaped like the second input. Reverse of window_mean.";
  static Traits traits() { return {.shape_only = 2}; }
  // The images have the batch size and the channels of input 0, and the extents of input 1.
  static Shape images(const Shape& windows, const Shape& like) { return {windows[0], like[1], like[2], windows[3]}; }
  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {f32, f64});
    (void)in.attrs().flag("count_padding");  // throws if it is missing
    require_images(in, in.shape(0));
    require_images(in, in.shape(1));
    const Shape out = images(in.shape(0), in.shape(1));
    check_windows(in, out);
    return {in.dtype(0), out};
  }
  static double flops(std::span<const TensorType> in, const TensorType&, const Attrs& attrs) {
    return flops_of_windows(attrs, in[0].shape.elements(), in[0].dtype);
  }
  static void kernel(const KernelCall& call) {
    const TensorType& x = call.output.type;
    pool().mean_scatter[slot(x.dtype)](sizes_of(*call.attrs, x.shape), call.attrs->flag("count_padding"),
                                       call.inputs[0].data, call.output.data, call.parallel);
  }
  static void reference(const KernelCall& call) {
    const Shape& images = call.output.type.shape;
    std::fill_n(call.output.as<double>(), images.elements(), 0.0);
    each_pixel(*call.attrs, images, [&](Index window, Index pixel) {
      call.output.as<double>()[pixel] +=
          call.inputs[0].as<double>()[window] / static_cast<double>(pixels_of(*call.attrs, images, window));
    });
  }
  static Value batch(const Batch& b) {
    return unstacked(b, apply("window_mean_scatter", {stacked(b.input(0)), b.input(1)}, b.attrs()), b.output().shape());
  }
  static Cotangents vjp(const Vjp& r) { return {apply("window_mean", {r.cotangent()}, r.attrs()), Value{}}; }
  static std::vector<Sample> samples() {
    const auto make = [](const char* label, Shape c, Shape x, bool count_padding, Attrs attrs) {
      return zero_second({label, {{c}, {x}}, mean_attrs(count_padding, std::move(attrs))});
    };
    return {make("one pixel", {1, 1, 1, 1}, {1, 1, 1, 1}, true, window_attrs(1, 1, 1, no_padding)),
            make("halves", {2, 2, 3, 3}, {2, 4, 7, 3}, true, window_attrs(2, 2, 1, no_padding)),
            make("overlapping", {1, 5, 5, 17}, {1, 5, 5, 17}, false, window_attrs(3, 1, 1, {1, 1, 1, 1})),
            make("same", {1, 3, 2, 2}, {1, 5, 4, 2}, false, window_attrs({3, 2}, 2, 1, {})),
            make("dilation", {1, 3, 3, 1}, {1, 6, 7, 1}, true, window_attrs(2, {2, 3}, {3, 2}, {1, 1, 1, 2})),
            make("gaps", {1, 2, 2, 5}, {1, 5, 6, 5}, true, window_attrs(2, 3, 1, no_padding)),
            make("a window in the padding", {1, 2, 1, 2}, {1, 2, 2, 2}, true, window_attrs(2, 2, 1, {2, 0, 0, 0})),
            make("a long window", {1, 1, 11, 3}, {1, 1, 70, 3}, true, window_attrs({1, 65}, 1, 1, {0, 0, 2, 3})),
            make("many channels", {1, 3, 3, 1500}, {1, 3, 9, 1500}, false, window_attrs({2, 8}, 1, 1, {1, 0, 0, 1})),
            make("many rows", {9, 19, 19, 8}, {9, 20, 20, 8}, true, window_attrs(2, 1, 1, no_padding)),
            zero_gradient(make("no window", {1, 0, 0, 1}, {1, 0, 0, 1}, true, window_attrs(1, 1, 1, {})))};
  }
  static std::vector<BadSample> bad_samples() {
    const Attrs attrs = mean_attrs(true, window_attrs(2, 1, 1, no_padding));
    const Tensor x({1, 4, 4, 1});
    return {{"windows", {x, x}, attrs, "[1, 4, 4, 1] are [1, 3, 3, 1], not [1, 4, 4, 1]"},
            {"rank", {Tensor({4, 4}), x}, attrs, "images are"},
            {"extents", {x, Tensor({4, 4})}, attrs, "images are"},
            {"integers", {Tensor({1, 3, 3, 1}, i64), x}, attrs, "i64"}};
  }
};

}  // namespace

void register_pools(OpRegistry& registry) {
  add_operations<WindowMax, WindowMaxScatter, WindowMean, WindowMeanScatter>(registry);
}

}  // namespace xgrad::inline v0
