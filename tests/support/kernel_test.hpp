// The kernels of every instruction set that this processor supports, and memory for them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <type_traits>
#include <vector>

#include <xgrad/graph/tensor.hpp>
#include <xgrad/ops/kernels/kernel_tables.hpp>

#include "dice.hpp"

namespace xgrad {

namespace testing {

struct Tables {
  std::string isa;
  const MatmulKernels* matmul;
  const ReduceKernels* reduce;
  const RandomKernels* random;
};

// The first set is always included; the others depend on the processor.
inline std::vector<Tables> tables() {
#define XGRAD_TEST_TABLE(isa, unused) {#isa, &isa::matmul_kernels, &isa::reduce_kernels, &isa::random_kernels},
  std::vector<Tables> out = {XGRAD_FOR_EACH_ISA(XGRAD_TEST_TABLE, )};
#undef XGRAD_TEST_TABLE
  std::erase_if(out, [](const Tables& t) { return !processor_has(t.isa); });
  return out;
}

// Sizes around the vector widths and block sizes of the kernels.
inline constexpr Index sizes[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 100, 127, 129, 257};
inline Index any_size(Dice& dice) { return sizes[dice.below(static_cast<Index>(std::size(sizes)))]; }

template <class T>
std::vector<T> random_numbers(Dice& dice, Index n) {
  std::vector<T> out(static_cast<std::size_t>(n));
  for (T& x : out) {
    if constexpr (std::is_integral_v<T>)
      x = dice.between(-1000, 1000);
    else
      x = static_cast<T>(dice.real(-1, 1));
  }
  return out;
}

// Scratch memory of exactly the requested size, followed by a guard zone.
class Scratch {
 public:
  explicit Scratch(std::size_t bytes) : memory_({static_cast<Index>(bytes + 64)}, DType::boolean), bytes_(bytes) {
    std::memset(memory_.mutable_raw(), 1, bytes + 64);
  }
  void* get() { return memory_.mutable_raw(); }
  bool intact() const {
    const auto guard = memory_.values<bool>().subspan(bytes_);
    return std::all_of(guard.begin(), guard.end(), [](bool b) { return b; });
  }

 private:
  Tensor memory_;
  std::size_t bytes_;
};

}  // namespace testing
}  // namespace xgrad
