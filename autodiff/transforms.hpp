// Derivatives besides gradients: vjp, jvp, Jacobian, Hessian and Hessian-vector product. All are nodes of the graph, so
// all have derivatives.
//
//   Value row = vjp(y, x, cotangent);     // J^T cotangent, of the shape of x
//   Value column = jvp(y, x, tangent);    // J tangent, of the shape of y
//   Value j = jacobian(y, x);             // of the shape of y, then that of x
//   Value h = hessian(loss, w);           // of the shape of w, twice
//   Value hv = hvp(loss, w, v);           // H v, without H
//
// An output that does not depend on `wrt` is an error, as in `gradients`, unless Unconnected::zeros is given. All throw
// GradientError for dtypes without derivatives and ShapeError or GradientError for mismatched operands, and then leave
// the graph unchanged. Braces are always a list, even around one value.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include <xgrad/autodiff/gradients.hpp>

namespace xgrad::inline v0 {

// Vector-Jacobian product. Takes one cotangent per output, of the output's type. Returns one cotangent per value of
// `wrt`: the sum of J^T c over all outputs.
std::vector<Value> vjp(const std::vector<Value>& outputs, const std::vector<Value>& wrt,
                       const std::vector<Value>& cotangents, Unconnected unconnected = Unconnected::error,
                       SourceLocation at = SourceLocation::here());
// The same for one output and one value.
Value vjp(Operand y, Operand wrt, Operand cotangent, Unconnected unconnected = Unconnected::error);
// The same for lists in braces.
inline std::vector<Value> vjp(std::initializer_list<Value> outputs, std::initializer_list<Value> wrt,
                              std::initializer_list<Value> cotangents, Unconnected unconnected = Unconnected::error,
                              SourceLocation at = SourceLocation::here()) {
  return vjp(std::vector<Value>(outputs), std::vector<Value>(wrt), std::vector<Value>(cotangents), unconnected, at);
}

// Jacobian-vector product. Takes one tangent per value of `wrt`, of the value's type. Returns one tangent per output:
// the sum of J t over `wrt`.
//
// Operations have no jvp rule. J^T c is linear in c, and the vjp of a linear function is its transpose, so the vjp of
// the vjp with respect to c is J t, for any c (J. Townsend, "A new trick for calculating Jacobian vector products",
// 2017). A plan prunes the placeholder c and the first vjp. Throws GradientError if a vjp is not linear in its
// cotangent.
std::vector<Value> jvp(const std::vector<Value>& outputs, const std::vector<Value>& wrt,
                       const std::vector<Value>& tangents, Unconnected unconnected = Unconnected::error,
                       SourceLocation at = SourceLocation::here());
// The same for one output and one value.
Value jvp(Operand y, Operand wrt, Operand tangent, Unconnected unconnected = Unconnected::error);
// The same for lists in braces.
inline std::vector<Value> jvp(std::initializer_list<Value> outputs, std::initializer_list<Value> wrt,
                              std::initializer_list<Value> tangents, Unconnected unconnected = Unconnected::error,
                              SourceLocation at = SourceLocation::here()) {
  return jvp(std::vector<Value>(outputs), std::vector<Value>(wrt), std::vector<Value>(tangents), unconnected, at);
}

// How to compute the rows of a Jacobian.
enum class Rows {
  automatic,   // at_once if every operation on the path can be batched, otherwise one_by_one
  at_once,     // one batched pass; throws GradientError, naming the node that cannot be batched
  one_by_one,  // one backward pass per row: needs no batch rule, and less memory
};

// Whether a Jacobian is computed by rows or by columns.
enum class Direction {
  automatic,  // the direction with fewer rows
  reverse,    // one row per element of y
  forward,    // one row per element of wrt, by jvp
};

// Options of `jacobian` and `hessian`.
struct JacobianOptions {
  Rows rows = Rows::automatic;
  Direction direction = Direction::automatic;
  Unconnected unconnected = Unconnected::error;
};

// The derivatives of all elements of y with respect to all elements of `wrt`. The result has the shape of y followed by
// that of `wrt`, at most Shape::max_rank axes together. The number of rows is part of the graph: plans with other
// shapes need another graph.
Value jacobian(Operand y, Operand wrt, const JacobianOptions& options = {});
// One Jacobian per value of wrt.
std::vector<Value> jacobian(Operand y, const std::vector<Value>& wrt, const JacobianOptions& options = {});
// The same for a list in braces.
inline std::vector<Value> jacobian(Operand y, std::initializer_list<Value> wrt, const JacobianOptions& options = {}) {
  return jacobian(y, std::vector<Value>(wrt), options);
}
// The reason why Rows::automatic would compute the rows one by one; empty if it would compute them at once.
std::string batching_obstacle(Operand y, Operand wrt, const JacobianOptions& options = {});

// The Jacobian of the gradient of the scalar y. The result has the shape of `wrt` followed by the same shape. It is
// zero where the gradient does not depend on `wrt`.
Value hessian(Operand y, Operand wrt, const JacobianOptions& options = {});
// The Hessian by blocks: element [i][j] of the result has the shape of wrt[i] followed by that of wrt[j].
std::vector<std::vector<Value>> hessian(Operand y, const std::vector<Value>& wrt, const JacobianOptions& options = {});
// The same for a list in braces.
inline std::vector<std::vector<Value>> hessian(Operand y, std::initializer_list<Value> wrt,
                                               const JacobianOptions& options = {}) {
  return hessian(y, std::vector<Value>(wrt), options);
}

// Product of the Hessian of the scalar y with the tangents, at the cost of two backward passes. Computes tangent^T H,
// which is equal since the Hessian is symmetric wherever second derivatives are continuous.
std::vector<Value> hvp(Operand y, const std::vector<Value>& wrt, const std::vector<Value>& tangents);
// The same for one value.
Value hvp(Operand y, Operand wrt, Operand tangent);
// The same for lists in braces.
inline std::vector<Value> hvp(Operand y, std::initializer_list<Value> wrt, std::initializer_list<Value> tangents) {
  return hvp(y, std::vector<Value>(wrt), std::vector<Value>(tangents));
}

}  // namespace xgrad::inline v0
