#include <xgrad/graph/verify.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/print.hpp>

namespace xgrad::inline v0 {

// Reads the graph's tables directly and checks every index before it uses it.
class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph) {}

  void run() {
    const Graph& g = graph_;
    for (NodeId id = 0; id < g.size(); ++id) check_positions(id);
    for (NodeId id = 0; id < g.size(); ++id) {
      check_type(id);
      check_lookup(id);
    }
    if (g.input_nodes_.size() + g.parameter_nodes_.size() > g.nodes_.size() ||
        g.parameter_nodes_.size() != g.parameters_.size()) {
      fail("the tables of inputs and parameters do not match the nodes");
    }
    check_updates();
  }

 private:
  [[noreturn]] static void fail(const std::string& what) { throw InternalError("verify: " + what); }

  // Describes the node and its neighbors, so `check_positions` must have passed for all nodes.
  [[noreturn]] void fail(NodeId id, const std::string& what) const {
    std::string message = graph_.describe(id) + ": " + what;
    const NodeId first = id < 3 ? 0 : id - 3;
    const NodeId last = std::min<NodeId>(graph_.size(), id + 3);
    for (NodeId i = first; i < last; ++i) message += (i == id ? "\n> " : "\n  ") + node_text(graph_, i);
    fail(message + "\n");
  }

  void check_positions(NodeId id) const {
    const Graph& g = graph_;
    const Node& node = g.nodes_[id];
    const auto broken = [&](const std::string& what) { fail(fmt::format("%{}: {}", id, what)); };
    if (node.op == nullptr) broken("it has no operation");
    if (node.attrs >= g.attrs_.size()) broken("its attributes are out of range");
    if (node.name >= g.names_.size()) broken("its name is out of range");
    if (node.scope >= g.scopes_.size()) broken("its scope is out of range");
    if (node.input_count > 0 && node.inputs == nullptr) broken("its inputs are missing");
    for (const NodeId input : g.inputs(id)) {
      if (input >= id) broken(fmt::format("its input %{} does not come before it", input));
    }
    if (node.origin >= static_cast<std::int32_t>(id)) broken(fmt::format("its origin %{} is not older", node.origin));
    const std::uint32_t before = id == 0 ? 1 : g.nodes_[id - 1].generation;
    if (node.generation < before || node.generation > g.rewinds_.size() + 1) {
      broken(fmt::format("its generation {} is out of order", node.generation));
    }
    const auto count = static_cast<std::int64_t>(node.input_count);
    if (count < node.op->min_inputs || count > node.op->max_inputs) {
      fail(id, fmt::format("it has {} inputs, but takes {} to {}", count, node.op->min_inputs, node.op->max_inputs));
    }
  }

  void check_type(NodeId id) const {
    const Node& node = graph_.nodes_[id];
    TensorType again;
    try {
      again = graph_.infer(*node.op, graph_.inputs(id), graph_.attrs(id));
    } catch (const Error& error) {
      fail(id, fmt::format("infer, called again, throws: {}", error.message()));
    }
    if (again != node.type) fail(id, "infer, called again, returns " + again.str());
  }

  void check_lookup(NodeId id) const {
    const Graph& g = graph_;
    const Node& node = g.nodes_[id];
    const Attrs& attrs = g.attrs(id);
    const auto leads_here = [&](const auto& table, const auto& key) {
      const auto found = table.find(key);
      return found != table.end() && found->second == id;
    };
    switch (node.op->traits.leaf) {
      case Leaf::input:
        if (node.name == 0 || !leads_here(g.input_nodes_, g.name(id))) fail(id, "it is not found by its name");
        return;
      case Leaf::parameter:
        if (!leads_here(g.parameter_nodes_, g.parameter_of(id).raw())) fail(id, "it is not found by its parameter");
        return;
      case Leaf::constant:
        if (!attrs.has("value")) return;
        break;
      case Leaf::none: break;
    }
    const auto found = g.find_equal(g.key(*node.op, g.inputs(id), attrs), *node.op, g.inputs(id), attrs);
    if (!found) fail(id, "it is not found by its inputs and attributes");
    if (*found != id) fail(id, "it is equal to " + g.describe(*found));
  }

  void check_updates() const {
    for (const Update& update : graph_.updates_) {
      const Value value = update.value;
      if (!graph_.alive(value))
        fail(fmt::format("the new value of parameter {:?} was discarded", update.parameter.name()));
      if (graph_.nodes_[value.id()].type != update.parameter.type()) {
        fail(value.id(),
             fmt::format("its type differs from that of parameter {:?}, which it updates", update.parameter.name()));
      }
    }
  }

  const Graph& graph_;
};

void verify(const Graph& graph) { Verifier(graph).run(); }

}  // namespace xgrad::inline v0
