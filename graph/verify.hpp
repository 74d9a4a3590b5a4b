// Checks the invariants of a graph.
//
//   verify(g);   // throws InternalError with the first node that violates one, and the nodes around it
//
// A violation is a bug in Graph or in an operation, such as an infer that is not pure. `verify` is called after
// rewriting and by tests; it takes about as long as building the graph.
#pragma once

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// Checks that every node has an operation with the right number of inputs, all with smaller ids; that attributes,
// names, scopes and origins exist; that infer, called again, returns the stored type; that no two nodes are equal; that
// inputs and parameters are found by name; and that updates fit their parameters.
void verify(const Graph& graph);

}  // namespace xgrad::inline v0
