#include <xgrad/nn/metrics.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/nn/losses.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {
namespace {

double ratio(double count, double total) { return total == 0 ? 0 : count / total; }

bool has_classes(Target target) { return target == Target::class_index || target == Target::distribution; }

bool one_probability(Value prediction) { return prediction.shape().back() == 1; }

// The class index of each row, for one-hot targets and class indices.
Value class_of(Value target) { return target.dtype() == i64 ? target : argmax(target, -1); }

// The predicted class index of each row; 0 or 1 if there is one probability per row.
Value predicted_class(const MetricInput& in) {
  if (!one_probability(in.prediction)) return argmax(in.prediction, -1);
  return cast(squeeze(in.predicted_positive(), {-1}), i64);
}

Value target_class(const MetricInput& in) {
  const bool column = one_probability(in.prediction) && in.target.shape() == in.prediction.shape();
  if (!column) return class_of(in.target);
  return cast(squeeze(in.target_kind == Target::sign ? in.positive() : in.target, {-1}), i64);
}

void require_like(const char* metric, const MetricInput& in) {
  if (in.prediction.type() == in.target.type()) return;
  throw ShapeError(
      fmt::format("{}: prediction and target must have one shape and dtype\n  prediction: {}\n  target: {}{}", metric,
                  in.prediction.describe(), in.target.describe(),
                  in.target.dtype() == i64 ? "\n  hint: for class indices use its macro_ form" : ""));
}

// Appends axes of extent 1, so that weights of the leading axes of x broadcast along the others.
Value aligned(Value weights, Value x) {
  while (weights.shape().rank() < x.shape().rank()) weights = expand_dims(weights, -1);
  return weights;
}

Axes axes_from(int first, Value x) {
  std::vector<Index> out(static_cast<std::size_t>(std::max(0, x.shape().rank() - first)));
  std::iota(out.begin(), out.end(), Index{first});
  return out;
}

// Weighted sum of x over `axes`; over all if empty.
Value sum_of(const MetricInput& in, Value x, const Axes& axes = {}) {
  return in.weights.valid() ? sum(cast(x, f64) * aligned(cast(in.weights, f64), x), axes) : sum(x, axes);
}

// Returns a function that counts true positives, predicted positives and positives.
std::function<MetricOutput(const MetricInput&)> count_positives(const char* metric, double threshold) {
  return [=](const MetricInput& in) {
    require_like(metric, in);
    const Value predicted = in.predicted_positive(threshold), positive = in.positive();
    return in.sums(stack({sum_of(in, logical_and(predicted, positive)), sum_of(in, predicted), sum_of(in, positive)}));
  };
}

std::size_t classes_of(std::span<const double> confusion) {
  return static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(confusion.size()))));
}

// The mean over the classes of score(true positives, predicted, actual).
template <class F>
double mean_over_classes(std::span<const double> confusion, F score) {
  const std::size_t n = classes_of(confusion);
  double total = 0;
  for (std::size_t c = 0; c < n; ++c) {
    double predicted = 0, actual = 0;
    for (std::size_t other = 0; other < n; ++other) {
      predicted += confusion[other * n + c];
      actual += confusion[c * n + other];
    }
    total += score(confusion[c * n + c], predicted, actual);
  }
  return total / static_cast<double>(n);
}

}  // namespace

// ---- MetricInput

MetricOutput MetricInput::mean(Value each, Value counts) const {
  if (!is_floating(each.dtype())) each = cast(each, prediction.dtype());
  if (!weights.valid() && !counts.valid()) return {xgrad::mean(each)};
  Value weight = counts;
  if (weights.valid()) {
    const Value w = cast(weights, each.dtype());
    const int rank = w.shape().rank();
    bool fits = each.shape().rank() >= rank;
    for (int axis = 0; fits && axis < rank; ++axis) fits = each.shape()[axis] == w.shape()[axis];
    if (!fits) {
      throw ShapeError(fmt::format("metric: `each` must start with the axes of the weights\n  each: {}\n  weights: {}",
                                   each.describe(), weights.describe()));
    }
    if (!counts.valid() && each.shape().rank() > rank) each = xgrad::mean(each, axes_from(rank, each));
    weight = counts.valid() ? cast(counts, each.dtype()) * aligned(w, counts) : w;
    each = each * aligned(w, each);
  }
  // Use f64, which counts exactly beyond 2^24. A batch of weight 0 has the mean 0, since NaN would make the epoch's
  // mean NaN.
  const Value total = sum(cast(weight, f64));
  return {sum(each) / cast(where(total > 0, total, 1), each.dtype()), total};
}

MetricOutput MetricInput::sums(Value totals) const {
  return {totals, weights.valid() ? sum(cast(weights, f64)) : Value()};
}

