// What one asks of a derivative besides gradients: products with the Jacobian from either side, the Jacobian, the
// Hessian and products with it. Everything is graph, so everything has derivatives again.
//
//   Value row = vjp(y, x, cotangent);     // J^T cotangent, of the shape of x
//   Value column = jvp(y, x, tangent);    // J tangent, of the shape of y
//   Value j = jacobian(y, x);             // of the shape of y, then that of x
//   Value h = hessian(loss, w);           // of the shape of w, twice
//   Value hv = hvp(loss, w, v);           // H v, without H
//
// What an output does not depend on is an error, as in `gradients`, unless Unconnected::zeros is given. All throw
// GradientError for dtypes that have no derivative, ShapeError or GradientError for operands that do not fit each
// other, and leave the graph as it was. Braces are always a list, also around one value.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include <xgrad/autodiff/gradients.hpp>

namespace xgrad::inline v0 {

// The cotangents of `wrt` from those of the outputs, one each and of their types: the sum over all outputs of J^T c.
std::vector<Value> vjp(const std::vector<Value>& outputs, const std::vector<Value>& wrt,
                       const std::vector<Value>& cotangents, Unconnected unconnected = Unconnected::error,
                       SourceLocation at = SourceLocation::here());
Value vjp(Operand y, Operand wrt, Operand cotangent, Unconnected unconnected = Unconnected::error);
inline std::vector<Value> vjp(std::initializer_list<Value> outputs, std::initializer_list<Value> wrt,
                              std::initializer_list<Value> cotangents, Unconnected unconnected = Unconnected::error,
                              SourceLocation at = SourceLocation::here()) {
  return vjp(std::vector<Value>(outputs), std::vector<Value>(wrt), std::vector<Value>(cotangents), unconnected, at);
}

// The tangents of the outputs from those of `wrt`, one each and of their types: the sum over all of J t.
//
// No operation has a rule for this direction. J^T c is linear in c, and the vjp of a linear function is its transpose:
// so the vjp of the vjp, by its cotangent, is J t at any c whatever (J. Townsend, "A new trick for calculating Jacobian
// vector products", 2017). The c that stands in between is never computed, nor is the first vjp, as a plan drops what
// nobody needs. Throws GradientError if a rule is not linear in its cotangent.
std::vector<Value> jvp(const std::vector<Value>& outputs, const std::vector<Value>& wrt,
                       const std::vector<Value>& tangents, Unconnected unconnected = Unconnected::error,
                       SourceLocation at = SourceLocation::here());
Value jvp(Operand y, Operand wrt, Operand tangent, Unconnected unconnected = Unconnected::error);
inline std::vector<Value> jvp(std::initializer_list<Value> outputs, std::initializer_list<Value> wrt,
                              std::initializer_list<Value> tangents, Unconnected unconnected = Unconnected::error,
                              SourceLocation at = SourceLocation::here()) {
  return jvp(std::vector<Value>(outputs), std::vector<Value>(wrt), std::vector<Value>(tangents), unconnected, at);
}

// How the rows of a Jacobian are computed.
enum class Rows {
  automatic,   // at once if every operation on the way can do that, otherwise one by one
  at_once,     // or throw GradientError, naming the node that cannot
  one_by_one,  // a backward pass for each: needs no batch rule, and less memory
};

enum class Direction {
  automatic,  // the one that has fewer rows
  reverse,    // a row for each element of y
  forward,    // a row for each element of wrt, by jvp
};

struct JacobianOptions {
  Rows rows = Rows::automatic;
  Direction direction = Direction::automatic;
  Unconnected unconnected = Unconnected::error;
};

// All derivatives of the elements of y by those of `wrt`: of the shape of y followed by that of `wrt`, which together
// may have Shape::max_rank axes. The number of rows becomes part of the graph: a plan for other shapes needs another
// graph.
Value jacobian(Operand y, Operand wrt, const JacobianOptions& options = {});
std::vector<Value> jacobian(Operand y, const std::vector<Value>& wrt, const JacobianOptions& options = {});
inline std::vector<Value> jacobian(Operand y, std::initializer_list<Value> wrt, const JacobianOptions& options = {}) {
  return jacobian(y, std::vector<Value>(wrt), options);
}
// Why Rows::automatic would compute the rows one by one; empty if it would compute them at once.
std::string batching_obstacle(Operand y, Operand wrt, const JacobianOptions& options = {});

// The Jacobian of the gradient of the scalar y: of the shape of `wrt`, twice. Where the gradient does not depend on
// `wrt` it is zero. For several values, block [i][j] is of the shape of wrt[i] followed by that of wrt[j].
Value hessian(Operand y, Operand wrt, const JacobianOptions& options = {});
std::vector<std::vector<Value>> hessian(Operand y, const std::vector<Value>& wrt, const JacobianOptions& options = {});
inline std::vector<std::vector<Value>> hessian(Operand y, std::initializer_list<Value> wrt,
                                               const JacobianOptions& options = {}) {
  return hessian(y, std::vector<Value>(wrt), options);
}

// The Hessian of the scalar y times the tangents, for the cost of two backward passes. It takes the Hessian as
// symmetric, as it is wherever second derivatives are continuous, and computes tangent^T H.
std::vector<Value> hvp(Operand y, const std::vector<Value>& wrt, const std::vector<Value>& tangents);
Value hvp(Operand y, Operand wrt, Operand tangent);
inline std::vector<Value> hvp(Operand y, std::initializer_list<Value> wrt, std::initializer_list<Value> tangents) {
  return hvp(y, std::vector<Value>(wrt), std::vector<Value>(tangents));
}

}  // namespace xgrad::inline v0
