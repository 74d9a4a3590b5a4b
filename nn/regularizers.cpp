#include <xgrad/nn/regularizers.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {
namespace {

// A lower limit of norms, to avoid division by zero for rows of zeros.
constexpr double smallest_norm = 1e-12;

void require_factor(const char* name, double factor) { require_not_negative(name, "the factor", factor); }

}  // namespace

Regularizer l1(double factor) {
  require_factor("l1", factor);
  return {fmt::format("l1({})", factor), [factor](Value w) { return factor * sum(abs(w)); }};
}

Regularizer l2(double factor) {
  require_factor("l2", factor);
  return {fmt::format("l2({})", factor), [factor](Value w) { return factor * sum(square(w)); }};
}

Regularizer l1_l2(double l1_factor, double l2_factor) {
  require_factor("l1_l2", l1_factor);
  require_factor("l1_l2", l2_factor);
  return {fmt::format("l1_l2({}, {})", l1_factor, l2_factor),
          [=](Value w) { return l1_factor * sum(abs(w)) + l2_factor * sum(square(w)); }};
}

Regularizer orthogonal_regularizer(double factor, Vectors vectors) {
  require_factor("orthogonal_regularizer", factor);
  return {
      fmt::format("orthogonal_regularizer({})", factor), [=](Value w) {
        if (w.shape().rank() != 2) {
          throw ShapeError(fmt::format("orthogonal_regularizer: the weight must be a matrix\n  got: {}", w.describe()));
        }
        const bool rows = vectors == Vectors::rows;
        const Index n = w.shape()[rows ? 0 : 1];
        const Value length = sqrt(maximum(sum(square(w), {rows ? 1 : 0}, true), smallest_norm));
        const Value unit = w / length;
        const Value cosines = matmul(unit, unit, !rows, rows);
        const Value off_diagonal = cosines * (1 - eye(w.graph(), n, n, w.dtype()));
        const double pairs = std::max(1.0, static_cast<double>(n * (n - 1)));  // each pair occurs twice
        return factor / pairs * sum(abs(off_diagonal));
      }};
}

Value with_penalties(Value loss) {
  const std::vector<Value> penalties = loss.graph().penalties();
  const std::vector<bool> included = loss.graph().depends(loss, penalties);
  for (std::size_t i = 0; i < penalties.size(); ++i) {
    if (!included[i]) loss = loss + cast(penalties[i], loss.dtype());
  }
  return loss;
}

void add_activity_penalty(const std::optional<Regularizer>& regularizer, Value activity) {
  if (!regularizer) return;
  activity.graph().add_penalty(regularizer->apply(activity) / count(activity, {0}));
}

}  // namespace xgrad::inline v0::nn
