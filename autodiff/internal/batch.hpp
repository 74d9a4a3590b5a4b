// Many at once: what a graph computes from one value, computed from a stack of them in one go.
//
//   Batched b = batch({dx}, c, cotangents);   // c [3], cotangents [n, 3]: b.values[0] is [n] and the shape of dx
//
// Every node between `one` and the results is made again with a leading axis: by the operation's own `batch` rule, or
// by what its traits say of elementwise operations, views and broadcasts.
#pragma once

#include <string>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

struct Batched {
  std::vector<Value> values;  // of each result; empty if there is an obstacle
  std::string obstacle;       // which node cannot be batched, and why
};

// `many` is of the type of `one` with a leading axis. Nothing stays in the graph if there is an obstacle. Throws
// GradientError if a batch rule gives another type than it must.
Batched batch(const std::vector<Value>& results, Value one, Value many);

// Per node up to `size`: whether its numbers depend on the numbers of one of the sources, which do themselves.
std::vector<char> numeric_dependents(const Graph& graph, NodeId size, const std::vector<Value>& sources);

}  // namespace xgrad::inline v0
