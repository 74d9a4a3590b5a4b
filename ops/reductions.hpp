// Reductions over axes. Axes may be negative; an empty list means all.
#pragma once

#include <xgrad/ops/apply.hpp>

namespace xgrad {

Value sum(Value x, const Axes& axes = {}, bool keepdims = false);
Value mean(Value x, const Axes& axes = {}, bool keepdims = false);  // NaN over no elements
// The largest and smallest; NaN wins; ties share the derivative. Throws ShapeError over no elements.
Value max(Value x, const Axes& axes = {}, bool keepdims = false);
Value min(Value x, const Axes& axes = {}, bool keepdims = false);
// Mean squared distance from the mean, divided by the number of elements less `correction`.
Value variance(Value x, const Axes& axes = {}, bool keepdims = false, int correction = 0);
// log(sum(exp(x))) without overflow; a row of -inf gives -inf.
Value logsumexp(Value x, const Axes& axes = {}, bool keepdims = false);
// Position (i64) of the first largest element along one axis; NaN counts as largest; no derivative.
Value argmax(Value x, Index axis = -1, bool keepdims = false);
// The number of elements that a reduction of x over the axes combines, as a scalar of x's dtype.
Value count(Value x, const Axes& axes = {});
Value softmax(Value x, Index axis = -1);
Value log_softmax(Value x, Index axis = -1);

}  // namespace xgrad
