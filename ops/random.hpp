// Random tensors. Each element is a function of the graph's seed, the run's step, the node and the position. They have
// no derivative.
//
// Each function takes a graph, a shape and a dtype, or a Value `like` that provides all three. The shape of a `_like`
// node adapts when a plan is made for another batch size.
#pragma once

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0 {

// Uniform in [low, high), with 2^24 distinct values. Throws UserError unless low <= high.
Value random_uniform(Graph& graph, const Shape& shape, DType dtype, double low = 0, double high = 1,
                     SourceLocation at = SourceLocation::here());
// Uniform values with the type of `like`.
Value uniform_like(Operand like, double low = 0, double high = 1);
// Normal distribution. Throws UserError unless mean is finite and stddev finite and >= 0.
Value random_normal(Graph& graph, const Shape& shape, DType dtype, double mean = 0, double stddev = 1,
                    SourceLocation at = SourceLocation::here());
// Normal values with the type of `like`.
Value normal_like(Operand like, double mean = 0, double stddev = 1);
// Normal distribution truncated to [low, high], in standard deviations from the mean. `stddev` is the standard
// deviation before truncation. Throws UserError if low >= high or if the interval has almost no probability.
Value random_truncated_normal(Graph& graph, const Shape& shape, DType dtype, double mean = 0, double stddev = 1,
                              double low = -2, double high = 2, SourceLocation at = SourceLocation::here());
// Truncated normal values with the type of `like`.
Value truncated_normal_like(Operand like, double mean = 0, double stddev = 1, double low = -2, double high = 2);
// Bernoulli distribution: 1 with `probability`, else 0. The dtype is f32, f64 or bool. Throws UserError unless
// probability is in [0, 1].
Value random_bernoulli(Graph& graph, const Shape& shape, DType dtype, double probability = 0.5,
                       SourceLocation at = SourceLocation::here());
// Bernoulli values with the type of `like`.
Value bernoulli_like(Operand like, double probability = 0.5);
// Bernoulli distribution with a probability per element: 1 with that probability, else 0. Values above 1 count as 1;
// NaN and values below 0 count as 0.
Value bernoulli(Operand probability);
// Dropout mask: 0 with probability `rate`, else 1 / (1 - rate). Throws UserError unless rate is in [0, 1].
Value dropout_mask(Operand like, double rate);

// Uniformly random permutation of 0, ..., n - 1 (i64).
Value random_permutation(Graph& graph, Index n, SourceLocation at = SourceLocation::here());
// The slices of x along an axis, in random order.
Value permutation(Operand x, Index axis = 0);

}  // namespace xgrad::inline v0
