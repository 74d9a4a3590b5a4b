#include <xgrad/nn/metrics.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/graph/interpreter.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::nn {
namespace {

double ratio(double part, double whole) { return whole == 0 ? 0 : part / whole; }

bool one_probability(Value prediction) { return prediction.shape().back() == 1; }

// The class of each row, for one-hot and class-number targets.
Value class_of(Value target) { return target.dtype() == i64 ? target : argmax(target, -1); }

// The class that is predicted for each row; of one probability a row 0 or 1.
Value predicted_class(Value prediction) {
  if (!one_probability(prediction)) return argmax(prediction, -1);
  return cast(squeeze(prediction, {-1}) > default_threshold, i64);
}

Value target_class(Value prediction, Value target) {
  const bool column = one_probability(prediction) && target.type().shape == prediction.shape();
  return column ? cast(squeeze(target, {-1}), i64) : class_of(target);
}

void require_like(const char* metric, Value prediction, Value target) {
  if (prediction.type() == target.type()) return;
  throw ShapeError(
      fmt::format("{}: prediction and target must have one shape and dtype\n  prediction: {}\n  target: {}{}", metric,
                  prediction.describe(), target.describe(),
                  target.dtype() == i64 ? "\n  hint: for class numbers use its macro_ form" : ""));
}

double require_threshold(const char* metric, double threshold) {
  if (threshold >= 0 && threshold <= 1) return threshold;
  throw UserError(fmt::format("{}: a threshold of {} is not in [0, 1]", metric, threshold));
}

// How many elements are predicted rightly, are predicted, and hold.
std::function<Value(Value, Value)> found_predicted_held(const char* metric, double threshold) {
  return [=](Value prediction, Value target) {
    require_like(metric, prediction, target);
    const Value predicted = prediction > threshold;
    const Value holds = target > default_threshold;
    return stack({sum(logical_and(predicted, holds)), sum(predicted), sum(holds)});
  };
}

std::size_t classes_of(std::span<const double> confusion) {
  return static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(confusion.size()))));
}

// The mean over classes of a function of how often each was found, predicted and there.
template <class F>
double mean_over_classes(std::span<const double> confusion, F score) {
  const std::size_t n = classes_of(confusion);
  double total = 0;
  for (std::size_t c = 0; c < n; ++c) {
    double predicted = 0, there = 0;
    for (std::size_t other = 0; other < n; ++other) {
      predicted += confusion[other * n + c];
      there += confusion[c * n + other];
    }
    total += score(confusion[c * n + c], predicted, there);
  }
  return total / static_cast<double>(n);
}

}  // namespace

