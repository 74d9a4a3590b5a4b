// define: makes an OpDef from a struct.
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
// ops/define/batch.hpp), traits(), min_inputs and max_inputs (1 by default); for fusion, block_reduction() with
// block_axes in reductions, and random_block in random operations.
#pragma once

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

// Number of floating-point operations: `each` per element, or 0 if the dtype is not floating.
inline double flops_of(Index n, DType dtype, double each = 1) {
  return is_floating(dtype) ? static_cast<double>(n) * each : 0;
}

// The base of structs for `define`, with the defaults of optional members.
struct Operation {
  static constexpr int min_inputs = 1;
  static constexpr int max_inputs = 1;
  static Traits traits() { return {}; }
};

// The OpDef with the members of Op.
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
