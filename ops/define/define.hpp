// Turns a struct that describes an operation into its OpDef.
//
//   struct Count : Operation {
//     static constexpr const char* name = "count";
//     static constexpr const char* doc = "...";
//     static TensorType infer(const Infer& in);
//     static void kernel(const KernelCall& call);
//     static constexpr const char* no_gradient = "...";   // or: static Cotangents vjp(const Vjp& r);
//     static std::vector<Sample> samples();
//     static std::vector<BadSample> bad_samples();
//   };
//   add_operations<Count>(registry);
//
// Optional members: reference (naive kernel in f64), scratch_bytes, prepare, flops (see graph/flops.hpp), batch (see
// ops/define/batch.hpp), traits(), other bounds than one input, and block_reduction() with block_axes, by which a
// reduction joins fused groups, as random_block lets a random operation.
#pragma once

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

// Floating-point operations of `n` elements with so many each: none if the elements are integers.
inline double flops_of(Index n, DType dtype, double each = 1) {
  return is_floating(dtype) ? static_cast<double>(n) * each : 0;
}

struct Operation {
  static constexpr int min_inputs = 1;
  static constexpr int max_inputs = 1;
  static Traits traits() { return {}; }
};

template <class Op>
OpDef define() {
  OpDef def;
  def.name = Op::name;
  def.doc = Op::doc;
  def.min_inputs = Op::min_inputs;
  def.max_inputs = Op::max_inputs;
  def.traits = Op::traits();
  def.infer = Op::infer;
  if constexpr (requires { Op::kernel; }) def.kernel = Op::kernel;
  if constexpr (requires { Op::reference; }) def.reference = Op::reference;
  if constexpr (requires { Op::scratch_bytes; }) def.scratch_bytes = Op::scratch_bytes;
  if constexpr (requires { Op::prepare; }) def.prepare = Op::prepare;
  if constexpr (requires { Op::flops; }) def.flops = Op::flops;
  if constexpr (requires { Op::block_reduction; }) {
    def.reduction = Op::block_reduction();
    def.reduced_axes = Op::block_axes;
  }
  if constexpr (requires { Op::random_block; }) def.random_block = Op::random_block;
  if constexpr (requires { Op::no_gradient; })
    def.no_gradient = Op::no_gradient;
  else
    def.vjp = Op::vjp;
  if constexpr (requires { Op::batch; }) def.batch = Op::batch;
  def.samples = Op::samples();
  if constexpr (requires { Op::bad_samples; }) def.bad_samples = Op::bad_samples();
  return def;
}

// Registers operations in this order.
template <class... Ops>
void add_operations(OpRegistry& registry) {
  (registry.add(define<Ops>()), ...);
}

}  // namespace xgrad::inline v0
