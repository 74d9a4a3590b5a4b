#include <xgrad/autodiff/gradients.hpp>

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include <xgrad/autodiff/internal/pullback.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/list_text.hpp>
#include <xgrad/graph/base/internal/sizes.hpp>
#include <xgrad/graph/walk.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// One reverse pass: finds the nodes that depend on `wrt`, then applies their vjps from the outputs down.
class ReversePass {
 public:
  // With `separate`, contributions to each of wrt are kept apart instead of added.
  ReversePass(Graph& graph, const std::vector<Value>& outputs, const std::vector<Value>& wrt, bool separate = false)
      : graph_(graph), outputs_(outputs), size_(end_of(outputs)) {
    cotangents_.resize(size_);
    depends_ = differentiable_dependents(wrt);
    for (const Value w : wrt) {
      if (separate) contributions_[w.id()];
    }
  }

  void run(const std::vector<Value>& cotangents) {
    for (std::size_t i = 0; i < outputs_.size(); ++i) accumulate(outputs_[i].id(), cotangents[i]);
    for (NodeId id = size_; id-- > 0;) {
      add_joint_cotangents(id);
      if (!cotangents_[id].valid() || !has_dependent_operand(id)) continue;
      const Value output = graph_.value(id);
      if (node(id).op->traits.joint_vjp) {
        joint_uses_[node(id).inputs[0]].emplace_back(output, cotangents_[id]);
        continue;
      }
      const auto guard = graph_.role(Role::backward, output);
      const Cotangents given = apply_rule(Vjp(output, cotangents_[id]));
      const auto inputs = graph_.inputs(id);
      if (given.values().size() != inputs.size()) {
        fail(id, fmt::format("its vjp returns {} cotangents for {} inputs", given.values().size(), inputs.size()));
      }
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        const Value c = given.values()[i];
        if (!c.valid()) {
          if (depends_[inputs[i]] && is_differentiable_edge(id, i)) refused_.push_back({id, inputs[i]});
          continue;
        }
        check_type(id, i, c);
        if (depends_[inputs[i]]) accumulate(inputs[i], c);
      }
    }
  }

  const std::vector<Value>& contributions(Value w) const { return contributions_.at(w.id()); }

  // Empty if no contribution arrived.
  Value cotangent(Value w) const { return w.id() < size_ ? cotangents_[w.id()] : Value(); }

  [[noreturn]] void fail_unconnected(Value w) const {
    const std::string y = outputs_.size() == 1 ? fmt::format("y ({})", outputs_[0].describe())
                                               : fmt::format("none of the {} outputs", outputs_.size());
    const char* verb = outputs_.size() == 1 ? "does not depend" : "depends";
    throw GradientError(fmt::format("gradients: {} {} on {}{}\n  hint: Unconnected::zeros gives zeros instead", y, verb,
                                    w.describe(), why_unconnected(w)));
  }

 private:
  struct ByName {
    bool operator()(const OpDef* a, const OpDef* b) const { return a->name < b->name; }
  };
  struct MissingCotangent {
    NodeId node;
    NodeId input;
  };

  const Node& node(NodeId id) const { return graph_.node(id); }

  // Whether `id` can propagate a cotangent to its operand i.
  bool is_differentiable_edge(NodeId id, std::size_t i) const {
    const Node& n = node(id);
    return n.op->vjp != nullptr && !n.op->shape_only(static_cast<int>(i)) && !(n.op->traits.segment && i == 0) &&
           is_floating(n.type.dtype) && is_floating(node(n.inputs[i]).type.dtype);
  }

  // The nodes up to y with a gradient path to one of the sources, including the sources.
  std::vector<char> differentiable_dependents(const std::vector<Value>& sources) const {
    return dependents(graph_, size_, sources,
                      [this](NodeId id, std::size_t i) { return is_differentiable_edge(id, i); });
  }

  bool has_dependent_operand(NodeId id) const {
    for (std::size_t i = 0; i < node(id).input_count; ++i) {
      if (depends_[node(id).inputs[i]] && is_differentiable_edge(id, i)) return true;
    }
    return false;
  }

  // Adds the cotangents that nodes with a joint vjp give to their input `id`, once all of these nodes are visited.
  void add_joint_cotangents(NodeId id) {
    const auto found = joint_uses_.find(id);
    if (found == joint_uses_.end()) return;
    std::map<const OpDef*, std::vector<Vjp>, ByName> by_op;
    for (auto use = found->second.rbegin(); use != found->second.rend(); ++use)
      by_op[use->output().node().op].push_back(*use);
    joint_uses_.erase(found);
    for (const auto& [op, uses] : by_op) {
      const Vjp joint(uses);
      const auto guard = graph_.role(Role::backward, joint.output());
      const Cotangents given = apply_rule(joint);
      check_type(joint.output().id(), 0, given.values().at(0));
      accumulate(id, given.values()[0]);
    }
  }

  Cotangents apply_rule(const Vjp& r) const {
    try {
      return r.output().node().op->vjp(r);
    } catch (const UserError& error) {
      fail(r.output().id(), std::string("its vjp throws: ") + error.message());
    }
  }

  [[noreturn]] void fail(NodeId id, const std::string& what) const {
    const std::string message = fmt::format("gradients: the vjp of {}: {}", graph_.describe(id), what);
    throw GradientError(message + list_text(node(id).input_count, "", [&](std::size_t i) {
                          return fmt::format("\n  input {}: {}", i, graph_.describe(node(id).inputs[i]));
                        }));
  }

  void check_type(NodeId id, std::size_t i, Value c) const {
    const std::string which = fmt::format("the cotangent of input {}", i);
    try {
      graph_.require(c, which);
    } catch (const GraphError& error) {
      fail(id, error.message());
    }
    const TensorType& wanted = node(node(id).inputs[i]).type;
    if (node(id).op->shape_only(static_cast<int>(i))) {
      fail(id, fmt::format("{} must be empty, since only the shape of the input matters", which));
    }
    if (!is_floating(wanted.dtype)) {
      fail(id, fmt::format("{} must be empty, since the input is {}", which, name_of(wanted.dtype)));
    }
    if (c.dtype() != wanted.dtype) {
      fail(id, fmt::format("{} is {}, but the input is {}", which, c.type().str(), wanted.str()));
    }
    if (broadcast(wanted.shape, c.shape()) != c.shape()) {
      fail(id, fmt::format("{} has shape {}, which is neither the input's {} nor a broadcast of it", which,
                           c.shape().str(), wanted.shape.str()));
    }
  }

  void accumulate(NodeId id, Value c) {
    if (c.shape() != node(id).type.shape) c = sum_like(c, graph_.value(id));
    if (const auto kept = contributions_.find(id); kept != contributions_.end()) {
      kept->second.push_back(c);
      return;
    }
    Value& total = cotangents_[id];
    total = total.valid() ? add(total, c) : c;
  }

  // Names the node at which the gradient path from w to y stops; empty if there is no path at all.
  std::string why_unconnected(Value w) const {
    if (w.id() >= size_) return "";
    const std::vector<char> reached = differentiable_dependents({w});
    const std::vector<char> below_y = needed_by(graph_, outputs_);
    for (const MissingCotangent& r : refused_) {
      if (reached[r.input]) {
        return fmt::format(" through differentiable operations\n  the vjp of {} gives no cotangent for {}",
                           graph_.describe(r.node), graph_.describe(r.input));
      }
    }
    for (NodeId id = w.id() + 1; id < size_; ++id) {
      for (std::size_t i = 0; below_y[id] && i < node(id).input_count; ++i) {
        const NodeId input = node(id).inputs[i];
        if (reached[input] && !is_differentiable_edge(id, i)) {
          return fmt::format(" through differentiable operations\n  the gradient path stops at {}: {}",
                             graph_.describe(id), why_no_edge(id, i));
        }
      }
    }
    return "";
  }

  std::string why_no_edge(NodeId id, std::size_t i) const {
    const Node& n = node(id);
    if (n.op->shape_only(static_cast<int>(i))) return fmt::format("it reads only the shape of %{}", n.inputs[i]);
    if (n.op->vjp == nullptr) return n.op->no_gradient;
    if (n.op->traits.segment && i == 0) return "its derivative goes to its other inputs alone";
    return fmt::format("{} has no derivatives", name_of(n.type.dtype));
  }

  Graph& graph_;
  const std::vector<Value>& outputs_;
  NodeId size_ = 0;  // the last output's id, plus 1
  std::vector<char> depends_;
  std::vector<Value> cotangents_;
  std::map<NodeId, std::vector<Value>> contributions_;  // by node; only for nodes whose contributions are not added
  std::map<NodeId, std::vector<Vjp>> joint_uses_;       // by input 0: visited nodes with a joint vjp, last node first
  std::vector<MissingCotangent> refused_;               // vjps that returned no cotangent for an operand
};

