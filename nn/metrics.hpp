// Metrics: values that are reported next to the loss. They do not influence training.
//
//   model.compile({..., .metrics = {nn::accuracy, nn::top_k_accuracy(3)}});
//   model.compile({..., .metrics = {nn::root_mean_squared_error, nn::mean_absolute_error}});  // losses are metrics
//
// A reported value covers all rows of an epoch and does not depend on the batch size. The metrics of this library are
// weighted means or sums: row weights (Dataset::weights) multiply, and the ignored label of the loss has weight 0.
// Class weights are options of a loss and do not affect metrics. The loss declares whether predictions are logits, so
// thresholds are always probabilities. If the total weight is 0, the reported value is 0, as in Keras.
#pragma once

#include <functional>
#include <span>
#include <string>

#include <xgrad/graph/tensor.hpp>
#include <xgrad/graph/value.hpp>
#include <xgrad/nn/checked_function.hpp>
#include <xgrad/nn/defaults.hpp>

namespace xgrad::inline v0::nn {

// A loss declares the conventions of its predictions and targets; data checks and metrics follow them.

// The meaning of a target.
enum class Target {
  like_prediction,  // any values, in the shape of the prediction
  class_index,      // class index (i64); shape of the prediction without its last axis
  probability,      // values in [0, 1]; shape of the prediction
  sign,             // -1 or 1; shape of the prediction
  distribution,     // probabilities that sum to 1 along the last axis; shape of the prediction
};

// The scale of a prediction. Metrics with a threshold in [0, 1] convert predictions to probabilities.
enum class Prediction {
  value,            // any values or probabilities
  logit,            // log(p / (1 - p)) of a probability p; also margins, whose decision boundary is 0 too
  log_probability,  // log p
};

struct Loss;

// The value and the weight of a loss or a metric for one batch.
struct MetricOutput {
  Value value;     // a mean (scalar), or sums
  Value weight{};  // total weight of the batch (f64 scalar), for averages over batches; the row count if not valid
};

// The arguments of a metric: one batch.
struct MetricInput {
  Value prediction, target;  // the ignored label is replaced by class 0 with weight 0
  // The weight of each row [rows] or label [rows, ...]; 1 if not valid.
  Value weights{};
  Prediction prediction_kind = Prediction::value;
  Target target_kind = Target::like_prediction;

  // The weighted mean of `each`, which has one value or boolean per row, label or element, [rows, ...]. `counts`, of
  // the same shape, are additional weights by which `each` is already multiplied, such as class weights; 1 if not
  // valid. The mean is sum(weights * each) / sum(weights * counts). Throws ShapeError if the leading axes differ from
  // those of the weights.
  MetricOutput mean(Value each, Value counts = {}) const;
  // The output of a metric that is computed from sums over the batch, of any shape and dtype. The caller must have
  // multiplied the summands by the weights.
  MetricOutput sums(Value totals) const;
  // The prediction as probabilities, by `prediction_kind`. Class logits are converted by softmax, others by sigmoid.
  Value probability() const;
  // Booleans per element: whether the probability is above a threshold in [0, 1].
  Value predicted_positive(double threshold = default_threshold) const;
  // Booleans per element: whether the target is positive.
  Value positive() const;
};

// The compiler error for a MeasureFunction.
struct MeasureFunctionExpected {
  template <bool fits, class F>
  static constexpr void require() {
    static_assert(fits, "`measure` is a function of a batch: [](const nn::MetricInput& in) { return in.mean(...); }");
  }
};
// The function of a metric with weights.
using MeasureFunction = CheckedFunction<MeasureFunctionExpected, MetricOutput(const MetricInput&)>;

// A named metric. Set `apply`, or `measure` for a metric that uses weights.
//
//   nn::Metric bias{"bias", [](Value p, Value t) { return mean(p - t); }};           // a mean over rows
//   nn::Metric positives{"positives", [](Value p, Value) { return sum(p > 0.5); },   // sums over rows,
//                        [](std::span<const double> total) { return total[0]; }};    // and the result
//   nn::Metric near{.name = "near", .measure = [](const nn::MetricInput& in) {       // uses weights
//     return in.mean(abs(in.prediction - in.target) < 0.1);
//   }};
struct Metric {
  using Result = std::function<double(std::span<const double> totals)>;

