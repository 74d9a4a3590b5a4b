// Which nodes others are computed from, and which are computed from them: single sweeps over the tape, since inputs
// have smaller ids than the nodes that read them.
//
//   std::vector<char> needed = needed_by(graph, {loss});                         // by node, up to the loss
//   std::vector<char> moved = dependents(graph, graph.size(), {x}, every_input); // by node
//
// `follow(id, i)` says whether to go along the edge between node `id` and its input i.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

inline constexpr auto every_input = [](NodeId, std::size_t) { return true; };

// Whether computing a node with elements reads the values of its input i, and not only its shape.
inline bool reads_values(const OpDef& op, std::size_t i) {
  return !op.shape_only(static_cast<int>(i)) && !(op.traits.view && i > 0);
}

// One more than the last id of the values.
inline NodeId end_of(const std::vector<Value>& values) {
  NodeId end = 0;
  for (const Value v : values) end = std::max(end, v.id() + 1);
  return end;
}

// By node, up to the last result: 1 for the results and all they are computed from.
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

// By node, up to `end`: 1 for the sources and all that is computed from them. Sources beyond the end do not matter.
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