Value MetricInput::probability() const {
  switch (prediction_kind) {
    case Prediction::value: break;
    case Prediction::logit: return has_classes(target_kind) ? softmax(prediction) : sigmoid(prediction);
    case Prediction::log_probability: return exp(prediction);
  }
  return prediction;
}

Value MetricInput::predicted_positive(double threshold) const {
  // Compare logits: those near 0 differ even where their sigmoids all round to 0.5.
  if (prediction_kind == Prediction::logit && !has_classes(target_kind))
    return prediction > std::log(threshold / (1 - threshold));
  return probability() > threshold;
}

Value MetricInput::positive() const { return target > (target_kind == Target::sign ? 0 : default_threshold); }

namespace detail {

Metric metric(std::string name, std::function<MetricOutput(const MetricInput&)> measure, Metric::Result result) {
  const auto apply = [measure](Value prediction, Value target) {
    return measure({.prediction = prediction, .target = target}).value;
  };
  return {std::move(name), apply, std::move(result), std::move(measure)};
}

MetricOutput categorical_accuracy(const MetricInput& in) {
  return in.mean(equal(argmax(in.prediction, -1), class_of(in.target)));
}

MetricOutput accuracy(const MetricInput& in) {
  if (in.target.dtype() == i64 || !one_probability(in.prediction)) return categorical_accuracy(in);
  if (in.target_kind == Target::sign) return in.mean(equal(in.predicted_positive(), in.positive()));
  return in.mean(equal(cast(in.predicted_positive(), in.target.dtype()), in.target));
}

// Sums in f64, so that the result does not depend on the batch size.
MetricOutput squared_errors(const MetricInput& in) {
  require_like("root_mean_squared_error", in);
  const Value e = cast(in.prediction, f64) - cast(in.target, f64);
  return in.sums(stack({sum_of(in, square(e)), in.weights.valid() ? sum_of(in, ones_like(e)) : count(e)}));
}

double root_of_mean(std::span<const double> totals) { return std::sqrt(totals[0] / totals[1]); }

// Sums for each output: of squared errors, targets and squared targets, and the number of rows.
MetricOutput variance_sums(const MetricInput& in) {
  require_like("r2", in);
  const Value t = flatten(cast(in.target, f64));
  const Value e = flatten(cast(in.prediction, f64)) - t;
  const Value squares = sum_of(in, square(e), {0});
  const Value rows = in.weights.valid() ? sum(cast(in.weights, f64)) : count(t, {0});
  return in.sums(stack({squares, sum_of(in, t, {0}), sum_of(in, square(t), {0}), broadcast_like(rows, squares)}));
}

double explained(std::span<const double> totals) {
  const std::size_t outputs = totals.size() / 4;
  double sum = 0;
  for (std::size_t i = 0; i < outputs; ++i) {
    const double targets = totals[outputs + i], rows = totals[3 * outputs + i];
    sum += 1 - totals[i] / (totals[2 * outputs + i] - targets * targets / rows);
  }
  return sum / static_cast<double>(outputs);
}

MetricOutput confusion(const MetricInput& in) {
  const Index classes = std::max<Index>(2, in.prediction.shape().back());
  const DType dtype = in.weights.valid() ? f64 : in.prediction.dtype();
  const auto one_hot_rows = [&](Value labels) { return one_hot(flatten(labels, 0), classes, dtype); };
  Value truth = one_hot_rows(target_class(in));
  if (in.weights.valid()) {
    const Value labels = target_class(in);
    truth = truth * expand_dims(flatten(broadcast_like(aligned(cast(in.weights, f64), labels), labels), 0), -1);
  }
  return in.sums(matmul(truth, one_hot_rows(predicted_class(in)), true));
}

double macro_precision(std::span<const double> confusion) {
  return mean_over_classes(confusion, [](double hits, double predicted, double) { return ratio(hits, predicted); });
}

double macro_recall(std::span<const double> confusion) {
  return mean_over_classes(confusion, [](double hits, double, double actual) { return ratio(hits, actual); });
}

double macro_f1(std::span<const double> confusion) {
  return mean_over_classes(
      confusion, [](double hits, double predicted, double actual) { return ratio(2 * hits, predicted + actual); });
}

}  // namespace detail

Metric binary_accuracy(double threshold) {
  require_within("binary_accuracy", "threshold", threshold, 0, 1);
  return detail::metric("binary_accuracy", [threshold](const MetricInput& in) {
    require_like("binary_accuracy", in);
    return in.mean(equal(in.predicted_positive(threshold), in.positive()));
  });
}

Metric top_k_accuracy(int k) {
  require_at_least("top_k_accuracy", "k", k, 1);
  return detail::metric(fmt::format("top_{}_accuracy", k), [k](const MetricInput& in) {
    const Index classes = in.prediction.shape().back();
    if (k > classes) {
      throw ShapeError(fmt::format("top_k_accuracy: k = {}, but there are only {} classes\n  {}", k, classes,
                                   in.prediction.describe()));
    }
    // Counting larger predictions needs no sort and includes ties.
    const Value own = take_along_axis(in.prediction, expand_dims(class_of(in.target), -1), -1);
    return in.mean(sum(in.prediction > own, {-1}) < k);
  });
}

