// Which random numbers of a model's graph belong to the rows of its batch.
#pragma once

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0::nn {

// Whether the graph has random nodes at all.
bool has_random(const Graph& graph);

// Marks the random nodes of `graph`, which a function built for `rows` rows, whose elements are those of the rows, one
// row after the other; see Graph::set_row_elements. `other` is the graph of the same function for `other_rows` rows:
// what differs between the two depends on the rows. False if a node depends on them in another way, as one of shape
// [features, rows] does: then a row's numbers are its own only in a graph of one row, in which all such nodes are
// marked.
bool mark_row_random(Graph& graph, Index rows, const Graph& other, Index other_rows);

}  // namespace xgrad::inline v0::nn
