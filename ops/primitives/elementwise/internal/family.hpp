// Framework for files of elementwise operations.
//
// Each operation is one struct with a name, a doc, a functor `forward`, a vjp and samples. `forward` is a template over
// a type V: a SIMD vector of floats or doubles, or a scalar. `symbol`, for formulas, is optional:
//
//   struct Tanh : Unary {
//     static constexpr const char* name = "tanh";
//     static constexpr const char* doc = "Hyperbolic tangent.";
//     static auto forward(auto x) { return simd::tanh(x); }
//     static Cotangents vjp(const Vjp& r) { return r.cotangent() * (1 - square(r.output())); }
//     static std::vector<Sample> samples() { return unary_samples(domain::between(-1, 1)); }  // default: domain::any()
//   };
//   XGRAD_FAMILY(unary, Neg, Abs, Tanh)
//
// Note [Pairs]. To store the result of a cheap operation and load it again costs more than to compute it. So a family
// may define kernels that run one of its operations and then another on the result, which stays in registers:
//
//   XGRAD_PAIRS(arithmetic, Pairs<Pair<Mul, Add, 0>>)     // the product is operand 0 of the sum
//
// A plan uses a pair where nothing else reads the intermediate result. Results are bit-identical to the two operations.
//
// A family's file is compiled once as ordinary code (XGRAD_ISA is not set: definitions and the scalar reference) and
// once per instruction set (XGRAD_ISA is set: block kernels only). Compilers do not emit unused inline functions, so
// the linker cannot pick a function of the standard library that was compiled for another instruction set.
#pragma once

#include <type_traits>
#include <vector>

#include <xgrad/graph/op_def.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/kernels/isa.hpp>
#include <xgrad/ops/kernels/simd.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// The dtypes that a functor accepts: `using dtypes = ...` in an operation overrides the default, Floats.
struct Floats {
  static constexpr bool floating = true, integer = false, boolean = false;
};
struct FloatsAndIntegers {
  static constexpr bool floating = true, integer = true, boolean = false;
};
struct AllTypes {
  static constexpr bool floating = true, integer = true, boolean = true;
};
struct Booleans {
  static constexpr bool floating = false, integer = false, boolean = true;
};

// Defaults of elementwise operations.
struct ElementwiseDefaults {
  using dtypes = Floats;
  static constexpr Index vectors = 1;  // number of vectors per loop iteration
  static constexpr bool commutative = false;
  static constexpr bool mask_output = false;       // the output is bool
  static constexpr bool mask_first_input = false;  // the first input is bool
  // The kernel may throw for some input values.
  static constexpr bool may_throw = false;
};
struct Unary : ElementwiseDefaults {
  static constexpr int arity = 1;
  static std::vector<Sample> samples() { return unary_samples(domain::any()); }
};
struct Binary : ElementwiseDefaults {
  static constexpr int arity = 2;
};
struct Compare : Binary {
  using dtypes = AllTypes;
  static constexpr bool mask_output = true;
  static constexpr const char* no_gradient = "the result is boolean";
  static std::vector<Sample> samples() {
    return with_integers(binary_samples(domain::any(), domain::any(), true, true), twice(domain::integers(-2, 2)));
  }
};
struct Select : ElementwiseDefaults {
  using dtypes = AllTypes;
  static constexpr int arity = 3;
  static constexpr bool mask_first_input = true;
};

// An operation of a few instructions. It computes several vectors per iteration, for instruction-level parallelism.
template <class Kind>
struct Cheap : Kind {
  static constexpr Index vectors = 4;
};

// Applies First, then Second with the result as operand `operand`, see Note [Pairs]. The inputs are those of First,
// then the other inputs of Second.
template <class First, class Second, int operand>
struct Pair {
  static_assert(operand < Second::arity && (operand == 0 || !Second::mask_first_input));
  using dtypes = Floats;
  static constexpr int arity = First::arity + Second::arity - 1;
  static constexpr Index vectors = 4;
  static constexpr bool mask_output = Second::mask_output;
  static constexpr bool mask_first_input = First::mask_first_input;
  static auto forward(auto a, auto... rest) {
    if constexpr (First::arity == 1)
      return second(First::forward(a), rest...);
    else
      return of_two(a, rest...);
  }

 private:
  static auto of_two(auto a, auto b, auto... rest) { return second(First::forward(a, b), rest...); }
  static auto second(auto x, auto... others) {
    if constexpr (operand == 0)
      return Second::forward(x, others...);
    else
      return Second::forward(others..., x);
  }
};
// A list of pairs or operations.
template <class... All>
struct Pairs {};

// Calls the functor on one number of each input, all of them read as T.
template <class Op, class T>
auto apply_scalar(Index i, const void* const* in, const bool* scalar) {
  const auto read = [&](int k) { return static_cast<const T*>(in[k])[scalar[k] ? 0 : i]; };
  const auto first = [&] {
    if constexpr (Op::mask_first_input)
      return static_cast<const bool*>(in[0])[scalar[0] ? 0 : i];
    else
      return read(0);
  };
  if constexpr (Op::arity == 1)
    return Op::forward(first());
  else if constexpr (Op::arity == 2)
    return Op::forward(first(), read(1));
  else
    return Op::forward(first(), read(1), read(2));
}

// A scalar loop: the kernel of i64 and bool, and the reference of all dtypes.
template <class Op, class T>
void scalar_block(Index n, const void* const* in, const bool* scalar, void* out) {
  using Out = std::conditional_t<Op::mask_output, bool, T>;
  for (Index i = 0; i < n; ++i) static_cast<Out*>(out)[i] = apply_scalar<Op, T>(i, in, scalar);
}

}  // namespace
}  // namespace xgrad::inline v0

#ifdef XGRAD_ISA
#include <xgrad/ops/primitives/elementwise/internal/family_kernels.hpp>
#else
#include <xgrad/ops/primitives/elementwise/internal/family_definitions.hpp>
#endif
