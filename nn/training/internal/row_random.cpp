#include <xgrad/nn/training/internal/row_random.hpp>

#include <algorithm>
#include <vector>

namespace xgrad::inline v0::nn {
namespace {

std::vector<NodeId> random_nodes(const Graph& graph) {
  std::vector<NodeId> out;
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (graph.node(id).op->traits.random) out.push_back(id);
  }
  return out;
}

// Whether the shapes of a node, for `rows` and for `other_rows` rows, differ only in a first axis that is proportional
// to the number of rows.
bool grows_by_rows(const Shape& shape, Index rows, const Shape& other, Index other_rows) {
  return shape.rank() > 0 && shape.rank() == other.rank() && shape[0] * other_rows == other[0] * rows &&
         std::equal(shape.begin() + 1, shape.end(), other.begin() + 1);
}

}  // namespace

bool has_random(const Graph& graph) { return !random_nodes(graph).empty(); }

bool mark_row_random(Graph& graph, Index rows, const Graph& other, Index other_rows) {
  const std::vector<NodeId> nodes = random_nodes(graph), others = random_nodes(other);
  const bool alike = nodes.size() == others.size();
  bool separable = alike;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = graph.node(nodes[i]);
    const Shape& shape = node.type.shape;
    if (alike) {
      const Shape& other_shape = other.node(others[i]).type.shape;
      if (shape == other_shape) continue;
      // Only an operation with a blockwise kernel can draw a range of its elements.
      separable = separable && node.op->random_block[static_cast<std::size_t>(node.type.dtype)] != nullptr &&
                  grows_by_rows(shape, rows, other_shape, other_rows);
    }
    graph.set_row_elements(graph.value(nodes[i]), shape.elements() / rows);
  }
  return separable;
}

}  // namespace xgrad::inline v0::nn
