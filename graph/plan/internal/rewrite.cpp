#include <xgrad/graph/plan/internal/rewrite.hpp>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/internal/infer_types.hpp>
#include <xgrad/graph/leaves.hpp>
#include <xgrad/graph/print.hpp>
#include <xgrad/graph/verify.hpp>
#include <xgrad/graph/walk.hpp>

namespace xgrad::inline v0 {
namespace {

void check_arguments(const Graph& graph, const std::vector<Value>& outputs, const std::vector<Update>& updates,
                     const PlanOptions& options) {
  for (const Value v : outputs) graph.require(v, "plan: output");
  std::unordered_set<const void*> updated;
  for (std::size_t i = 0; i < updates.size(); ++i) {
    const Update& u = updates[i];
    if (!u.parameter.valid()) throw GraphError(fmt::format("plan: update {} has an empty parameter", i));
    graph.require(u.value, fmt::format("plan: update of parameter \"{}\"", u.parameter.name()));
    if (!updated.insert(u.parameter.raw()).second)
      throw GraphError(fmt::format("plan: parameter \"{}\" is updated twice", u.parameter.name()));
  }
  for (const Rule& rule : options.rules) {
    if (rule.from.op == nullptr)
      throw GraphError(fmt::format("plan: rewrite rule {:?}: the root of its pattern has no operation", rule.name));
    check_rule(rule, *rule.from.op);
  }
  for (const auto& [input, shape] : options.shapes) {
    graph.require(input, "plan: shapes");
    if (input.node().op->traits.leaf != Leaf::input) {
      throw GraphError(fmt::format("plan: shapes: {} is not an input", input.describe()));
    }
  }
}

// Copies the needed nodes to a new tape, in order, and applies to each the first rule that matches. Rules are tried
// again on the replacement's root, but not on its other nodes.
class Rewriter {
 public:
  Rewriter(Graph& source, const std::vector<Value>& results, const PlanOptions& options)
      : source_(source), options_(options), needed_(needed_by(source, results)) {}

  // Whether a rule may fire, judged by the operations of its pattern alone. If not, the graph need not be copied.
  bool may_fire() const {
    for (NodeId id = 0; id < needed_.size(); ++id) {
      const Value node = source_.value(id);
      const auto fits = [&](const Rule& rule) { return Match(node, false).fits(rule.from); };
      if (needed_[id] != 0 && find_rule(*source_.node(id).op, fits) != nullptr) return true;
    }
    return false;
  }

  void run(Rewritten& out) const {
    out.own = std::make_unique<Graph>(source_.options());
    out.graph = out.own.get();
    out.input.assign(source_.size(), Rewritten::none);
    std::vector<Value> made(needed_.size());
    for (NodeId id = 0; id < needed_.size(); ++id) {
      if (needed_[id] == 0) continue;
      made[id] = improve(out, id, copy(*out.own, id, out.source_types[id].shape, made));
      out.stands_for.resize(out.own->size(), id);
      if (source_.node(id).op->traits.leaf == Leaf::input) out.input[id] = made[id].id();
    }
    for (Value& v : out.outputs) v = made[v.id()];
    for (Update& u : out.updates) u.value = made[u.value.id()];
    out.tape_types = infer_types(*out.own, out.results(), {});
  }

 private:
  static constexpr int max_turns = 64;  // replacements of one node; after more, rules are assumed to undo each other

  Value copy(Graph& to, NodeId id, const Shape& shape, const std::vector<Value>& made) const {
    const Node& node = source_.node(id);
    switch (node.op->traits.leaf) {
      case Leaf::input: return to.input(source_.name(id), shape, node.type.dtype);
      case Leaf::parameter: return to.parameter(source_.parameter_of(id));
      case Leaf::constant:
        if (const auto number = scalar_constant(source_, id)) return to.constant(*number, node.type.dtype);
        return to.constant(source_.constant_of(id));
      case Leaf::none: break;
    }
    std::vector<Value> inputs;
    for (const NodeId i : source_.inputs(id)) inputs.push_back(made[i]);
    const Value out = to.apply(*node.op, inputs, source_.attrs(id));
    if (const Index elements = source_.row_elements(id); elements > 0) to.set_row_elements(out, elements);
    return out;
  }

