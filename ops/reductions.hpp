// Reductions over axes, and cumulative operations along one axis. `keepdims` keeps reduced axes with extent 1.
#pragma once

#include <optional>

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0 {

Value sum(Operand x, const Axes& axes = {},
          bool keepdims = false);  // sum; 0 if empty; for bool the number of true elements, i64
Value prod(Operand x, const Axes& axes = {}, bool keepdims = false);  // product; 1 if empty; i64 for bool
Value mean(Operand x, const Axes& axes = {}, bool keepdims = false);  // mean; floating dtypes only; NaN if empty
// Largest element. NaN propagates; tied elements share the derivative. Throws ShapeError for an empty axis.
Value max(Operand x, const Axes& axes = {}, bool keepdims = false);
// Smallest element, with the conventions of max.
Value min(Operand x, const Axes& axes = {}, bool keepdims = false);
// Position (i64) of the first largest element along an axis; without an axis, in row-major order. NaN counts as
// largest. No derivative. Throws ShapeError for an empty axis.
Value argmax(Operand x, std::optional<Index> axis = {}, bool keepdims = false);
// Position (i64) of the first smallest element, with the conventions of argmax; NaN counts as smallest.
Value argmin(Operand x, std::optional<Index> axis = {}, bool keepdims = false);
// Whether any element is true; false if empty. A number is true unless it is 0.
Value any(Operand x, const Axes& axes = {}, bool keepdims = false);
// Whether all elements are true; true if empty. A number is true unless it is 0.
Value all(Operand x, const Axes& axes = {}, bool keepdims = false);
// Number of elements that a reduction of x over the axes combines, a scalar of x's dtype.
Value count(Operand x, const Axes& axes = {});

// Variance: sum of squared deviations from the mean, divided by n - correction. Exactly 0 for equal elements. Where
// n <= correction the result is inf or NaN, with derivative NaN.
Value var(Operand x, const Axes& axes = {}, bool keepdims = false, int correction = 0);
// Standard deviation, sqrt(var); the derivative at 0 is 0. NumPy's std.
Value stddev(Operand x, const Axes& axes = {}, bool keepdims = false, int correction = 0);
// Vector norm (sum |x|^p)^(1/p) without intermediate overflow. p = inf is the largest |x|, -inf the smallest; 0 counts
// nonzero elements and has no derivative. The derivative is 0 for zero elements (NaN for p < 0) and shared by tied
// extremes. An empty axis gives 0 for finite p >= 0, else throws ShapeError. Throws UserError if p is NaN.
Value norm(Operand x, double p = 2, const Axes& axes = {}, bool keepdims = false);
// log(sum(exp(x))) without overflow. It is -inf, with derivative NaN, if all elements are -inf; -inf for an empty axis.
Value logsumexp(Operand x, const Axes& axes = {}, bool keepdims = false);
// exp(x) / sum(exp(x)) along an axis, without overflow. NaN if all elements along the axis are -inf or one is inf.
Value softmax(Operand x, Index axis = -1);
// The logarithm of softmax, without overflow. NaN where softmax is NaN.
Value log_softmax(Operand x, Index axis = -1);

// Cumulative sum along an axis, from the end if `reverse`. i64 for bool.
Value cumsum(Operand x, Index axis, bool reverse = false);
// Cumulative product along an axis, from the end if `reverse`. i64 for bool. The derivative is correct where elements
// are 0.
Value cumprod(Operand x, Index axis, bool reverse = false);
// Linear recurrence y(i) = a(i) y(i - 1) + b(i) along an axis, with y(-1) = 0; from the end if `reverse`. a and b have
// equal shapes. Moving averages and discounted sums are special cases.
Value linear_scan(Operand a, Operand b, Index axis, bool reverse = false);

}  // namespace xgrad::inline v0
