// layer_norm and group_norm.
#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/internal/standard.hpp>
#include <xgrad/ops/primitives/reductions/internal/axes.hpp>

namespace xgrad::inline v0 {
namespace {

// Whether the axes are the last ones, so that each slice along them is contiguous.
bool are_last(const Axes& axes, int rank) {
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != rank - static_cast<Index>(axes.size() - i)) return false;
  }
  return !axes.empty();
}

Value normalized(Value x, const Axes& axes, double epsilon) {
  if (are_last(axes, x.shape().rank())) return apply("standardize", {x}, {{"axes", axes}, {"epsilon", epsilon}});
  const Standard parts = standard_of(x, axes, epsilon);
  return parts.distance * parts.scale;
}

void check(const char* function, Value x, double epsilon) {
  if (!(epsilon >= 0))
    throw UserError(fmt::format("{}: epsilon must be >= 0, got {}\n  {}", function, epsilon, x.describe()));
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

Standard standard_of(Value x, const Axes& axes, double epsilon) {
  const Value factor = reductions::shrinking(x, axes);
  const Value smaller = x * factor;
  const Value distance = smaller - mean(smaller, axes, true);
  // Added to the variance in place of epsilon if x is scaled down. Positive, so that equal elements give 0 and not NaN.
  const double least = x.dtype() == f32 ? 1e-30 : 1e-300;
  const Value floor = where(factor < 1, maximum(epsilon * square(factor), least), epsilon);
  return {factor, distance, rsqrt(mean(square(distance), axes, true) + floor)};
}

Value layer_norm(Operand x, const Axes& axes, double epsilon) {
  return composite(x, [&] {
    check("layer_norm", x, epsilon);
    return normalized(x, normalize_axes(axes, x.shape().rank(), "layer_norm"), epsilon);
  });
}

Value layer_norm(Operand x, Operand scale, Operand shift, double epsilon) {
  return composite(x, [&] {
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
  });
}

Value group_norm(Operand x, Index groups, double epsilon) {
  return composite(x, [&] {
    check("group_norm", x, epsilon);
    const int rank = x.shape().rank();
    if (rank < 2) throw ShapeError(fmt::format("group_norm: x must be [batch, ..., channels]\n  {}", x.describe()));
    if (groups < 1 || x.shape().back() % groups != 0) {
      throw ShapeError(fmt::format("group_norm: {} channels are not divisible by {} groups\n  {}", x.shape().back(),
                                   groups, x.describe()));
    }
    // Split the channel axis: [batch, ..., groups, channels per group].
    Axes axes;
    for (int axis = 1; axis <= rank; ++axis) {
      if (axis != rank - 1) axes.push_back(axis);
    }
    return flatten(normalized(unflatten(x, -1, {groups, -1}), axes, epsilon), rank - 1, rank);
  });
}

Value group_norm(Operand x, Index groups, Operand scale, Operand shift, double epsilon) {
  return composite(x, [&] {
    if (x.shape().rank() > 0) check_affine("group_norm", x, scale, shift, {x.shape().back()});
    return group_norm(x, groups, epsilon) * scale + shift;
  });
}

// ---- samples

std::vector<Composite> normalization_composites() {
  return {
      {"layer_norm",
       "Shifts and scales x to mean 0 and variance 1 over axes.",
       [](Inputs x, const Attrs& a) { return layer_norm(x[0], a.ints("axes"), 0.1); },
       {{"last axis", {{{3, 5}}}, {{"axes", Axes{-1}}}},
        {"two axes", {{{2, 3, 4}}}, {{"axes", Axes{-2, -1}}}},
        zero_gradient({"one element a row", {{{3, 1}}}, {{"axes", Axes{1}}}}),
        zero_gradient({"one element", {{{1}}}, {{"axes", Axes{0}}}}),
        {"longer rows", {{{2, 17}}}, {{"axes", Axes{-1}}}},
        zero_gradient({"no rows", {{{0, 3}}}, {{"axes", Axes{1}}}})},
       {{"integers", {Tensor({3}, i64)}, {{"axes", Axes{0}}}, "layer_norm: needs a floating dtype"},
        {"axis", {Tensor::zeros({3})}, {{"axes", Axes{1}}}, "layer_norm: axis 1"}}},
      {"layer_norm with scale and shift",
       "Normalized, then scaled and shifted.",
       [](Inputs x, const Attrs&) { return layer_norm(x[0], x[1], x[2]); },
       {{"rows", {{{3, 5}}, {{5}}, {{5}}}, {}}, {"matrices", {{{2, 3, 4}}, {{3, 4}}, {{3, 4}}}, {}}},
       {{"scale",
         {Tensor({3, 5}), Tensor::zeros({3}), Tensor::zeros({3})},
         {},
         "layer_norm: scale and shift must be f32[5]"},
        {"shift",
         {Tensor({3, 5}), Tensor::zeros({5}), Tensor::zeros({1})},
         {},
         "layer_norm: scale and shift must be f32[5]"},
        {"no axis", {Tensor({3, 5}), Tensor(1.0F), Tensor(1.0F)}, {}, "scale must have the last axes"}}},
      {"group_norm",
       "Shifts and scales x to mean 0 and variance 1 over groups of channels.",
       [](Inputs x, const Attrs& a) { return group_norm(x[0], a.integer("groups"), 0.1); },
       {{"images", {{{2, 2, 3, 4}}}, {{"groups", Index{2}}}},
        {"rows", {{{3, 6}}}, {{"groups", Index{2}}}},
        {"one group", {{{2, 3, 2}}}, {{"groups", Index{1}}}},
        zero_gradient({"one element", {{{1, 1}}}, {{"groups", Index{1}}}}),
        zero_gradient({"no image", {{{0, 2, 4}}}, {{"groups", Index{2}}}})},
       {{"groups", {Tensor({2, 5})}, {{"groups", Index{2}}}, "group_norm: 5 channels are not divisible by 2 groups"},
        {"no groups", {Tensor({2, 4})}, {{"groups", Index{0}}}, "0 groups"},
        {"rank", {Tensor::zeros({4})}, {{"groups", Index{2}}}, "x must be [batch, ..., channels]"}}},
      {"group_norm with scale and shift",
       "Normalized, then scaled and shifted.",
       [](Inputs x, const Attrs&) { return group_norm(x[0], 2, x[1], x[2]); },
       {{"images", {{{2, 2, 2, 4}}, {{4}}, {{4}}}, {}}},
       {{"scale",
         {Tensor({2, 2, 4}), Tensor::zeros({2}), Tensor::zeros({4})},
         {},
         "group_norm: scale and shift must be f32[4]"}}},
  };
}

}  // namespace xgrad::inline v0
