// Convolution and transposed convolution of images and sequences. A 1 x 1 window is a matrix product.
#include <array>
#include <string_view>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/internal/window_attrs.hpp>

namespace xgrad::inline v0 {

Padding::Padding(const char* word, std::size_t length) : sides_{0} {
  const std::string_view text(word, length);
  same_ = text == "same";
  if (!same_ && text != "valid") throw UserError(fmt::format("padding: must be \"valid\" or \"same\", got {:?}", text));
}

std::vector<Index> padding_of_images(const char* function, const Padding& padding) {
  if (padding.is_same()) return {};
  const auto& sides = padding.sides();
  if (sides.size() == 1) return {sides[0], sides[0], sides[0], sides[0]};
  if (sides.size() == 2) return {sides[0], sides[0], sides[1], sides[1]};
  if (sides.size() == 4) return sides;
  throw ShapeError(fmt::format("{}: padding must have 1, 2 or 4 numbers, got {}", function, sides.size()));
}

std::vector<Index> padding_of_sequences(const char* function, const Padding& padding) {
  if (padding.is_same()) return {};
  const auto& sides = padding.sides();
  if (sides.size() == 1) return {0, 0, sides[0], sides[0]};
  if (sides.size() == 2) return {0, 0, sides[0], sides[1]};
  throw ShapeError(fmt::format("{}: padding must have 1 or 2 numbers, got {}", function, sides.size()));
}

Padding padding_of(const Attrs& a) {
  const std::vector<Index>& p = a.ints("padding");
  if (p.empty()) return "same";
  if (p.size() == 1) return p[0];
  if (p.size() == 2) return {p[0], p[1]};
  if (p.size() == 3) return {p[0], p[1], p[2]};
  return {p[0], p[1], p[2], p[3]};
}

namespace {

constexpr Index most = 1 << 30;  // limit of strides, dilation, padding and groups, so that products cannot overflow

// A convolution of images, transposed or not. `function` is the name that the user called, for errors.
struct Convolution {
  const char* function;
  Value x, kernel;
  HeightWidth strides, dilation;
  Axes padding;
  Index groups;

  [[noreturn]] void fail(const std::string& what) const {
    throw ShapeError(fmt::format("{}: {}\n  x: {}\n  kernel: {}", function, what, x.describe(), kernel.describe()));
  }
  // Throws unless x and the kernel have `rank` axes and the same floating dtype. `images` and `kernels` are the names
  // of the axes, for errors.
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
      if (number < least || number > most)
        fail(fmt::format("{} must be in [{}, {}], got {}", what, least, most, number));
    };
    for (Index s : {strides.height, strides.width}) check("stride", s, 1);
    for (Index d : {dilation.height, dilation.width}) check("dilation", d, 1);
    for (Index p : padding) check("padding", p, 0);
    check("groups", groups, 1);
    for (Index extent : kernel.shape()) check("extent of the kernel", extent, 1);
  }

  Attrs attrs() const {
    return {{"strides", Axes{strides.height, strides.width}},
            {"dilation", Axes{dilation.height, dilation.width}},
            {"padding", padding},
            {"groups", groups}};
  }
  Index channels() const { return x.shape()[3]; }

  // ---- forward

  Value forward() const {
    check_numbers();
    const Shape& k = kernel.shape();
    if (channels() != k[2] * groups)
      fail(fmt::format("x has {} channels in {} groups, but the kernel has {} channels per group", channels(), groups,
                       k[2]));
    if (k[3] % groups != 0) fail(fmt::format("{} filters are not divisible by {} groups", k[3], groups));
    if (pixel_by_pixel() && groups == 1) return matmul(x, flatten(kernel, 0, 2));
    if (k[2] == 1 && k[3] != groups && groups > 1) return many_filters_by_channel();
    return apply("convolution", {x, kernel}, attrs());
  }
  // Depthwise convolution with several filters per channel. Repeats each channel once per filter.
  Value many_filters_by_channel() const {
    const Shape& k = kernel.shape();
    const Index filters = k[3] / groups;
    Convolution out = *this;
    out.x = flatten(stretch(expand_dims(x, 4), 4, filters), 3, 4);
    out.groups = k[3];
    return out.forward();
  }
  // Whether each window is one pixel: 1 x 1, with stride 1 and without padding. Then unfold is not needed.
  bool pixel_by_pixel() const {
    bool padded = false;
    for (Index p : padding) padded = padded || p != 0;
    return kernel.shape()[0] == 1 && kernel.shape()[1] == 1 && strides.height == 1 && strides.width == 1 && !padded;
  }

  // ---- transposed

