#include <xgrad/graph/internal/infer_types.hpp>

#include <fmt/format.h>

#include <xgrad/graph/walk.hpp>

namespace xgrad::inline v0 {

std::vector<TensorType> infer_types(const Graph& graph, const std::vector<Value>& results,
                                    const std::vector<std::pair<Value, Shape>>& shapes) {
  std::vector<TensorType> types(end_of(results));
  for (NodeId id = 0; id < types.size(); ++id) types[id] = graph.node(id).type;
  if (shapes.empty()) return types;
  std::vector<Value> changed;
  for (const auto& [input, shape] : shapes) {
    changed.push_back(input);
    if (input.id() < types.size()) types[input.id()].shape = shape;
  }
  const std::vector<char> needed = needed_by(graph, results);
  const std::vector<char> affected = dependents(graph, static_cast<NodeId>(types.size()), changed);
  std::vector<TensorType> operands;
  std::vector<std::string> words;
  for (NodeId id = 0; id < types.size(); ++id) {
    const OpDef& op = *graph.node(id).op;
    if (needed[id] == 0 || affected[id] == 0 || op.traits.leaf != Leaf::none) continue;
    operands.clear();
    words.clear();
    for (const NodeId i : graph.inputs(id)) {
      operands.push_back(types[i]);
      words.push_back(fmt::format("{}, here {}", graph.describe(i), types[i].str()));
    }
    types[id] = op.infer(Infer(op, operands, graph.attrs(id), words));
  }
  return types;
}

}  // namespace xgrad::inline v0
