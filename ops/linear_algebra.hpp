// Matrix products and diagonals. Matrices are the last two axes; leading axes are batch axes.
#pragma once

#include <string>
#include <vector>

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0 {

// ---- products

// Matrix product of the last two axes, [..., m, k] by [..., k, n] to [..., m, n]; batch axes broadcast. `transpose_a`
// and `transpose_b` swap an operand's last two axes without a copy. As in NumPy, a left vector is a row and a right
// vector a column, and the added axis is removed from the result. Throws ShapeError if the inner extents differ.
Value matmul(Operand a, Operand b, bool transpose_a = false, bool transpose_b = false);
// Dot product of two vectors of equal length.
Value dot(Operand a, Operand b);
// Outer product, [m] and [n] to [m, n].
Value outer(Operand a, Operand b);
// Einstein summation. einsum("ij,jk->ik", {a, b}) is a matrix product, "bij,bjk->bik" a batched one, "ii->i" a
// diagonal, "ij->" a sum. Each letter names an axis; letters missing from the result are summed over. Without "->" the
// result has all letters that occur once, in alphabetical order. "..." matches axes that broadcast. As in PyTorch,
// extents of 1 broadcast, and a "..." missing from the result is summed over. Operands are contracted from left to
// right, so their order determines the cost. Throws UserError for an invalid equation, ShapeError for extents that do
// not match.
Value einsum(const std::string& equation, const std::vector<Value>& operands,
             SourceLocation at = SourceLocation::here());

// ---- diagonals and triangles; diagonal k is k columns right of the main diagonal

// Diagonals of matrices, [..., m, n] to [..., length].
Value diagonal(Operand x, Index k = 0);
// The diagonal of a matrix; or, for a vector, the square matrix with that diagonal and zeros elsewhere.
Value diag(Operand x, Index k = 0);
// Sum of the main diagonal.
Value trace(Operand x);
// Lower triangle: keeps the elements on and below diagonal k, zeros elsewhere.
Value tril(Operand x, Index k = 0);
// Upper triangle: keeps the elements on and above diagonal k, zeros elsewhere.
Value triu(Operand x, Index k = 0);

}  // namespace xgrad::inline v0