  Value transposed(HeightWidth output_padding) const {
    check_numbers();
    const Shape& k = kernel.shape();
    if (channels() != k[3]) fail(fmt::format("x has {} channels, the kernel {}", channels(), k[3]));
    if (channels() % groups != 0) fail(fmt::format("{} channels are not divisible by {} groups", channels(), groups));
    const Axes extents{grown(x.shape()[1], 0, output_padding.height), grown(x.shape()[2], 1, output_padding.width)};
    Attrs attributes = attrs();
    attributes.set("extents", extents);
    return apply("convolution_input_gradient", {x, kernel}, attributes);
  }
  // The extent of the result for an extent of x, along the height (axis 0) or the width (axis 1). `more`:
  // output_padding.
  Index grown(Index extent, int axis, Index more) const {
    const Index stride = axis == 0 ? strides.height : strides.width;
    if (more < 0 || more >= stride) fail(fmt::format("output_padding must be in [0, stride {}), got {}", stride, more));
    if (padding.empty()) {
      if (more != 0) fail("output_padding must be 0 with \"same\" padding");
      return extent * stride;
    }
    const auto at = 2 * static_cast<std::size_t>(axis);
    const Index reach = (axis == 0 ? dilation.height : dilation.width) * (kernel.shape()[axis] - 1) + 1;
    const Index out = (extent - 1) * stride + reach - padding[at] - padding[at + 1] + more;
    if (out < 1) fail(fmt::format("padding of {} and {} leaves an empty output", padding[at], padding[at + 1]));
    return out;
  }
};

Convolution of_images(const char* function, Value x, Value kernel, const ConvWindow2D& o, const char* kernels) {
  const Convolution c{function, x, kernel, o.strides, o.dilation, padding_of_images(function, o.padding), o.groups};
  c.check_ranks(4, "[batch, height, width, channels]", kernels);
  return c;
}

// Sequences are images of one row.
Convolution of_sequences(const char* function, Value x, Value kernel, const ConvWindow1D& o, const char* kernels) {
  const auto padding = padding_of_sequences(function, o.padding);
  Convolution c{function, x, kernel, {1, o.stride}, {1, o.dilation}, padding, o.groups};
  c.check_ranks(3, "[batch, length, channels]", kernels);
  c.x = expand_dims(x, 1);
  c.kernel = expand_dims(kernel, 0);
  return c;
}

}  // namespace

Value conv2d(Operand x, Operand kernel, const ConvWindow2D& options) {
  return composite(x, [&] {
    return of_images("conv2d", x, kernel, options, "[height, width, channels / groups, filters]").forward();
  });
}

Value conv2d_transpose(Operand x, Operand kernel, const ConvWindow2D& options, HeightWidth output_padding) {
  return composite(x, [&] {
    const char* kernels = "[height, width, filters / groups, channels]";
    return of_images("conv2d_transpose", x, kernel, options, kernels).transposed(output_padding);
  });
}

Value conv1d(Operand x, Operand kernel, const ConvWindow1D& options) {
  return composite(x, [&] {
    const char* kernels = "[length, channels / groups, filters]";
    return squeeze(of_sequences("conv1d", x, kernel, options, kernels).forward(), {1});
  });
}

Value conv1d_transpose(Operand x, Operand kernel, const ConvWindow1D& options, Index output_padding) {
  return composite(x, [&] {
    const char* kernels = "[length, filters / groups, channels]";
    return squeeze(of_sequences("conv1d_transpose", x, kernel, options, kernels).transposed({0, output_padding}), {1});
  });
}

Value unfold(Operand x, HeightWidth window, const ConvWindow2D& options) {
  return composite(x, [&] {
    if (options.groups != 1) throw UserError(fmt::format("unfold: groups must be 1\n  {}", x.describe()));
    return apply("unfold", {x},
                 window_attrs(window, options.strides, options.dilation, padding_of_images("unfold", options.padding)));
  });
}

// ---- samples

