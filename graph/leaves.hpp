// The operations of leaves: nodes without inputs, whose values the engine supplies.
//
//   g.node(id).op == &input_op();          // attributes dtype and shape; feeds use the node's name
//   g.node(id).op == &parameter_op();      // attribute parameter; read it with g.parameter_of(id)
//   g.node(id).op == &constant_op();       // attribute tensor, or value and dtype; read it with g.constant_of(id)
//
// Leaves have no kernel and no vjp; `traits.leaf` distinguishes them.
#pragma once

#include <optional>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

const OpDef& input_op();
const OpDef& parameter_op();
const OpDef& constant_op();

class Graph;

// The value of a scalar constant that was made from a number; none for all other nodes.
std::optional<double> scalar_constant(const Graph& graph, NodeId id);

}  // namespace xgrad::inline v0
