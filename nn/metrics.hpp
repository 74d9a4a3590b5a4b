// Metrics: what is reported beside the loss. They have no part in training.
//
//   model.compile({..., .metrics = {nn::accuracy, nn::top_k_accuracy(3)}});
//   model.compile({..., .metrics = {nn::root_mean_squared_error, nn::mean_absolute_error}});     // losses serve as
//   well nn::Metric bias{"bias", [](Value p, Value t) { return mean(p - t); }};                 // the mean over rows
//   nn::Metric positives{"positives", [](Value p, Value) { return sum(p > 0.5); },               // a sum over rows,
//   and
//                        [](std::span<const double> total) { return total[0]; }};                // what is made of it
//
// What is reported is that of all rows of an epoch, a short last batch included.
#pragma once

#include <functional>
#include <span>
#include <string>

#include <xgrad/graph/tensor.hpp>
#include <xgrad/graph/value.hpp>
#include <xgrad/nn/checked_function.hpp>
#include <xgrad/nn/defaults.hpp>

namespace xgrad::nn {

struct Metric {
  using Result = std::function<double(std::span<const double> totals)>;

  std::string name;
  // Without a result: a number, the mean over the rows of a batch. With one: numbers of any shape and dtype that are
  // added up over the batches in double; `result` reads the totals in row-major order.
  PairFunction apply;
  Result result{};
};

namespace detail {
Value accuracy(Value prediction, Value target);
Value categorical_accuracy(Value prediction, Value target);
Value squared_errors(Value prediction, Value target);
double root_of_mean(std::span<const double> totals);
Value variance_sums(Value prediction, Value target);
double explained(std::span<const double> totals);
Value confusion(Value prediction, Value target);
double macro_precision(std::span<const double> confusion);
double macro_recall(std::span<const double> confusion);
double macro_f1(std::span<const double> confusion);
}  // namespace detail

// ---- of classes

// The part of the rows in which the class with the largest prediction is the target's; for one-hot and class-number
// targets. Predictions with a last extent of 1 are one probability a row and count as 1 above one half.
inline const Metric accuracy{"accuracy", detail::accuracy};
// The same where it shall be one of the two: the class with the largest prediction, also of a single one.
inline const Metric categorical_accuracy{"categorical_accuracy", detail::categorical_accuracy};
// The part of the elements that are on the target's side of the threshold; targets are 0 or 1, in the shape of the
// prediction.
Metric binary_accuracy(double threshold = default_threshold);
// The part of the rows whose class is among the k with the largest predictions, where a class as large as the k-th
// counts as among them; for one-hot and class-number targets. Throws UserError unless k > 0, and ShapeError for fewer
// classes when it meets them.
Metric top_k_accuracy(int k = default_top_k);

// The mean over the classes of each one's precision, recall and F1, taking for each row the class with the largest
// prediction; for one-hot and class-number targets. A class that never occurs counts with 0.
inline const Metric macro_precision{"macro_precision", detail::confusion, detail::macro_precision};
inline const Metric macro_recall{"macro_recall", detail::confusion, detail::macro_recall};
inline const Metric macro_f1{"macro_f1", detail::confusion, detail::macro_f1};

// How many rows of each class (rows) were taken for each class (columns): i64 [classes, classes]. `prediction` is
// [rows, classes], or [rows, 1] of probabilities; `target` is one-hot or [rows] of class numbers. Throws ShapeError if
// they do not fit, ValueError for class numbers that are none.
//
//   Tensor table = nn::confusion_matrix(model.predict(test.x), test.y);
Tensor confusion_matrix(const Tensor& prediction, const Tensor& target);

// ---- of truth values, element by element: probabilities against targets 0 or 1 of the same shape

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

inline const Metric root_mean_squared_error{"root_mean_squared_error", detail::squared_errors, detail::root_of_mean};
// 1 - sum((t - p)^2) / sum((t - mean(t))^2), the mean over the outputs, which are all elements of a row. In f64. NaN if
// the targets of an output are all equal. R2, the coefficient of determination.
inline const Metric r2{"r2", detail::variance_sums, detail::explained};

}  // namespace xgrad::nn
