// Scaled dot-product attention.
#pragma once

#include <optional>

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0 {

struct AttentionOptions {
  // Broadcasts to the scores [..., rows, keys]. bool: keys that take part; otherwise added to the scores.
  Value mask{};
  bool causal = false;            // row i reads keys 0 to i only, also if there are more or fewer keys than rows
  std::optional<double> scale{};  // of the scores; 1 / sqrt(depth) if absent
  double dropout = 0;             // fraction of the weights that are set to 0; the others are divided by 1 - dropout
};

// softmax(query key^T * scale + mask) value, for query [..., rows, depth], key [..., keys, depth] and value [..., keys,
// value depth]; leading axes broadcast. The matrix of scores is not stored: forward and backward pass take memory
// linear in rows and keys, except for the gradient of a mask and for second derivatives.
//
// Excluded keys have weight 0, so that NaN or inf in their value still gives NaN. A row whose keys are all excluded is
// NaN; without keys the result is 0. Dropout draws other numbers than dropout_mask. Throws UserError unless scale is
// finite and dropout in [0, 1), ShapeError or DTypeError if the operands do not fit.
Value scaled_dot_product_attention(Operand query, Operand key, Operand value, const AttentionOptions& options = {});

}  // namespace xgrad::inline v0
