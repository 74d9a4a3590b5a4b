// Losses: what training makes small. Each is a named function of prediction and target, the mean over the batch.
//
//   model.compile({.loss = nn::categorical_crossentropy, ...});
//   model.compile({.loss = nn::categorical_crossentropy({.label_smoothing = 0.1}), ...});
//   nn::Loss cubic{"cubic", [](Value p, Value t) { return mean(abs(p - t) * square(p - t)); }};
//
// The formulas are those of the functions of the same names in ops/losses.hpp. A loss may stand among the metrics.
//
// The loss of a batch, of an epoch and of an evaluation is one number: the sum of what counts over the sum of its
// weights. A row counts its weight (Dataset::weights), a label its class weight, the ignored label 0. If nothing in a
// batch counts, its loss is 0 and its training step changes nothing.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/nn/conventions.hpp>
#include <xgrad/nn/metrics.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

struct Loss {
  std::string name;
  PairFunction apply;                       // a scalar, the mean
  Target target = Target::like_prediction;  // the values of the data are checked by it
  // Needed for data with weights: the loss of each row, label or element, [rows, ...], multiplied by what it counts.
  PairFunction each{};
  std::optional<Index> ignored_label{};  // a class number that the loss passes over, though it need not be a class
  // What each counts, in the shape of `each`; without it 1, and 0 for the ignored label.
  PairFunction weight{};
  Prediction prediction = Prediction::value;  // what metrics take the predictions for

  // The loss as a function: a scalar of the graph, `apply`.
  Value operator()(Value predicted, Value wanted) const { return apply(predicted, wanted); }
  // The loss of a batch. Throws UserError for row weights without `each`.
  MetricOutput measure(const MetricInput& in) const;
  // The batch as metrics see it: with weights of 0 for the ignored label, and class 0 in its place.
  MetricInput counted(const MetricInput& in) const;
  operator Metric() const;
};

// A loss with options: by itself that with their defaults, called with others that with these.
template <class Options>
struct LossFamily : Loss {
  explicit LossFamily(Loss (*make_loss)(const Options&)) : Loss(make_loss({})), make(make_loss) {}
  using Loss::operator();
  Loss operator()(const Options& options) const { return make(options); }

  Loss (*make)(const Options&);
};

struct HuberOptions {
  double delta = default_huber_delta;  // where the parabola ends
};
struct SmoothL1Options {
  double beta = default_smooth_l1_beta;  // where the parabola ends
};
struct BinaryLossOptions {
  double label_smoothing = default_label_smoothing;  // the target t becomes t (1 - s) + s / 2
  double positive_weight = default_positive_weight;  // of the part of the loss that the target weighs
};
struct ClassLossOptions {
  double label_smoothing = default_label_smoothing;  // the target t becomes t (1 - s) + s / classes
  std::vector<double> class_weights{};  // none, or for each class what its part of the loss is multiplied by
  // Rows with this class number count for nothing; the mean of a batch is that over the others. Not for one-hot
  // targets.
  std::optional<Index> ignored_label{};
};

namespace detail {
Loss huber(const HuberOptions& options);
Loss smooth_l1(const SmoothL1Options& options);
Loss binary_crossentropy(const BinaryLossOptions& options);
Loss binary_crossentropy_from_logits(const BinaryLossOptions& options);
Loss categorical_crossentropy(const ClassLossOptions& options);
Loss categorical_crossentropy_from_logits(const ClassLossOptions& options);
Loss sparse_categorical_crossentropy(const ClassLossOptions& options);
Loss sparse_categorical_crossentropy_from_logits(const ClassLossOptions& options);
Loss nll(const ClassLossOptions& options);
Loss kl_divergence();
Value cosine_similarity(Operand prediction, Operand target, Reduction reduction);

// A loss without options: a function with a reduction.
Loss of(const char* name, Value (*function)(Operand, Operand, Reduction), Target target = Target::like_prediction,
        Prediction prediction = Prediction::value);
}  // namespace detail

// ---- of numbers

inline const Loss mean_squared_error = detail::of("mean_squared_error", xgrad::mse);
inline const Loss mean_absolute_error = detail::of("mean_absolute_error", xgrad::mae);
inline const LossFamily<HuberOptions> huber{detail::huber};
inline const LossFamily<SmoothL1Options> smooth_l1{detail::smooth_l1};
inline const Loss log_cosh = detail::of("log_cosh", xgrad::log_cosh);

// ---- of truth values; the target is the probability that the element holds

// From probabilities, as sigmoid gives them.
inline const LossFamily<BinaryLossOptions> binary_crossentropy{detail::binary_crossentropy};
inline const LossFamily<BinaryLossOptions> binary_crossentropy_from_logits{detail::binary_crossentropy_from_logits};
// Targets -1 and 1.
inline const Loss hinge = detail::of("hinge", xgrad::hinge, Target::sign, Prediction::logit);

// ---- of classes

// From probabilities, as softmax gives them. Targets one-hot, or probabilities. Throws ShapeError for a single class.
inline const LossFamily<ClassLossOptions> categorical_crossentropy{detail::categorical_crossentropy};
inline const LossFamily<ClassLossOptions> categorical_crossentropy_from_logits{
    detail::categorical_crossentropy_from_logits};
// The same with targets that are class numbers.
inline const LossFamily<ClassLossOptions> sparse_categorical_crossentropy{detail::sparse_categorical_crossentropy};
inline const LossFamily<ClassLossOptions> sparse_categorical_crossentropy_from_logits{
    detail::sparse_categorical_crossentropy_from_logits};
// From logarithms of probabilities, as log_softmax gives them: class numbers, and probabilities as targets.
inline const LossFamily<ClassLossOptions> nll{detail::nll};
inline const Loss kl_divergence = detail::kl_divergence();

// ---- of vectors

// Minus the cosine of the angle between the rows, as in Keras: -1 where they point the same way.
inline const Loss cosine_similarity = detail::of("cosine_similarity", detail::cosine_similarity);

}  // namespace xgrad::inline v0::nn
