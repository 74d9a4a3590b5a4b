// Graphs as TensorBoard's Graphs page takes them.
#pragma once

#include <string>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0::nn {

// A serialized GraphDef: a node for each of the graph's, and one for each update. See EventWriter::graph. Throws
// GraphError if an update's value is not alive in the graph.
std::string graph_def(const Graph& graph, const std::vector<Update>& updates);

// The layers that lead to `output` as the JSON of a Keras model. See EventWriter::layers.
std::string layers_json(Value output, const std::string& name);

}  // namespace xgrad::inline v0::nn
