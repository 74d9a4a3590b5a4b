// Ancestors and descendants of nodes. Each is one loop over the tape, since inputs have smaller ids than their readers.
//
//   std::vector<char> needed = needed_by(graph, {loss});                         // by node, up to the loss
//   std::vector<char> moved = dependents(graph, graph.size(), {x}, every_input); // by node
//
// `follow(id, i)` is false for edges to ignore, from node `id` to its input i.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// A `follow` that ignores no edge.
inline constexpr auto every_input = [](NodeId, std::size_t) { return true; };

// Whether the operation reads the elements of its input i, not only the shape.
inline bool reads_values(const OpDef& op, std::size_t i) {
  return !op.shape_only(static_cast<int>(i)) && !(op.traits.view && i > 0);
}

// The largest id of the values, plus 1.
inline NodeId end_of(const std::vector<Value>& values) {
  NodeId end = 0;
  for (const Value v : values) end = std::max(end, v.id() + 1);
  return end;
}

// Marks the ancestors of results. Returns, by node up to the last result, 1 for the results and all nodes that they
// depend on, otherwise 0.
template <class Follow = decltype(every_input)>
std::vector<char> needed_by(const Graph& graph, const std::vector<Value>& results, Follow follow = every_input) {
  std::vector<char> needed(end_of(results), 0);
  for (const Value v : results) needed[v.id()] = 1;
  for (auto id = static_cast<NodeId>(needed.size()); id-- > 0;) {
    if (needed[id] == 0) continue;
    const auto inputs = graph.inputs(id);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (needed[inputs[i]] == 0 && follow(id, i)) needed[inputs[i]] = 1;
    }
  }
  return needed;
}

// Marks the descendants of sources. Returns, by node below `end`, 1 for the sources and all nodes that depend on them,
// otherwise 0. Sources beyond the end are ignored.
template <class Follow = decltype(every_input)>
std::vector<char> dependents(const Graph& graph, NodeId end, const std::vector<Value>& sources,
                             Follow follow = every_input) {
  std::vector<char> out(end, 0);
  for (const Value v : sources) {
    if (v.id() < end) out[v.id()] = 1;
  }
  for (NodeId id = 0; id < end; ++id) {
    const auto inputs = graph.inputs(id);
    for (std::size_t i = 0; i < inputs.size() && out[id] == 0; ++i) {
      if (out[inputs[i]] != 0 && follow(id, i)) out[id] = 1;
    }
  }
  return out;
}

}  // namespace xgrad::inline v0
