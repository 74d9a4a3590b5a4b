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

// Note [Recomputation]. A segment ends in a `remat` node, a view of its result whose other inputs are the segment's
// external inputs. The vjp of `remat` copies the segment and differentiates the copy. The copy reads the external
// inputs through `recompute_input` nodes. These views have two purposes: with other inputs, the copy is not merged with
// the original; and their second input, the cotangent, keeps a plan from computing the copy before the backward pass
// reaches the segment.
const OpDef& recompute_input_op() {
  static const Immortal<OpDef> op([] {
    OpDef def = view_op("recompute_input",
                        "The first input as an input of recomputed nodes, scheduled after the second, of which only "
                        "the shape matters.");
    def.min_inputs = def.max_inputs = 2;
    def.traits.shape_only = 2;
    def.vjp = [](const Vjp& r) -> Cotangents { return {r.cotangent(), Value{}}; };
    return def;
  }());
  return *op;
}

// Copies the nodes of the segment that ends in `end`. `copies` maps its external inputs to those of the copy.
void copy_segment(Graph& graph, Value end, std::unordered_map<NodeId, Value>& copies) {
  const Value result = graph.value(graph.inputs(end.id())[0]);
  const std::vector<char> inside =
      needed_by(graph, {result}, [&](NodeId id, std::size_t i) { return !copies.contains(graph.inputs(id)[i]); });
  for (NodeId id = 0; id <= result.id(); ++id) {
    if (inside[id] == 0) continue;
    const Value original = graph.value(id);
    if (original.node().op->traits.leaf != Leaf::none) {
      copies[id] = original;  // constants are shared
      continue;
    }
    std::vector<Value> inputs;
    for (const NodeId i : graph.inputs(id)) inputs.push_back(copies.at(i));
    Attrs attrs = graph.attrs(id);
    // A copy without inputs, such as random numbers, needs an attribute to differ from the original.
    if (inputs.empty()) attrs.set("recomputed_for", Index{end.id()});
    const auto guard = graph.role(Role::backward, original);
    copies[id] = graph.apply(*original.node().op, inputs, std::move(attrs));
  }
}

Cotangents recompute_and_differentiate(const Vjp& r) {
  Graph& graph = r.output().graph();
  std::unordered_map<NodeId, Value> copies;
  std::vector<Value> entrances;  // external inputs with a derivative
  std::unordered_map<NodeId, std::size_t> entrance_of;
  for (int i = 1; i < r.count(); ++i) {
    const Value from = r.input(i);
    if (copies.contains(from.id())) continue;
    copies[from.id()] = graph.apply(recompute_input_op(), {from, r.cotangent()}, {{"of", Index{r.output().id()}}});
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
    OpDef def = view_op("remat", "The first input, which the backward pass recomputes from the others.");
    def.max_inputs = std::numeric_limits<int>::max();
    def.traits.segment = true;
    def.vjp = recompute_and_differentiate;
    return def;
  }());
  return *op;
}

// Appends the `remat` node of a segment with result y and nodes from `mark` on. An external input is listed once per
// use, in the order in which the reverse pass visits the uses.
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

// Finds the `remat` node of y, which exists if the same segment was called before. Otherwise returns y.
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
  if (!segment) throw GraphError("remat: segment is empty");
  Graph& graph = x.graph();
  const NodeId mark = graph.mark();
  GraphTransaction transaction(graph);
  const Value y = segment(x);
  graph.require(y, "remat: the result of segment");
  const Value out = y.id() < mark ? marked_before(graph, y) : marked(graph, y, mark);
  transaction.commit();
  return out;
}

}  // namespace xgrad::inline v0
