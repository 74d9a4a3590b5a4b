#include <xgrad/nn/layers/layer_norm.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

RowNorm::RowNorm(const char* kind, LayerNormOptions options, SourceLocation at)
    : Layer(kind, options.name, options.trainable, at),
      options_(std::move(options)),
      gamma_(weight("gamma", options_.gamma_initializer,
                    {.regularizer = options_.gamma_regularizer, .constraint = options_.gamma_constraint})),
      beta_(weight("beta", options_.beta_initializer,
                   {.regularizer = options_.beta_regularizer, .constraint = options_.beta_constraint})) {
  options_.epsilon = options_.epsilon.value_or(defaults(options_.preset).norm_epsilon);
  require_at_least(name(), "epsilon", epsilon(), 0);
}

Value RowNorm::scale_and_shift(Value normalized, const Axes& axes) const {
  Shape shape;
  std::vector<Index> aligned(static_cast<std::size_t>(normalized.shape().rank()), 1);
  for (const auto axis : axes) {
    const Index extent = normalized.shape()[static_cast<int>(axis)];
    shape.push_back(extent);
    aligned[static_cast<std::size_t>(axis)] = extent;
  }
  const auto node = [&](const Weight& w) { return reshape(w(normalized.graph(), shape, normalized.dtype()), aligned); };
  Value y = normalized;
  if (options_.scale) y = y * node(gamma_);
  if (options_.center) y = y + node(beta_);
  return y;
}

Value LayerNorm::operator()(Operand x) const {
  const auto scope = open(x);
  const std::string& where = x.graph().current_scope();
  Axes over = normalize_axes(axes(), x.shape().rank(), where.c_str());
  std::sort(over.begin(), over.end());
  if (over.empty() || over.front() == 0) {
    throw ShapeError(fmt::format(
        "{}: axes must not include the batch axis 0\n  input: {}\n  hint: BatchNorm normalizes over the batch", where,
        x.describe()));
  }
  return scale_and_shift(layer_norm(x, over, epsilon()), over);
}

GroupNorm::GroupNorm(Index groups, LayerNormOptions options, SourceLocation at)
    : RowNorm("group_norm", std::move(options), at), groups_(groups) {
  const SourceLocationScope line(at, nullptr);
  require_at_least(name(), "groups", groups, 1);
}

Value GroupNorm::operator()(Operand x) const {
  const auto scope = open(x);
  const std::string& where = x.graph().current_scope();
  const int rank = x.shape().rank();
  if (rank < 2) {
    throw ShapeError(
        fmt::format("{}: the input must have a batch axis and a channel axis\n  input: {}", where, x.describe()));
  }
  if (x.shape().back() % groups_ != 0) {
    throw ShapeError(
        fmt::format("{}: channels must be a multiple of groups, got {} channels and {} groups\n  input: {}", where,
                    x.shape().back(), groups_, x.describe()));
  }
  return scale_and_shift(group_norm(x, groups_, epsilon()), {rank - 1});
}

}  // namespace xgrad::inline v0::nn
