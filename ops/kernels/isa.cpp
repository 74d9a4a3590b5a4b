#include <xgrad/ops/kernels/isa.hpp>

#include <cstdlib>
#include <iterator>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0 {
namespace {

#define XGRAD_ISA_NAME(isa, unused) #isa,
constexpr const char* names[] = {XGRAD_FOR_EACH_ISA(XGRAD_ISA_NAME, )};
#undef XGRAD_ISA_NAME

int choose() {
  const int count = static_cast<int>(std::size(names));
  const char* wanted = std::getenv("XGRAD_ISA");
  if (wanted != nullptr && *wanted != '\0') {
    for (int i = 0; i < count; ++i) {
      if (std::string_view(wanted) != names[i]) continue;
      if (processor_has(names[i])) return i;
      throw EnvironmentError(fmt::format("XGRAD_ISA: this processor does not support {}", wanted));
    }
    throw EnvironmentError(
        fmt::format("XGRAD_ISA: unknown instruction set \"{}\": this build has {}", wanted, fmt::join(names, ", ")));
  }
  if (!processor_has(names[0])) {
    throw EnvironmentError(fmt::format("this build of xgrad has kernels for {}, none of which this processor supports",
                                       fmt::join(names, ", ")));
  }
  int best = 0;
  for (int i = 1; i < count; ++i) {
    if (processor_has(names[i])) best = i;
  }
  return best;
}

}  // namespace

bool processor_has(std::string_view isa) {
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == "sse2") return true;
  if (isa == "avx2") return avx2;
  if (isa == "avx512") {
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
  }
  return false;
#else
  return isa == names[0];
#endif
}

int active_isa() {
  static const int chosen = choose();
  return chosen;
}

const char* active_isa_name() { return names[active_isa()]; }

}  // namespace xgrad::inline v0
