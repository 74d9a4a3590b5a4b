// All operations.
//
//   Value y = sum(relu(matmul(x, w) + b), {0});
//
// Binary operations broadcast as in NumPy. Operands of an operation have the same dtype; a plain number takes the dtype
// of the other operand. Negative axes count from the end; an empty list of axes means all axes. The functions append
// nodes and compute nothing.
#pragma once

#include <xgrad/ops/activations.hpp>
#include <xgrad/ops/apply.hpp>
#include <xgrad/ops/attention.hpp>
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

// Update that sets the parameter to `value` after a run. Throws ShapeError unless dtype and shape are equal, GraphError
// unless `parameter` is a parameter.
Update assign(Operand parameter, Operand value);

}  // namespace xgrad::inline v0
