#include <xgrad/graph/flops.hpp>

#include <algorithm>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/walk.hpp>

namespace xgrad::inline v0 {
namespace {

bool is_of_floats(const TensorType& type) { return is_floating(type.dtype); }
double elements(const TensorType& type) { return static_cast<double>(type.shape.elements()); }

}  // namespace

double flops(const OpDef& op, std::span<const TensorType> inputs, const TensorType& output, const Attrs& attrs) {
  if (op.flops != nullptr) return op.flops(inputs, output, attrs);
  if (op.reduced_axes != nullptr) return is_of_floats(inputs[0]) ? elements(inputs[0]) : 0;
  // Also look at the inputs: a comparison of floating-point values returns bools.
  if (op.traits.elementwise) {
    const bool floats = is_of_floats(output) || std::any_of(inputs.begin(), inputs.end(), is_of_floats);
    return floats ? elements(output) : 0;
  }
  return op.traits.random && is_of_floats(output) ? elements(output) : 0;
}

double flops(const Graph& graph, NodeId id) {
  std::vector<TensorType> types;
  for (const NodeId input : graph.inputs(id)) types.push_back(graph.node(input).type);
  return flops(*graph.node(id).op, types, graph.node(id).type, graph.attrs(id));
}

double flops(const std::vector<Value>& outputs, const std::vector<Update>& updates) {
  std::vector<Value> roots = outputs;
  for (const Update& u : updates) roots.push_back(u.value);
  if (roots.empty()) return 0;
  if (!roots.front().valid()) throw GraphError("flops: output 0 is an empty Value");
  const Graph& graph = roots.front().graph();
  for (const Value root : roots) graph.require(root, "flops");
  const std::vector<char> needed = needed_by(graph, roots);
  double out = 0;
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (needed[id] != 0) out += flops(graph, id);
  }
  return out;
}

}  // namespace xgrad::inline v0
