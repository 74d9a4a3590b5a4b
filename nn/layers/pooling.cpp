#include <xgrad/nn/layers/pooling.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0::nn {
namespace {

void check_rank(Value x, int rank, const char* form) {
  if (x.shape().rank() == rank) return;
  throw ShapeError(fmt::format("{}: the input must be {}\n  input: {}", x.graph().current_scope(), form, x.describe()));
}

void check_image(Value x) { check_rank(x, 4, "[batch, height, width, channels]"); }
void check_sequence(Value x) { check_rank(x, 3, "[batch, length, channels]"); }

void check_places(Value x) {
  if (x.shape().rank() > 2) return;
  throw ShapeError(fmt::format("{}: the input must have an axis between batch and channels\n  input: {}",
                               x.graph().current_scope(), x.describe()));
}

xgrad::PoolWindow2D windows(const Pool2DOptions& o) {
  return {.strides = o.strides, .padding = o.padding, .count_padding = defaults(o.preset).average_counts_padding};
}

xgrad::PoolWindow1D windows(const Pool1DOptions& o) {
  return {.stride = o.stride, .padding = o.padding, .count_padding = defaults(o.preset).average_counts_padding};
}

}  // namespace

Value MaxPool2D::operator()(Operand x) const {
  const auto scope = open(x);
  check_image(x);
  return max_pool2d(x, window_, windows(options_));
}

Value AveragePool2D::operator()(Operand x) const {
  const auto scope = open(x);
  check_image(x);
  return average_pool2d(x, window_, windows(options_));
}

Value MaxPool1D::operator()(Operand x) const {
  const auto scope = open(x);
  check_sequence(x);
  return max_pool1d(x, window_, windows(options_));
}

Value AveragePool1D::operator()(Operand x) const {
  const auto scope = open(x);
  check_sequence(x);
  return average_pool1d(x, window_, windows(options_));
}

Value GlobalAveragePool::operator()(Operand x) const {
  const auto scope = open(x);
  check_places(x);
  return global_average_pool(x);
}

Value GlobalMaxPool::operator()(Operand x) const {
  const auto scope = open(x);
  check_places(x);
  return global_max_pool(x);
}

}  // namespace xgrad::inline v0::nn
