// Max and average pooling.
#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/internal/window_attrs.hpp>

namespace xgrad::inline v0 {
namespace {

void require_rank(const char* function, Value x, int rank) {
  if (x.shape().rank() == rank) return;
  throw ShapeError(fmt::format("{}: x must be {}, not {}\n  {}", function,
                               rank == 4 ? "[batch, height, width, channels]" : "[batch, length, channels]",
                               x.shape().str(), x.describe()));
}

Value average(Value x, Attrs windows, bool count_padding) {
  require_floating("average_pool", x);
  windows.set("count_padding", count_padding);
  return apply("window_mean", {x}, std::move(windows));
}

Attrs windows_of_images(const char* function, HeightWidth window, const PoolWindow2D& options) {
  return window_attrs(window, options.strides.value_or(window), 1, padding_of_images(function, options.padding));
}
Attrs windows_of_sequences(const char* function, Index window, const PoolWindow1D& options) {
  return window_attrs({1, window}, {1, options.stride.value_or(window)}, 1,
                      padding_of_sequences(function, options.padding));
}

// All axes except the first and the last.
Axes inner_axes(const char* function, Value x) {
  if (x.shape().rank() < 3) {
    throw ShapeError(
        fmt::format("{}: x must be [batch, ..., channels] with axes between them\n  {}", function, x.describe()));
  }
  Axes out;
  for (int axis = 1; axis + 1 < x.shape().rank(); ++axis) out.push_back(axis);
  return out;
}

}  // namespace

Value max_pool2d(Operand x, HeightWidth window, const PoolWindow2D& options) {
  return composite(x, [&] {
    require_rank("max_pool2d", x, 4);
    return apply("window_max", {x}, windows_of_images("max_pool2d", window, options));
  });
}

Value max_pool1d(Operand x, Index window, const PoolWindow1D& options) {
  return composite(x, [&] {
    require_rank("max_pool1d", x, 3);
    const Attrs windows = windows_of_sequences("max_pool1d", window, options);
    return squeeze(apply("window_max", {expand_dims(x, 1)}, windows), {1});
  });
}

Value average_pool2d(Operand x, HeightWidth window, const PoolWindow2D& options) {
  return composite(x, [&] {
    require_rank("average_pool2d", x, 4);
    return average(x, windows_of_images("average_pool2d", window, options), options.count_padding);
  });
}

Value average_pool1d(Operand x, Index window, const PoolWindow1D& options) {
  return composite(x, [&] {
    require_rank("average_pool1d", x, 3);
    const Attrs windows = windows_of_sequences("average_pool1d", window, options);
    return squeeze(average(expand_dims(x, 1), windows, options.count_padding), {1});
  });
}

Value global_max_pool(Operand x, bool keepdims) {
  return composite(x, [&] { return max(x, inner_axes("global_max_pool", x), keepdims); });
}
Value global_average_pool(Operand x, bool keepdims) {
  return composite(x, [&] { return mean(x, inner_axes("global_average_pool", x), keepdims); });
}

// ---- samples

namespace {

Attrs window(Axes extents, Axes strides, Axes padding, bool count_padding = true) {
  return {{"window", std::move(extents)},
          {"strides", std::move(strides)},
          {"padding", std::move(padding)},
          {"count", count_padding}};
}
HeightWidth window_of(const Attrs& a) { return {a.ints("window")[0], a.ints("window")[1]}; }
PoolWindow2D pool_2d(const Attrs& a) {
  PoolWindow2D out{.padding = padding_of(a), .count_padding = a.flag("count")};
  if (!a.ints("strides").empty()) out.strides = HeightWidth(a.ints("strides")[0], a.ints("strides")[1]);
  return out;
}
Sample pooled(const char* label, Shape x, Attrs attrs) {
  const bool nothing = x.elements() == 0;
  return {.label = label,
          .inputs = {{x, domain::distinct()}},
          .attrs = std::move(attrs),
          .zero_gradient = nothing,
          .zero_second = true};
}

}  // namespace

std::vector<Composite> pooling_composites() {
  const std::vector<Sample> images{
      pooled("halves", {2, 4, 6, 3}, window({2, 2}, {}, {0})),
      pooled("overlapping, padded", {1, 5, 4, 2}, window({3, 2}, {2, 1}, {1, 1, 1, 0}, false)),
      pooled("same", {1, 5, 3, 1}, window({3, 2}, {2, 2}, {}, false)),
      pooled("same, counted", {1, 5, 3, 1}, window({3, 2}, {2, 2}, {})),
      pooled("one pixel", {1, 1, 1, 1}, window({1, 1}, {}, {0})),
      pooled("no image", {0, 4, 4, 1}, window({2, 2}, {}, {0}, false))};
  const std::vector<Sample> sequences{
      pooled("padded", {2, 6, 2}, window({}, {}, {1, 1})), pooled("same", {1, 5, 1}, window({}, {}, {})),
      pooled("many channels", {1, 3, 17}, window({}, {}, {0})), pooled("one element", {1, 1, 1}, window({}, {}, {})),
      pooled("no sequence", {0, 4, 2}, window({}, {}, {0}))};
  const Attrs halves = window({2, 2}, {}, {0});
  const std::vector<BadSample> bad{
      {"rank", {Tensor({4, 4, 1})}, halves, "x must be [batch, height, width, channels]"},
      {"window", {Tensor({1, 4, 4, 1})}, window({0, 2}, {1, 1}, {0}), "window must be at least 1, got 0"},
      {"too large", {Tensor({1, 4, 1, 1})}, halves, "a window of width 2 does not fit into 1"}};
  const std::vector<Sample> volumes{
      zero_second({"images", {{{2, 3, 2, 4}, domain::distinct()}}, {{"keepdims", false}}}),
      zero_second({"sequences", {{{2, 5, 3}, domain::distinct()}}, {{"keepdims", true}}}),
      zero_second({"one element", {{{1, 1, 1}}}, {{"keepdims", false}}}),
      zero_gradient({"no image", {{{0, 3, 2, 4}}}, {{"keepdims", false}}})};
  const std::vector<BadSample> flat{{"rank", {Tensor({4, 4})}, {{"keepdims", false}}, "with axes between them"}};
  return {
      {"max_pool2d", "Maximum of each window.",
       [](Inputs x, const Attrs& a) { return max_pool2d(x[0], window_of(a), pool_2d(a)); }, images,
       joined(bad, {{"padding", {Tensor({1, 4, 4, 1})}, window({2, 2}, {1, 1}, {2}), "lies entirely in the padding"}})},
      {"average_pool2d", "Mean of each window.",
       [](Inputs x, const Attrs& a) { return average_pool2d(x[0], window_of(a), pool_2d(a)); }, images,
       joined(bad, {{"integers", {Tensor({1, 4, 4, 1}, i64)}, halves, "floating"}})},
      {"max_pool1d",
       "Maximum of each window.",
       [](Inputs x, const Attrs& a) { return max_pool1d(x[0], 3, {.stride = 2, .padding = padding_of(a)}); },
       sequences,
       {{"rank", {Tensor({1, 4, 4, 1})}, window({}, {}, {0}), "max_pool1d: x must be [batch, length, channels]"}}},
      {"average_pool1d",
       "Mean of each window.",
       [](Inputs x, const Attrs& a) {
         return average_pool1d(x[0], 2, {.padding = padding_of(a), .count_padding = false});
       },
       sequences,
       {{"rank", {Tensor({4, 4})}, window({}, {}, {0}), "average_pool1d: x must be [batch, length, channels]"}}},
      {"global_max_pool", "Maximum of each channel.",
       [](Inputs x, const Attrs& a) { return global_max_pool(x[0], a.flag("keepdims")); }, volumes, flat},
      {"global_average_pool", "Mean of each channel.",
       [](Inputs x, const Attrs& a) { return global_average_pool(x[0], a.flag("keepdims")); }, volumes, flat},
  };
}

}  // namespace xgrad::inline v0
