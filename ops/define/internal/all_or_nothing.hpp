// A composition that fails half way leaves nothing of itself in the graph.
#pragma once

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

template <class F>
auto all_or_nothing(Graph& graph, F compose) {
  const NodeId mark = graph.mark();
  try {
    return compose();
  } catch (...) {
    graph.rewind(mark);
    throw;
  }
}

}  // namespace xgrad::inline v0