void check_arguments(const Graph& graph, Value y, const std::vector<Value>& wrt, Value cotangent) {
  const auto require_floating = [](Value v, const char* what) {
    if (is_floating(v.dtype())) return;
    throw GradientError(fmt::format("gradients: {} must be f32 or f64: {}", what, v.describe()));
  };
  graph.require(y, "gradients: y");
  require_floating(y, "y");
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    graph.require(wrt[i], fmt::format("gradients: wrt {}", i));
    require_floating(wrt[i], "wrt");
  }
  if (cotangent.valid()) {
    graph.require(cotangent, "gradients: cotangent");
    if (cotangent.type() != y.type()) {
      throw GradientError(fmt::format("gradients: the cotangent must have the type of y\n  y: {}\n  cotangent: {}",
                                      y.describe(), cotangent.describe()));
    }
  } else if (y.shape().rank() != 0) {
    throw GradientError(fmt::format(
        "gradients: y must be a scalar or come with a cotangent: {}\n  hint: gradients(sum(y), ...) weighs all "
        "elements by 1",
        y.describe()));
  }
}

std::vector<Value> run_reverse_pass(Graph& graph, const std::vector<Value>& outputs,
                                    const std::vector<Value>& cotangents, const std::vector<Value>& wrt,
                                    Unconnected unconnected) {
  GraphTransaction transaction(graph);
  ReversePass pass(graph, outputs, wrt);
  const auto guard = graph.role(Role::backward, outputs[0]);
  pass.run(cotangents);
  std::vector<Value> out;
  for (const Value w : wrt) {
    Value c = pass.cotangent(w);
    if (!c.valid() && unconnected == Unconnected::error) pass.fail_unconnected(w);
    out.push_back(c.valid() || unconnected == Unconnected::empty ? c : zeros_like(w));
  }
  transaction.commit();
  return out;
}

}  // namespace

