// gradients: derivatives as nodes of the same graph.
//
//   Value dy = gradients(y, x);              // has the shape of x
//   Value d2 = gradients(sum(dy), x);        // derivatives have derivatives, to any order
//
// One reverse pass over the tape applies each operation's vjp and adds the contributions to each node. Cotangents of
// broadcast operands are summed back to the operand's shape in this pass only.
#pragma once

#include <initializer_list>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// The derivative with respect to a value from which there is no gradient path to y.
enum class Unconnected {
  error,  // throws GradientError, which names both values
  zeros,  // zeros of the value's shape
  empty,  // an empty Value
};

// Options of `gradients`.
struct GradientOptions {
  Value cotangent{};  // cotangent of y, of y's type; ones if empty, which needs a scalar y
  Unconnected unconnected = Unconnected::error;
};

// Returns the derivative of the scalar y (or of the sum of cotangent * y) with respect to each value of `wrt`, of the
// value's shape. Throws GradientError if y is not a scalar and no cotangent is given, if a value is not f32 or f64, or
// if there is no gradient path from a value of `wrt` to y.
std::vector<Value> gradients(Operand y, const std::vector<Value>& wrt, const GradientOptions& options = {});
// The derivative with respect to one value.
Value gradients(Operand y, Operand wrt, const GradientOptions& options = {});
// The derivative with respect to parameters, as optimizers take it.
std::vector<Value> gradients(Operand y, const std::vector<Parameter>& wrt, const GradientOptions& options = {});
// The derivative with respect to one parameter.
Value gradients(Operand y, const Parameter& wrt, const GradientOptions& options = {});
// Braces are always a list, even around one value: gradients(y, {x}) has one element.
inline std::vector<Value> gradients(Operand y, std::initializer_list<Value> wrt, const GradientOptions& options = {}) {
  return gradients(y, std::vector<Value>(wrt), options);
}
// The same for parameters.
inline std::vector<Value> gradients(Operand y, std::initializer_list<Parameter> wrt,
                                    const GradientOptions& options = {}) {
  return gradients(y, std::vector<Parameter>(wrt), options);
}

}  // namespace xgrad::inline v0
