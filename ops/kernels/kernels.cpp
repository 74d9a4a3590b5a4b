#include <xgrad/ops/kernels/kernels.hpp>

#include <xgrad/ops/kernels/kernel_tables.hpp>

namespace xgrad::inline v0 {

const Kernels& kernels() {
  static const Kernels table{XGRAD_SELECT_ISA(matmul_kernels), XGRAD_SELECT_ISA(reduce_kernels),
                             XGRAD_SELECT_ISA(random_kernels), XGRAD_SELECT_ISA(move_kernels),
                             XGRAD_SELECT_ISA(conv_kernels),   XGRAD_SELECT_ISA(attention_kernels)};
  return table;
}

}  // namespace xgrad::inline v0
