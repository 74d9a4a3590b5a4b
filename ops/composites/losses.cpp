// Losses of numbers, of truth values and of vectors, composed.
#include <limits>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/composites/internal/loss_parts.hpp>
#include <xgrad/ops/define/internal/require.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/reductions/internal/axes.hpp>

namespace xgrad::inline v0 {

Value reduced(Value losses, Reduction reduction) {
  switch (reduction) {
    case Reduction::none: return losses;
    case Reduction::mean: return mean(losses);
    case Reduction::sum: return sum(losses);
  }
  return losses;
}

Value weighted_cost(Value weight, Value cost) {
  return weight * where(logical_and(equal(weight, 0), isinf(cost)), 0, cost);
}

void require_same_shape(const char* function, Value prediction, const char* what, Value other) {
  prediction.graph().require(other, fmt::format("{}: {}", function, what));
  require_floating(function, prediction);
  if (prediction.type() == other.type()) return;
  throw ShapeError(fmt::format("{}: prediction and {} differ: {} against {}\n  prediction: {}\n  {}: {}", function,
                               what, prediction.type().str(), other.type().str(), prediction.describe(), what,
                               other.describe()));
}

void require_number(const char* function, const char* what, double number, double low, double high) {
  if (number >= low && number <= high) return;
  throw UserError(fmt::format("{}: {} {} is not from {} to {}", function, what, number, low, high));
}

namespace {

constexpr double huge = std::numeric_limits<double>::max();

Value error(const char* function, Value prediction, Value target) {
  require_same_shape(function, prediction, "target", target);
  return prediction - target;
}

// Of errors: quadratic up to delta, then linear. The cut is a line of slope 1 inside, so that the second derivative is
// right at 0, where that of a formula with |e| would be lost.
Value huber_of(Value e, double delta) {
  const Value cut = clip(e, -delta, delta);
  return cut * (e - 0.5 * cut);
}

}  // namespace

Value mse(Operand prediction, Operand target, Reduction reduction) {
  const SourceLocationScope line(prediction);
  return reduced(square(error("mse", prediction, target)), reduction);
}

Value mae(Operand prediction, Operand target, Reduction reduction) {
  const SourceLocationScope line(prediction);
  return reduced(abs(error("mae", prediction, target)), reduction);
}

Value huber(Operand prediction, Operand target, double delta, Reduction reduction) {
  const SourceLocationScope line(prediction);
  require_number("huber", "delta", delta, std::numeric_limits<double>::min(), huge);
  return reduced(huber_of(error("huber", prediction, target), delta), reduction);
}

Value smooth_l1(Operand prediction, Operand target, double beta, Reduction reduction) {
  const SourceLocationScope line(prediction);
  require_number("smooth_l1", "beta", beta, 0, huge);
  const Value e = error("smooth_l1", prediction, target);
  return reduced(beta == 0 ? abs(e) : huber_of(e, beta) / beta, reduction);
}

Value log_cosh(Operand prediction, Operand target, Reduction reduction) {
  const SourceLocationScope line(prediction);
  const Value e = error("log_cosh", prediction, target);
  // log cosh e = log(1 + 2 sinh(e / 2)^2), which is exact near 0; beyond 20 it is |e| - log 2 to the last bit.
  constexpr double far = 20;
  const Value half = 0.5 * clip(e, -far, far);
  return reduced(log1p(2 * square(sinh(half))) + relu(abs(e) - far), reduction);
}

// ---- truth values

namespace {

Value smoothed(const char* function, Value target, const BinaryOptions& options) {
  require_number(function, "label smoothing", options.label_smoothing, 0, 1);
  require_number(function, "positive weight", options.positive_weight, 0, huge);
  const double s = options.label_smoothing;
  return s == 0 ? target : target * (1 - s) + 0.5 * s;
}

Value weighted(Value target, const BinaryOptions& options) {
  return options.positive_weight == 1 ? target : target * options.positive_weight;
}

Value binary_from_logits(Value logits, Value target, const BinaryOptions& options) {
  // Two terms that are never negative: nothing cancels at large logits.
  const Value costs = weighted_cost(weighted(target, options), softplus(-logits));
  return reduced(costs + weighted_cost(1 - target, softplus(logits)), options.reduction);
}

}  // namespace

Value binary_crossentropy(Operand prediction, Operand target, const BinaryOptions& options) {
  const SourceLocationScope line(prediction);
  const char* function = "binary_crossentropy";
  require_same_shape(function, prediction, "target", target);
  const Value t = smoothed(function, target, options);
  if (prediction.node().op == &builtin_op("sigmoid")) {
    return binary_from_logits(prediction.graph().value(prediction.graph().inputs(prediction.id())[0]), t, options);
  }
  const Value p = clip(prediction, smallest_probability, 1 - smallest_probability);
  return reduced(-(weighted(t, options) * log(p) + (1 - t) * log1p(-p)), options.reduction);
}

Value binary_crossentropy_from_logits(Operand logits, Operand target, const BinaryOptions& options) {
  const SourceLocationScope line(logits);
  const char* function = "binary_crossentropy_from_logits";
  require_same_shape(function, logits, "target", target);
  return binary_from_logits(logits, smoothed(function, target, options), options);
}

Value hinge(Operand prediction, Operand target, Reduction reduction) {
  const SourceLocationScope line(prediction);
  require_same_shape("hinge", prediction, "target", target);
  return reduced(relu(1 - target * prediction), reduction);
}

// ---- vectors

namespace {

// The rows, or slices along an axis, at length 1; shorter ones than epsilon are divided by epsilon, and no derivative
// goes through that length.
Value of_unit_length(Value x, Index axis, double epsilon) {
  const Value factor = reductions::shrinking(x, {axis});
  const Value smaller = x * factor;
  return smaller * rsqrt(maximum(sum(square(smaller), {axis}, true), square(epsilon * factor)));
}

void require_rows(const char* function, Value x) {
  if (x.shape().rank() > 0) return;
  throw ShapeError(fmt::format("{}: a scalar is no row\n  {}", function, x.describe()));
}

Value distance(Value a, Value b) { return norm(a - b + 1e-6, 2, {-1}); }

}  // namespace

Value cosine_similarity(Operand a, Operand b, Index axis, double epsilon) {
  const SourceLocationScope line(a);
  require_same_shape("cosine_similarity", a, "second operand", b);
  require_rows("cosine_similarity", a);
  require_number("cosine_similarity", "epsilon", epsilon, 1e-15, 1);
  const Index along = axis_index(axis, a.shape().rank(), "cosine_similarity");
  return sum(of_unit_length(a, along, epsilon) * of_unit_length(b, along, epsilon), {along});
}

Value cosine_embedding(Operand a, Operand b, Operand target, double margin, Reduction reduction) {
  const SourceLocationScope line(a);
  require_same_shape("cosine_embedding", a, "second operand", b);
  require_rows("cosine_embedding", a);
  require_number("cosine_embedding", "margin", margin, -1, 1);
  a.graph().require(target, "cosine_embedding: target");
  Shape rows;
  for (int axis = 0; axis + 1 < a.shape().rank(); ++axis) rows.push_back(a.shape()[axis]);
  if (target.shape() != rows || target.dtype() == boolean) {
    throw ShapeError(
        fmt::format("cosine_embedding: the targets of rows {} must be numbers {}\n  rows: {}\n  target: {}",
                    a.shape().str(), rows.str(), a.describe(), target.describe()));
  }
  const Value similarity = cosine_similarity(a, b);
  return reduced(where(target > 0, 1 - similarity, relu(similarity - margin)), reduction);
}

Value triplet_margin(Operand anchor, Operand positive, Operand negative, double margin, Reduction reduction) {
  const SourceLocationScope line(anchor);
  require_same_shape("triplet_margin", anchor, "positive", positive);
  require_same_shape("triplet_margin", anchor, "negative", negative);
  require_rows("triplet_margin", anchor);
  require_number("triplet_margin", "margin", margin, 0, huge);
  return reduced(relu(distance(anchor, positive) - distance(anchor, negative) + margin), reduction);
}

}  // namespace xgrad::inline v0
