// The operations: what users compute with.
//
//   Value y = sum(relu(matmul(x, w) + b), {0});
//
// Binary operations broadcast as NumPy does: shapes are aligned at the last axis and extents of 1 stretch. Operands of
// one operation have one dtype; plain numbers take the dtype of the Value beside them. Axes may be negative, counting
// from the back; an empty list of axes means all. Everything here appends nodes and computes nothing.
#pragma once

#include <xgrad/ops/activations.hpp>
#include <xgrad/ops/apply.hpp>
#include <xgrad/ops/constants.hpp>
#include <xgrad/ops/elementwise.hpp>
#include <xgrad/ops/linear_algebra.hpp>
#include <xgrad/ops/losses.hpp>
#include <xgrad/ops/parts.hpp>
#include <xgrad/ops/random.hpp>
#include <xgrad/ops/reductions.hpp>
#include <xgrad/ops/shapes.hpp>
#include <xgrad/ops/sort.hpp>
#include <xgrad/ops/windows.hpp>

namespace xgrad::inline v0 {

// After a run, the parameter behind `parameter` takes `value`, cast-free: the types must be equal.
Update assign(Operand parameter, Operand value);

}  // namespace xgrad::inline v0
