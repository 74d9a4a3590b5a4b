// Standardization as a composition of primitives, for any axes.
#pragma once

#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {

// distance * scale has mean 0 and variance 1 over the axes. `factor` is 1, or shrinks elements whose squares could
// overflow: distance = factor * (x - mean). `scale` and `factor` keep the axes with extent 1.
struct Standard {
  Value factor, distance, scale;
};
Standard standard_of(Value x, const Axes& axes, double epsilon);

}  // namespace xgrad::inline v0
