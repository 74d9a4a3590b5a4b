// The table of a model's layers.
#include <algorithm>
#include <cstdio>
#include <map>

#include <fmt/format.h>

#include <xgrad/graph/memory_text.hpp>
#include <xgrad/nn/training/model_state.hpp>

namespace xgrad::nn {
namespace {

constexpr Index nominal_rows = 2;

struct Row {
  std::string layer, output;
  Index parameters = 0;
};

std::string top_of(const std::string& scope) { return scope.substr(0, scope.find('/')); }

std::string thousands(Index n) {
  std::string digits = fmt::format("{}", n);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

// Axis 0 is that of the rows, of which there may be any number.
std::string shape_text(const Shape& shape) {
  std::string out = "[batch";
  for (int axis = 1; axis < shape.rank(); ++axis) out += fmt::format(", {}", shape[axis]);
  return out + "]";
}

// The layers of the forward part, in the order of their first node; each ends with its last node.
std::vector<Row> rows_of_layers(const ModelGraph& model) {
  const Graph& g = *model.graph;
  std::vector<Row> rows;
  std::map<std::string, std::size_t> at;
  const auto row = [&](const std::string& layer) -> Row& {
    const auto [found, fresh] = at.try_emplace(layer, rows.size());
    if (fresh) rows.push_back({layer, {}, 0});
    return rows[found->second];
  };
  for (NodeId id = 0; id <= model.prediction.id(); ++id) {
    const Node& node = g.node(id);
    const Leaf leaf = node.op->traits.leaf;
    if (leaf == Leaf::parameter) {
      const Parameter& p = g.parameter_of(id);
      row(top_of(g.scope_of(id))).parameters += p.shape().elements();
    }
    const bool of_rows = node.type.shape.rank() > 0 && node.type.shape[0] == nominal_rows;
    if (leaf == Leaf::none && node.role == Role::forward && of_rows) {
      row(top_of(g.scope_of(id))).output = shape_text(node.type.shape);
    }
  }
  return rows;
}

}  // namespace

std::string Model::str() const {
  const ModelGraph graph = state_->build(Mode::train, nominal_rows);
  std::vector<Row> rows = rows_of_layers(graph);
  std::size_t layer = 5, output = 6;
  for (Row& row : rows) {
    if (row.layer.empty()) row.layer = "(no layer)";
    layer = std::max(layer, row.layer.size());
    output = std::max(output, row.output.size());
  }
  const std::string line = fmt::format("  {:-<{}}\n", "", layer + output + 18);
  std::string out = fmt::format("{}: [batch", state_->options.name);
  for (const Index extent : state_->row) out += fmt::format(", {}", extent);
  out += fmt::format("] {}\n{}  {:<{}}  {:<{}}  {:>14}\n{}", name_of(state_->options.dtype), line, "layer", layer,
                     "output", output, "parameters", line);
  for (const Row& row : rows) {
    out += fmt::format("  {:<{}}  {:<{}}  {:>14}\n", row.layer, layer, row.output, output, thousands(row.parameters));
  }
  std::size_t bytes = 0;
  for (const Parameter& p : parameters()) bytes += p.type().bytes();
  const Index fixed = parameter_count() - trainable_count();
  out += fmt::format("{}  {} parameters, {} trainable, {} not; {}\n", line, thousands(parameter_count()),
                     thousands(trainable_count()), thousands(fixed), memory_text(bytes));
  return out;
}

void Model::summary() const { fmt::print("{}", str()); }

}  // namespace xgrad::nn