namespace detail {

Value categorical_accuracy(Value prediction, Value target) {
  return mean(cast(equal(argmax(prediction, -1), class_of(target)), prediction.dtype()));
}

Value accuracy(Value prediction, Value target) {
  if (target.dtype() == i64 || !one_probability(prediction)) return categorical_accuracy(prediction, target);
  return mean(cast(equal(cast(prediction > default_threshold, target.dtype()), target), prediction.dtype()));
}

// In f64, for the same sum in whatever batches.
Value squared_errors(Value prediction, Value target) {
  require_like("root_mean_squared_error", prediction, target);
  const Value e = cast(prediction, f64) - cast(target, f64);
  return stack({sum(square(e)), count(e)});
}

double root_of_mean(std::span<const double> totals) { return std::sqrt(totals[0] / totals[1]); }

// For each output: squared errors, targets, squared targets, rows.
Value variance_sums(Value prediction, Value target) {
  require_like("r2", prediction, target);
  const Value t = flatten(cast(target, f64));
  const Value e = flatten(cast(prediction, f64)) - t;
  const Value squares = sum(square(e), {0});
  return stack({squares, sum(t, {0}), sum(square(t), {0}), broadcast_like(count(t, {0}), squares)});
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

Value confusion(Value prediction, Value target) {
  const Index classes = std::max<Index>(2, prediction.shape().back());
  const auto one_hot_rows = [&](Value labels) { return one_hot(flatten(labels, 0), classes, prediction.dtype()); };
  return matmul(one_hot_rows(target_class(prediction, target)), one_hot_rows(predicted_class(prediction)), true);
}

double macro_precision(std::span<const double> confusion) {
  return mean_over_classes(confusion, [](double found, double predicted, double) { return ratio(found, predicted); });
}

double macro_recall(std::span<const double> confusion) {
  return mean_over_classes(confusion, [](double found, double, double there) { return ratio(found, there); });
}

double macro_f1(std::span<const double> confusion) {
  return mean_over_classes(
      confusion, [](double found, double predicted, double there) { return ratio(2 * found, predicted + there); });
}

}  // namespace detail

Metric binary_accuracy(double threshold) {
  require_threshold("binary_accuracy", threshold);
  return {"binary_accuracy", [threshold](Value prediction, Value target) {
            require_like("binary_accuracy", prediction, target);
            return mean(cast(equal(prediction > threshold, target > default_threshold), prediction.dtype()));
          }};
}

Metric top_k_accuracy(int k) {
  if (k < 1) throw UserError(fmt::format("top_k_accuracy: the largest {} have no meaning", k));
  return {fmt::format("top_{}_accuracy", k), [k](Value prediction, Value target) {
            const Index classes = prediction.shape().back();
            if (k > classes) {
              throw ShapeError(fmt::format("top_k_accuracy: there are no {} of {} classes\n  {}", k, classes,
                                           prediction.describe()));
            }
            // Fewer than k are larger: as cheap as an order of all, and a tie counts as found.
            const Value own = take_along_axis(prediction, expand_dims(class_of(target), -1), -1);
            const Value larger = sum(prediction > own, {-1});
            return mean(cast(larger < k, prediction.dtype()));
          }};
}

Metric precision(double threshold) {
  require_threshold("precision", threshold);
  return {"precision", found_predicted_held("precision", threshold),
          [](std::span<const double> t) { return ratio(t[0], t[1]); }};
}

Metric recall(double threshold) {
  require_threshold("recall", threshold);
  return {"recall", found_predicted_held("recall", threshold),
          [](std::span<const double> t) { return ratio(t[0], t[2]); }};
}

Metric f1(double threshold) {
  require_threshold("f1", threshold);
  return {"f1", found_predicted_held("f1", threshold),
          [](std::span<const double> t) { return ratio(2 * t[0], t[1] + t[2]); }};
}

Metric auc(int thresholds) {
  if (thresholds < 2) throw UserError(fmt::format("auc: {} thresholds make no curve", thresholds));
  const auto n = static_cast<std::size_t>(thresholds);
  return {
      "auc",
      [thresholds](Value prediction, Value target) {
        require_like("auc", prediction, target);
        // The first threshold lies below all predictions and the last above, as probabilities are from 0 to 1.
        std::vector<double> at(static_cast<std::size_t>(thresholds));
        for (std::size_t i = 0; i < at.size(); ++i) at[i] = static_cast<double>(i) / (thresholds - 1);
        at.front() = -default_auc_margin;
        at.back() = 1 + default_auc_margin;
        const Value levels =
            prediction.graph().constant(Tensor::from<double>({thresholds}, at).cast(prediction.dtype()));
        const Value predicted = reshape(prediction, {-1, 1}) > levels;
        const Value holds = reshape(target, {-1, 1}) > default_threshold;
        return stack({sum(logical_and(predicted, holds), {0}), sum(logical_and(predicted, logical_not(holds)), {0})});
      },
      [n](std::span<const double> totals) {
        const auto found = totals.subspan(0, n), false_alarms = totals.subspan(n, n);
        double area = 0;
        for (std::size_t i = 0; i + 1 < n; ++i)
          area += (false_alarms[i] - false_alarms[i + 1]) * (found[i] + found[i + 1]) / 2;
        const double all = found[0] * false_alarms[0];
        return all == 0 ? std::numeric_limits<double>::quiet_NaN() : area / all;
      }};
}

Tensor confusion_matrix(const Tensor& prediction, const Tensor& target) {
  if (prediction.shape().rank() < 2 || !is_floating(prediction.dtype())) {
    throw ShapeError(fmt::format("confusion_matrix: predictions must be [rows, classes]\n  prediction: {}",
                                 prediction.type().str()));
  }
  Shape labels;
  for (int axis = 0; axis + 1 < prediction.shape().rank(); ++axis) labels.push_back(prediction.shape()[axis]);
  const bool fits = target.dtype() == i64 ? target.shape() == labels : target.shape() == prediction.shape();
  if (!fits || target.dtype() == boolean) {
    throw ShapeError(
        fmt::format("confusion_matrix: targets must be class numbers or one-hot rows\n  prediction: {}\n  target: {}",
                    prediction.type().str(), target.type().str()));
  }
  Graph graph({.dtype = prediction.dtype()});
  const Value p = graph.input("prediction", prediction.shape());
  const Value t = graph.input("target", target.shape(), target.dtype());
  return evaluate(detail::confusion(p, t), {{p, prediction}, {t, target}}).cast(i64);
}

}  // namespace xgrad::nn
