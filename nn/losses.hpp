// Losses: the functions that training minimizes. Each is a named function of prediction and target that returns the
// mean over the batch.
//
//   model.compile({.loss = nn::categorical_crossentropy, ...});
//   model.compile({.loss = nn::categorical_crossentropy({.label_smoothing = 0.1}), ...});
//   nn::Loss cubic{"cubic", [](Value p, Value t) { return mean(abs(p - t) * square(p - t)); }};
//
// Formulas and options are those of the functions of the same names in ops/losses.hpp. Class weights are lists here,
// because the loss is used in many graphs. A loss can be used as a metric.
//
// The loss of a batch, an epoch or an evaluation is a weighted mean. The weight of a row is Dataset::weights, that of a
// label its class weight, that of the ignored label 0. If the total weight of a batch is 0, its loss is 0 and its
// training step changes nothing.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <type_traits>

#include <xgrad/nn/metrics.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0::nn {

// A named loss, with the conventions for its predictions and targets.
struct Loss {
  std::string name;
  PairFunction apply;                       // returns the mean loss, a scalar
  Target target = Target::like_prediction;  // the kind of targets, which data checks require
  // Returns the loss of each row, label or element, [rows, ...], multiplied by its `weight`. Required for data with
  // weights.
  PairFunction each{};
  std::optional<Index> ignored_label{};  // a label with weight 0; need not be a valid class index
  // Returns the weights of the elements of `each`, in its shape; by default 1, and 0 for the ignored label.
  PairFunction weight{};
  Prediction prediction = Prediction::value;  // the scale of predictions, by which metrics convert them

  // The mean loss, a scalar: `apply`.
  Value operator()(Value predicted, Value expected) const { return apply(predicted, expected); }
  // The loss of a batch and its weight. Throws UserError if rows have weights and `each` is empty.
  MetricOutput measure(const MetricInput& in) const;
  // The batch for metrics: the ignored label gets weight 0 and is replaced by class 0.
  MetricInput counted(const MetricInput& in) const;
  operator Metric() const;
};

// Options of `huber`.
struct HuberOptions {
  double delta = default_huber_delta;  // |error| above which the loss is linear
};
// Options of `smooth_l1`.
struct SmoothL1Options {
  double beta = default_smooth_l1_beta;  // |error| above which the loss is linear
};

namespace detail {
// Makes `apply` (mean reduction) and `each` (no reduction) from a function with a reduction argument.
Loss of(std::string name, std::function<Value(Value, Value, Reduction)> function,
        Target target = Target::like_prediction, Prediction prediction = Prediction::value);
// Sets the ignored label and the class weights.
void count_labels(Loss& loss, const ClassOptions& options);
Value cosine_similarity(Operand prediction, Operand target, Reduction reduction);
}  // namespace detail

// A loss with options: `huber` has the default options, `huber({.delta = 2})` the given ones.
template <class Options>
struct LossFamily : Loss {
  using Function = Value (*)(Operand prediction, Operand target, const Options& options, Reduction reduction);

  LossFamily(const char* loss, Function f, Target targets = Target::like_prediction,
             Prediction predictions = Prediction::value)
      : Loss(with(loss, f, targets, predictions, {})), function(f) {}
  using Loss::operator();
  Loss operator()(const Options& options) const { return with(name, function, target, prediction, options); }

  Function function;

 private:
  static Loss with(const std::string& loss, Function f, Target targets, Prediction predictions,
                   const Options& options) {
    const auto reduced = [=](Value p, Value t, Reduction reduction) { return f(p, t, options, reduction); };
    Loss out = detail::of(loss, reduced, targets, predictions);
    if constexpr (std::is_same_v<Options, ClassOptions>) detail::count_labels(out, options);
    return out;
  }
};

// ---- regression

inline const Loss mean_squared_error = detail::of("mean_squared_error", xgrad::mse);
inline const Loss mean_absolute_error = detail::of("mean_absolute_error", xgrad::mae);
inline const LossFamily<HuberOptions> huber{
    "huber", [](Operand p, Operand t, const HuberOptions& o, Reduction r) { return xgrad::huber(p, t, o.delta, r); }};
inline const LossFamily<SmoothL1Options> smooth_l1{
    "smooth_l1",
    [](Operand p, Operand t, const SmoothL1Options& o, Reduction r) { return xgrad::smooth_l1(p, t, o.beta, r); }};
inline const Loss log_cosh = detail::of("log_cosh", xgrad::log_cosh);

// ---- binary classification. Targets are probabilities in [0, 1].

// Predictions are probabilities, such as outputs of sigmoid.
inline const LossFamily<BinaryOptions> binary_crossentropy{"binary_crossentropy", xgrad::binary_crossentropy,
                                                           Target::probability};
inline const LossFamily<BinaryOptions> binary_crossentropy_from_logits{
    "binary_crossentropy_from_logits", xgrad::binary_crossentropy_from_logits, Target::probability, Prediction::logit};
// Targets are -1 and 1.
inline const Loss hinge = detail::of("hinge", xgrad::hinge, Target::sign, Prediction::logit);

// ---- classification

// Predictions are probabilities, such as outputs of softmax; targets are one-hot or probabilities. Throws ShapeError
// for fewer than 2 classes.
inline const LossFamily<ClassOptions> categorical_crossentropy{"categorical_crossentropy",
                                                               xgrad::categorical_crossentropy, Target::distribution};
inline const LossFamily<ClassOptions> categorical_crossentropy_from_logits{"categorical_crossentropy_from_logits",
                                                                           xgrad::categorical_crossentropy_from_logits,
                                                                           Target::distribution, Prediction::logit};
// The same with class indices as targets.
inline const LossFamily<ClassOptions> sparse_categorical_crossentropy{
    "sparse_categorical_crossentropy", xgrad::sparse_categorical_crossentropy, Target::class_index};
inline const LossFamily<ClassOptions> sparse_categorical_crossentropy_from_logits{
    "sparse_categorical_crossentropy_from_logits", xgrad::sparse_categorical_crossentropy_from_logits,
    Target::class_index, Prediction::logit};
// Predictions are log-probabilities, such as outputs of log_softmax; targets are class indices for nll, probabilities
// for kl_divergence.
inline const LossFamily<ClassOptions> nll{"nll", xgrad::nll, Target::class_index, Prediction::log_probability};
inline const Loss kl_divergence =
    detail::of("kl_divergence", xgrad::kl_divergence, Target::distribution, Prediction::log_probability);

// ---- vectors

// Negative cosine similarity of the rows, as in Keras: -1 for equal directions.
inline const Loss cosine_similarity = detail::of("cosine_similarity", detail::cosine_similarity);

}  // namespace xgrad::inline v0::nn
