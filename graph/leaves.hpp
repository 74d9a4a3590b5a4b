// The operations of leaves: nodes without inputs, whose values the engine supplies. Leaves have no kernel and no vjp;
// `traits.leaf` distinguishes them.
#pragma once

#include <optional>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

// The operation of inputs. Its attributes are `dtype` and `shape`; feeds use the node's name.
const OpDef& input_op();
// The operation of parameters. Its attribute is `parameter`, which Graph::parameter_of reads.
const OpDef& parameter_op();
// The operation of constants. Its attributes are `tensor`, or `value` and `dtype`; Graph::constant_of reads them.
const OpDef& constant_op();

class Graph;

// The value of a scalar constant that was made from a number; none for all other nodes.
std::optional<double> scalar_constant(const Graph& graph, NodeId id);

}  // namespace xgrad::inline v0