namespace {

// Strides, dilation, padding (none for "same") and groups, as attributes.
Attrs numbers(Axes strides, Axes dilation, Axes padding, Index groups) {
  return {{"strides", std::move(strides)},
          {"dilation", std::move(dilation)},
          {"padding", std::move(padding)},
          {"groups", groups}};
}
ConvWindow2D options_2d(const Attrs& a) {
  const auto pair = [&](const char* what) { return HeightWidth(a.ints(what)[0], a.ints(what)[1]); };
  return {.strides = pair("strides"),
          .padding = padding_of(a),
          .dilation = pair("dilation"),
          .groups = a.integer("groups")};
}
ConvWindow1D options_1d(const Attrs& a) {
  return {.stride = a.ints("strides")[0],
          .padding = padding_of(a),
          .dilation = a.ints("dilation")[0],
          .groups = a.integer("groups")};
}

Sample sample(const char* label, Shape x, Shape kernel, Attrs attrs) {
  const bool nothing = x.elements() == 0;
  return {.label = label, .inputs = {{x}, {kernel}}, .attrs = std::move(attrs), .zero_gradient = nothing};
}

std::vector<BadSample> bad_convolutions() {
  const Tensor x({1, 4, 4, 4});
  const Tensor k({3, 3, 4, 2});
  return {
      {"rank", {Tensor({4, 4, 4}), k}, numbers({1, 1}, {1, 1}, {0}, 1), "x must be [batch, height, width, channels]"},
      {"kernel", {x, Tensor({3, 4, 2})}, numbers({1, 1}, {1, 1}, {0}, 1), "the kernel must be [height, width,"},
      {"channels", {x, Tensor({3, 3, 3, 2})}, numbers({1, 1}, {1, 1}, {0}, 1), "channels"},
      {"no groups", {x, k}, numbers({1, 1}, {1, 1}, {0}, 0), "groups must be in [1, 1073741824], got 0"},
      {"stride", {x, k}, numbers({0, 1}, {1, 1}, {0}, 1), "stride must be in [1, 1073741824], got 0"},
      {"dilation", {x, k}, numbers({1, 1}, {1, -1}, {0}, 1), "dilation must be in [1, 1073741824], got -1"},
      {"padding", {x, k}, numbers({1, 1}, {1, 1}, {-2}, 1), "padding must be in [0, 1073741824], got -2"},
      {"three paddings", {x, k}, numbers({1, 1}, {1, 1}, {1, 1, 1}, 1), "1, 2 or 4 numbers, got 3"},
      {"two dtypes", {x, Tensor({3, 3, 4, 2}, f64)}, numbers({1, 1}, {1, 1}, {0}, 1), "both the same"},
      {"integers",
       {Tensor({1, 4, 4, 4}, i64), Tensor({3, 3, 4, 2}, i64)},
       numbers({1, 1}, {1, 1}, {0}, 1),
       "f32 or f64"}};
}

}  // namespace

