// Functions made of operations: they have no kernel and no backward rule of their own.
#include <limits>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/registry.hpp>

namespace xgrad {

Value zeros_like(Value x) { return broadcast_like(number_like(x, 0), x); }
Value ones_like(Value x) { return broadcast_like(number_like(x, 1), x); }

Value clamp(Value x, double low, double high) {
  if (!(low <= high))
    throw UserError(fmt::format("clamp: the bounds {} and {} are not in order\n  {}", low, high, x.describe()));
  // Not max(min()): at a bound these would share the derivative with the constant.
  return where(x < low, low, where(x > high, high, x));
}

Value mean(Value x, const Axes& axes, bool keepdims) {
  if (!is_floating(x.dtype())) throw DTypeError(fmt::format("mean: floating numbers are needed\n  {}", x.describe()));
  return sum(x, axes, keepdims) / count(x, axes);
}

Value variance(Value x, const Axes& axes, bool keepdims, int correction) {
  const Value distance = x - mean(x, axes, true);
  const Value total = sum(square(distance), axes, keepdims);
  const Value n = count(x, axes);
  return total / (correction == 0 ? n : n - correction);
}

Value logsumexp(Value x, const Axes& axes, bool keepdims) {
  // The largest is taken out before exp, so that nothing overflows. It is a mere number to the derivative: whatever is
  // taken out is put back. Where it is infinite it must not be taken out, or inf - inf would make NaN.
  const Value largest = stop_gradient(max(x, axes, true));
  const Value finite = where(equal(abs(largest), std::numeric_limits<double>::infinity()), 0, largest);
  const Value total = sum(exp(x - finite), axes, keepdims);
  return log(total) + (keepdims ? finite : reshape_like(finite, total));
}

namespace {

void require_axes(const char* name, Value x) {
  if (!is_floating(x.dtype()))
    throw DTypeError(fmt::format("{}: floating numbers are needed\n  {}", name, x.describe()));
  if (x.shape().rank() == 0) throw ShapeError(fmt::format("{}: a scalar has no axis\n  {}", name, x.describe()));
}

}  // namespace

Value softmax(Value x, Index axis) {
  require_axes("softmax", x);
  const Value shifted = exp(x - stop_gradient(max(x, {axis}, true)));
  // The node says which numbers the probabilities were made of, so that a loss can take these instead.
  return apply("probabilities", {shifted / sum(shifted, {axis}, true), x},
               {{"axis", Index{axis_index(axis, x.shape().rank(), "softmax")}}});
}

Value log_softmax(Value x, Index axis) {
  require_axes("log_softmax", x);
  const Value shifted = x - stop_gradient(max(x, {axis}, true));
  return shifted - log(sum(exp(shifted), {axis}, true));
}

Update assign(Value parameter, Value value) {
  if (parameter.node().op->traits.leaf != Leaf::parameter) {
    throw GraphError(fmt::format("assign: only parameters take new values\n  {}", parameter.describe()));
  }
  parameter.graph().require(value, "assign");
  if (parameter.type() != value.type()) {
    throw ShapeError(fmt::format("assign: the new value has another type\n  parameter: {}\n  value: {}",
                                 parameter.describe(), value.describe()));
  }
  return {parameter.graph().parameter_of(parameter.id()), value};
}

}  // namespace xgrad
