#include <xgrad/autodiff/remat.hpp>

#include <limits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <xgrad/autodiff/internal/pullback.hpp>
#include <xgrad/autodiff/internal/views.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/immortal.hpp>
#include <xgrad/graph/walk.hpp>

namespace xgrad::inline v0 {
namespace {

// Note [Recomputation]. A segment ends in a node `remat`, a view of its result that also names what the segment reads
// from outside. The vjp of that node makes the segment's nodes again on top of `again` nodes, which are views of the
// same outside values, and differentiates this copy. Since the copy stands on other nodes than the original, the two
// are never merged. Since it is appended after the nodes of the cotangent, a plan, which keeps to the order of the tape
// wherever nothing else speaks, computes it when the backward pass has come this far, and the original's values are
// long gone.
const OpDef& again_op() {
  static const Immortal<OpDef> op([] {
    OpDef def = view_op("again",
                        "The first input under another name, so that what is computed from it is computed again, after "
                        "the second, of which only the shape matters.");
    def.min_inputs = def.max_inputs = 2;
    def.traits.shape_only = 2;
    def.vjp = [](const Vjp& r) -> Cotangents { return {r.cotangent(), Value{}}; };
    return def;
  }());
  return *op;
}

// Makes the nodes of the segment again on other outside values.
void copy_segment(Graph& graph, Value end, std::unordered_map<NodeId, Value>& copies) {
  const Value result = graph.value(graph.inputs(end.id())[0]);
  const std::vector<char> inside =
      needed_by(graph, {result}, [&](NodeId id, std::size_t i) { return !copies.contains(graph.inputs(id)[i]); });
  for (NodeId id = 0; id <= result.id(); ++id) {
    if (inside[id] == 0) continue;
    const Value original = graph.value(id);
    if (original.node().op->traits.leaf != Leaf::none) {
      copies[id] = original;  // a constant: it takes no memory of a run
      continue;
    }
    std::vector<Value> inputs;
    for (const NodeId i : graph.inputs(id)) inputs.push_back(copies.at(i));
    Attrs attrs = graph.attrs(id);
    // Nothing else would tell a copy without inputs, such as random numbers, from the original.
    if (inputs.empty()) attrs.set("again", Index{end.id()});
    const auto guard = graph.role(Role::backward, original);
    copies[id] = graph.apply(*original.node().op, inputs, std::move(attrs));
  }
}

Cotangents differentiate_again(const Vjp& r) {
  Graph& graph = r.output().graph();
  std::unordered_map<NodeId, Value> copies;
  std::vector<Value> entrances;  // those a derivative can be taken by
  std::unordered_map<NodeId, std::size_t> entrance_of;
  for (int i = 1; i < r.count(); ++i) {
    const Value from = r.input(i);
    if (copies.contains(from.id())) continue;
    copies[from.id()] = graph.apply(again_op(), {from, r.cotangent()}, {{"of", Index{r.output().id()}}});
    if (!is_floating(from.dtype())) continue;
    entrance_of[from.id()] = entrances.size();
    entrances.push_back(copies[from.id()]);
  }
  copy_segment(graph, r.output(), copies);
  const auto given = pullback_contributions(copies.at(r.input(0).id()), r.cotangent(), entrances);
  std::vector<std::size_t> used(entrances.size(), 0);
  std::vector<Value> out{Value{}};
  for (int i = 1; i < r.count(); ++i) {
    const auto at = entrance_of.find(r.input(i).id());
    const bool any_left = at != entrance_of.end() && used[at->second] < given[at->second].size();
    out.push_back(any_left ? given[at->second][used[at->second]++] : Value{});
  }
  return Cotangents(std::move(out));
}

const OpDef& remat_op() {
  static const Immortal<OpDef> op([] {
    OpDef def = view_op("remat", "The first input, which the backward pass computes again from the others.");
    def.max_inputs = std::numeric_limits<int>::max();
    def.traits.segment = true;
    def.vjp = differentiate_again;
    return def;
  }());
  return *op;
}

// The segment's result y, whose nodes are those from `mark` on. An outside value is named once for each use of it, in
// the order in which a sweep meets the uses.
Value marked(Graph& graph, Value y, NodeId mark) {
  const auto is_outside = [&](NodeId id) { return id < mark || graph.node(id).op->traits.leaf != Leaf::none; };
  if (is_outside(y.id())) return y;
  std::vector<Value> operands{y};
  std::vector<char> inside(y.id() + 1, 0);
  inside[y.id()] = 1;
  for (NodeId id = y.id() + 1; id-- > mark;) {
    if (inside[id] == 0) continue;
    for (const NodeId i : graph.inputs(id)) {
      if (!is_outside(i))
        inside[i] = 1;
      else if (graph.node(i).op->traits.leaf != Leaf::constant)
        operands.push_back(graph.value(i));
    }
  }
  return operands.size() == 1 ? y : graph.apply(remat_op(), operands);
}

// The same for a segment all of whose nodes existed: it may be the same segment again.
Value marked_before(Graph& graph, Value y) {
  for (NodeId id = y.id() + 1; id < graph.size(); ++id) {
    if (graph.node(id).op == &remat_op() && graph.inputs(id)[0] == y.id()) return graph.value(id);
  }
  return y;
}

}  // namespace

Value remat(Operand x, const std::function<Value(Value)>& segment) {
  const SourceLocationScope line = SourceLocationScope::otherwise(x.line(), x);
  if (!x.valid()) throw GraphError("remat: x is an empty Value");
  if (!segment) throw GraphError("remat: the function is empty");
  Graph& graph = x.graph();
  const NodeId mark = graph.mark();
  GraphTransaction transaction(graph);
  const Value y = segment(x);
  graph.require(y, "remat: what the function gives");
  const Value out = y.id() < mark ? marked_before(graph, y) : marked(graph, y, mark);
  transaction.commit();
  return out;
}

}  // namespace xgrad::inline v0
