#include <xgrad/graph/pictures/graph_diff.hpp>

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>

#include <fmt/format.h>

#include <xgrad/graph/leaves.hpp>
#include <xgrad/graph/print.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr NodeId none = ~NodeId{0};

std::uint64_t mixed(std::uint64_t hash, std::uint64_t more) {
  hash ^= more + 0x9e3779b97f4a7c15ULL + (hash << 6) + (hash >> 2);
  return hash * 0xff51afd7ed558ccdULL;
}

std::uint64_t hash_of(std::string_view text) { return std::hash<std::string_view>()(text); }

// The properties of a node except its operands, as text that can be compared between graphs.
std::string contents(const Graph& g, NodeId id) {
  const Node& node = g.node(id);
  if (node.op->traits.leaf == Leaf::input || node.op->traits.leaf == Leaf::parameter) return "";
  if (node.op->traits.leaf == Leaf::constant) {
    if (scalar_constant(g, id)) return constant_text(g, id);
    const Tensor tensor = g.constant_of(id);
    const std::string_view bytes(static_cast<const char*>(tensor.raw()), tensor.bytes());
    return fmt::format("{} #{:016x}", constant_text(g, id), hash_of(bytes));
  }
  std::string out;
  for (const auto& item : g.attrs(id).items()) {
    if (node.op->traits.random && item.first == "stream") continue;
    out += (out.empty() ? "" : " ") + Attrs{item}.str();
  }
  return out;
}

class Matcher {
 public:
  Matcher(const Graph& a, const Graph& b) : a_(a), b_(b), to_b_(a.size(), none), to_a_(b.size(), none) {
    contents_a_ = all_contents(a);
    contents_b_ = all_contents(b);
  }

  GraphDiff run() {
    match_origins();
    match_one_by_one();
    match_replaced();
    return result();
  }

 private:
  static std::vector<std::string> all_contents(const Graph& g) {
    std::vector<std::string> out;
    for (NodeId id = 0; id < g.size(); ++id) out.push_back(contents(g, id));
    return out;
  }

  void match(NodeId a, NodeId b) {
    to_b_[a] = b;
    to_a_[b] = a;
  }

  std::uint64_t own_hash(const Graph& g, const std::vector<std::string>& contents, NodeId id) const {
    const Node& node = g.node(id);
    std::uint64_t h = hash_of(node.op->name);
    h = mixed(h, hash_of(contents[id]));
    h = mixed(h, static_cast<std::uint64_t>(node.role));
    if (node.op->traits.leaf != Leaf::none) h = mixed(mixed(h, hash_of(g.name(id))), hash_of(node.type.str()));
    return h;
  }

  // Matches nodes whose whole ancestry is the same.
  void match_origins() {
    const auto deep = [&](const Graph& g, const std::vector<std::string>& contents) {
      std::vector<std::uint64_t> out;
      for (NodeId id = 0; id < g.size(); ++id) {
        std::uint64_t h = mixed(own_hash(g, contents, id), hash_of(g.node(id).type.str()));
        for (const NodeId i : g.inputs(id)) h = mixed(h, out[i]);
        out.push_back(h);
      }
      return out;
    };
    const std::vector<std::uint64_t> of_a = deep(a_, contents_a_), of_b = deep(b_, contents_b_);
    Queues waiting;
    for (NodeId id = a_.size(); id-- > 0;) waiting[of_a[id]].push_back(id);
    for (NodeId id = 0; id < b_.size(); ++id) {
      if (const NodeId found = take(waiting, of_b[id]); found != none) match(found, id);
    }
  }

