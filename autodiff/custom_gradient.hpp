// custom_gradient: a function of values with a backward pass of your own in place of the one that follows from it.
//
//   Value y = custom_gradient(
//       "reversed", {x}, [](const std::vector<Value>& in) { return in[0]; },
//       [](const std::vector<Value>& in, Value y, Value c) { return std::vector<Value>{-c}; });
//
// Forward runs here and now and appends its nodes; backward runs whenever a derivative is asked for, and appends the
// nodes of that. So both are planned, printed and differentiated like all else: a second derivative is the derivative
// of what backward computed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

using ForwardFn = std::function<Value(const std::vector<Value>& inputs)>;
// The cotangents of the inputs, one each, from that of the output. An empty Value means "no gradient"; the shape of a
// cotangent may be a broadcast of the input's. It may be called later, and in a graph that was rebuilt: so it makes all
// it needs from its arguments, and captures no Value.
using BackwardFn = std::function<std::vector<Value>(const std::vector<Value>& inputs, Value output, Value cotangent)>;

// What forward gives. `name` stands in messages and printed graphs. Throws GraphError, with the graph as it was, if the
// result depends on an input or parameter that is not among `inputs`, as no derivative would reach it. Backward's
// mistakes, a wrong number of cotangents or a wrong type, are thrown by `gradients` as GradientError.
Value custom_gradient(const std::string& name, const std::vector<Value>& inputs, const ForwardFn& forward,
                      BackwardFn backward, SourceLocation at = SourceLocation::here());

}  // namespace xgrad::inline v0
