// Counts floating-point operations from types alone.
//
//   double f = flops(g, y.id());            // of one node
//   double all = flops({loss}, updates);    // of all nodes of a training step, each once
//
// Convention: each floating-point function of an element (addition, comparison, exp, tanh ...) counts 1, and so does a
// random element. A reduction counts 1 per input element. A matrix product [m, k] by [k, n] counts 2 m n k. Moving,
// converting, integer and boolean operations and leaves count 0. This counts the formula: a plan may compute less, the
// processor more.
#pragma once

#include <span>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// Floating-point operations of one node: the operation applied to inputs of these types. Calls `OpDef::flops`, or
// counts by the traits if that is null.
double flops(const OpDef& op, std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs);
// Floating-point operations of node `id`.
double flops(const Graph& graph, NodeId id);
// Floating-point operations of all nodes that outputs and updates depend on, each counted once. Throws GraphError if a
// value was discarded or belongs to another graph.
double flops(const std::vector<Value>& outputs, const std::vector<Update>& updates = {});

}  // namespace xgrad::inline v0
