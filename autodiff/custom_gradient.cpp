#include <xgrad/autodiff/custom_gradient.hpp>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include <xgrad/autodiff/internal/pullback.hpp>
#include <xgrad/autodiff/internal/views.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/immortal.hpp>
#include <xgrad/graph/base/internal/list_text.hpp>
#include <xgrad/graph/walk.hpp>

namespace xgrad::inline v0 {
namespace {

struct BackwardRule {
  std::string name;
  BackwardFn backward;
};

[[noreturn]] void fail(const BackwardRule& rule, const std::string& what, const std::vector<Value>& inputs) {
  const auto operand = [&](std::size_t i) { return fmt::format("\n  input {}: {}", i, inputs[i].describe()); };
  throw GradientError(
      fmt::format("custom_gradient {:?}: {}{}", rule.name, what, list_text(inputs.size(), "", operand)));
}

Cotangents call_backward(const Vjp& r) {
  const BackwardRule& rule = *static_cast<const BackwardRule*>(r.attrs().opaque("rule").object.get());
  std::vector<Value> inputs;
  for (int i = 1; i < r.count(); ++i) inputs.push_back(r.input(i));
  std::vector<Value> given = rule.backward(inputs, r.output(), r.cotangent());
  if (given.size() != inputs.size()) {
    fail(rule, fmt::format("backward returns {} cotangents for {} inputs", given.size(), inputs.size()), inputs);
  }
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (!given[i].valid()) continue;
    r.output().graph().require(given[i], fmt::format("custom_gradient {:?}: the cotangent of input {}", rule.name, i));
    const TensorType& wanted = inputs[i].type();
    if (!is_floating(wanted.dtype)) {
      fail(rule,
           fmt::format("the cotangent of input {} must be empty, since the input is {}", i, name_of(wanted.dtype)),
           inputs);
    }
    const bool fits = given[i].dtype() == wanted.dtype && broadcast(wanted.shape, given[i].shape()) == given[i].shape();
    if (!fits) {
      fail(rule,
           fmt::format("the cotangent of input {} is {}, but the input is {}", i, given[i].type().str(), wanted.str()),
           inputs);
    }
  }
  given.insert(given.begin(), Value{});  // input 0, the forward result, gets none
  return Cotangents(std::move(given));
}

// Input 0 is the forward result; the other inputs get the cotangents.
const OpDef& custom_gradient_op() {
  static const Immortal<OpDef> op([] {
    OpDef def = view_op("custom_gradient", "The first input, with a derivative that the user defines.");
    def.max_inputs = std::numeric_limits<int>::max();
    def.traits.segment = true;
    def.vjp = call_backward;
    return def;
  }());
  return *op;
}

// Throws unless every differentiable path to the result goes through the inputs.
void require_closed(const Graph& graph, const std::string& name, Value result, const std::vector<Value>& inputs) {
  const auto is_input = [&](NodeId id) {
    return std::any_of(inputs.begin(), inputs.end(), [&](Value v) { return v.id() == id; });
  };
  const std::vector<char> reached = needed_by(graph, {result}, [&](NodeId id, std::size_t i) {
    const OpDef& op = *graph.node(id).op;
    return op.vjp != nullptr && !op.shape_only(static_cast<int>(i)) && !is_input(id);
  });
  for (NodeId id = result.id() + 1; id-- > 0;) {
    if (reached[id] == 0 || is_input(id)) continue;
    const Node& node = graph.node(id);
    const Leaf leaf = node.op->traits.leaf;
    if ((leaf == Leaf::input || leaf == Leaf::parameter) && is_floating(node.type.dtype)) {
      throw GraphError(
          fmt::format("custom_gradient {:?}: forward uses {}, which is not among its inputs, so no derivative would "
                      "reach it\n  hint: give it as an input, or use stop_gradient of it",
                      name, graph.describe(id)));
    }
  }
}

}  // namespace

Value custom_gradient(const std::string& name, const std::vector<Value>& inputs, const ForwardFn& forward,
                      BackwardFn backward, SourceLocation at) {
  const SourceLocationScope line = SourceLocationScope::otherwise(at, inputs.empty() ? Value() : inputs[0]);
  const std::string where = fmt::format("custom_gradient {:?}", name);
  if (!forward || !backward) throw GraphError(where + ": forward or backward is empty");
  if (inputs.empty()) throw GraphError(where + ": inputs is empty");
  if (!inputs[0].valid()) throw GraphError(where + ": input 0 is an empty Value");
  Graph& graph = inputs[0].graph();
  for (std::size_t i = 0; i < inputs.size(); ++i) graph.require(inputs[i], fmt::format("{}: input {}", where, i));
  GraphTransaction transaction(graph);
  const Value result = forward(inputs);
  graph.require(result, where + ": the result of forward");
  require_closed(graph, name, result, inputs);
  std::vector<Value> operands{result};
  operands.insert(operands.end(), inputs.begin(), inputs.end());
  const Opaque rule{name, std::make_shared<const BackwardRule>(BackwardRule{name, std::move(backward)})};
  const Value out = graph.apply(custom_gradient_op(), operands, {{"rule", rule}});
  transaction.commit();
  return out;
}

}  // namespace xgrad::inline v0
