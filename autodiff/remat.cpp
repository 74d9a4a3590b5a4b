#include <xgrad/autodiff/remat.hpp>

#include <limits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <xgrad/autodiff/pullback.hpp>
#include <xgrad/autodiff/views.hpp>
#include <xgrad/graph/error.hpp>

namespace xgrad {
namespace {

// Note [Recomputation]. A segment ends in a node `remat`, a view of its result that also names what the segment reads
// from outside. The vjp of that node makes the segment's nodes again on top of `again` nodes, which are views of the
// same outside values, and differentiates this copy. Since the copy stands on other nodes than the original, the two
// are never merged. Since it is appended after the nodes of the cotangent, a plan, which keeps to the order of the tape
// wherever nothing else speaks, computes it when the backward pass has come this far, and the original's values are
// long gone.
const OpDef& again_op() {
  static const OpDef op = [] {
    OpDef def = view_op("again",
                        "The first input under another name, so that what is computed from it is computed again, after "
                        "the second, of which only the shape matters.");
    def.min_inputs = def.max_inputs = 2;
    def.traits.shape_only = 2;
    def.vjp = [](const Vjp& r) -> Cotangents { return {r.cotangent(), Value{}}; };
    return def;
  }();
  return op;
}

// Which nodes up to `result` lie behind the outside values, that is, belong to the segment.
std::vector<char> segment_of(const Graph& graph, NodeId result, const std::vector<char>& outside) {
  std::vector<char> inside(result + 1, 0);
  inside[result] = 1;
  for (NodeId id = result + 1; id-- > 0;) {
    if (inside[id] == 0) continue;
    for (const NodeId i : graph.inputs(id)) {
      if (outside[i] == 0) inside[i] = 1;
    }
  }
  return inside;
}

Cotangents differentiate_again(const Vjp& r) {
  Graph& graph = r.output().graph();
  const NodeId result = r.input(0).id();
  std::vector<char> outside(result + 1, 0);
  std::unordered_map<NodeId, Value> copies;
  std::vector<Value> entrances;
  std::vector<std::size_t> at;  // which input an entrance that can be differentiated by stands for
  for (int i = 1; i < r.count(); ++i) {
    const Value from = r.input(i);
    const Value entrance = graph.apply(again_op(), {from, r.cotangent()});
    outside[from.id()] = 1;
    copies[from.id()] = entrance;
    if (!is_floating(from.dtype())) continue;
    entrances.push_back(entrance);
    at.push_back(static_cast<std::size_t>(i));
  }
  const std::vector<char> inside = segment_of(graph, result, outside);
  for (NodeId id = 0; id <= result; ++id) {
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
    if (inputs.empty()) attrs.set("again", Index{r.output().id()});
    const auto guard = graph.role(Role::backward, original);
    copies[id] = graph.apply(*original.node().op, inputs, std::move(attrs));
  }
  std::vector<Value> out(static_cast<std::size_t>(r.count()));
  const auto given = pullback({copies.at(result)}, {r.cotangent()}, entrances, Missing::empty);
  for (std::size_t k = 0; k < given.size(); ++k) out[at[k]] = given[k];
  return Cotangents(std::move(out));
}

const OpDef& remat_op() {
  static const OpDef op = [] {
    OpDef def = view_op("remat", "The first input, which the backward pass computes again from the others.");
    def.max_inputs = std::numeric_limits<int>::max();
    def.traits.segment = true;
    def.vjp = differentiate_again;
    return def;
  }();
  return op;
}

// The segment's result y, whose nodes are those from `mark` on.
Value marked(Graph& graph, Value y, NodeId mark) {
  std::vector<Value> operands{y};
  std::vector<char> reached(y.id() + 1, 0);
  reached[y.id()] = 1;
  for (NodeId id = y.id() + 1; id-- > 0;) {
    const Leaf leaf = graph.node(id).op->traits.leaf;
    if (reached[id] == 0 || leaf == Leaf::constant) continue;
    if (id < mark || leaf != Leaf::none) {
      operands.push_back(graph.value(id));
      continue;
    }
    for (const NodeId i : graph.inputs(id)) reached[i] = 1;
  }
  const bool nothing_to_save = operands.size() == 1 || operands[1] == y;
  return nothing_to_save ? y : graph.apply(remat_op(), operands);
}

// The same for a segment all of whose nodes existed: it may be the same segment again.
Value marked_before(Graph& graph, Value y) {
  for (NodeId id = y.id() + 1; id < graph.size(); ++id) {
    if (graph.node(id).op == &remat_op() && graph.inputs(id)[0] == y.id()) return graph.value(id);
  }
  return y;
}

}  // namespace

Value remat(Value x, const std::function<Value(Value)>& segment) {
  if (!x.valid()) throw GraphError("remat: x is an empty Value");
  if (!segment) throw GraphError("remat: the function is empty");
  Graph& graph = x.graph();
  const NodeId mark = graph.mark();
  Attempt attempt(graph);
  const Value y = segment(x);
  graph.require(y, "remat: what the function gives");
  const Value out = y.id() < mark ? marked_before(graph, y) : marked(graph, y, mark);
  attempt.keep();
  return out;
}

}  // namespace xgrad