  std::string name;
  // If `result` is empty: returns a scalar, the mean over the rows of a batch. Otherwise: returns sums of any shape and
  // dtype, which are added over the batches in f64; `result` gets the totals in row-major order. All rows have weight
  // 1, including those of the ignored label.
  PairFunction apply{};
  Result result{};
  // The same computation with weights. If set, it is used instead of `apply`.
  MeasureFunction measure{};

  // Computes the metric of these rows, all with weight 1. Predictions are values, not logits.
  double operator()(const Tensor& prediction, const Tensor& target) const;
};

namespace detail {
// A metric with weights; `apply` is derived from `measure`.
Metric metric(std::string name, std::function<MetricOutput(const MetricInput&)> measure, Metric::Result result = {});
MetricOutput accuracy(const MetricInput& in);
MetricOutput categorical_accuracy(const MetricInput& in);
MetricOutput squared_errors(const MetricInput& in);
double root_of_mean(std::span<const double> totals);
MetricOutput variance_sums(const MetricInput& in);
double explained(std::span<const double> totals);
MetricOutput confusion(const MetricInput& in);
double macro_precision(std::span<const double> confusion);
double macro_recall(std::span<const double> confusion);
double macro_f1(std::span<const double> confusion);
}  // namespace detail

// ---- classification. Targets are one-hot or class indices.

// Fraction of rows whose most probable class is the target class. If the last extent of the prediction is 1, it is one
// probability (or logit) per row, and the class is 1 above one half.
inline const Metric accuracy = detail::metric("accuracy", detail::accuracy);
// The same, but always by argmax over the last axis, even if its extent is 1.
inline const Metric categorical_accuracy = detail::metric("categorical_accuracy", detail::categorical_accuracy);
// Fraction of elements that are on the target's side of the threshold. Targets: 0 or 1, in the prediction's shape.
Metric binary_accuracy(double threshold = default_threshold);
// Fraction of rows whose target class is among the k largest predictions; ties with the k-th are included. Throws
// UserError unless k > 0; the metric throws ShapeError if there are fewer than k classes.
Metric top_k_accuracy(int k = default_top_k);

// Unweighted mean over the classes of their precision, recall and F1, by argmax of the prediction. A class that never
// occurs contributes 0.
inline const Metric macro_precision = detail::metric("macro_precision", detail::confusion, detail::macro_precision);
inline const Metric macro_recall = detail::metric("macro_recall", detail::confusion, detail::macro_recall);
inline const Metric macro_f1 = detail::metric("macro_f1", detail::confusion, detail::macro_f1);

// Confusion matrix, i64 [classes, classes]: rows are true classes, columns predicted ones. `prediction`:
// [rows, classes], or probabilities [rows, 1]. `target`: one-hot, or class indices [rows]. Throws ShapeError if shapes
// do not match, ValueError for an index out of range.
//
//   Tensor table = nn::confusion_matrix(model.predict(test.x), test.y);
Tensor confusion_matrix(const Tensor& prediction, const Tensor& target);
// The confusion matrix by the conventions of a loss: it declares whether predictions are logits, the ignored label and
// the kind of targets.
//
//   Tensor table = nn::confusion_matrix(model.predict(test.x), test.y, nn::binary_crossentropy_from_logits);
Tensor confusion_matrix(const Tensor& prediction, const Tensor& target, const Loss& loss);

// ---- binary classification, elementwise: probabilities or logits against targets 0 or 1 of the same shape. With
// hinge, whose targets are -1 and 1, predictions above 0 are positive.

// Precision of the positive class; 0 if there is no positive prediction.
Metric precision(double threshold = default_threshold);
// Recall of the positive class; 0 if there is no positive target.
Metric recall(double threshold = default_threshold);
// F1 of the positive class, the harmonic mean of precision and recall; 0 where undefined.
Metric f1(double threshold = default_threshold);
// Area under the ROC curve (true-positive rate against false-positive rate), by the trapezoidal rule over evenly spaced
// thresholds, as in Keras. NaN if all targets are equal. Throws UserError unless thresholds >= 2.
Metric auc(int thresholds = default_auc_thresholds);

// ---- regression. Losses such as mean_squared_error and mean_absolute_error are metrics, too.

inline const Metric root_mean_squared_error =
    detail::metric("root_mean_squared_error", detail::squared_errors, detail::root_of_mean);
// R2, the coefficient of determination: 1 - sum((t - p)^2) / sum((t - mean(t))^2), averaged over the outputs (the
// elements of a row). Computed in f64. NaN if the targets of an output are all equal.
inline const Metric r2 = detail::metric("r2", detail::variance_sums, detail::explained);

}  // namespace xgrad::inline v0::nn
