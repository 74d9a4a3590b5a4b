// Infers the types of nodes for other input shapes.
#pragma once

#include <utility>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// Returns the types by node, up to the last result. Infers all nodes that the results need, including those of which
// they need only the shape. Throws ShapeError, with the operands' new types, if the shapes do not fit.
std::vector<TensorType> infer_types(const Graph& graph, const std::vector<Value>& results,
                                    const std::vector<std::pair<Value, Shape>>& shapes);

}  // namespace xgrad::inline v0
