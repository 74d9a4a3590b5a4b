// The pass of family.hpp that is compiled once, as ordinary code: OpDefs and the scalar oracle.
#pragma once

#include <algorithm>

#include <xgrad/graph/error.hpp>

namespace xgrad {
namespace {

// The oracle: every element by itself, in double, with its own idea of broadcasting.
template <class Op>
void elementwise_reference(const KernelCall& call) {
  using T =
      std::conditional_t<Op::dtypes::floating, double, std::conditional_t<Op::dtypes::integer, std::int64_t, bool>>;
  const Shape& shape = call.output.type.shape;
  for (Index i = 0; i < shape.elements(); ++i) {
    const void* at[3] = {};
    for (std::size_t k = 0; k < call.inputs.size(); ++k) {
      const Shape& from = call.inputs[k].type.shape;
      Index flat = 0;
      Index rest = i;
      Index stride = 1;
      for (int axis = shape.rank() - 1, own = from.rank() - 1; own >= 0; --axis, --own) {
        if (from[own] != 1) flat += rest % shape[axis] * stride;
        rest /= shape[axis];
        stride *= from[own];
      }
      const auto* bytes = static_cast<const char*>(call.inputs[k].data);
      at[k] = bytes + static_cast<std::size_t>(flat) * size_of(call.inputs[k].type.dtype);
    }
    const bool scalar[3] = {true, true, true};
    auto* out = static_cast<char*>(call.output.data) + static_cast<std::size_t>(i) * size_of(call.output.type.dtype);
    scalar_block<Op, T>(1, at, scalar, out);
  }
}

template <class Op>
TensorType elementwise_infer(const Infer& in) {
  if constexpr (Op::mask_first_input) in.require_dtype(0, {DType::boolean});
  for (int i = Op::mask_first_input ? 1 : 0; i < in.count(); ++i) {
    in.require_same_dtype(i, in.count() - 1);
    if constexpr (Op::dtypes::floating && !Op::dtypes::integer)
      in.require_dtype(i, {f32, f64});
    else if constexpr (Op::dtypes::integer && !Op::dtypes::boolean)
      in.require_dtype(i, {f32, f64, i64});
    else if constexpr (!Op::dtypes::floating)
      in.require_dtype(i, {boolean});
  }
  TensorType out = broadcast_type(in);
  if constexpr (Op::mask_output) out.dtype = boolean;
  return out;
}

template <class Op>
OpDef elementwise_definition(const BlockKernels& blocks) {
  OpDef def;
  def.name = Op::name;
  def.doc = Op::doc;
  if constexpr (requires { Op::symbol; }) def.symbol = Op::symbol;
  def.min_inputs = def.max_inputs = Op::arity;
  def.traits.elementwise = true;
  def.traits.commutative = Op::commutative;
  def.infer = elementwise_infer<Op>;
  def.kernel = run_elementwise;
  def.block = blocks;
  def.reference = elementwise_reference<Op>;
  if constexpr (requires { Op::no_gradient; })
    def.no_gradient = Op::no_gradient;
  else
    def.vjp = [](const Vjp& r) { return Cotangents(Op::vjp(r)); };
  def.samples = Op::samples();
  if constexpr (requires { Op::bad_samples(); })
    def.bad_samples = Op::bad_samples();
  else
    def.bad_samples = elementwise_bad_samples(Op::name, Op::arity, Op::mask_first_input, Op::dtypes::boolean);
  return def;
}

template <class... Ops>
void register_family(OpRegistry& registry, const BlockKernels* blocks) {
  (registry.add(elementwise_definition<Ops>(*blocks++)), ...);
}

}  // namespace
}  // namespace xgrad

#define XGRAD_DECLARE_BLOCKS(isa, family)           \
  namespace isa {                                   \
  extern const BlockKernels* const family##_blocks; \
  }

// Defines `void register_<family>(OpRegistry&)`.
#define XGRAD_FAMILY(family, ...)                                              \
  XGRAD_FOR_EACH_ISA(XGRAD_DECLARE_BLOCKS, family)                             \
  void register_##family(OpRegistry& registry) {                               \
    register_family<__VA_ARGS__>(registry, XGRAD_SELECT_ISA(family##_blocks)); \
  }
