// elementwise_op: a custom elementwise operation from a scalar function and a vjp.
//
//   struct Squareplus {
//     template <class T> T operator()(T x) const { return (x + std::sqrt(x * x + 4)) / 2; }
//   };
//   const xgrad::OpDef squareplus_op = xgrad::elementwise_op<Squareplus, 1>({
//       .name = "squareplus",
//       .doc = "(x + sqrt(x^2 + 4)) / 2.",
//       .vjp = [](const xgrad::Vjp& r) -> xgrad::Cotangents {
//         return r.cotangent() * square(r.output()) / (1 + square(r.output()));
//       },
//       .samples = {{"row", {{{9}}}}},
//   });
//   xgrad::Value squareplus(xgrad::Operand x) { return x.graph().apply(squareplus_op, {x}); }
//
// The function is called with float and with double. `check_op(squareplus_op)` runs the suites that check built-in
// operations. For an operation that is not elementwise, fill in an OpDef instead.
#pragma once

#include <cstddef>
#include <utility>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

namespace custom {

// Infers the type for floating-point inputs of one dtype that broadcast.
inline TensorType infer(const Infer& in) {
  for (int i = 0; i < in.count(); ++i) {
    in.require_dtype(i, {f32, f64});
    in.require_same_dtype(i, in.count() - 1);
  }
  return broadcast_type(in);
}

template <class F, class T, std::size_t... I>
void block(Index n, const void* const* in, const bool* scalar, void* out, std::index_sequence<I...>) {
  const F function{};
  for (Index i = 0; i < n; ++i) {
    static_cast<T*>(out)[i] = function(static_cast<const T*>(in[I])[scalar[I] ? 0 : i]...);
  }
}
template <class F, class T, std::size_t arity>
void block(Index n, const void* const* in, const bool* scalar, void* out) {
  block<F, T>(n, in, scalar, out, std::make_index_sequence<arity>());
}

}  // namespace custom

// Returns `op` with the members of an elementwise operation of `arity` inputs that broadcast. `op` needs a name, a doc,
// a vjp (or no_gradient) and samples. F is a stateless function object, callable with `arity` floats or doubles.
template <class F, std::size_t arity>
OpDef elementwise_op(OpDef op) {
  static_assert(arity >= 1 && arity <= 4, "elementwise operations have one to four inputs");
  op.min_inputs = op.max_inputs = static_cast<int>(arity);
  op.traits.elementwise = true;
  op.infer = custom::infer;
  op.kernel = run_elementwise;
  op.block[static_cast<std::size_t>(f32)] = custom::block<F, float, arity>;
  op.block[static_cast<std::size_t>(f64)] = custom::block<F, double, arity>;
  return op;
}

}  // namespace xgrad::inline v0
