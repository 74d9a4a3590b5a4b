#include <xgrad/nn/layers/batch_norm.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

namespace {

// Inputs of fewer elements stay in a cache while they are read twice.
constexpr Index large_elements = Index{1} << 18;

struct Moments {
  Value mean, variance;
};
// Over all axes but the last, in one pass over x: the sums of x - origin and its square, where the origin is the mean
// of some 32 rows. Without an origin near the mean, the difference of the two sums would lose digits. The distance of
// these rows is odd, so that they are not the same pixel of each image.
Moments moments_in_one_pass(Value x, const Axes& axes) {
  const Index features = x.shape().back(), rows = x.shape().elements() / features;
  const Value some = slice(reshape(x, {-1, features}), 0, 0, {}, rows / 33 | 1);
  const Value origin = stop_gradient(xgrad::mean(some, {0}, false));
  const Value distance = x - origin;
  const Value mean = xgrad::mean(distance, axes, false);
  const Value variance = xgrad::mean(square(distance), axes, false) - square(mean);
  return {origin + mean, maximum(variance, 0)};  // not below 0 by rounding
}

}  // namespace

BatchNorm::BatchNorm(BatchNormOptions options, SourceLocation at)
    : Layer("batch_norm", options.name, options.trainable, at),
      options_(std::move(options)),
      gamma_(weight("gamma", options_.gamma_initializer,
                    {.regularizer = options_.gamma_regularizer, .constraint = options_.gamma_constraint})),
      beta_(weight("beta", options_.beta_initializer,
                   {.regularizer = options_.beta_regularizer, .constraint = options_.beta_constraint})),
      moving_mean_(weight("moving_mean", zeros, {.trainable = false})),
      moving_variance_(weight("moving_variance", ones, {.trainable = false})) {
  const SourceLocationScope line(at, nullptr);
  const auto from_preset = defaults(options_.preset).batch_norm;
  options_.momentum = options_.momentum.value_or(from_preset.momentum);
  options_.epsilon = options_.epsilon.value_or(from_preset.epsilon);
  require_within(name(), "momentum", *options_.momentum, 0, 1);
  require_at_least(name(), "epsilon", *options_.epsilon, 0);
}

Value BatchNorm::operator()(Operand x) const {
  Graph& graph = x.graph();
  const auto scope = open(x);
  const std::string& where = graph.current_scope();
  const int rank = x.shape().rank();
  if (rank < 2) {
    throw ShapeError(
        fmt::format("{}: the input must have a batch axis and a feature axis\n  input: {}", where, x.describe()));
  }
  const int axis = axis_index(options_.axis, rank, where.c_str());
  const Index features = x.shape()[axis];
  if (moving_mean_.exists() && moving_mean().shape()[0] != features) {
    throw ShapeError(
        fmt::format("{}: the input has {} features on axis {}, but the layer was built for {}\n  input: {}\n  "
                    "moving mean: \"{}\" {}",
                    where, features, axis, moving_mean().shape()[0], x.describe(), moving_mean().name(),
                    moving_mean().type().str()));
  }
  const auto node = [&](const Weight& w) { return w(graph, {features}, x.dtype()); };
  // A vector of features, reshaped to broadcast with x.
  const auto aligned = [&](Value v) {
    if (axis == rank - 1) return v;
    std::vector<Index> extents(static_cast<std::size_t>(rank), 1);
    extents[static_cast<std::size_t>(axis)] = features;
    return reshape(v, extents);
  };
  const Value moving_mean = node(moving_mean_);
  const Value moving_variance = node(moving_variance_);

  Value centered, variance;
  if (graph.training() && trainable_in(graph)) {
    Axes others;
    for (int i = 0; i < rank; ++i) {
      if (i != axis) others.push_back(i);
    }
    const Index rows = x.shape().elements() / std::max<Index>(1, features);
    const bool unbiased = defaults(options_.preset).batch_norm.unbiased_variance;
    const Index least = unbiased ? 2 : 1;
    if (rows < least) {
      throw ShapeError(fmt::format("{}: the variance needs at least {} rows, got {}\n  input: {}", where, least, rows,
                                   x.describe()));
    }
    const bool one_pass = axis == rank - 1 && x.shape().elements() >= large_elements && rows >= 1024;
    Value mean;
    if (one_pass) {
      const Moments of_batch = moments_in_one_pass(x, others);
      mean = of_batch.mean;
      variance = of_batch.variance;
      centered = x - mean;
    } else {
      mean = xgrad::mean(x, others, false);
      centered = x - aligned(mean);
      variance = xgrad::mean(square(centered), others, false);
    }
    const double momentum = *options_.momentum;
    Value population = variance;
    if (unbiased) {
      const Value n = count(x, others);
      population = variance * (n / (n - 1));
    }
    // Start from the last update: the layer may be called several times in one graph.
    const auto move = [&](const Parameter& moving, Value batch) {
      graph.add_update(moving, momentum * graph.updated(moving) + (1 - momentum) * batch);
    };
    move(moving_mean_.parameter(), mean);
    move(moving_variance_.parameter(), population);
  } else {
    centered = x - aligned(moving_mean);
    variance = moving_variance;
  }
  Value scale = rsqrt(variance + *options_.epsilon);
  if (options_.scale) scale = scale * node(gamma_);
  Value y = centered * aligned(scale);
  if (options_.center) y = y + aligned(node(beta_));
  return y;
}

}  // namespace xgrad::inline v0::nn
