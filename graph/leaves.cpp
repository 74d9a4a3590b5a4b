#include <xgrad/graph/leaves.hpp>

#include <xgrad/graph/base/internal/immortal.hpp>
#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/parameter.hpp>

namespace xgrad::inline v0 {
namespace {

OpDef leaf(Leaf role, const char* name, const char* doc, InferFn infer) {
  OpDef op;
  op.name = name;
  op.doc = doc;
  op.min_inputs = 0;
  op.max_inputs = 0;
  op.traits.leaf = role;
  op.infer = infer;
  op.no_gradient = "a leaf";
  return op;
}

TensorType input_type(const Infer& in) {
  return {in.attrs().dtype("dtype"), Shape(std::span<const Index>(in.attrs().ints("shape")))};
}

TensorType parameter_type(const Infer& in) {
  return static_cast<const Parameter*>(in.attrs().opaque("parameter").object.get())->type();
}

TensorType constant_type(const Infer& in) {
  if (in.attrs().has("value")) return {in.attrs().dtype("dtype"), Shape{}};
  return static_cast<const Tensor*>(in.attrs().opaque("tensor").object.get())->type();
}

}  // namespace

const OpDef& input_op() {
  static const Immortal<OpDef> op(leaf(Leaf::input, "input", "A tensor that is fed at each run.", input_type));
  return *op;
}

const OpDef& parameter_op() {
  static const Immortal<OpDef> op(
      leaf(Leaf::parameter, "parameter", "The values of a parameter at the start of a run.", parameter_type));
  return *op;
}

const OpDef& constant_op() {
  static const Immortal<OpDef> op(
      leaf(Leaf::constant, "constant", "A scalar or tensor that is fixed for the life of the graph.", constant_type));
  return *op;
}

std::optional<double> scalar_constant(const Graph& graph, NodeId id) {
  if (graph.node(id).op->traits.leaf != Leaf::constant || !graph.attrs(id).has("value")) return std::nullopt;
  return graph.attrs(id).number("value");
}

}  // namespace xgrad::inline v0