  // Matches the remaining nodes in tape order: by matched operands, by name, by operation and scope.
  void match_one_by_one() {
    Queues by_operands, by_part, by_name, by_kind;
    for (NodeId id = a_.size(); id-- > 0;) {
      if (to_b_[id] != none) continue;
      by_operands[operands_hash(a_, contents_a_, id, nullptr)].push_back(id);
      for (const NodeId i : a_.inputs(id)) by_part[part_hash(a_, id, i)].push_back(id);
      if (!a_.name(id).empty()) by_name[name_hash(a_, id)].push_back(id);
      by_kind[kind_hash(a_, id)].push_back(id);
    }
    for (NodeId id = 0; id < b_.size(); ++id) {
      if (to_a_[id] != none) continue;
      NodeId found = none;
      const auto inputs = b_.inputs(id);
      if (std::all_of(inputs.begin(), inputs.end(), [&](NodeId i) { return to_a_[i] != none; }))
        found = take(by_operands, operands_hash(b_, contents_b_, id, &to_a_));
      for (std::size_t i = inputs.size(); i-- > 0 && found == none;) {
        if (to_a_[inputs[i]] != none && i > 0) found = take(by_part, part_hash(b_, id, to_a_[inputs[i]]));
      }
      if (found == none && !b_.name(id).empty()) found = take(by_name, name_hash(b_, id));
      if (found == none) found = take(by_kind, kind_hash(b_, id));
      if (found != none) match(found, id);
    }
  }

  // Matches an operation with another one that has the same scope, role and operands and so replaced it.
  void match_replaced() {
    Queues waiting;
    const auto place = [&](const Graph& g, NodeId id, const std::vector<NodeId>* to_a) {
      std::uint64_t h = mixed(hash_of(g.scope_of(id)), static_cast<std::uint64_t>(g.node(id).role));
      for (const NodeId i : g.inputs(id)) h = mixed(h, to_a == nullptr ? i : (*to_a)[i]);
      return h;
    };
    for (NodeId id = a_.size(); id-- > 0;) {
      if (to_b_[id] == none && a_.node(id).op->traits.leaf == Leaf::none) waiting[place(a_, id, nullptr)].push_back(id);
    }
    for (NodeId id = 0; id < b_.size(); ++id) {
      if (to_a_[id] != none || b_.node(id).op->traits.leaf != Leaf::none) continue;
      if (const NodeId found = take(waiting, place(b_, id, &to_a_)); found != none) match(found, id);
    }
  }

  using Queues = std::unordered_map<std::uint64_t, std::vector<NodeId>>;

  // The first unmatched node in tape order.
  NodeId take(Queues& queues, std::uint64_t key) {
    const auto found = queues.find(key);
    if (found == queues.end()) return none;
    while (!found->second.empty()) {
      const NodeId id = found->second.back();
      found->second.pop_back();
      if (to_b_[id] == none) return id;
    }
    return none;
  }

  // Hash of a node's operands, as nodes of the first graph.
  std::uint64_t operands_hash(const Graph& g, const std::vector<std::string>& contents, NodeId id,
                              const std::vector<NodeId>* to_a) const {
    std::uint64_t h = own_hash(g, contents, id);
    for (const NodeId i : g.inputs(id)) h = mixed(h, to_a == nullptr ? i : (*to_a)[i]);
    return h;
  }
  // Hash of the operation, its scope and one of its operands.
  static std::uint64_t part_hash(const Graph& g, NodeId id, NodeId operand_in_a) {
    return mixed(mixed(hash_of(g.node(id).op->name), hash_of(g.scope_of(id))), operand_in_a);
  }
  static std::uint64_t name_hash(const Graph& g, NodeId id) {
    return mixed(hash_of(g.name(id)), static_cast<std::uint64_t>(g.node(id).op->traits.leaf));
  }
  static std::uint64_t kind_hash(const Graph& g, NodeId id) {
    const Node& node = g.node(id);
    const bool named = node.op->traits.leaf == Leaf::input || node.op->traits.leaf == Leaf::parameter;
    // Inputs and parameters with different names do not match.
    return mixed(mixed(mixed(hash_of(node.op->name), hash_of(g.scope_of(id))), static_cast<std::uint64_t>(node.role)),
                 named ? hash_of(g.name(id)) + 1 : 0);
  }

