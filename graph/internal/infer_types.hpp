// Infers the types of nodes for other input shapes.
#pragma once

#include <utility>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// By node, up to the last result. Infers only nodes that the results need, if only for their shapes. Throws ShapeError,
// with the operands' new types, if the shapes do not fit.
std::vector<TensorType> infer_types(const Graph& graph, const std::vector<Value>& results,
                                    const std::vector<std::pair<Value, Shape>>& shapes);

}  // namespace xgrad::inline v0
