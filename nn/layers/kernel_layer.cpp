#include <xgrad/nn/layers/kernel_layer.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/nn/layers/conv.hpp>
#include <xgrad/nn/layers/dense.hpp>

namespace xgrad::inline v0::nn {

void KernelLayer::check_input(Value x, int rank, Index features_of_kernel) const {
  const std::string& where = x.graph().current_scope();
  if (rank == 0 && x.shape().rank() < 1) {
    throw ShapeError(fmt::format("{}: the input must have a feature axis\n  input: {}", where, x.describe()));
  }
  if (rank != 0 && x.shape().rank() != rank) {
    throw ShapeError(fmt::format("{}: the input must be [batch, {}channels]\n  input: {}", where,
                                 rank == 4 ? "height, width, " : "length, ", x.describe()));
  }
  if (has_kernel() && x.shape().back() != features_of_kernel) {
    throw ShapeError(fmt::format(
        "{}: the input has {} features on axis -1, but the kernel was built for {}\n  input: {}\n  kernel: \"{}\" {}",
        where, x.shape().back(), features_of_kernel, x.describe(), kernel().name(), kernel().type().str()));
  }
}

Value KernelLayer::kernel(Value x, const Shape& shape) const {
  return torch_kernel_ ? kernel_(x.graph(), shape, x.dtype(), torch_linear(fans_of(shape).in))
                       : kernel_(x.graph(), shape, x.dtype());
}

Value KernelLayer::finish(Value y, const Shape& kernel_shape) const {
  if (use_bias_) {
    const Shape features{y.shape().back()};
    y = y + (torch_bias_ ? bias_(y.graph(), features, y.dtype(), torch_linear(fans_of(kernel_shape).in))
                         : bias_(y.graph(), features, y.dtype()));
  }
  const Value activity = activation_(y);
  add_activity_penalty(activity_regularizer_, activity);
  return activity;
}

Dense::Dense(Index units, Activation activation, const DenseOptions& options, SourceLocation at)
    : KernelLayer("dense", activation, options, at), units_(units) {
  const SourceLocationScope line(at, nullptr);
  require_at_least(name(), "units", units, 1);
}

Value Dense::operator()(Operand x) const {
  const auto scope = open(x);
  check_input(x, 0, has_kernel() ? KernelLayer::kernel().shape()[0] : 0);
  const Shape shape{x.shape().back(), units_};
  return finish(matmul(x, kernel(x, shape)), shape);
}

namespace {

void check(const Layer& layer, Index filters, Index height, Index width, Index groups) {
  require_at_least(layer.name(), "filters", filters, 1);
  if (height < 1 || width < 1) {
    throw UserError(fmt::format("{}: the window must be at least 1 x 1, got {} x {}", layer.name(), height, width));
  }
  if (groups < 1 || filters % groups != 0) {
    throw UserError(fmt::format("{}: filters must be a multiple of groups, got {} filters and {} groups", layer.name(),
                                filters, groups));
  }
}

void check_groups(Value x, Index groups) {
  if (x.shape().back() % groups == 0) return;
  throw ShapeError(fmt::format("{}: channels must be a multiple of groups, got {} channels and {} groups\n  input: {}",
                               x.graph().current_scope(), x.shape().back(), groups, x.describe()));
}

}  // namespace

ImageConv::ImageConv(const char* kind, Index filters, HeightWidth window, Activation activation,
                     const Conv2DOptions& options, SourceLocation at)
    : KernelLayer(kind, std::move(activation), options, at),
      filters_(filters),
      window_(window),
      options_{.strides = options.strides,
               .padding = options.padding,
               .dilation = options.dilation,
               .groups = options.groups} {
  const SourceLocationScope line(at, nullptr);
  check(*this, filters, window.height, window.width, options.groups);
}

Value Conv2D::operator()(Operand x) const {
  const auto scope = open(x);
  check_input(x, 4, has_kernel() ? KernelLayer::kernel().shape()[2] * options_.groups : 0);
  check_groups(x, options_.groups);
  const Shape shape{window_.height, window_.width, x.shape().back() / options_.groups, filters_};
  return finish(conv2d(x, kernel(x, shape), options_), shape);
}

Value Conv2DTranspose::operator()(Operand x) const {
  const auto scope = open(x);
  check_input(x, 4, has_kernel() ? KernelLayer::kernel().shape()[3] : 0);
  check_groups(x, options_.groups);
  const Shape shape{window_.height, window_.width, filters_ / options_.groups, x.shape().back()};
  return finish(conv2d_transpose(x, kernel(x, shape), options_), shape);
}

Conv1D::Conv1D(Index filters, Index window, Activation activation, const Conv1DOptions& options, SourceLocation at)
    : KernelLayer("conv1d", std::move(activation), options, at),
      filters_(filters),
      window_(window),
      options_{.stride = options.stride,
               .padding = options.padding,
               .dilation = options.dilation,
               .groups = options.groups} {
  const SourceLocationScope line(at, nullptr);
  check(*this, filters, window, 1, options.groups);
}

Value Conv1D::operator()(Operand x) const {
  const auto scope = open(x);
  check_input(x, 3, has_kernel() ? KernelLayer::kernel().shape()[1] * options_.groups : 0);
  check_groups(x, options_.groups);
  const Shape shape{window_, x.shape().back() / options_.groups, filters_};
  return finish(conv1d(x, kernel(x, shape), options_), shape);
}

}  // namespace xgrad::inline v0::nn
