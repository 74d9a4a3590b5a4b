// Normalization to mean 0 and variance 1, composed.
#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/internal/all_or_nothing.hpp>
#include <xgrad/ops/define/internal/require.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/reductions/internal/axes.hpp>

namespace xgrad::inline v0 {
namespace {

Value normalized(Value x, const Axes& axes, double epsilon) {
  const Value factor = reductions::shrinking(x, axes);
  const Value smaller = x * factor;
  const Value distance = smaller - mean(smaller, axes, true);
  // Never 0 where x shrinks, so that equal numbers give 0 and not NaN.
  const double least = x.dtype() == f32 ? 1e-30 : 1e-300;
  const Value floor = where(factor < 1, maximum(epsilon * square(factor), least), epsilon);
  return distance * rsqrt(mean(square(distance), axes, true) + floor);
}

void check(const char* function, Value x, double epsilon) {
  if (!(epsilon >= 0))
    throw UserError(fmt::format("{}: epsilon {} is negative\n  {}", function, epsilon, x.describe()));
  require_floating(function, x);
}

// Throws unless scale and shift have the shape.
void check_affine(const char* function, Value x, Value scale, Value shift, const Shape& shape) {
  x.graph().require(scale, fmt::format("{}: scale", function));
  x.graph().require(shift, fmt::format("{}: shift", function));
  if (scale.type() == TensorType{x.dtype(), shape} && shift.type() == scale.type()) return;
  throw ShapeError(fmt::format("{}: scale and shift must be {}{}\n  x: {}\n  scale: {}\n  shift: {}", function,
                               name_of(x.dtype()), shape.str(), x.describe(), scale.describe(), shift.describe()));
}

}  // namespace

Value layer_norm(Operand x, const Axes& axes, double epsilon) {
  const SourceLocationScope line(x);
  check("layer_norm", x, epsilon);
  return normalized(x, normalize_axes(axes, x.shape().rank(), "layer_norm"), epsilon);
}

Value layer_norm(Operand x, Operand scale, Operand shift, double epsilon) {
  const SourceLocationScope line(x);
  check("layer_norm", x, epsilon);
  const int rank = x.shape().rank();
  const int first = rank - scale.shape().rank();
  if (first < 0 || first == rank) {
    throw ShapeError(fmt::format("layer_norm: scale must have the last axes of x\n  x: {}\n  scale: {}", x.describe(),
                                 scale.describe()));
  }
  Shape last;
  Axes axes;
  for (int axis = first; axis < rank; ++axis) {
    last.push_back(x.shape()[axis]);
    axes.push_back(axis);
  }
  check_affine("layer_norm", x, scale, shift, last);
  return normalized(x, axes, epsilon) * scale + shift;
}

Value group_norm(Operand x, Index groups, double epsilon) {
  const SourceLocationScope line(x);
  check("group_norm", x, epsilon);
  const int rank = x.shape().rank();
  if (rank < 2) throw ShapeError(fmt::format("group_norm: x must be [batch, ..., channels]\n  {}", x.describe()));
  if (groups < 1 || x.shape().back() % groups != 0) {
    throw ShapeError(fmt::format("group_norm: {} channels do not fall into {} groups\n  {}", x.shape().back(), groups,
                                 x.describe()));
  }
  // Groups become an axis of their own: [batch, ..., groups, channels of a group].
  Axes axes;
  for (int axis = 1; axis <= rank; ++axis) {
    if (axis != rank - 1) axes.push_back(axis);
  }
  return all_or_nothing(x.graph(), [&] {
    return flatten(normalized(unflatten(x, -1, {groups, -1}), axes, epsilon), rank - 1, rank);
  });
}

Value group_norm(Operand x, Index groups, Operand scale, Operand shift, double epsilon) {
  const SourceLocationScope line(x);
  if (x.shape().rank() > 0) check_affine("group_norm", x, scale, shift, {x.shape().back()});
  return group_norm(x, groups, epsilon) * scale + shift;
}

}  // namespace xgrad::inline v0
