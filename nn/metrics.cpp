#include <xgrad/nn/metrics.hpp>

namespace xgrad::nn::detail {

Value accuracy(Value prediction, Value target) {
  Value right;
  if (target.dtype() != i64 && prediction.shape().back() == 1) {
    right = equal(cast(prediction > 0.5, target.dtype()), target);
  } else {
    right = equal(argmax(prediction, -1), target.dtype() == i64 ? target : argmax(target, -1));
  }
  return mean(cast(right, prediction.dtype()));
}

}  // namespace xgrad::nn::detail
