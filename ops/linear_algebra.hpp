// Products of matrices.
#pragma once

#include <xgrad/ops/apply.hpp>

namespace xgrad {

// Matrix product of the last two axes; the axes before broadcast. transpose_a reads a as if its last two axes were
// exchanged, without a copy; the same for b.
Value matmul(Value a, Value b, bool transpose_a = false, bool transpose_b = false);

}  // namespace xgrad
