#include <xgrad/ops/kernels/kernels.hpp>

#include <algorithm>

#include <xgrad/ops/kernels/kernel_tables.hpp>

namespace xgrad::inline v0 {
namespace {

#define XGRAD_ADDRESS(isa, name) &isa::name,
// The table `name` of the active instruction set.
#define XGRAD_ACTIVE(name)                                      \
  [] {                                                          \
    const auto all = {XGRAD_FOR_EACH_ISA(XGRAD_ADDRESS, name)}; \
    return *(all.begin() + active_isa());                       \
  }()

Kernels join() {
  Kernels out{};
  out.prepare_matmul = XGRAD_ACTIVE(matmul_kernels)->prepare;
  const ReduceKernels& reduce = *XGRAD_ACTIVE(reduce_kernels);
  std::copy_n(reduce.sum, dtype_count, out.sum);
  std::copy_n(reduce.prod, dtype_count, out.prod);
  std::copy_n(reduce.any, dtype_count, out.any);
  std::copy_n(reduce.all, dtype_count, out.all);
  std::copy_n(reduce.max, dtype_count, out.max);
  std::copy_n(reduce.min, dtype_count, out.min);
  out.block_sum = reduce.block_sum;
  out.block_prod = reduce.block_prod;
  out.block_max = reduce.block_max;
  out.block_min = reduce.block_min;
  out.reduce_scratch = reduce.scratch;
  const MoveKernels& move = *XGRAD_ACTIVE(move_kernels);
  out.transpose_4 = move.transpose_4;
  out.transpose_8 = move.transpose_8;
  const RandomKernels& random = *XGRAD_ACTIVE(random_kernels);
  std::copy_n(random.uniform, dtype_count, out.uniform);
  std::copy_n(random.normal, dtype_count, out.normal);
  std::copy_n(random.bernoulli, dtype_count, out.bernoulli);
  return out;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels table = join();
  return table;
}

}  // namespace xgrad::inline v0
