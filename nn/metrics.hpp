// Metrics: what is reported beside the loss. They have no part in training.
//
//   model.compile({..., .metrics = {nn::accuracy, nn::top_k_accuracy(3)}});
//   model.compile({..., .metrics = {nn::root_mean_squared_error, nn::mean_absolute_error}});     // losses serve, too
//   nn::Metric bias{"bias", [](Value p, Value t) { return mean(p - t); }};                       // a mean over rows
//   nn::Metric positives{"positives", [](Value p, Value) { return sum(p > 0.5); },               // sums over rows, and
//                        [](std::span<const double> total) { return total[0]; }};                // the result of them
//   nn::Metric near{.name = "near", .measure = [](const nn::MetricInput& in) {                   // knows weights
//     return in.mean(abs(in.prediction - in.target) < 0.1);
//   }};
//
// The numbers reported are those of all rows of an epoch, however it is cut into batches. The metrics of this library
// are means or sums over what counts: row weights (Dataset::weights) multiply, and the ignored label of the loss counts
// 0. Class weights are options of a loss and weigh that loss alone. The loss also says whether predictions are logits,
// so thresholds are probabilities in either case. If nothing counts, the number reported is 0, as in Keras.
#pragma once

#include <functional>
#include <span>
#include <string>

#include <xgrad/graph/tensor.hpp>
#include <xgrad/graph/value.hpp>
#include <xgrad/nn/checked_function.hpp>
#include <xgrad/nn/conventions.hpp>
#include <xgrad/nn/defaults.hpp>

namespace xgrad::inline v0::nn {

struct Loss;

// What a loss or a metric says of one batch.
struct MetricOutput {
  Value value;     // a mean (scalar), or sums
  Value weight{};  // f64 scalar: the sum of what counts, by which means of batches are averaged; not valid: the rows
};

// A batch as a metric sees it.
struct MetricInput {
  Value prediction, target;  // the ignored label is replaced by class 0, which then weighs 0
  // What each row [rows] or each label [rows, ...] counts; not valid: 1.
  Value weights{};
  Prediction prediction_kind = Prediction::value;
  Target target_kind = Target::like_prediction;

  // The weighted mean of a number or boolean for each row, label or element: [rows, ...]. `counts`, of the same shape,
  // is what each counts on its own, by which `each` is multiplied already; not valid: 1. Throws ShapeError if the
  // leading axes are not those of the weights.
  MetricOutput mean(Value each, Value counts = {}) const;
  // Sums over the batch, any shape and dtype; their maker multiplies by the weights.
  MetricOutput sums(Value totals) const;
  // The prediction as probabilities, by `prediction_kind`; logits of classes go through softmax.
  Value probability() const;
  // Whether elements are predicted positive at a threshold in [0, 1], and whether they are positive.
  Value predicted_positive(double threshold = default_threshold) const;
  Value positive() const;
};

struct MeasureFunctionExpected {
  template <bool fits, class F>
  static constexpr void require() {
    static_assert(fits, "`measure` is a function of a batch: [](const nn::MetricInput& in) { return in.mean(...); }");
  }
};
using MeasureFunction = CheckedFunction<MeasureFunctionExpected, MetricOutput(const MetricInput&)>;

struct Metric {
  using Result = std::function<double(std::span<const double> totals)>;

  std::string name;
  // Without a result: a number, the mean over the rows of a batch. With one: numbers of any shape and dtype that are
  // added up over the batches in double; `result` reads the totals in row-major order. All rows count, those of the
  // ignored label included.
  PairFunction apply{};
  Result result{};
  // Used instead of `apply` if given: the same, with weights.
  MeasureFunction measure{};

  // The metric as a function: its number for these rows, which count equally. Predictions are values, not logits.
  double operator()(const Tensor& prediction, const Tensor& target) const;
};

namespace detail {
// A metric that knows weights; `apply` is the same without them.
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

// ---- of classes

// The part of the rows in which the class with the largest prediction is the target's; for one-hot and class-number
// targets. Predictions with a last extent of 1 are one probability (or logit) a row and count as 1 above one half.
inline const Metric accuracy = detail::metric("accuracy", detail::accuracy);
// The same where it shall be one of the two: the class with the largest prediction, also of a single one.
inline const Metric categorical_accuracy = detail::metric("categorical_accuracy", detail::categorical_accuracy);
// The part of the elements that are on the target's side of the threshold; targets are 0 or 1, in the shape of the
// prediction.
Metric binary_accuracy(double threshold = default_threshold);
// The part of the rows whose class is among the k with the largest predictions, where a class as large as the k-th
// counts as among them; for one-hot and class-number targets. Throws UserError unless k > 0, and ShapeError for fewer
// classes when it meets them.
Metric top_k_accuracy(int k = default_top_k);

// The mean over the classes of each one's precision, recall and F1, taking for each row the class with the largest
// prediction; for one-hot and class-number targets. A class that never occurs counts with 0.
inline const Metric macro_precision = detail::metric("macro_precision", detail::confusion, detail::macro_precision);
inline const Metric macro_recall = detail::metric("macro_recall", detail::confusion, detail::macro_recall);
inline const Metric macro_f1 = detail::metric("macro_f1", detail::confusion, detail::macro_f1);

// How many rows of each class (rows) were taken for each class (columns): i64 [classes, classes]. `prediction` is
// [rows, classes], or [rows, 1] of probabilities; `target` is one-hot or [rows] of class numbers. Throws ShapeError if
// they do not fit, ValueError for class numbers that are none.
//
//   Tensor table = nn::confusion_matrix(model.predict(test.x), test.y);
Tensor confusion_matrix(const Tensor& prediction, const Tensor& target);
// The same for a model that is compiled with the loss, which says whether predictions are logits, which label does not
// count, and what the targets are.
//
//   Tensor table = nn::confusion_matrix(model.predict(test.x), test.y, nn::binary_crossentropy_from_logits);
Tensor confusion_matrix(const Tensor& prediction, const Tensor& target, const Loss& loss);

// ---- of truth values, element by element: probabilities or logits against targets 0 or 1 of the same shape; with
// hinge, whose targets are -1 and 1, predictions above 0 are positive

// Of what is predicted, the part that holds; of what holds, the part that is predicted; and the harmonic mean of both.
// 0 where nothing is predicted, or nothing holds.
Metric precision(double threshold = default_threshold);
Metric recall(double threshold = default_threshold);
Metric f1(double threshold = default_threshold);
// The area under the curve of the part found against the part falsely found, which is the probability that an element
// that holds has a larger prediction than one that does not. As in Keras from so many thresholds at equal distances,
// with trapezoids between. NaN if all hold or none does. Throws UserError for fewer than 2.
Metric auc(int thresholds = default_auc_thresholds);

// ---- of numbers; losses such as mean_squared_error and mean_absolute_error serve as metrics as well

inline const Metric root_mean_squared_error =
    detail::metric("root_mean_squared_error", detail::squared_errors, detail::root_of_mean);
// 1 - sum((t - p)^2) / sum((t - mean(t))^2), the mean over the outputs, which are all elements of a row. In f64. NaN if
// the targets of an output are all equal. R2, the coefficient of determination.
inline const Metric r2 = detail::metric("r2", detail::variance_sums, detail::explained);

}  // namespace xgrad::inline v0::nn
