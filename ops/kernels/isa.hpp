// The instruction set of this process's kernels: the best one the processor supports, selected once at start-up, or the
// one named by the environment variable XGRAD_ISA.
#pragma once

#include <span>
#include <string_view>

// Expands X(isa, argument) for each compiled instruction set, worst first. XGRAD_INSTRUCTION_SETS limits them at build
// time.
#if defined(__x86_64__)
#ifdef XGRAD_WITHOUT_SSE2
#define XGRAD_IF_SSE2(...)
#else
#define XGRAD_IF_SSE2(...) __VA_ARGS__
#endif
#ifdef XGRAD_WITHOUT_AVX2
#define XGRAD_IF_AVX2(...)
#else
#define XGRAD_IF_AVX2(...) __VA_ARGS__
#endif
#ifdef XGRAD_WITHOUT_AVX512
#define XGRAD_IF_AVX512(...)
#else
#define XGRAD_IF_AVX512(...) __VA_ARGS__
#endif
#define XGRAD_FOR_EACH_ISA(X, argument) \
  XGRAD_IF_SSE2(X(sse2, argument)) XGRAD_IF_AVX2(X(avx2, argument)) XGRAD_IF_AVX512(X(avx512, argument))
#elif defined(__aarch64__)
#define XGRAD_FOR_EACH_ISA(X, argument) X(neon64, argument)
#endif

namespace xgrad::inline v0 {

// Index of the active set in XGRAD_FOR_EACH_ISA. Throws EnvironmentError if XGRAD_ISA names an unknown set or one that
// the processor does not support.
int active_isa();
const char* active_isa_name();
// Whether the processor supports the named set.
bool processor_has(std::string_view isa);

}  // namespace xgrad::inline v0

#define XGRAD_ISA_MEMBER(isa, name) isa::name,
// The object `name` in the active set's namespace, for instance avx2::kernels for XGRAD_SELECT_ISA(kernels).
#define XGRAD_SELECT_ISA(name)                                         \
  [] {                                                                 \
    const auto of_each = {XGRAD_FOR_EACH_ISA(XGRAD_ISA_MEMBER, name)}; \
    return *(of_each.begin() + ::xgrad::active_isa());                 \
  }()
