// batch: vectorizes a computation over a leading axis, like jax.vmap.
//
//   Batched b = batch({dx}, c, cotangents);   // c [3], cotangents [n, 3]: b.values[0] is [n] and the shape of dx
//
// Rebuilds every node between `one` and the results with a leading axis: by the operation's `batch` rule, or by its
// traits for elementwise operations, views and broadcasts.
#pragma once

#include <string>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

struct Batched {
  std::vector<Value> values;  // by result; empty if there is an obstacle
  std::string obstacle;       // the node that cannot be batched, and the reason
};

// `many` has the type of `one` with a leading axis. Leaves the graph unchanged if there is an obstacle. Throws
// GradientError if a batch rule returns a wrong type.
Batched batch(const std::vector<Value>& results, Value one, Value many);

// For each node below `size`: whether its value depends on the value of one of the sources, including the sources.
std::vector<char> numeric_dependents(const Graph& graph, NodeId size, const std::vector<Value>& sources);

}  // namespace xgrad::inline v0
