// Losses, each a scalar: the mean over the batch.
#pragma once

#include <xgrad/ops/apply.hpp>

namespace xgrad {

// Mean over all elements of (prediction - target)^2. Shapes must be equal: [n] against [n, 1] is refused.
Value mse(Value prediction, Value target);
// `target` holds probabilities over the last axis, `prediction` probabilities of the same shape. Predictions are
// normalised and clipped to [1e-7, 1 - 1e-7] as Keras does, except that softmax's own output is taken back to its
// logits, which is exact at any logits.
Value categorical_crossentropy(Value prediction, Value target);
Value categorical_crossentropy_from_logits(Value logits, Value target);
// `labels` are class numbers (i64), of the prediction's shape without its last axis. Throws ValueError at run time for
// a label outside [0, classes).
Value sparse_categorical_crossentropy(Value prediction, Value labels);
Value sparse_categorical_crossentropy_from_logits(Value logits, Value labels);

}  // namespace xgrad
