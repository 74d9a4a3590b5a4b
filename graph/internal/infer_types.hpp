// The types that nodes have when inputs are given other shapes.
#pragma once

#include <utility>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// By node, up to the last result. Only nodes that the results need, be it for their shapes alone, are inferred again;
// throws ShapeError, with the operands' new types, where the shapes do not fit.
std::vector<TensorType> infer_types(const Graph& graph, const std::vector<Value>& results,
                                    const std::vector<std::pair<Value, Shape>>& shapes);

}  // namespace xgrad::inline v0
