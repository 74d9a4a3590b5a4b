// Random numbers: a function of the graph's seed, the run's step and the node.
#pragma once

#include <xgrad/ops/apply.hpp>

namespace xgrad {

Value random_uniform(Graph& graph, const Shape& shape, DType dtype, double low = 0, double high = 1);
Value random_normal(Graph& graph, const Shape& shape, DType dtype, double mean = 0, double stddev = 1);
// 1 with `probability`, else 0, in the shape and dtype of `like`.
Value bernoulli_like(Value like, double probability);

}  // namespace xgrad
