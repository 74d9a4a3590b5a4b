// Convolution, pooling and normalization of images and sequences.
//
// Channels are last, as in Keras: images are [batch, height, width, channels], sequences [batch, length, channels].
// Kernels are [height, width, channels / groups, filters], or [length, channels / groups, filters]. PyTorch's layouts
// convert by transpose(x, {0, 2, 3, 1}) for images and transpose(w, {2, 3, 1, 0}) for kernels, and back by
// transpose(y, {0, 3, 1, 2}). Add a bias with +. Convolution is cross-correlation: kernels are not mirrored.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <vector>

#include <xgrad/ops/apply.hpp>
#include <xgrad/ops/defaults.hpp>

namespace xgrad::inline v0 {

// Height and width: `.strides = 2` for both, `.strides = {2, 1}` for each.
struct HeightWidth {
  HeightWidth(Index both) : height(both), width(both) {}
  HeightWidth(Index for_height, Index for_width) : height(for_height), width(for_width) {}
  Index height, width;
};

// Zero padding. "valid": none. "same": the output extent is ceil(extent / stride), and an odd zero goes to the end, as
// in Keras. One number: all sides. Images: {height, width} or {top, bottom, left, right}; sequences: {before, after}.
class Padding {
 public:
  template <std::size_t n>
  Padding(const char (&word)[n]) : Padding(static_cast<const char*>(word), n - 1) {}
  Padding(Index everywhere) : sides_{everywhere} {}
  Padding(std::initializer_list<Index> sides) : sides_(sides) {}

  bool is_same() const { return same_; }
  const std::vector<Index>& sides() const { return sides_; }

 private:
  Padding(const char* word, std::size_t length);  // throws UserError for other strings
  std::vector<Index> sides_;
  bool same_ = false;
};

// ---- convolution

// How a 2-D convolution moves its window over images.
struct ConvWindow2D {
  HeightWidth strides = 1;
  Padding padding = "valid";
  HeightWidth dilation = 1;  // distance between neighboring elements of a window
  Index groups = 1;          // each filter reads the channels of its group only
};
// The same for sequences.
struct ConvWindow1D {
  Index stride = 1;
  Padding padding = "valid";
  Index dilation = 1;
  Index groups = 1;
};

// 2-D convolution, [batch, height, width, channels] with kernels [kh, kw, channels / groups, filters] to [batch,
// height', width', filters], where height' = floor((height + padding - dilation (kh - 1) - 1) / stride) + 1.
// Padding is skipped, not multiplied by weights. f32 convolutions of stride 1 by 3 x 3 windows may use Winograd's
// algorithm, which may give NaN for infinite elements.
Value conv2d(Operand x, Operand kernel, const ConvWindow2D& options = {});
// 1-D convolution, [batch, length, channels] with kernels [k, channels / groups, filters].
Value conv1d(Operand x, Operand kernel, const ConvWindow1D& options = {});

// Transposed 2-D convolution, the derivative of conv2d with respect to its input: [batch, height, width, channels] with
// kernels [kh, kw, filters / groups, channels] to [batch, height', width', filters]. height' is
// (height - 1) stride + dilation (kh - 1) + 1 - padding + output_padding, or height * stride with "same" padding.
// conv2d with the same options maps several extents height' to `height`; `output_padding`, 0 <= output_padding <
// stride, selects one.
Value conv2d_transpose(Operand x, Operand kernel, const ConvWindow2D& options = {}, HeightWidth output_padding = 0);
// Transposed 1-D convolution, [batch, length, channels] with kernels [k, filters / groups, channels].
Value conv1d_transpose(Operand x, Operand kernel, const ConvWindow1D& options = {}, Index output_padding = 0);

// ---- pooling

// How a 2-D pooling moves its window over images.
struct PoolWindow2D {
  std::optional<HeightWidth> strides{};  // default: the window
  Padding padding = "valid";
  bool count_padding = default_count_padding;  // whether an average counts padding zeros, as in PyTorch
};
// The same for sequences.
struct PoolWindow1D {
  std::optional<Index> stride{};
  Padding padding = "valid";
  bool count_padding = default_count_padding;
};

// Maximum of each window, per channel. Padding is never chosen and NaN propagates. The derivative goes to the first of
// tied elements. Throws ShapeError if a window lies entirely in the padding.
Value max_pool2d(Operand x, HeightWidth window, const PoolWindow2D& options = {});
// Maximum of each window of sequences, per channel, with the conventions of max_pool2d.
Value max_pool1d(Operand x, Index window, const PoolWindow1D& options = {});
// Mean of each window, per channel.
Value average_pool2d(Operand x, HeightWidth window, const PoolWindow2D& options = {});
// Mean of each window of sequences, per channel.
Value average_pool1d(Operand x, Index window, const PoolWindow1D& options = {});
// Maximum over all axes between the first and the last, [batch, ..., channels] to [batch, channels]. Tied maxima share
// the derivative.
Value global_max_pool(Operand x, bool keepdims = false);
// Mean over all axes between the first and the last, [batch, ..., channels] to [batch, channels].
Value global_average_pool(Operand x, bool keepdims = false);

// ---- windows

// All windows of images, [batch, height, width, channels] to [batch, height', width', kh * kw, channels].
Value unfold(Operand x, HeightWidth window, const ConvWindow2D& options = {});

// ---- normalization

// Layer normalization (x - mean) / sqrt(variance + epsilon), with mean and biased variance over the axes. Ba, Kiros and
// Hinton: "Layer normalization", 2016.
Value layer_norm(Operand x, const Axes& axes = {-1}, double epsilon = default_norm_epsilon);
// Normalizes over the last axes, whose extents are those of scale and shift, then multiplies by scale and adds shift.
Value layer_norm(Operand x, Operand scale, Operand shift, double epsilon = default_norm_epsilon);
// Normalizes [batch, ..., channels] over each group of channels and all axes between the first and the last. Wu and He:
// "Group normalization", 2018.
Value group_norm(Operand x, Index groups, double epsilon = default_norm_epsilon);
// Like group_norm, then multiplies by scale and adds shift, both [channels].
Value group_norm(Operand x, Index groups, Operand scale, Operand shift, double epsilon = default_norm_epsilon);

}  // namespace xgrad::inline v0
