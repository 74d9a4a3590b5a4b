// Prints a graph: one line per node, in tape order. Equal graphs give equal bytes.
//
//   std::cout << to_text(g);                    // all nodes
//   std::cout << to_text(g, {.outputs = {y}});  // the nodes that y depends on
//
// Names and attributes are escaped, so that a name with a line break stays on one line.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// The nodes and comments that to_text prints.
struct TextOptions {
  std::vector<Value> outputs = {};  // only the nodes that these depend on; empty: all
  bool scopes = true;               // print a comment line where the scope changes
};

// Returns the lines of a graph's nodes, followed by its updates.
//
//   # dense
//   %1 = parameter "dense/kernel" : f32[784, 64]
//   %2 = matmul(%0, %1) transpose_b=true : f32[32, 64]
//   %9 = mul(%8, %2) : f32[32, 64]  # backward of %2
//   update "dense/kernel" <- %12
//
// Throws GraphError if an output does not belong to this graph or was discarded.
std::string to_text(const Graph& graph, const TextOptions& options = {});

// The line of one node, without a line break.
std::string node_text(const Graph& graph, NodeId id);

// The index of an element, such as `[0, 7]`, from its row-major position.
std::string position_text(const Shape& shape, Index element);

// A constant's elements, abbreviated, such as `2` or `{1, 2, 3, ...}`.
std::string constant_text(const Graph& graph, NodeId id);

// Returns, by node, whether the outputs depend on it; true for all nodes if there are no outputs. Throws GraphError,
// beginning with `where`, if an output does not belong to this graph or was discarded.
std::vector<bool> needed_nodes(const Graph& graph, std::span<const Value> outputs, const std::string& where);

}  // namespace xgrad::inline v0
