// The vector functions of simd.hpp as array kernels, for each instruction set.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/shape.hpp>
#include <xgrad/ops/kernels/isa.hpp>

namespace xgrad::testing {

template <class T>
using ArrayFunction = void (*)(Index n, const T* x, const T* y, T* out);  // y only if there are two arguments

struct VectorFunction {
  const char* name;
  ArrayFunction<float> f32;
  ArrayFunction<double> f64;
  template <class T>
  ArrayFunction<T> of() const {
    if constexpr (sizeof(T) == sizeof(float))
      return f32;
    else
      return f64;
  }
};

#define XGRAD_TEST_DECLARE_FUNCTIONS(isa, unused)           \
  namespace isa {                                           \
  extern const std::span<const VectorFunction> functions_1; \
  extern const std::span<const VectorFunction> functions_2; \
  }
XGRAD_FOR_EACH_ISA(XGRAD_TEST_DECLARE_FUNCTIONS, )
#undef XGRAD_TEST_DECLARE_FUNCTIONS

struct FunctionSet {
  std::string isa;
  std::span<const VectorFunction> of_one, of_two;
  const VectorFunction& find(std::string_view name) const {
    for (const auto& all : {of_one, of_two}) {
      for (const VectorFunction& f : all) {
        if (f.name == name) return f;
      }
    }
    throw UserError("there is no vector function " + std::string(name));
  }
};

// The functions of every instruction set that this processor supports.
inline std::vector<FunctionSet> function_sets() {
#define XGRAD_TEST_FUNCTION_SET(isa, unused) {#isa, isa::functions_1, isa::functions_2},
  std::vector<FunctionSet> out = {XGRAD_FOR_EACH_ISA(XGRAD_TEST_FUNCTION_SET, )};
#undef XGRAD_TEST_FUNCTION_SET
  std::erase_if(out, [](const FunctionSet& set) { return !processor_has(set.isa); });
  return out;
}

}  // namespace xgrad::testing