Metric precision(double threshold) {
  require_within("precision", "threshold", threshold, 0, 1);
  return detail::metric("precision", count_positives("precision", threshold),
                        [](std::span<const double> t) { return ratio(t[0], t[1]); });
}

Metric recall(double threshold) {
  require_within("recall", "threshold", threshold, 0, 1);
  return detail::metric("recall", count_positives("recall", threshold),
                        [](std::span<const double> t) { return ratio(t[0], t[2]); });
}

Metric f1(double threshold) {
  require_within("f1", "threshold", threshold, 0, 1);
  return detail::metric("f1", count_positives("f1", threshold),
                        [](std::span<const double> t) { return ratio(2 * t[0], t[1] + t[2]); });
}

Metric auc(int thresholds) {
  require_at_least("auc", "thresholds", thresholds, 2);
  const auto n = static_cast<std::size_t>(thresholds);
  const auto measure = [thresholds](const MetricInput& in) {
    require_like("auc", in);
    // The outer thresholds lie below and above all probabilities.
    std::vector<double> at(static_cast<std::size_t>(thresholds));
    for (std::size_t i = 0; i < at.size(); ++i) at[i] = static_cast<double>(i) / (thresholds - 1);
    at.front() = -default_auc_margin;
    at.back() = 1 + default_auc_margin;
    const Value p = in.probability();
    const Value levels = p.graph().constant(Tensor::from<double>({thresholds}, at).cast(p.dtype()));
    const Value predicted = reshape(p, {-1, 1}) > levels;
    const Value positive = reshape(in.positive(), {-1, 1});
    Value weights;
    if (in.weights.valid()) weights = reshape(broadcast_like(aligned(cast(in.weights, f64), p), p), {-1, 1});
    const auto total = [&](Value mask) { return sum(weights.valid() ? where(mask, weights, 0) : mask, {0}); };
    return in.sums(
        stack({total(logical_and(predicted, positive)), total(logical_and(predicted, logical_not(positive)))}));
  };
  const auto area_under = [n](std::span<const double> totals) {
    const auto hits = totals.subspan(0, n), false_alarms = totals.subspan(n, n);
    double area = 0;
    for (std::size_t i = 0; i + 1 < n; ++i)
      area += (false_alarms[i] - false_alarms[i + 1]) * (hits[i] + hits[i + 1]) / 2;
    const double all = hits[0] * false_alarms[0];
    return all == 0 ? std::numeric_limits<double>::quiet_NaN() : area / all;
  };
  return detail::metric("auc", measure, area_under);
}

double Metric::operator()(const Tensor& prediction, const Tensor& target) const {
  Graph graph({.dtype = is_floating(prediction.dtype()) ? prediction.dtype() : f32});
  const Value p = graph.input("prediction", prediction.shape(), prediction.dtype());
  const Value t = graph.input("target", target.shape(), target.dtype());
  const Value value = measure ? measure({.prediction = p, .target = t}).value : apply(p, t);
  const Tensor numbers = evaluate(value, {{p, prediction}, {t, target}}).cast(f64);
  return result ? result(numbers.values<double>()) : numbers.item();
}

Tensor confusion_matrix(const Tensor& prediction, const Tensor& target) {
  return confusion_matrix(prediction, target, Loss{});
}

Tensor confusion_matrix(const Tensor& prediction, const Tensor& target, const Loss& loss) {
  if (prediction.shape().rank() < 2 || !is_floating(prediction.dtype())) {
    throw ShapeError(fmt::format("confusion_matrix: predictions must be [rows, classes]\n  prediction: {}",
                                 prediction.type().str()));
  }
  const Shape labels(std::span(prediction.shape().begin(), prediction.shape().end() - 1));
  const bool fits = target.dtype() == i64 ? target.shape() == labels : target.shape() == prediction.shape();
  if (!fits || target.dtype() == boolean) {
    throw ShapeError(
        fmt::format("confusion_matrix: targets must be class indices or one-hot rows\n  prediction: {}\n  target: {}",
                    prediction.type().str(), target.type().str()));
  }
  Graph graph({.dtype = prediction.dtype()});
  const Value p = graph.input("prediction", prediction.shape());
  const Value t = graph.input("target", target.shape(), target.dtype());
  const MetricInput seen =
      loss.counted({.prediction = p, .target = t, .prediction_kind = loss.prediction, .target_kind = loss.target});
  return evaluate(detail::confusion(seen).value, {{p, prediction}, {t, target}}).cast(i64);
}

}  // namespace xgrad::inline v0::nn
