// Model::str: the table of layers.
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>

#include <fmt/format.h>

#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/graph/flops.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/graph/walk.hpp>
#include <xgrad/nn/training/internal/model_state.hpp>

namespace xgrad::inline v0::nn {
namespace {

struct Row {
  std::string layer, output{};
  Index parameters = 0;
  double flops = 0;
  std::size_t bytes = 0;  // bytes of the activations
};

std::string top_of(const std::string& scope) { return scope.substr(0, scope.find('/')); }

std::string thousands(Index n) { return xgrad::thousands(static_cast<std::uint64_t>(n)); }

// Formats a count with three significant digits and a prefix, such as "3.21 M", or with all digits if it is below
// 10000.
std::string count_text(double n) {
  if (n < 1e4) return thousands(static_cast<Index>(n));
  constexpr const char* prefixes[] = {"", "k", "M", "G", "T", "P", "E"};
  std::size_t prefix = 0;
  while (n >= 999.5 && prefix + 1 < std::size(prefixes)) n /= 1000, ++prefix;
  return fmt::format("{:.{}f} {}", n, n < 9.995 ? 2 : n < 99.95 ? 1 : 0, prefixes[prefix]);
}

std::string flop_text(double n) { return count_text(n) + (n < 1e4 ? " FLOP" : "FLOP"); }

// Formats a shape, with "batch" as the extent of axis 0.
std::string shape_text(const Shape& shape) {
  std::string out = "[batch";
  for (int axis = 1; axis < shape.rank(); ++axis) out += fmt::format(", {}", shape[axis]);
  return out + "]";
}

// By node: whether the prediction depends on it, and whether it depends on the input.
struct Between {
  std::vector<char> to_prediction, from_input;

  explicit Between(const ModelGraph& model)
      : to_prediction(needed_by(*model.graph, {model.prediction})),
        from_input(dependents(*model.graph, model.prediction.id() + 1, {model.input})) {}
};

// One row per layer of the forward pass, ordered by first node. The output is that of the layer's last node.
std::vector<Row> rows_of_layers(const ModelGraph& model) {
  const Graph& g = *model.graph;
  const Index batch = model.input.shape()[0];
  const Between between(model);
  std::vector<Row> rows;
  std::map<std::string, std::size_t> at;
  const auto row = [&](const std::string& layer) -> Row& {
    const auto [found, fresh] = at.try_emplace(layer, rows.size());
    if (fresh) rows.push_back({.layer = layer});
    return rows[found->second];
  };
  std::map<std::string, NodeId> last_nodes;  // by scope: layers and their modules
  for (NodeId id = 0; id <= model.prediction.id(); ++id) {
    const Node& node = g.node(id);
    if (node.op->traits.leaf == Leaf::parameter) {
      row(top_of(g.scope_of(id))).parameters += g.parameter_of(id).shape().elements();
    }
    if (node.op->traits.leaf != Leaf::none || !between.to_prediction[id]) continue;
    row(top_of(g.scope_of(id))).flops += flops(g, id);
    if (!between.from_input[id] || node.type.shape.rank() == 0 || node.type.shape[0] != batch) continue;
    row(top_of(g.scope_of(id))).output = shape_text(node.type.shape);
    last_nodes[g.scope_of(id)] = id;
  }
  for (const auto& [scope, id] : last_nodes) {
    // A view has no bytes of its own: count its source, if that belongs to the same scope.
    NodeId source = id;
    while (g.node(source).op->traits.view) source = g.inputs(source)[0];
    if (g.scope_of(source) == scope) row(top_of(scope)).bytes += g.node(source).type.bytes();
  }
  return rows;
}

// The outputs of a step's plan: loss and metrics or, if the model is not compiled, the prediction.
std::vector<Value> outputs_of(const ModelGraph& step) {
  std::vector<Value> out = step.metrics;
  out.push_back(step.loss.valid() ? step.loss : step.prediction);
  return out;
}

// A text table: two left-aligned columns, then right-aligned ones.
class Table {
 public:
  void add(std::vector<std::string> fields) {
    widths_.resize(std::max(widths_.size(), fields.size()), 0);
    for (std::size_t i = 0; i < fields.size(); ++i) widths_[i] = std::max(widths_[i], fields[i].size());
    rows_.push_back(std::move(fields));
  }

  std::string line() const {
    std::size_t width = 2 * (widths_.size() - 1);
    for (const std::size_t w : widths_) width += w;
    return fmt::format("  {:-<{}}\n", "", width);
  }
  std::string row(std::size_t i) const {
    std::string out;
    for (std::size_t c = 0; c < rows_[i].size(); ++c)
      out +=
          c < 2 ? fmt::format("  {:<{}}", rows_[i][c], widths_[c]) : fmt::format("  {:>{}}", rows_[i][c], widths_[c]);
    return out + "\n";
  }
  std::size_t size() const { return rows_.size(); }

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> widths_;
};

}  // namespace

std::string Model::str(const SummaryOptions& options) const {
  require_at_least("summary", "batch_size", options.batch_size, 1);
  const ModelUse::Call reading = state_->use.read("summary", state_->options.name);
  return state_->with_memory("summary", options.batch_size, [&] {
    const ModelGraph forward = state_->build(Mode::train, options.batch_size);
    Row all;
    Table table;
    table.add({"layer", "output", "parameters", "FLOPs", "activations"});
    const auto none_or = [](auto n, std::string text) { return n == 0 ? "-" : text; };
    for (const Row& row : rows_of_layers(forward)) {
      table.add({row.layer.empty() ? "(no layer)" : row.layer, row.output,
                 none_or(row.parameters, thousands(row.parameters)), none_or(row.flops, count_text(row.flops)),
                 none_or(row.bytes, memory_text(row.bytes))});
      all.flops += row.flops, all.bytes += row.bytes;
    }
    std::string out = fmt::format("{}: [batch", state_->options.name);
    for (const Index extent : state_->row) out += fmt::format(", {}", extent);
    out += fmt::format("] {}\n{}{}{}", name_of(state_->options.dtype), table.line(), table.row(0), table.line());
    for (std::size_t i = 1; i < table.size(); ++i) out += table.row(i);
    out += table.line();

    std::size_t bytes = 0;
    for (const Parameter& p : parameters()) bytes += p.type().bytes();
    out +=
        fmt::format("  {} parameters, {} trainable, {} not; {}\n", thousands(parameter_count()),
                    thousands(trainable_count()), thousands(parameter_count() - trainable_count()), memory_text(bytes));
    const ModelGraph step = state_->build(state_->compiled ? Mode::train : Mode::predict, options.batch_size);
    const std::vector<Value> outputs = outputs_of(step);
    out += fmt::format("  {} rows forward: {}, activations of {}\n", options.batch_size, flop_text(all.flops),
                       memory_text(all.bytes));
    out += fmt::format("  {} step: {}, peak memory {}\n", state_->compiled ? "training" : "prediction",
                       flop_text(flops(outputs, step.updates)), memory_text(Plan(outputs, step.updates).peak_bytes()));
    return out;
  });
}

void Model::summary(const SummaryOptions& options) const { fmt::print("{}", str(options)); }

}  // namespace xgrad::inline v0::nn
