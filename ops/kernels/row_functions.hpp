// Table of functions of rows, compiled once per instruction set and selected at start-up. See kernels.hpp.
#pragma once

#include <cstdint>

#include <xgrad/graph/dtype.hpp>
#include <xgrad/graph/shape.hpp>
#include <xgrad/ops/kernels/isa.hpp>

namespace xgrad::inline v0 {

// Arrays are [rows, n]; tables are by dtype, null where the dtype is not supported.
struct RowFunctions {
  // y = (x - mean) / sqrt(variance + epsilon) of each row.
  using Standardize = void (*)(const void* x, double epsilon, Index rows, Index n, void* y);
  // The gradient with respect to x, for the cotangent g.
  using StandardizeGradient = void (*)(const void* x, const void* g, double epsilon, Index rows, Index n, void* dx);
  // y = exp(x - max) / sum(exp(x - max)); and its gradient y (g - sum(g y)).
  using Softmax = void (*)(const void* x, Index rows, Index n, void* y);
  using SoftmaxGradient = void (*)(const void* y, const void* g, Index rows, Index n, void* dx);
  // The log-probability of each row's label; and its gradient with respect to the logits times g, one per row.
  using LabelLogProbability = void (*)(const void* logits, const std::int64_t* labels, Index rows, Index n, void* out);
  using LabelGradient = void (*)(const void* logits, const std::int64_t* labels, const void* g, Index rows, Index n,
                                 void* out);
  Standardize standardize[dtype_count];
  StandardizeGradient standardize_gradient[dtype_count];
  Softmax softmax[dtype_count];
  SoftmaxGradient softmax_gradient[dtype_count];
  LabelLogProbability label_log_probability[dtype_count];
  LabelGradient label_gradient[dtype_count];
};

#define XGRAD_DECLARE_TABLE(isa, unused)   \
  namespace isa {                          \
  extern const RowFunctions row_functions; \
  }
XGRAD_FOR_EACH_ISA(XGRAD_DECLARE_TABLE, )
#undef XGRAD_DECLARE_TABLE

// The functions of the active instruction set.
inline const RowFunctions& row_functions() {
  static const RowFunctions table = XGRAD_SELECT_ISA(row_functions);
  return table;
}

}  // namespace xgrad::inline v0
