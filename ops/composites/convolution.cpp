// Convolutions: the windows as rows of a matrix, times the kernel.
#include <array>
#include <string_view>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/internal/all_or_nothing.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/internal/window_attrs.hpp>

namespace xgrad::inline v0 {

Padding::Padding(const char* word, std::size_t length) : sides_{0} {
  const std::string_view text(word, length);
  same_ = text == "same";
  if (!same_ && text != "valid") throw UserError(fmt::format("padding: {:?} is neither \"valid\" nor \"same\"", text));
}

std::vector<Index> padding_of_images(const char* function, const Padding& padding) {
  if (padding.is_same()) return {};
  const auto& sides = padding.sides();
  if (sides.size() == 1) return {sides[0], sides[0], sides[0], sides[0]};
  if (sides.size() == 2) return {sides[0], sides[0], sides[1], sides[1]};
  if (sides.size() == 4) return sides;
  throw ShapeError(fmt::format("{}: {} numbers of padding, where 1, 2 or 4 have a meaning", function, sides.size()));
}

std::vector<Index> padding_of_sequences(const char* function, const Padding& padding) {
  if (padding.is_same()) return {};
  const auto& sides = padding.sides();
  if (sides.size() == 1) return {0, 0, sides[0], sides[0]};
  if (sides.size() == 2) return {0, 0, sides[0], sides[1]};
  throw ShapeError(fmt::format("{}: {} numbers of padding, where 1 or 2 have a meaning", function, sides.size()));
}

namespace {

constexpr Index most = 1 << 30;  // of strides and the like, so that products of them cannot overflow

// A convolution of images, transposed or not, under the name the user called it by.
struct Convolution {
  const char* function;
  Value x, kernel;
  HeightWidth strides, dilation;
  Axes padding;
  Index groups;

  [[noreturn]] void fail(const std::string& what) const {
    throw ShapeError(fmt::format("{}: {}\n  x: {}\n  kernel: {}", function, what, x.describe(), kernel.describe()));
  }
  // `rank` counts the axes of x and of the kernel, `images` and `kernels` name them.
  void check_ranks(int rank, const char* images, const char* kernels) const {
    x.graph().require(kernel, fmt::format("{}: kernel", function));
    if (x.shape().rank() != rank) fail(fmt::format("x must be {}, not {}", images, x.shape().str()));
    if (kernel.shape().rank() != rank)
      fail(fmt::format("the kernel must be {}, not {}", kernels, kernel.shape().str()));
    if (!is_floating(x.dtype()) || x.dtype() != kernel.dtype()) {
      throw DTypeError(fmt::format("{}: x and kernel must be f32 or f64, both the same\n  x: {}\n  kernel: {}",
                                   function, x.describe(), kernel.describe()));
    }
  }
  void check_numbers() const {
    const auto check = [&](const char* what, Index number, Index least) {
      if (number < least || number > most) fail(fmt::format("{} {} is not from {} to {}", what, number, least, most));
    };
    for (Index s : {strides.height, strides.width}) check("stride", s, 1);
    for (Index d : {dilation.height, dilation.width}) check("dilation", d, 1);
    for (Index p : padding) check("padding", p, 0);
    check("a number of groups of", groups, 1);
    for (Index extent : kernel.shape()) check("extent of the kernel", extent, 1);
  }

  HeightWidth window() const { return {kernel.shape()[0], kernel.shape()[1]}; }
  Attrs attrs() const { return window_attrs(window(), strides, dilation, padding); }
  Index channels() const { return x.shape()[3]; }
  // One group of the whole, whose kernel has the channels or filters of x in the axis.
  Convolution group(Index i, Index x_part, Index kernel_part) const {
    Convolution out = *this;
    out.x = slice(x, 3, i * x_part, (i + 1) * x_part);
    out.kernel = slice(kernel, 3, i * kernel_part, (i + 1) * kernel_part);
    out.groups = 1;
    return out;
  }

  // ---- forward

  Value forward() const {
    check_numbers();
    const Shape& k = kernel.shape();
    if (channels() != k[2] * groups)
      fail(fmt::format("{} channels in {} groups do not meet the {} of the kernel", channels(), groups, k[2]));
    if (k[3] % groups != 0) fail(fmt::format("{} filters do not fall into {} groups", k[3], groups));
    return all_or_nothing(x.graph(), [&] {
      if (groups == 1) return one_group();
      if (k[2] == 1) return channel_by_channel();
      std::vector<Value> parts;
      for (Index i = 0; i < groups; ++i) parts.push_back(group(i, k[2], k[3] / groups).one_group());
      return concat(parts, 3);
    });
  }
  // A window of one pixel at every place is the pixel itself.
  bool pixel_by_pixel() const {
    bool padded = false;
    for (Index p : padding) padded = padded || p != 0;
    return kernel.shape()[0] == 1 && kernel.shape()[1] == 1 && strides.height == 1 && strides.width == 1 && !padded;
  }
  Value one_group() const {
    const Value windows = pixel_by_pixel() ? x : flatten(apply("unfold", {x}, attrs()), 3, 4);
    return matmul(windows, flatten(kernel, 0, 2));
  }
  // Each channel has filters of its own, too few for a matrix product.
  Value channel_by_channel() const {
    const Value windows = expand_dims(apply("unfold", {x}, attrs()), 5);
    const Value filters = unflatten(flatten(kernel, 0, 2), 1, {channels(), -1});
    return flatten(sum(windows * filters, {3}), 3, 4);
  }

