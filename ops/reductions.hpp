// Reductions over axes, and what runs along one. Axes may be negative; an empty list means all. `keepdims` leaves
// extent 1 where an axis was.
#pragma once

#include <optional>

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0 {

Value sum(Operand x, const Axes& axes = {}, bool keepdims = false);   // 0 over nothing; of bool: how many hold, as i64
Value prod(Operand x, const Axes& axes = {}, bool keepdims = false);  // 1 over nothing; of bool: i64
Value mean(Operand x, const Axes& axes = {}, bool keepdims = false);  // floating dtypes; NaN over nothing
// The largest and smallest; NaN wins; ties share the derivative. Throws ShapeError over nothing.
Value max(Operand x, const Axes& axes = {}, bool keepdims = false);
Value min(Operand x, const Axes& axes = {}, bool keepdims = false);
// Position (i64) of the first largest or smallest element along an axis, or in row-major order if none is named; NaN
// counts as largest and as smallest; no derivative. Throws ShapeError over nothing.
Value argmax(Operand x, std::optional<Index> axis = {}, bool keepdims = false);
Value argmin(Operand x, std::optional<Index> axis = {}, bool keepdims = false);
// Whether at least one holds (false over nothing), or every one (true over nothing). Numbers hold if they are not 0.
Value any(Operand x, const Axes& axes = {}, bool keepdims = false);
Value all(Operand x, const Axes& axes = {}, bool keepdims = false);
// The number of elements that a reduction of x over the axes combines, as a scalar of x's dtype.
Value count(Operand x, const Axes& axes = {});

// Mean squared distance from the mean, with the number of elements less `correction` in place of their number. Exactly
// 0 for equal numbers; inf or NaN where nothing is left to divide by, with derivatives that are NaN.
Value var(Operand x, const Axes& axes = {}, bool keepdims = false, int correction = 0);
// Its root; the derivative at 0 is 0. NumPy's std, which in C++ is the name of a namespace.
Value stddev(Operand x, const Axes& axes = {}, bool keepdims = false, int correction = 0);
// (sum |x|^p)^(1/p) for any p but NaN, without overflow where the result has none: p = inf is the largest |x|, -inf the
// smallest, 0 counts what is not 0 and has no derivative. The derivative by an element that is 0 is 0, and by elements
// that tie for the largest or smallest it is shared; for p < 0 it is NaN at 0. Of nothing it is 0, and for p = inf and
// p < 0 a ShapeError.
Value norm(Operand x, double p = 2, const Axes& axes = {}, bool keepdims = false);
// log(sum(exp(x))) without overflow. A row of -inf gives -inf, and so does nothing; its derivative is NaN.
Value logsumexp(Operand x, const Axes& axes = {}, bool keepdims = false);
// exp(x) / sum(exp(x)) along an axis, and its logarithm, without overflow. NaN where all of a row is -inf or any is
// inf.
Value softmax(Operand x, Index axis = -1);
Value log_softmax(Operand x, Index axis = -1);

// Each element and all before it along an axis, summed or multiplied; if `reverse`, it and all after it. Of bool: i64.
// The derivative of cumprod is right at zeros, too.
Value cumsum(Operand x, Index axis, bool reverse = false);
Value cumprod(Operand x, Index axis, bool reverse = false);
// y(i) = a(i) y(i - 1) + b(i) along an axis, beginning with y(-1) = 0; if `reverse`, from the end. Equal shapes. Moving
// averages, discounted sums and cumulative products are cases of it.
Value linear_scan(Operand a, Operand b, Index axis, bool reverse = false);

}  // namespace xgrad::inline v0
