// Products and diagonals of matrices. All work on batches: matrices lie in the last two axes.
#pragma once

#include <string>
#include <vector>

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0 {

// ---- products

// Matrix product of the last two axes; the axes before broadcast. transpose_a reads a as if its last two axes were
// exchanged, without a copy; the same for b. As in NumPy a vector on the left is a row and one on the right a column,
// and the axis it lacks is missing in the result: vector by vector is a scalar.
Value matmul(Operand a, Operand b, bool transpose_a = false, bool transpose_b = false);
// The sum of the products of two vectors of equal length.
Value dot(Operand a, Operand b);
// [m] and [n] to [m, n], each element of a times each of b.
Value outer(Operand a, Operand b);
// Einstein's sum: einsum("ij,jk->ik", {a, b}) is the matrix product, "bij,bjk->bik" that of batches, "ii->i" a
// diagonal, "ij->" a sum. Each letter names an axis; letters that the result does not name are summed over. Without an
// arrow the result has all letters that occur once, in alphabetical order. "..." stands for axes that broadcast. As in
// PyTorch an extent of 1 fits any other, and "..." that the result does not name is summed over. Operands are joined
// from left to right, so their order decides the cost. Throws UserError for an equation that cannot be read, ShapeError
// for axes that do not fit.
Value einsum(const std::string& equation, const std::vector<Value>& operands,
             SourceLocation at = SourceLocation::here());

// ---- diagonals and triangles; the k-th diagonal lies k columns right of the main one

// [..., m, n] to the diagonals [..., length].
Value diagonal(Operand x, Index k = 0);
// Of a matrix its diagonal; of a vector the square matrix with that diagonal and zeros elsewhere.
Value diag(Operand x, Index k = 0);
// The sum of the main diagonal.
Value trace(Operand x);
// The elements on and below the k-th diagonal, or on and above it; zeros elsewhere.
Value tril(Operand x, Index k = 0);
Value triu(Operand x, Index k = 0);

}  // namespace xgrad::inline v0