  // The first admitted rule for a node of operation `op` for which `applies(rule)` holds.
  template <class F>
  const Rule* find_rule(const OpDef& op, F applies) const {
    for (const auto* rules : {&op.rules, &options_.rules}) {
      for (const Rule& rule : *rules) {
        const bool admitted = rule.from.op == &op && (rule.bound == 0 || options_.rewrites == Rewrites::close);
        if (admitted && applies(rule)) return &rule;
      }
    }
    return nullptr;
  }

  Value improve(Rewritten& out, NodeId id, Value now) const {
    for (int turn = 0;; ++turn) {
      Value better;
      const Rule* fired = find_rule(*now.node().op, [&](const Rule& rule) {
        Match match(now);
        better = match.fits(rule.from) ? rule.to(match) : Value();
        return better.valid() && better != now;
      });
      if (fired == nullptr) return now;
      if (better.type() != now.type())
        throw InternalError(fmt::format("plan: rewrite rule {:?} replaces {} by {}, whose type differs", fired->name,
                                        now.describe(), better.describe()));
      now = better;
      ++out.fired[fired->name];
      if (turn == max_turns)
        throw InternalError(fmt::format("plan: rewrite rules undo each other at {}: {:?} is one of them",
                                        source_.describe(id), fired->name));
    }
  }

  Graph& source_;
  const PlanOptions& options_;
  std::vector<char> needed_;  // by node of the source, up to the last result
};

}  // namespace

std::vector<Value> Rewritten::results() const {
  std::vector<Value> out = outputs;
  for (const Update& u : updates) out.push_back(u.value);
  return out;
}

std::string Rewritten::str() const {
  std::string out = to_text(*graph);
  for (const auto& [rule, times] : fired) out += fmt::format("rule {:?}: {}\n", rule, times);
  return out;
}

Rewritten rewrite(const std::vector<Value>& outputs, const std::vector<Update>& updates, const PlanOptions& options) {
  if (outputs.empty() && updates.empty()) throw GraphError("plan: neither outputs nor updates are given");
  Graph& source = (outputs.empty() ? updates.front().value : outputs.front()).graph();
  check_arguments(source, outputs, updates, options);
  Rewritten out;
  out.source = out.graph = &source;
  out.outputs = outputs;
  out.updates = updates;
  const std::vector<Value> results = out.results();
  out.source_types = infer_types(source, results, options.shapes);
  for (const Update& u : updates) {
    const TensorType& type = out.source_types[u.value.id()];
    if (type == u.parameter.type()) continue;
    throw ShapeError(fmt::format("plan: update of parameter \"{}\" {}: the new value has another type\n  {}, here {}",
                                 u.parameter.name(), u.parameter.type().str(), u.value.describe(), type.str()));
  }
  if (options.rewrites == Rewrites::none) return out;
  const Rewriter rewriter(source, results, options);
  if (rewriter.may_fire()) rewriter.run(out);
  return out;
}

void verify(const Rewritten& rewritten) {
  verify(*rewritten.graph);
  if (rewritten.own == nullptr) return;
  const auto require = [&](bool holds, const char* what) {
    if (!holds) throw InternalError(fmt::format("plan: rewritten graph: {}\n{}", what, rewritten.str()));
  };
  require(rewritten.stands_for.size() == rewritten.own->size(), "stands_for has too few nodes");
  for (const NodeId id : rewritten.stands_for)
    require(id < rewritten.source->size(), "stands_for names a node that does not exist");
  for (const Value v : rewritten.results()) require(&v.graph() == rewritten.graph, "a result is of another graph");
  for (const Update& u : rewritten.updates)
    require(u.value.type() == u.parameter.type(), "an update has a value of another type");
}

}  // namespace xgrad::inline v0
