// The same elements in another shape, and broadcasting.
#pragma once

#include <vector>

#include <xgrad/ops/apply.hpp>

namespace xgrad {

// The same elements in row-major order; one extent may be -1 and is inferred.
Value reshape(Value x, const std::vector<Index>& extents);
Value reshape_like(Value x, Value like);
// Axes from `first` on become one.
Value flatten(Value x, Index first = 1);
// Axis i of the result is axis order[i] of x; an empty order reverses the axes.
Value transpose(Value x, const Axes& order = {});
Value broadcast_to(Value x, const Shape& shape);
Value broadcast_like(Value x, Value like);
// The reverse of broadcasting: sums over the axes along which a tensor of `shape` would be stretched.
Value sum_to(Value x, const Shape& shape);
Value sum_like(Value x, Value like);
Value expand_dims(Value x, Index axis);
Value zeros_like(Value x);
Value ones_like(Value x);

}  // namespace xgrad
