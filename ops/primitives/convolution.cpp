// Convolution of images, and its gradients with respect to images and kernel. Convolution is bilinear, so the
// derivatives of each of the three operations are the other two. composites/convolution.cpp builds conv2d etc. on them.
#include <algorithm>

#include <fmt/format.h>

#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/kernels/kernels.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/internal/slides.hpp>
#include <xgrad/ops/primitives/internal/window_attrs.hpp>

namespace xgrad::inline v0 {
namespace {

using Part = Kernels::ConvPart;

// The shapes of images, kernel and output. Each operation computes one of these tensors from the other two.
struct Shapes {
  Shape x, kernel, y;
  Slides slides(const Attrs& attrs) const { return {attrs, kernel[0], kernel[1], x[1], x[2]}; }
  ConvSizes sizes(const Attrs& attrs) const {
    const Slides s = slides(attrs);
    return {x[0], x[3], kernel[3], attrs.integer("groups"), s.rows.axis(), s.columns.axis()};
  }
};
Shape kernel_shape(const Attrs& attrs, const Shape& x, const Shape& y) {
  const Axes& window = attrs.ints("window");
  return {window[0], window[1], x[3] / attrs.integer("groups"), y[3]};
}
Shapes shapes_of(Part part, std::span<const TensorType> in, const TensorType& out, const Attrs& attrs) {
  if (part == Part::output) return {in[0].shape, in[1].shape, out.shape};
  if (part == Part::input_gradient) return {out.shape, in[1].shape, in[0].shape};
  return {in[0].shape, kernel_shape(attrs, in[0].shape, in[1].shape), in[1].shape};
}

void run_kernel(Part part, const KernelCall& call) {
  const TensorType in[] = {call.inputs[0].type, call.inputs[1].type};
  const ConvSizes sizes = shapes_of(part, in, call.output.type, *call.attrs).sizes(*call.attrs);
  kernels().convolve[static_cast<std::size_t>(call.output.type.dtype)](part, sizes, call.inputs[0].data,
                                                                       call.inputs[1].data, call.output.data,
                                                                       call.scratch, call.parallel, call.on_rows_ready);
}
std::size_t scratch_for(Part part, std::span<const TensorType> in, const TensorType& out, const Attrs& attrs) {
  return kernels().conv_scratch[static_cast<std::size_t>(out.dtype)](part,
                                                                     shapes_of(part, in, out, attrs).sizes(attrs));
}
double flops_for(Part part, std::span<const TensorType> in, const TensorType& out, const Attrs& attrs) {
  const Shapes s = shapes_of(part, in, out, attrs);
  return 2 * static_cast<double>(s.y.elements()) * static_cast<double>(s.kernel[0] * s.kernel[1] * s.kernel[2]);
}

// Calls f(at_x, at_kernel, at_y) with the indices of the elements, for each product that the convolution sums.
template <class F>
void each_product(const Shapes& s, const Attrs& attrs, F f) {
  const Slides slides = s.slides(attrs);
  const Index in_group = s.kernel[2], out_group = s.kernel[3] / attrs.integer("groups");
  for (Index at = 0; at < s.y.elements(); ++at) {
    const Index filter = at % s.y[3], column = at / s.y[3] % s.y[2], row = at / (s.y[3] * s.y[2]) % s.y[1];
    const Index image = at / (s.y[3] * s.y[2] * s.y[1]);
    for (Index k = 0; k < s.kernel[0] * s.kernel[1] * in_group; ++k) {
      const Index tap = k / in_group;
      const Index y = slides.rows.at(row, tap / s.kernel[1]), x = slides.columns.at(column, tap % s.kernel[1]);
      if (!slides.rows.holds(y) || !slides.columns.holds(x)) continue;
      const Index channel = filter / out_group * in_group + k % in_group;
      f(((image * s.x[1] + y) * s.x[2] + x) * s.x[3] + channel, k * s.kernel[3] + filter, at);
    }
  }
}

// ---- infer

void require_operands(const Infer& in) {
  in.require_dtype(0, {f32, f64});
  in.require_same_dtype(0, 1);
}
Index checked_groups(const Infer& in) {
  const Index groups = in.attrs().integer("groups");
  if (groups < 1) in.fail_shape(fmt::format("groups must be at least 1, got {}", groups));
  return groups;
}
void require_kernel(const Infer& in, const Shape& kernel) {
  if (kernel.rank() != 4)
    in.fail_shape(fmt::format("the kernel must be [height, width, channels / groups, filters], got {}", kernel.str()));
  if (kernel[0] < 1 || kernel[1] < 1) in.fail_shape(fmt::format("the kernel {} has no elements", kernel.str()));
}
// The shape of y. Throws unless x and kernel fit.
Shape output_shape(const Infer& in, const Shape& x, const Shape& kernel) {
  require_images(in, x);
  require_kernel(in, kernel);
  const Index groups = checked_groups(in);
  if (x[3] % groups != 0 || x[3] / groups != kernel[2])
    in.fail_shape(fmt::format("x has {} channels in {} groups, but the kernel has {} channels per group", x[3], groups,
                              kernel[2]));
  if (kernel[3] % groups != 0)
    in.fail_shape(fmt::format("{} filters are not divisible by {} groups", kernel[3], groups));
  const Slides s = slides_of(in, kernel[0], kernel[1], x[1], x[2]);
  return {x[0], s.rows.count, s.columns.count, kernel[3]};
}

// ---- the batch axis

// Note [Batches of convolutions]. One node computes a whole batch. If the kernel has no batch axis, that of the images
// is merged into the axis of images. Otherwise the batch axis is merged into the channels: as more filters per group if
// one operand has no batch axis, as more groups if both have one.

// Merges the batch axis of [batch, images, h, w, c] into the channels: before them, or within each group.
Value into_channels(Value x, Index groups, bool as_groups) {
  if (as_groups) return flatten(transpose(x, {1, 2, 3, 0, 4}), 3, 4);
  return flatten(transpose(unflatten(x, 4, {groups, -1}), {1, 2, 3, 4, 0, 5}), 3, 5);
}
// Inverse of into_channels, for a batch of `size`.
Value out_of_channels(Value y, Index groups, Index size, bool as_groups) {
  if (as_groups) return transpose(unflatten(y, 3, {size, -1}), {3, 0, 1, 2, 4});
  return flatten(transpose(unflatten(y, 3, {groups, size, -1}), {4, 0, 1, 2, 3, 5}), 4, 5);
}

Attrs with_groups(Attrs attrs, Index groups) {
  attrs.set("groups", groups);
  return attrs;
}
// ---- samples

Attrs numbers(Axes strides, Axes dilation, Axes padding, Index groups) {
  return {{"strides", std::move(strides)},
          {"dilation", std::move(dilation)},
          {"padding", std::move(padding)},
          {"groups", groups}};
}

// Convolutions that together use all kinds of tiles: borders, strides, classes, groups, several panels, and windows
// without taps inside the image.
struct Case {
  const char* label;
  Shape x, kernel, y;
  Attrs attrs;
};
std::vector<Case> cases() {
  const Axes ones{1, 1}, none{0, 0, 0, 0};
  return {{"valid", {2, 5, 4, 2}, {3, 2, 2, 3}, {2, 3, 3, 3}, numbers(ones, ones, none, 1)},
          {"one pixel", {1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}, numbers(ones, ones, none, 1)},
          {"same, strides", {1, 5, 4, 2}, {3, 3, 2, 2}, {1, 3, 4, 2}, numbers({2, 1}, ones, {}, 1)},
          {"padded and dilated", {1, 5, 6, 1}, {2, 3, 1, 2}, {1, 4, 3, 2}, numbers({1, 2}, {2, 1}, {1, 0, 2, 0}, 1)},
          {"longer strides than windows", {1, 6, 7, 2}, {2, 1, 2, 3}, {1, 2, 2, 3}, numbers({4, 5}, ones, none, 1)},
          {"dilated strides", {1, 7, 8, 1}, {3, 2, 1, 1}, {1, 3, 2, 1}, numbers({2, 6}, {2, 4}, {1, 2, 1, 2}, 1)},
          {"all padding", {1, 1, 2, 1}, {2, 2, 1, 1}, {1, 4, 5, 1}, numbers(ones, ones, {2, 2, 2, 2}, 1)},
          {"groups", {1, 3, 4, 4}, {2, 2, 2, 6}, {1, 3, 3, 6}, numbers(ones, ones, {1, 0, 0, 0}, 2)},
          {"each channel by itself", {1, 4, 4, 3}, {2, 2, 1, 3}, {1, 5, 5, 3}, numbers(ones, ones, {1, 1, 1, 1}, 3)},
          {"many filters", {1, 2, 3, 3}, {2, 2, 3, 17}, {1, 1, 2, 17}, numbers(ones, ones, none, 1)},
          {"no image", {0, 3, 3, 1}, {2, 2, 1, 2}, {0, 2, 2, 2}, numbers(ones, ones, none, 1)}};
}
template <Part part>
struct ConvOperation : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static double flops(std::span<const TensorType> in, const TensorType& out, const Attrs& attrs) {
    return flops_for(part, in, out, attrs);
  }
  static std::size_t scratch_bytes(std::span<const TensorType> in, const TensorType& out, const Attrs& attrs) {
    return scratch_for(part, in, out, attrs);
  }
  static void kernel(const KernelCall& call) { run_kernel(part, call); }
};

struct Convolution : ConvOperation<Part::output> {
  static constexpr const char* name = "convolution";
  static constexpr const char* doc =
      "Convolution of images [batch, height, width, channels] by kernels [kh, kw, channels / groups, filters] to "
      "[batch, height', width', filters], as cross-correlation. `padding` is [top, bottom, left, right], or empty for "
      "\"same\". Elements of the window outside the image are skipped.";
  static Traits traits() { return {.supports_epilogue = true}; }
  static TensorType infer(const Infer& in) {
    require_operands(in);
    require_images(in, in.shape(0));
    require_kernel(in, in.shape(1));
    return {in.dtype(0), output_shape(in, in.shape(0), in.shape(1))};
  }
  static void reference(const KernelCall& call) {
    double* y = call.output.as<double>();
    const double* x = call.inputs[0].as<double>();
    const double* w = call.inputs[1].as<double>();
    std::fill_n(y, call.output.type.shape.elements(), 0.0);
    each_product({call.inputs[0].type.shape, call.inputs[1].type.shape, call.output.type.shape}, *call.attrs,
                 [&](Index at_x, Index at_w, Index at_y) { y[at_y] += x[at_x] * w[at_w]; });
  }
  static Cotangents vjp(const Vjp& r);
  static Value batch(const Batch& b);
  static std::vector<Sample> samples();
  static std::vector<BadSample> bad_samples();
};

struct ConvolutionInputGradient : ConvOperation<Part::input_gradient> {
  static constexpr int max_inputs = 3;
  static constexpr const char* name = "convolution_input_gradient";
  static constexpr const char* doc =
      "The derivative of `convolution` with respect to its images, from the cotangent [batch, height', width', "
      "filters] "
      "and the kernel, for images of the given extents or of the shape of the third input. Also known as transposed "
      "convolution.";
  static Traits traits() { return {.supports_epilogue = true, .shape_only = 4}; }
  static TensorType infer(const Infer& in) {
    require_operands(in);
    require_images(in, in.shape(0));
    require_kernel(in, in.shape(1));
    const std::vector<Index>& extents = in.attrs().ints("extents");
    if (in.count() == 2 && extents.size() != 2) in.fail_shape("expected extents [height, width] or a third input");
    const Shape& y = in.shape(0);
    Index channels = 0;
    if (__builtin_mul_overflow(in.shape(1)[2], checked_groups(in), &channels))
      in.fail_shape(fmt::format("{} groups of {} channels are too many", checked_groups(in), in.shape(1)[2]));
    const Shape x = in.count() == 3 ? in.shape(2) : Shape{y[0], extents[0], extents[1], channels};
    const Shape expected = output_shape(in, x, in.shape(1));
    if (y != expected)
      in.fail_shape(fmt::format("the convolution of {} is {}, not {}", x.str(), expected.str(), y.str()));
    return {in.dtype(0), x};
  }
  static void reference(const KernelCall& call) {
    double* x = call.output.as<double>();
    const double* y = call.inputs[0].as<double>();
    const double* w = call.inputs[1].as<double>();
    std::fill_n(x, call.output.type.shape.elements(), 0.0);
    each_product({call.output.type.shape, call.inputs[1].type.shape, call.inputs[0].type.shape}, *call.attrs,
                 [&](Index at_x, Index at_w, Index at_y) { x[at_x] += y[at_y] * w[at_w]; });
  }
  static Cotangents vjp(const Vjp& r);
  static Value batch(const Batch& b);
  static std::vector<Sample> samples();
  static std::vector<BadSample> bad_samples();
};

struct ConvolutionKernelGradient : ConvOperation<Part::kernel_gradient> {
  static constexpr const char* name = "convolution_kernel_gradient";
  static constexpr const char* doc =
      "The derivative of `convolution` with respect to its kernel, from the images and the cotangent [batch, height', "
      "width', filters]. `window` is [kh, kw].";
  static TensorType infer(const Infer& in) {
    require_operands(in);
    const Shape& x = in.shape(0);
    const Shape& y = in.shape(1);
    require_images(in, x);
    require_images(in, y);
    const Index groups = checked_groups(in);
    if (x[3] % groups != 0 || y[3] % groups != 0)
      in.fail_shape(fmt::format("{} channels and {} filters are not divisible by {} groups", x[3], y[3], groups));
    const Slides s = slides_of(in, x[1], x[2]);
    const Shape expected{x[0], s.rows.count, s.columns.count, y[3]};
    if (y != expected)
      in.fail_shape(fmt::format("the convolution of {} is {}, not {}", x.str(), expected.str(), y.str()));
    return {in.dtype(0), kernel_shape(in.attrs(), x, y)};
  }
  static void reference(const KernelCall& call) {
    double* w = call.output.as<double>();
    const double* x = call.inputs[0].as<double>();
    const double* y = call.inputs[1].as<double>();
    std::fill_n(w, call.output.type.shape.elements(), 0.0);
    each_product({call.inputs[0].type.shape, call.output.type.shape, call.inputs[1].type.shape}, *call.attrs,
                 [&](Index at_x, Index at_w, Index at_y) { w[at_w] += x[at_x] * y[at_y]; });
  }
  static Cotangents vjp(const Vjp& r);
  static Value batch(const Batch& b);
  static std::vector<Sample> samples();
  static std::vector<BadSample> bad_samples();
};

// ---- nodes of the three operations

Attrs geometry(const Attrs& from) {
  return {{"strides", from.ints("strides")},
          {"dilation", from.ints("dilation")},
          {"padding", from.ints("padding")},
          {"groups", from.integer("groups")}};
}
Value convolution(Value x, Value kernel, const Attrs& attrs) {
  return apply(Convolution::name, {x, kernel}, geometry(attrs));
}
// The gradient for images of the shape of `like`.
Value input_gradient(Value y, Value kernel, Value like, const Attrs& attrs) {
  Attrs with = geometry(attrs);
  with.set("extents", Axes{});
  return apply(ConvolutionInputGradient::name, {y, kernel, like}, with);
}
Value input_gradient(Value y, Value kernel, Axes extents, const Attrs& attrs) {
  Attrs with = geometry(attrs);
  with.set("extents", std::move(extents));
  return apply(ConvolutionInputGradient::name, {y, kernel}, with);
}
Value kernel_gradient(Value x, Value y, Axes window, const Attrs& attrs) {
  Attrs with = geometry(attrs);
  with.set("window", std::move(window));
  return apply(ConvolutionKernelGradient::name, {x, y}, with);
}
Axes window_of(Value kernel) { return {kernel.shape()[0], kernel.shape()[1]}; }

Cotangents Convolution::vjp(const Vjp& r) {
  const Value x = r.input(0), kernel = r.input(1), c = r.cotangent();
  return {input_gradient(c, kernel, x, r.attrs()), kernel_gradient(x, c, window_of(kernel), r.attrs())};
}

Cotangents ConvolutionInputGradient::vjp(const Vjp& r) {
  const Value y = r.input(0), kernel = r.input(1), c = r.cotangent();
  const Value of_y = convolution(c, kernel, r.attrs());
  const Value of_kernel = kernel_gradient(c, y, window_of(kernel), r.attrs());
  return r.count() == 3 ? Cotangents{of_y, of_kernel, Value{}} : Cotangents{of_y, of_kernel};
}

Cotangents ConvolutionKernelGradient::vjp(const Vjp& r) {
  const Value x = r.input(0), y = r.input(1), c = r.cotangent();
  return {input_gradient(y, c, x, r.attrs()), convolution(x, c, r.attrs())};
}

// ---- batches, see Note [Batches of convolutions]

// Operands with the batch axis merged into channels, filters or groups.
struct InChannels {
  const Batch& b;
  Index groups = b.attrs().integer("groups");
  bool as_groups = b.batched(0) && b.batched(1);

