// custom_gradient: a function of values with a custom backward pass.
//
//   Value y = custom_gradient(
//       "reversed", {x}, [](const std::vector<Value>& in) { return in[0]; },
//       [](const std::vector<Value>& in, Value y, Value c) { return std::vector<Value>{-c}; });
//
// `forward` is called immediately and appends its nodes; `backward` is called whenever a derivative is requested, and
// appends its nodes. So both are planned, printed and differentiated as usual: a second derivative differentiates the
// nodes of `backward`.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// Returns the output, computed from the inputs.
using ForwardFn = std::function<Value(const std::vector<Value>& inputs)>;
// Returns one cotangent per input, computed from the cotangent of the output. An empty Value means "no gradient"; a
// cotangent's shape may broadcast to that of its input. The function may be called later and on a rebuilt graph, so it
// must not capture Values but use its arguments only.
using BackwardFn = std::function<std::vector<Value>(const std::vector<Value>& inputs, Value output, Value cotangent)>;

// Returns the result of `forward`. `name` appears in messages and printed graphs. Throws GraphError, leaving the graph
// unchanged, if the result depends on an input or parameter that is not among `inputs`, since no gradient would reach
// it. `gradients` throws GradientError if backward returns a wrong number of cotangents or a wrong type.
Value custom_gradient(const std::string& name, const std::vector<Value>& inputs, const ForwardFn& forward,
                      BackwardFn backward, SourceLocation at = SourceLocation::here());

}  // namespace xgrad::inline v0
