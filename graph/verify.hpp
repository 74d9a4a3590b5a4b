// The tape's invariants, checked one by one.
//
//   verify(g);   // throws InternalError naming the first node that breaks one, with the lines around it
//
// A graph made through Graph's functions holds them always, unless an operation's own definition is at fault (its infer
// is not pure, say) or has a bug; rewriting passes and tests call this to prove it. It costs about as much as building
// the graph.
#pragma once

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// Checks that every node has an operation with the right number of inputs, all with smaller ids; that attributes,
// names, scopes and origins exist; that infer, run again, gives the stored type; that no two nodes are equal; that
// inputs and parameters are found by name; and that updates fit their parameters.
void verify(const Graph& graph);

}  // namespace xgrad::inline v0
