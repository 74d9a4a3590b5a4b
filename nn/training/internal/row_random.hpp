// Assigns the random numbers of a model's graph to the rows of its batch.
#pragma once

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0::nn {

// Whether the graph has random nodes.
bool has_random(const Graph& graph);

// Marks the random nodes of `graph`, built for `rows` rows, whose elements are laid out row by row; see
// Graph::set_row_elements. `other` is the same function's graph for `other_rows` rows: nodes whose shapes differ depend
// on the rows. Returns false if a node has another layout, such as [features, rows]. The random numbers of a row are
// then independent of other rows only in a graph of one row, in which all such nodes are marked.
bool mark_row_random(Graph& graph, Index rows, const Graph& other, Index other_rows);

}  // namespace xgrad::inline v0::nn
