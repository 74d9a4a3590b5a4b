// The leaves of the tape as operations: nodes without inputs, whose numbers the engine supplies.
//
//   g.node(id).op == &input_op();          // attributes dtype and shape; the node's name is the feed's
//   g.node(id).op == &parameter_op();      // attribute parameter; read it with g.parameter_of(id)
//   g.node(id).op == &constant_op();       // attribute tensor, or value and dtype; read it with g.constant_of(id)
//
// Leaves have no kernel and no derivative of their own; `traits.leaf` tells them apart.
#pragma once

#include <optional>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

const OpDef& input_op();
const OpDef& parameter_op();
const OpDef& constant_op();

class Graph;

// The number behind a constant of rank 0 that was made from a number; none for all other nodes.
std::optional<double> scalar_constant(const Graph& graph, NodeId id);

}  // namespace xgrad::inline v0
