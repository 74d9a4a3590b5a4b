// Serializes graphs for TensorBoard's Graphs page.
#pragma once

#include <string>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0::nn {

// Returns a serialized GraphDef with a node per graph node and per update; see EventWriter::graph. Throws GraphError if
// an update's value is not in the graph.
std::string graph_def(const Graph& graph, const std::vector<Update>& updates);

// Returns the layers that `output` depends on, as JSON of a Keras model; see EventWriter::layers.
std::string layers_json(Value output, const std::string& name);

}  // namespace xgrad::inline v0::nn