  Value operand(int i) const { return b.batched(i) ? into_channels(b.input(i), groups, as_groups) : b.input(i); }
  // The kernel with the batch axis merged into the channels of each group: [kh, kw, batch * channels, filters].
  Value kernel_by_channels(int i) const { return flatten(transpose(b.input(i), {1, 2, 0, 3, 4}), 2, 3); }
  Attrs attrs() const { return with_groups(b.attrs(), as_groups ? groups * b.size() : groups); }
  Value split(Value y) const { return out_of_channels(y, groups, b.size(), as_groups); }
};

Value merged(Value x) { return flatten(x, 0, 1); }
Value separated(const Batch& b, Value y) { return unflatten(y, 0, {b.size(), b.output().shape()[0]}); }

Value Convolution::batch(const Batch& b) {
  if (!b.batched(1)) return separated(b, convolution(merged(b.input(0)), b.input(1), b.attrs()));
  const InChannels in{b};
  return in.split(convolution(in.operand(0), in.operand(1), in.attrs()));
}

Value ConvolutionInputGradient::batch(const Batch& b) {
  const Shape& images = b.output().shape();
  const Axes extents{images[1], images[2]};
  if (!b.batched(1)) return separated(b, input_gradient(merged(b.input(0)), b.input(1), extents, b.attrs()));
  const InChannels in{b};
  const Value kernel = b.batched(0) ? in.operand(1) : in.kernel_by_channels(1);
  return in.split(input_gradient(in.operand(0), kernel, extents, in.attrs()));
}

Value ConvolutionKernelGradient::batch(const Batch& b) {
  const InChannels in{b};
  const Value kernels = kernel_gradient(in.operand(0), in.operand(1), b.attrs().ints("window"), in.attrs());
  if (b.batched(1)) return in.split(kernels);
  return transpose(unflatten(kernels, 2, {b.size(), -1}), {2, 0, 1, 3, 4});
}

// ---- samples of the three operations

template <class Make>
std::vector<Sample> samples_by(const Make& make) {
  std::vector<Sample> out;
  for (const Case& c : cases()) {
    Sample sample = make(c);
    sample.label = c.label;
    sample.zero_gradient = c.x.elements() == 0;
    out.push_back(std::move(sample));
  }
  return out;
}

std::vector<Sample> Convolution::samples() {
  return samples_by([](const Case& c) { return Sample{.label = {}, .inputs = {{c.x}, {c.kernel}}, .attrs = c.attrs}; });
}
std::vector<Sample> ConvolutionInputGradient::samples() {
  std::vector<Sample> out = samples_by([](const Case& c) {
    Attrs attrs = c.attrs;
    attrs.set("extents", Axes{});
    return Sample{.label = {}, .inputs = {{c.y}, {c.kernel}, {c.x}}, .attrs = attrs};
  });
  Attrs attrs = numbers({2, 2}, {1, 1}, {1, 0, 0, 0}, 1);
  attrs.set("extents", Axes{4, 6});
  out.push_back({.label = "to given extents", .inputs = {{{1, 2, 3, 2}}, {{2, 2, 1, 2}}}, .attrs = attrs});
  return out;
}
std::vector<Sample> ConvolutionKernelGradient::samples() {
  return samples_by([](const Case& c) {
    Attrs attrs = c.attrs;
    attrs.set("window", Axes{c.kernel[0], c.kernel[1]});
    return Sample{.label = {}, .inputs = {{c.x}, {c.y}}, .attrs = attrs};
  });
}

const Axes ones{1, 1}, none{0, 0, 0, 0};

std::vector<BadSample> Convolution::bad_samples() {
  const Tensor x({1, 4, 4, 4}), k({3, 3, 4, 2});
  return {{"rank", {Tensor({4, 4, 4}), k}, numbers(ones, ones, none, 1), "images are [batch, height, width, channels]"},
          {"kernel", {x, Tensor({3, 4, 2})}, numbers(ones, ones, none, 1), "the kernel must be [height, width,"},
          {"empty kernel", {x, Tensor({0, 3, 4, 2})}, numbers(ones, ones, none, 1), "has no elements"},
          {"channels", {x, Tensor({3, 3, 3, 2})}, numbers(ones, ones, none, 1), "x has 4 channels in 1 groups"},
          {"filters", {x, Tensor({3, 3, 2, 3})}, numbers(ones, ones, none, 2), "not divisible by 2 groups"},
          {"no groups", {x, k}, numbers(ones, ones, none, 0), "groups must be at least 1, got 0"},
          {"stride", {x, k}, numbers({1, 0}, ones, none, 1), "strides must be at least 1, got 0"},
          {"too high", {x, Tensor({5, 1, 4, 2})}, numbers(ones, ones, none, 1), "a window of height 5 does not fit"},
          {"two dtypes", {x, Tensor({3, 3, 4, 2}, f64)}, numbers(ones, ones, none, 1), "differ in dtype"},
          {"integers", {Tensor({1, 4, 4, 4}, i64), Tensor({3, 3, 4, 2}, i64)}, numbers(ones, ones, none, 1), "i64"}};
}
std::vector<BadSample> ConvolutionInputGradient::bad_samples() {
  const auto attrs = [](Axes extents) {
    Attrs out = numbers(ones, ones, none, 1);
    out.set("extents", std::move(extents));
    return out;
  };
  const Tensor y({1, 2, 2, 2}), k({3, 3, 4, 2});
  return {{"no extents", {y, k}, attrs({}), "expected extents [height, width] or a third input"},
          {"other extents", {y, k}, attrs({5, 4}), "the convolution of [1, 5, 4, 4] is [1, 3, 2, 2], not [1, 2, 2, 2]"},
          {"other channels", {y, k, Tensor({1, 4, 4, 3})}, attrs({}), "x has 3 channels in 1 groups"},
          {"rank", {Tensor({2, 2, 2}), k}, attrs({4, 4}), "images are [batch, height, width, channels]"},
          {"integers", {Tensor({1, 2, 2, 2}, i64), Tensor({3, 3, 4, 2}, i64)}, attrs({4, 4}), "i64"}};
}
std::vector<BadSample> ConvolutionKernelGradient::bad_samples() {
  const auto attrs = [](Index groups) {
    Attrs out = numbers(ones, ones, none, groups);
    out.set("window", Axes{3, 3});
    return out;
  };
  const Tensor x({1, 4, 4, 4}), y({1, 2, 2, 2});
  return {{"other extents", {x, Tensor({1, 2, 3, 2})}, attrs(1), "is [1, 2, 2, 2], not [1, 2, 3, 2]"},
          {"groups", {x, y}, attrs(4), "4 channels and 2 filters are not divisible by 4 groups"},
          {"rank", {x, Tensor({2, 2, 2})}, attrs(1), "images are [batch, height, width, channels]"},
          {"integers", {Tensor({1, 4, 4, 4}, i64), Tensor({1, 2, 2, 2}, i64)}, attrs(1), "i64"}};
}

}  // namespace

void register_convolution(OpRegistry& registry) {
  registry.add(define<Convolution>());
  registry.add(define<ConvolutionInputGradient>());
  registry.add(define<ConvolutionKernelGradient>());
}

}  // namespace xgrad::inline v0
