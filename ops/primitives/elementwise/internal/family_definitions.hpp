// The pass of family.hpp that is compiled once, as ordinary code: OpDefs and the scalar reference.
#pragma once

#include <algorithm>
#include <utility>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0 {
namespace {

// The reference: computes each element separately, with an independent implementation of broadcasting.
template <class Op, class T>
void reference_of(const KernelCall& call) {
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
void elementwise_reference(const KernelCall& call) {
  const DType dtype = call.inputs.back().type.dtype;
  if constexpr (Op::dtypes::floating) {
    if (is_floating(dtype)) return reference_of<Op, double>(call);
  }
  if constexpr (Op::dtypes::integer) {
    if (dtype == DType::i64) return reference_of<Op, std::int64_t>(call);
  }
  if constexpr (Op::dtypes::boolean) reference_of<Op, bool>(call);
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
  def.traits.may_throw = Op::may_throw;
  def.infer = elementwise_infer<Op>;
  def.kernel = run_elementwise;
  def.block = blocks;
  def.reference = elementwise_reference<Op>;
  if constexpr (requires { Op::no_gradient; })
    def.no_gradient = Op::no_gradient;
  else
    def.vjp = [](const Vjp& r) { return Cotangents(Op::vjp(r)); };
  def.samples = Op::samples();
  def.bad_samples = elementwise_bad_samples(
      Op::name, Op::arity, {Op::mask_first_input, Op::dtypes::floating, Op::dtypes::integer, Op::dtypes::boolean});
  if constexpr (requires { Op::bad_samples(); }) {
    for (BadSample& own : Op::bad_samples()) def.bad_samples.push_back(std::move(own));
  }
  return def;
}

template <class First, class Second, int operand>
void add_pair(OpRegistry& registry, Pair<First, Second, operand>, const BlockKernels& kernels) {
  registry.add_pair(First::name, {registry.find(Second::name), operand, kernels});
}
template <class... All>
void add_pairs(OpRegistry& registry, Pairs<All...>, const BlockKernels*& kernels) {
  (add_pair(registry, All(), *kernels++), ...);
}
template <class... Lists>
void register_pairs(OpRegistry& registry, const BlockKernels* kernels) {
  (add_pairs(registry, Lists(), kernels), ...);
}

template <class... Ops>
void register_family(OpRegistry& registry, const BlockKernels* blocks) {
  (registry.add(elementwise_definition<Ops>(*blocks++)), ...);
}

}  // namespace
}  // namespace xgrad::inline v0

#define XGRAD_DECLARE_BLOCKS(isa, family)           \
  namespace isa {                                   \
  extern const BlockKernels* const family##_blocks; \
  }

// Defines `void register_<family>_pairs(OpRegistry&)`, to be called when the operations are registered.
#define XGRAD_PAIRS(family, ...)                                                   \
  XGRAD_FOR_EACH_ISA(XGRAD_DECLARE_BLOCKS, family##_pair)                          \
  void register_##family##_pairs(OpRegistry& registry) {                           \
    register_pairs<__VA_ARGS__>(registry, XGRAD_SELECT_ISA(family##_pair_blocks)); \
  }

// Defines `void register_<family>(OpRegistry&)`.
#define XGRAD_FAMILY(family, ...)                                              \
  XGRAD_FOR_EACH_ISA(XGRAD_DECLARE_BLOCKS, family)                             \
  void register_##family(OpRegistry& registry) {                               \
    register_family<__VA_ARGS__>(registry, XGRAD_SELECT_ISA(family##_blocks)); \
  }
