// Metrics: what is reported beside the loss, the mean over the batch. They have no part in training.
//
//   model.compile({..., .metrics = {nn::accuracy}});
//   nn::Metric mae{"mae", [](Value p, Value t) { return mean(abs(p - t)); }};
#pragma once

#include <functional>
#include <string>

#include <xgrad/ops/ops.hpp>

namespace xgrad::nn {

struct Metric {
  std::string name;
  std::function<Value(Value prediction, Value target)> apply;  // a scalar of the prediction's dtype
};

namespace detail {
// The part of the rows in which the class with the largest prediction is the target's; for one-hot and class-number
// targets. Predictions with a last extent of 1 are one probability a row and count as 1 above one half.
Value accuracy(Value prediction, Value target);
}  // namespace detail

inline const Metric accuracy{"accuracy", detail::accuracy};
inline const Metric mean_absolute_error{"mean_absolute_error", [](Value p, Value t) { return mean(abs(p - t)); }};

}  // namespace xgrad::nn
