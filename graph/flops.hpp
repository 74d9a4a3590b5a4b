// Floating-point operations, counted from types alone, before anything runs.
//
//   double f = flops(g, y.id());            // of one node
//   double all = flops({loss}, updates);    // of all that a step computes, each node once
//
// The convention: an addition, a product, a comparison, a root, exp, tanh and every other function of floating numbers
// counts as one, and so does a random number; a reduction counts one for each element it reads; a matrix product
// [m, k] by [k, n] counts 2 m n k, as a multiplication and an addition. What only moves numbers, converts them or works
// on integers and truth values counts 0, and so do leaves. That is the count of the formula: a plan may compute less,
// and the processor more.
#pragma once

#include <span>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// Of an operation on inputs of these types: `OpDef::flops` if it has one, else by its traits.
double flops(const OpDef& op, std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs);
double flops(const Graph& graph, NodeId id);
// Of the nodes that outputs and updates depend on. Throws GraphError if one of them is not alive or is of another
// graph.
double flops(const std::vector<Value>& outputs, const std::vector<Update>& updates = {});

}  // namespace xgrad::inline v0
