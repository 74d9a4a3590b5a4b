// A few operations for tests of graphs without the built-in operations. Their kernels do nothing, since these graphs
// are never run.
#pragma once

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include <xgrad/graph/graph.hpp>

namespace xgrad::tiny {

inline OpDef make(const char* name, int inputs, InferFn infer, Traits traits = {}) {
  OpDef op;
  op.name = name;
  op.doc = "An operation for tests.";
  op.min_inputs = inputs;
  op.max_inputs = inputs;
  op.traits = traits;
  op.infer = infer;
  op.kernel = [](const KernelCall&) {};
  if (traits.elementwise) op.block.fill([](Index, const void* const*, const bool*, void*) {});
  op.no_gradient = "only for tests of graphs";
  return op;
}

inline TensorType matmul_type(const Infer& in) {
  const bool ta = in.attrs().has("transpose_a") && in.attrs().flag("transpose_a");
  const bool tb = in.attrs().has("transpose_b") && in.attrs().flag("transpose_b");
  const Shape& a = in.shape(0);
  const Shape& b = in.shape(1);
  if (a[ta ? 0 : 1] != b[tb ? 1 : 0]) {
    in.fail_shape(fmt::format("inner dimensions differ: {} x {} ({} vs {})", a.str(), b.str(), a[1], b[0]),
                  fmt::format("matmul(lhs, transpose(rhs)) would give [{}, {}]", a[0], b[0]));
  }
  return {in.dtype(0), Shape{a[ta ? 1 : 0], b[tb ? 0 : 1]}};
}

inline TensorType sum_type(const Infer& in) {
  Shape out;
  const Axes axes = normalize_axes(in.attrs().ints("axes"), in.shape(0).rank(), "sum");
  for (int axis = 0; axis < in.shape(0).rank(); ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) out.push_back(in.shape(0)[axis]);
  }
  return {in.dtype(0), out};
}

inline const OpDef add = make("add", 2, broadcast_type, {.elementwise = true, .commutative = true});
inline const OpDef mul = make("mul", 2, broadcast_type, {.elementwise = true, .commutative = true});
inline const OpDef sub = make("sub", 2, broadcast_type, {.elementwise = true});
inline const OpDef tanh = make("tanh", 1, same_type, {.elementwise = true});
inline const OpDef random = make("random", 1, same_type, {.random = true});
inline const OpDef matmul = make("matmul", 2, matmul_type);
inline const OpDef sum = make("sum", 1, sum_type);
inline const OpDef concat = [] {
  OpDef op = make("concat", 1, same_type);
  op.max_inputs = std::numeric_limits<int>::max();
  return op;
}();

}  // namespace xgrad::tiny