  // ---- transposed

  Value transposed(HeightWidth output_padding) const {
    check_numbers();
    const Shape& k = kernel.shape();
    if (channels() != k[3]) fail(fmt::format("{} channels do not meet the {} of the kernel", channels(), k[3]));
    if (channels() % groups != 0) fail(fmt::format("{} channels do not fall into {} groups", channels(), groups));
    const Axes extents{grown(x.shape()[1], 0, output_padding.height), grown(x.shape()[2], 1, output_padding.width)};
    return all_or_nothing(x.graph(), [&] {
      if (groups == 1) return one_group_back(extents);
      const Index part = channels() / groups;
      if (part == 1) return channel_by_channel_back(extents);
      std::vector<Value> parts;
      for (Index i = 0; i < groups; ++i) parts.push_back(group(i, part, part).one_group_back(extents));
      return concat(parts, 3);
    });
  }
  // The extent of the result along an axis: 0 for the height, 1 for the width.
  Index grown(Index extent, int axis, Index more) const {
    const Index stride = axis == 0 ? strides.height : strides.width;
    if (more < 0 || more >= stride)
      fail(fmt::format("an output padding of {} is not from 0 to less than the stride {}", more, stride));
    if (padding.empty()) {
      if (more != 0) fail("\"same\" padding leaves no choice to an output padding");
      return extent * stride;
    }
    const auto at = 2 * static_cast<std::size_t>(axis);
    const Index reach = (axis == 0 ? dilation.height : dilation.width) * (kernel.shape()[axis] - 1) + 1;
    const Index out = (extent - 1) * stride + reach - padding[at] - padding[at + 1] + more;
    if (out < 1) fail(fmt::format("a padding of {} and {} leaves nothing", padding[at], padding[at + 1]));
    return out;
  }
  Value fold(Value windows, const std::vector<Index>& extents) const {
    Attrs attributes = attrs();
    attributes.set("extents", extents);
    return apply("fold", {windows}, attributes);
  }
  Value one_group_back(const std::vector<Index>& extents) const {
    const Value windows = matmul(x, flatten(kernel, 0, 2), false, true);
    return fold(unflatten(windows, 3, {-1, kernel.shape()[2]}), extents);
  }
  Value channel_by_channel_back(const std::vector<Index>& extents) const {
    const Value filters = transpose(flatten(kernel, 0, 1), {0, 2, 1});  // [elements, channels, filters / groups]
    const Value windows = expand_dims(expand_dims(x, 3), 5) * filters;
    return fold(flatten(windows, 4, 5), extents);
  }
};

constexpr const char* images = "[batch, height, width, channels]";
constexpr const char* sequences = "[batch, length, channels]";

// Sequences are images of one row.
Convolution as_images(Convolution c) {
  c.x = expand_dims(c.x, 1);
  c.kernel = expand_dims(c.kernel, 0);
  return c;
}

}  // namespace

Value conv2d(Operand x, Operand kernel, const ConvWindow2D& options) {
  const SourceLocationScope line(x);
  const Convolution c{
      "conv2d",      x, kernel, options.strides, options.dilation, padding_of_images("conv2d", options.padding),
      options.groups};
  c.check_ranks(4, images, "[height, width, channels / groups, filters]");
  return c.forward();
}

Value conv2d_transpose(Operand x, Operand kernel, const ConvWindow2D& options, HeightWidth output_padding) {
  const SourceLocationScope line(x);
  const char* function = "conv2d_transpose";
  const Convolution c{
      function,      x, kernel, options.strides, options.dilation, padding_of_images(function, options.padding),
      options.groups};
  c.check_ranks(4, images, "[height, width, filters / groups, channels]");
  return c.transposed(output_padding);
}

Value conv1d(Operand x, Operand kernel, const ConvWindow1D& options) {
  const SourceLocationScope line(x);
  const Convolution c{"conv1d",
                      x,
                      kernel,
                      {1, options.stride},
                      {1, options.dilation},
                      padding_of_sequences("conv1d", options.padding),
                      options.groups};
  c.check_ranks(3, sequences, "[length, channels / groups, filters]");
  return all_or_nothing(x.graph(), [&] { return squeeze(as_images(c).forward(), {1}); });
}

Value conv1d_transpose(Operand x, Operand kernel, const ConvWindow1D& options, Index output_padding) {
  const SourceLocationScope line(x);
  const char* function = "conv1d_transpose";
  const Convolution c{function,
                      x,
                      kernel,
                      {1, options.stride},
                      {1, options.dilation},
                      padding_of_sequences(function, options.padding),
                      options.groups};
  c.check_ranks(3, sequences, "[length, filters / groups, channels]");
  return all_or_nothing(x.graph(), [&] { return squeeze(as_images(c).transposed({0, output_padding}), {1}); });
}

Value unfold(Operand x, HeightWidth window, const ConvWindow2D& options) {
  const SourceLocationScope line(x);
  if (options.groups != 1) throw UserError(fmt::format("unfold: windows have no groups\n  {}", x.describe()));
  return apply("unfold", {x},
               window_attrs(window, options.strides, options.dilation, padding_of_images("unfold", options.padding)));
}

}  // namespace xgrad::inline v0
