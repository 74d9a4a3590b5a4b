// Helpers shared by losses.
#pragma once

#include <string>
#include <vector>

#include <xgrad/graph/op_def.hpp>
#include <xgrad/ops/losses.hpp>

namespace xgrad::inline v0 {

// Probabilities are clipped to [smallest, 1 - smallest], as in Keras.
inline constexpr double smallest_probability = 1e-7;

Value reduced(Value losses, Reduction reduction);
// weight * cost, but 0 with derivative 0 where the weight is 0 and the cost infinite, so that 0 log 0 is 0.
Value weighted_cost(Value weight, Value cost);
// Throws unless both have the same shape and floating dtype; `what` names `other` in the error.
void require_same_shape(const char* function, Value prediction, const char* what, Value other);
// Throws UserError unless low <= number <= high.
void require_number(const char* function, const char* what, double number, double low, double high);

// ---- for samples

// The attribute `reduction` of samples.
inline constexpr std::int64_t by_none = 0, by_mean = 1, by_sum = 2;
Reduction reduction_of(const Attrs& attrs);
Attrs reduced_by(std::int64_t reduction);
// Samples of all reductions, with predictions and targets from the domains.
std::vector<Sample> loss_samples(const Domain& prediction, const Domain& target, bool zero_second = false);
// Bad samples: predictions and targets of different or integer types.
std::vector<BadSample> bad_losses(const std::string& name);

}  // namespace xgrad::inline v0
