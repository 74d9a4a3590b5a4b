#include <xgrad/ops/define/internal/axis.hpp>

#include <fmt/format.h>

namespace xgrad::inline v0 {

int axis_of(const Infer& in, int input) {
  const Index axis = in.attrs().integer("axis");
  if (axis < 0 || axis >= in.shape(input).rank()) in.fail_shape(fmt::format("axis {} is out of range", axis));
  return static_cast<int>(axis);
}

Around around(const Shape& shape, int axis) {
  Around out;
  for (int i = 0; i < axis; ++i) out.outer *= shape[i];
  out.extent = shape[axis];
  for (int i = axis + 1; i < shape.rank(); ++i) out.inner *= shape[i];
  return out;
}

}  // namespace xgrad::inline v0
