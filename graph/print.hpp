// A graph as text: one node a line, in the order of the tape, the same bytes for the same graph.
//
//   std::cout << to_text(g);                    // everything
//   std::cout << to_text(g, {.outputs = {y}});  // what y needs
//
// Every name and attribute is escaped, so that a line stays a line whatever a name holds.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

struct TextOptions {
  std::vector<Value> outputs = {};  // only what these need; empty means the whole graph
  bool scopes = true;               // a comment line where the scope changes
};

// For instance
//   # dense
//   %1 = parameter "dense/kernel" : f32[784, 64]
//   %2 = matmul(%0, %1) transpose_b=true : f32[32, 64]
//   %9 = mul(%8, %2) : f32[32, 64]  # backward of %2
//   update "dense/kernel" <- %12
// Throws GraphError if an output is not a live value of this graph.
std::string to_text(const Graph& graph, const TextOptions& options = {});

// The line of one node, without its end.
std::string node_text(const Graph& graph, NodeId id);

// What stands behind a constant in a few characters, such as `2` or `{1, 2, 3, ...}`.
std::string constant_text(const Graph& graph, NodeId id);

// One flag a node: whether the outputs need it. Without outputs all are needed. Throws GraphError, beginning with
// `where`, if an output is not a live value of this graph.
std::vector<bool> needed_nodes(const Graph& graph, std::span<const Value> outputs, const std::string& where);

}  // namespace xgrad::inline v0