  std::vector<std::string> changes(NodeId a, NodeId b) const {
    std::vector<std::string> out;
    const auto compare = [&](const char* what, const std::string& before, const std::string& after) {
      const auto shown = [](const std::string& text) { return text.empty() ? std::string("none") : text; };
      if (before != after) out.push_back(fmt::format("{}: {} -> {}", what, shown(before), shown(after)));
    };
    const Node& x = a_.node(a);
    const Node& y = b_.node(b);
    compare("operation", x.op->name, y.op->name);
    const bool constants = x.op->traits.leaf == Leaf::constant && y.op->traits.leaf == Leaf::constant;
    compare(constants ? "value" : "attributes", contents_a_[a], contents_b_[b]);
    compare("type", x.type.str(), y.type.str());
    const auto quoted = [](const std::string& text) { return text.empty() ? text : fmt::format("{:?}", text); };
    compare("name", quoted(a_.name(a)), quoted(b_.name(b)));
    compare("scope", quoted(a_.scope_of(a)), quoted(b_.scope_of(b)));
    const auto before = a_.inputs(a), after = b_.inputs(b);
    for (std::size_t i = 0; i < std::max(before.size(), after.size()); ++i) {
      const bool same = i < before.size() && i < after.size() && to_b_[before[i]] == after[i];
      if (same) continue;
      const auto text = [i](const Graph& g, std::span<const NodeId> inputs) {
        return i < inputs.size() ? fmt::format("%{} {}", inputs[i], g.node(inputs[i]).op->name) : std::string("none");
      };
      out.push_back(fmt::format("input {}: {} -> {}", i, text(a_, before), text(b_, after)));
    }
    return out;
  }

  void compare_updates(GraphDiff& out) const {
    std::map<std::string, NodeId> before;
    for (const Update& update : a_.updates()) before[update.parameter.name()] = update.value.id();
    for (const Update& update : b_.updates()) {
      const auto found = before.find(update.parameter.name());
      const NodeId after = update.value.id();
      if (found == before.end())
        out.updates.push_back(fmt::format("+ update {:?} <- %{}", update.parameter.name(), after));
      else if (to_b_[found->second] != after)
        out.updates.push_back(
            fmt::format("~ update {:?} <- %{} -> %{}", update.parameter.name(), found->second, after));
      if (found != before.end()) before.erase(found);
    }
    for (const auto& [name, id] : before) out.updates.push_back(fmt::format("- update {:?} <- %{}", name, id));
  }

  GraphDiff result() const {
    GraphDiff out;
    std::size_t same = 0;
    std::string lines;
    for (NodeId id = 0; id < a_.size(); ++id) {
      if (to_b_[id] == none) out.removed.push_back(id);
    }
    for (NodeId id = 0; id < b_.size(); ++id) {
      if (to_a_[id] == none)
        out.added.push_back(id);
      else
        out.pairs.push_back({to_a_[id], id, changes(to_a_[id], id)});
    }
    for (const NodeId id : out.removed) lines += fmt::format("- {}\n", line(a_, id));
    for (const NodeId id : out.added) lines += fmt::format("+ {}\n", line(b_, id));
    for (const GraphDiff::Pair& pair : out.pairs) {
      if (pair.changes.empty()) {
        ++same;
        continue;
      }
      lines += fmt::format("~ {}\n", line(b_, pair.after));
      for (const std::string& change : pair.changes) lines += fmt::format("    {}\n", change);
    }
    compare_updates(out);
    for (const std::string& update : out.updates) lines += update + "\n";
    out.text = fmt::format("{} nodes are the same, {} changed, {} added, {} removed\n", same, out.pairs.size() - same,
                           out.added.size(), out.removed.size()) +
               lines;
    return out;
  }

  static std::string line(const Graph& g, NodeId id) {
    const std::string& scope = g.scope_of(id);
    return node_text(g, id) + (scope.empty() ? "" : fmt::format("  in {:?}", scope));
  }

  const Graph& a_;
  const Graph& b_;
  std::vector<NodeId> to_b_, to_a_;
  std::vector<std::string> contents_a_, contents_b_;
};

}  // namespace

bool GraphDiff::empty() const {
  return removed.empty() && added.empty() && updates.empty() &&
         std::all_of(pairs.begin(), pairs.end(), [](const Pair& pair) { return pair.changes.empty(); });
}

GraphDiff diff(const Graph& before, const Graph& after) { return Matcher(before, after).run(); }

}  // namespace xgrad::inline v0
