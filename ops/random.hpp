// Random numbers: functions of the graph's seed, the run's step, the node and the element. No derivative.
//
// Each takes a graph, a shape and a dtype, or a Value `like` from which it takes all three: such a node follows when a
// plan is made for another batch size.
#pragma once

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0 {

// In [low, high), each number as likely as another; 2^24 different ones. Throws UserError unless low <= high.
Value random_uniform(Graph& graph, const Shape& shape, DType dtype, double low = 0, double high = 1,
                     SourceLocation at = SourceLocation::here());
Value uniform_like(Operand like, double low = 0, double high = 1);
// Throws UserError for a mean that is not finite, and unless stddev >= 0.
Value random_normal(Graph& graph, const Shape& shape, DType dtype, double mean = 0, double stddev = 1,
                    SourceLocation at = SourceLocation::here());
Value normal_like(Operand like, double mean = 0, double stddev = 1);
// Normal numbers of which those outside [low, high], counted in standard deviations from the mean, do not occur. The
// standard deviation is that before the cut. Throws UserError if low >= high or hardly any number lies between them.
Value random_truncated_normal(Graph& graph, const Shape& shape, DType dtype, double mean = 0, double stddev = 1,
                              double low = -2, double high = 2, SourceLocation at = SourceLocation::here());
Value truncated_normal_like(Operand like, double mean = 0, double stddev = 1, double low = -2, double high = 2);
// 1 with `probability`, else 0; also bool. Throws UserError unless the probability is in [0, 1].
Value random_bernoulli(Graph& graph, const Shape& shape, DType dtype, double probability = 0.5,
                       SourceLocation at = SourceLocation::here());
Value bernoulli_like(Operand like, double probability = 0.5);
// 1 with a probability of each element's own, else 0. Numbers above 1 count as 1; NaN and those below 0 as 0.
Value bernoulli(Operand probability);
// By what dropout multiplies: 0 with probability `rate`, else 1 / (1 - rate). Throws UserError for rates outside [0,
// 1].
Value dropout_mask(Operand like, double rate);

// The numbers 0 to n - 1 (i64) in a random order, each order as likely as another.
Value random_permutation(Graph& graph, Index n, SourceLocation at = SourceLocation::here());
// The slices of x along an axis in a random order.
Value permutation(Operand x, Index axis = 0);

}  // namespace xgrad::inline v0
