#include <xgrad/nn/constraints.hpp>

#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {
namespace {

constexpr double epsilon = 1e-7;

Value length_of(Value w, const Axes& axes) { return sqrt(sum(square(w), axes, true)); }

}  // namespace

Constraint max_norm(double largest, Axes axes) {
  if (!(largest > 0)) throw UserError(fmt::format("max_norm: largest must be above 0, got {}", largest));
  return {fmt::format("max_norm({})", largest), [largest, axes = std::move(axes)](Value w) {
            const Value length = length_of(w, axes);
            return w * (minimum(length, largest) / (length + epsilon));
          }};
}

Constraint min_max_norm(double smallest, double largest, Axes axes) {
  if (!(smallest >= 0 && smallest <= largest && largest > 0)) {
    throw UserError(fmt::format(
        "min_max_norm: norms must satisfy 0 <= smallest <= largest and largest > 0, got {} and {}", smallest, largest));
  }
  return {fmt::format("min_max_norm({}, {})", smallest, largest), [=, axes = std::move(axes)](Value w) {
            const Value length = length_of(w, axes);
            return w * (clip(length, smallest, largest) / (length + epsilon));
          }};
}

Constraint unit_norm(Axes axes) {
  return {"unit_norm", [axes = std::move(axes)](Value w) { return w / (length_of(w, axes) + epsilon); }};
}

Value detail::non_negative(Value w) { return maximum(w, 0); }

}  // namespace xgrad::inline v0::nn
