#include <xgrad/graph/print.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/graph/leaves.hpp>
#include <xgrad/graph/walk.hpp>

namespace xgrad::inline v0 {
namespace {

// Attributes may hold any text; control characters must not break the line.
std::string one_line(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n')
      out += "\\n";
    else if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out;
}

}  // namespace

std::string Graph::describe(NodeId id) const {
  return id < size() ? describe(id, nodes_[id].type) : fmt::format("%{} (not in the graph)", id);
}

std::string Graph::describe(NodeId id, const TensorType& type) const {
  const Node& node = nodes_[id];
  std::string out = fmt::format("%{} {}", id, node.op->name);
  if (const auto number = scalar_constant(*this, id)) out += fmt::format(" {}", *number);
  if (node.name != 0) out += fmt::format(" {:?}", names_[node.name]);
  out += " " + type.str();
  if (node.name == 0 && node.scope != 0) out += fmt::format(" in scope {:?}", scopes_[node.scope]);
  return out;
}

std::vector<bool> needed_nodes(const Graph& graph, std::span<const Value> outputs, const std::string& where) {
  for (const Value output : outputs) graph.require(output, where);
  const std::vector<char> found = needed_by(graph, std::vector<Value>(outputs.begin(), outputs.end()));
  std::vector<bool> needed(found.begin(), found.end());
  needed.resize(graph.size(), outputs.empty());
  return needed;
}

std::string position_text(const Shape& shape, Index element) {
  std::string out;
  const auto strides = shape.strides();
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const Index stride = strides[static_cast<std::size_t>(axis)];
    out += fmt::format("{}{}", axis == 0 ? "" : ", ", element / stride);
    element %= stride;
  }
  return "[" + out + "]";
}

std::string constant_text(const Graph& graph, NodeId id) {
  constexpr Index shown = 6;
  const Tensor tensor = graph.constant_of(id);
  if (const auto number = scalar_constant(graph, id)) {
    if (tensor.dtype() == i64) return tensor.str();
    // Print the shortest text that parses back to the number in its dtype.
    return tensor.dtype() == f32 && !std::isnan(*number) ? fmt::format("{}", static_cast<float>(*number))
                                                         : number_text(*number, 0);
  }
  const Index n = tensor.elements();
  if (n == 0) return "{}";
  const std::string first = tensor.reshaped({n}).rows(0, std::min(n, shown)).str();  // has brackets, which are replaced
  return "{" + first.substr(1, first.size() - 2) + (n > shown ? ", ...}" : "}");
}

std::string node_text(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  std::string out = fmt::format("%{} = {}", id, one_line(node.op->name));
  if (node.op->traits.leaf == Leaf::constant) {
    out += " " + constant_text(graph, id);
  } else if (node.op->traits.leaf == Leaf::none) {
    out += '(';
    for (std::uint32_t i = 0; i < node.input_count; ++i)
      out += fmt::format("{}%{}", i == 0 ? "" : ", ", node.inputs[i]);
    out += ')';
    if (!graph.attrs(id).empty()) out += " " + one_line(graph.attrs(id).str());
  }
  if (node.name != 0) out += fmt::format(" {:?}", graph.name(id));
  out += " : " + node.type.str();
  if (node.role != Role::forward) {
    out += node.role == Role::backward ? "  # backward" : "  # update";
    if (node.origin >= 0) out += fmt::format(" of %{}", node.origin);
  }
  return out;
}

std::string to_text(const Graph& graph, const TextOptions& options) {
  const std::vector<bool> needed = needed_nodes(graph, options.outputs, "to_text");
  std::string out;
  std::uint32_t scope = 0;
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (!needed[id]) continue;
    if (options.scopes && graph.node(id).scope != scope) {
      scope = graph.node(id).scope;
      out += scope == 0 ? "# (no scope)\n" : "# " + one_line(graph.scope_of(id)) + "\n";
    }
    out += node_text(graph, id) + "\n";
  }
  for (const Update& update : graph.updates()) {
    if (!needed[update.value.id()]) continue;
    out += fmt::format("update {:?} <- %{}\n", update.parameter.name(), update.value.id());
  }
  return out;
}

}  // namespace xgrad::inline v0
