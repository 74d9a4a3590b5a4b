// Windows that slide over images and sequences: convolution, pooling, normalization.
//
// Channels are last, as in Keras: images are [batch, height, width, channels], sequences [batch, length, channels].
// Kernels are [height, width, channels / groups, filters], or [length, channels / groups, filters]. PyTorch's layouts
// become these by transpose(x, {0, 2, 3, 1}) for images and transpose(w, {2, 3, 1, 0}) for kernels, and back by
// transpose(y, {0, 3, 1, 2}). A bias is added by +. As everywhere in machine learning, kernels are not mirrored.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <vector>

#include <xgrad/ops/apply.hpp>
#include <xgrad/ops/defaults.hpp>

namespace xgrad::inline v0 {

// One number for height and width, or one for each: `.strides = 2` or `.strides = {2, 1}`.
struct HeightWidth {
  HeightWidth(Index both) : height(both), width(both) {}
  HeightWidth(Index for_height, Index for_width) : height(for_height), width(for_width) {}
  Index height, width;
};

// Zeros around the input: "valid" for none; "same" for as many as make the result ceil(extent / stride) long, at the
// end one more than at the beginning if they are odd, as in Keras; one number for all sides; of images {height, width}
// or {top, bottom, left, right}, of sequences {before, after}.
class Padding {
 public:
  template <std::size_t n>
  Padding(const char (&word)[n]) : Padding(static_cast<const char*>(word), n - 1) {}
  Padding(Index everywhere) : sides_{everywhere} {}
  Padding(std::initializer_list<Index> sides) : sides_(sides) {}

  bool is_same() const { return same_; }
  const std::vector<Index>& sides() const { return sides_; }

 private:
  Padding(const char* word, std::size_t length);  // throws UserError for other words
  std::vector<Index> sides_;
  bool same_ = false;
};

// ---- convolution

struct ConvWindow2D {
  HeightWidth strides = 1;
  Padding padding = "valid";
  HeightWidth dilation = 1;  // the distance between the elements of a window
  Index groups = 1;  // channels and filters fall into so many groups, each filter sees the channels of its group
};
struct ConvWindow1D {
  Index stride = 1;
  Padding padding = "valid";
  Index dilation = 1;
  Index groups = 1;
};

// [batch, height, width, channels] with kernels [kh, kw, channels / groups, filters] to [batch, height', width',
// filters], where height' = floor((height + padding - dilation (kh - 1) - 1) / stride) + 1.
Value conv2d(Operand x, Operand kernel, const ConvWindow2D& options = {});
// [batch, length, channels] with kernels [k, channels / groups, filters].
Value conv1d(Operand x, Operand kernel, const ConvWindow1D& options = {});

// Transposed convolution, the derivative of conv2d with respect to its input: from [batch, height, width, channels]
// with kernels [kh, kw, filters / groups, channels] to [batch, height', width', filters] such that conv2d with the same
// options and kernel leads back to the extents of x. These allow several height'; the smallest is taken, plus
// `output_padding`, which must be less than the stride: height' = (height - 1) stride + dilation (kh - 1) + 1 - padding
// + output_padding. With "same" padding it is height * stride.
Value conv2d_transpose(Operand x, Operand kernel, const ConvWindow2D& options = {}, HeightWidth output_padding = 0);
// [batch, length, channels] with kernels [k, filters / groups, channels].
Value conv1d_transpose(Operand x, Operand kernel, const ConvWindow1D& options = {}, Index output_padding = 0);

// ---- pooling

struct PoolWindow2D {
  std::optional<HeightWidth> strides{};  // those of the window if absent
  Padding padding = "valid";
  bool count_padding = default_count_padding;  // whether an average counts the zeros of the padding, as in PyTorch
};
struct PoolWindow1D {
  std::optional<Index> stride{};
  Padding padding = "valid";
  bool count_padding = default_count_padding;
};

// The largest element of each window, channel by channel. Padding is never chosen; NaN wins; the derivative goes to the
// first of several largest. Throws ShapeError if a window could lie in the padding altogether.
Value max_pool2d(Operand x, HeightWidth window, const PoolWindow2D& options = {});
Value max_pool1d(Operand x, Index window, const PoolWindow1D& options = {});
// The mean of each window, channel by channel.
Value average_pool2d(Operand x, HeightWidth window, const PoolWindow2D& options = {});
Value average_pool1d(Operand x, Index window, const PoolWindow1D& options = {});
// Over all axes between the first and the last: [batch, ..., channels] to [batch, channels]. Of several largest each
// gets its share of the derivative.
Value global_max_pool(Operand x, bool keepdims = false);
Value global_average_pool(Operand x, bool keepdims = false);

// ---- the windows themselves

// All windows of images: [batch, height', width', kh * kw, channels].
Value unfold(Operand x, HeightWidth window, const ConvWindow2D& options = {});

// ---- normalization

// (x - mean) / sqrt(variance + epsilon), mean and variance (biased) over the axes. Ba, Kiros and Hinton: "Layer
// normalization", 2016.
Value layer_norm(Operand x, const Axes& axes = {-1}, double epsilon = default_norm_epsilon);
// Over the last axes, as many as scale has, then times scale plus shift, which have the extents of these axes.
Value layer_norm(Operand x, Operand scale, Operand shift, double epsilon = default_norm_epsilon);
// Of [batch, ..., channels], whose channels fall into groups: normalized over each group and all axes between the first
// and the last. Wu and He: "Group normalization", 2018.
Value group_norm(Operand x, Index groups, double epsilon = default_norm_epsilon);
// Then times scale plus shift, one number of each for a channel.
Value group_norm(Operand x, Index groups, Operand scale, Operand shift, double epsilon = default_norm_epsilon);

}  // namespace xgrad::inline v0
