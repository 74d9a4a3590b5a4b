#include <xgrad/autodiff/saturation.hpp>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// The derivative of an elementwise function of one input; empty for other values.
Value slope_of(Value output) {
  const Node& node = output.node();
  const OpDef& op = *node.op;
  if (!op.traits.elementwise || node.input_count != 1 || op.vjp == nullptr || op.shape_only(0)) return {};
  if (!is_floating(output.dtype()) || !is_floating(output.graph().node(node.inputs[0]).type.dtype)) return {};
  const Cotangents given = op.vjp(Vjp(output, ones_like(output)));
  return given.values().empty() ? Value() : given.values()[0];
}

}  // namespace

Value saturated(Value output) {
  if (!output.valid()) throw GraphError("saturated: the value is empty");
  output.graph().require(output, "saturated");
  const Value slope = slope_of(output);
  // A constant slope may be a scalar.
  return slope.valid() ? broadcast_to(abs(slope) < saturated_slope, output.shape()) : Value();
}

}  // namespace xgrad::inline v0
