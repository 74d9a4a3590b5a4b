// Pooling: one number for each window and channel.
#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/internal/all_or_nothing.hpp>
#include <xgrad/ops/define/internal/require.hpp>
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

Value largest(Value x, const Attrs& windows) {
  const Value places = apply("window_argmax", {x}, windows);
  const Value indices = flatten(places, 1);
  return reshape_like(apply("take_along_axis", {flatten(x, 1), indices}, {{"axis", Index{1}}}), places);
}

Value average(Value x, const Attrs& windows, bool count_padding) {
  require_floating("average_pool", x);
  const Value total = apply("unfold", {x}, windows);
  if (count_padding) return mean(total, {3});
  // How many elements of each window are pixels is the same for all images and channels.
  const Value one_channel = slice(slice(x, 0, 0, 1), 3, 0, 1);
  // Made before the sum: which operand is made first would be the compiler's choice.
  const Value pixels = sum(apply("unfold", {ones_like(one_channel)}, windows), {3});
  return sum(total, {3}) / pixels;
}

Attrs windows_of_images(const char* function, HeightWidth window, const PoolWindow2D& options) {
  return window_attrs(window, options.strides.value_or(window), 1, padding_of_images(function, options.padding));
}
Attrs windows_of_sequences(const char* function, Index window, const PoolWindow1D& options) {
  return window_attrs({1, window}, {1, options.stride.value_or(window)}, 1,
                      padding_of_sequences(function, options.padding));
}

// All axes but the first and the last.
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
  const SourceLocationScope line(x);
  require_rank("max_pool2d", x, 4);
  return largest(x, windows_of_images("max_pool2d", window, options));
}

Value max_pool1d(Operand x, Index window, const PoolWindow1D& options) {
  const SourceLocationScope line(x);
  require_rank("max_pool1d", x, 3);
  const Attrs windows = windows_of_sequences("max_pool1d", window, options);
  return all_or_nothing(x.graph(), [&] { return squeeze(largest(expand_dims(x, 1), windows), {1}); });
}

Value average_pool2d(Operand x, HeightWidth window, const PoolWindow2D& options) {
  const SourceLocationScope line(x);
  require_rank("average_pool2d", x, 4);
  return average(x, windows_of_images("average_pool2d", window, options), options.count_padding);
}

Value average_pool1d(Operand x, Index window, const PoolWindow1D& options) {
  const SourceLocationScope line(x);
  require_rank("average_pool1d", x, 3);
  const Attrs windows = windows_of_sequences("average_pool1d", window, options);
  return all_or_nothing(x.graph(),
                        [&] { return squeeze(average(expand_dims(x, 1), windows, options.count_padding), {1}); });
}

Value global_max_pool(Operand x, bool keepdims) {
  const SourceLocationScope line(x);
  return max(x, inner_axes("global_max_pool", x), keepdims);
}
Value global_average_pool(Operand x, bool keepdims) {
  const SourceLocationScope line(x);
  return mean(x, inner_axes("global_average_pool", x), keepdims);
}

}  // namespace xgrad::inline v0