std::vector<Composite> convolution_composites() {
  const Axes ones{1, 1};
  return {
      {"conv2d",
       "2-D convolution.",
       [](Inputs x, const Attrs& a) { return conv2d(x[0], x[1], options_2d(a)); },
       {sample("valid", {2, 5, 4, 2}, {3, 2, 2, 3}, numbers(ones, ones, {0}, 1)),
        sample("one pixel", {1, 1, 1, 1}, {1, 1, 1, 1}, numbers(ones, ones, {0}, 1)),
        sample("pixel by pixel", {2, 3, 3, 4}, {1, 1, 4, 3}, numbers(ones, ones, {0}, 1)),
        sample("same, strides", {1, 5, 4, 2}, {3, 3, 2, 2}, numbers({2, 1}, ones, {}, 1)),
        sample("padded and dilated", {1, 5, 6, 1}, {2, 3, 1, 2}, numbers({1, 2}, {2, 1}, {1, 0, 2, 1}, 1)),
        sample("groups", {1, 3, 4, 4}, {2, 2, 2, 6}, numbers(ones, ones, {1, 0}, 2)),
        sample("each channel by itself", {1, 4, 4, 3}, {2, 2, 1, 6}, numbers(ones, ones, {1}, 3)),
        sample("many filters", {1, 2, 3, 3}, {2, 2, 3, 17}, numbers(ones, ones, {0}, 1)),
        sample("no image", {0, 3, 3, 1}, {2, 2, 1, 2}, numbers(ones, ones, {0}, 1))},
       joined(bad_convolutions(), {{"groups of channels",
                                    {Tensor({1, 3, 3, 4}), Tensor({2, 2, 1, 6})},
                                    numbers(ones, ones, {0}, 3),
                                    "x has 4 channels in 3 groups, but the kernel has 1 channels per group"},
                                   {"groups of filters",
                                    {Tensor({1, 3, 3, 4}), Tensor({2, 2, 2, 3})},
                                    numbers(ones, ones, {0}, 2),
                                    "3 filters are not divisible by 2 groups"},
                                   {"too large a kernel",
                                    {Tensor({1, 2, 4, 1}), Tensor({3, 3, 1, 1})},
                                    numbers(ones, ones, {0}, 1),
                                    "a window of height 3 does not fit into 2"}})},
      {"conv1d",
       "1-D convolution.",
       [](Inputs x, const Attrs& a) { return conv1d(x[0], x[1], options_1d(a)); },
       {sample("valid", {2, 7, 2}, {3, 2, 3}, numbers({1}, {1}, {0}, 1)),
        sample("causal", {1, 6, 2}, {2, 2, 2}, numbers({1}, {2}, {2, 0}, 1)),
        sample("same, strides, groups", {1, 7, 4}, {3, 2, 2}, numbers({2}, {1}, {}, 2)),
        sample("one element", {1, 1, 1}, {1, 1, 1}, numbers({1}, {1}, {0}, 1)),
        sample("no sequence", {0, 5, 2}, {3, 2, 3}, numbers({1}, {1}, {0}, 1))},
       {{"rank",
         {Tensor({1, 4, 4, 1}), Tensor({3, 1, 1})},
         numbers({1}, {1}, {0}, 1),
         "conv1d: x must be [batch, length"},
        {"four paddings",
         {Tensor({1, 4, 1}), Tensor({3, 1, 1})},
         numbers({1}, {1}, {1, 1, 1, 1}, 1),
         "1 or 2 numbers, got 4"},
        {"channels",
         {Tensor({1, 4, 2}), Tensor({3, 1, 1})},
         numbers({1}, {1}, {0}, 1),
         "conv1d: x has 2 channels in 1 groups"}}},
      {"conv2d_transpose",
       "Transposed 2-D convolution: the derivative of conv2d with respect to its input.",
       [](Inputs x, const Attrs& a) { return conv2d_transpose(x[0], x[1], options_2d(a)); },
       {sample("valid", {2, 3, 2, 3}, {2, 3, 2, 3}, numbers(ones, ones, {0}, 1)),
        sample("strides", {1, 2, 3, 2}, {3, 2, 1, 2}, numbers({2, 3}, ones, {1, 0}, 1)),
        sample("same, strides", {1, 2, 3, 2}, {3, 3, 2, 2}, numbers({2, 2}, ones, {}, 1)),
        sample("dilation", {1, 3, 3, 1}, {2, 2, 1, 1}, numbers(ones, {2, 3}, {0, 1, 0, 0}, 1)),
        sample("groups", {1, 2, 2, 4}, {2, 2, 3, 4}, numbers(ones, ones, {0}, 2)),
        sample("each channel by itself", {1, 2, 3, 3}, {2, 2, 2, 3}, numbers({2, 1}, ones, {0}, 3)),
        sample("one pixel", {1, 1, 1, 1}, {1, 1, 1, 1}, numbers(ones, ones, {0}, 1)),
        sample("no image", {0, 2, 2, 1}, {2, 2, 2, 1}, numbers(ones, ones, {0}, 1))},
       joined(bad_convolutions(), {{"groups of channels",
                                    {Tensor({1, 3, 3, 4}), Tensor({2, 2, 1, 4})},
                                    numbers(ones, ones, {0}, 3),
                                    "4 channels are not divisible by 3 groups"},
                                   {"all padding",
                                    {Tensor({1, 1, 1, 1}), Tensor({2, 2, 1, 1})},
                                    numbers(ones, ones, {1}, 1),
                                    "padding of 1 and 1 leaves an empty output"}})},
      {"conv2d_transpose with output padding",
       "Adds one row and two columns to the output.",
       [](Inputs x, const Attrs& a) {
         return conv2d_transpose(x[0], x[1], options_2d(a), {1, 2});
       },
       {sample("strides", {1, 2, 2, 1}, {2, 2, 2, 1}, numbers({2, 3}, ones, {0}, 1))},
       {{"beyond the stride",
         {Tensor({1, 2, 2, 1}), Tensor({2, 2, 2, 1})},
         numbers({2, 2}, ones, {0}, 1),
         "output_padding must be in [0, stride 2), got 2"},
        {"same", {Tensor({1, 2, 2, 1}), Tensor({2, 2, 2, 1})}, numbers({2, 3}, ones, {}, 1), "must be 0 with"}}},
      {"conv1d_transpose",
       "Transposed 1-D convolution: the derivative of conv1d with respect to its input.",
       [](Inputs x, const Attrs& a) { return conv1d_transpose(x[0], x[1], options_1d(a), 1); },
       {sample("strides", {2, 3, 2}, {3, 2, 2}, numbers({2}, {1}, {1}, 1)),
        sample("one element", {1, 1, 1}, {1, 1, 1}, numbers({2}, {1}, {0}, 1)),
        sample("no sequence", {0, 3, 2}, {3, 2, 2}, numbers({2}, {1}, {1}, 1))},
       {{"channels",
         {Tensor({1, 4, 2}), Tensor({3, 1, 1})},
         numbers({2}, {1}, {0}, 1),
         "conv1d_transpose: x has 2 channels"}}},
  };
}

}  // namespace xgrad::inline v0