std::vector<Value> pullback(const std::vector<Value>& outputs, const std::vector<Value>& cotangents,
                            const std::vector<Value>& wrt, Unconnected unconnected) {
  Graph& graph = outputs[0].graph();
  return with_memory([&] { return run_reverse_pass(graph, outputs, cotangents, wrt, unconnected); },
                     [&] { return fmt::format("gradients: out of memory in a graph of {} nodes", graph.size()); });
}

std::vector<std::vector<Value>> pullback_contributions(Value output, Value cotangent, const std::vector<Value>& wrt) {
  Graph& graph = output.graph();
  const std::vector<Value> outputs{output};
  ReversePass pass(graph, outputs, wrt, true);
  const auto guard = graph.role(Role::backward, output);
  pass.run({cotangent});
  std::vector<std::vector<Value>> out;
  for (const Value w : wrt) out.push_back(pass.contributions(w));
  return out;
}

std::vector<Value> gradients(Operand y, const std::vector<Value>& wrt, const GradientOptions& options) {
  const SourceLocationScope line(y, nullptr);
  if (!y.valid()) throw GraphError("gradients: y is an empty Value");
  Graph& graph = y.graph();
  check_arguments(graph, y, wrt, options.cotangent);
  GraphTransaction transaction(graph);
  const auto guard = graph.role(Role::backward, y);
  const Value cotangent = options.cotangent.valid() ? options.cotangent : graph.constant(1.0, y.dtype());
  std::vector<Value> out = pullback({y}, {cotangent}, wrt, options.unconnected);
  transaction.commit();
  return out;
}

Value gradients(Operand y, Operand wrt, const GradientOptions& options) {
  return gradients(y, std::vector<Value>{wrt}, options)[0];
}

std::vector<Value> gradients(Operand y, const std::vector<Parameter>& wrt, const GradientOptions& options) {
  const SourceLocationScope line(y, nullptr);
  if (!y.valid()) throw GraphError("gradients: y is an empty Value");
  GraphTransaction transaction(y.graph());
  std::vector<Value> nodes;
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    if (!wrt[i].valid()) throw GraphError(fmt::format("gradients: wrt {} is an empty Parameter", i));
    nodes.push_back(y.graph().parameter(wrt[i]));
  }
  std::vector<Value> out = gradients(y, nodes, options);
  transaction.commit();
  return out;
}

Value gradients(Operand y, const Parameter& wrt, const GradientOptions& options) {
  return gradients(y, std::vector<Parameter>{wrt}, options)[0];
}

}  // namespace xgrad::inline v0
