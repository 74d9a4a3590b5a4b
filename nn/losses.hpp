// Losses: what training makes small. Each is a named function of prediction and target, the mean over the batch.
//
//   model.compile({.loss = nn::categorical_crossentropy, ...});
//   model.compile({.loss = nn::categorical_crossentropy({.label_smoothing = 0.1}), ...});
//   nn::Loss cubic{"cubic", [](Value p, Value t) { return mean(abs(p - t) * square(p - t)); }};
//
// The formulas and the options are those of the functions of the same names in ops/losses.hpp; class weights are lists
// here, since the loss is used in many graphs. A loss may stand among the metrics.
//
// The loss of a batch, of an epoch and of an evaluation is one number: the sum of what counts over the sum of its
// weights. A row counts its weight (Dataset::weights), a label its class weight, the ignored label 0. If nothing in a
// batch counts, its loss is 0 and its training step changes nothing.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <type_traits>

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

struct HuberOptions {
  double delta = default_huber_delta;  // where the parabola ends
};
struct SmoothL1Options {
  double beta = default_smooth_l1_beta;  // where the parabola ends
};

namespace detail {
// The loss of a batch, and of each row or element, from a function that is told how to reduce.
Loss of(std::string name, std::function<Value(Value, Value, Reduction)> function,
        Target target = Target::like_prediction, Prediction prediction = Prediction::value);
// What rows and labels count by the options.
void count_labels(Loss& loss, const ClassOptions& options);
Value cosine_similarity(Operand prediction, Operand target, Reduction reduction);
}  // namespace detail

// A loss with options: by itself that with their defaults, called with others that with these.
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

// ---- of numbers

inline const Loss mean_squared_error = detail::of("mean_squared_error", xgrad::mse);
inline const Loss mean_absolute_error = detail::of("mean_absolute_error", xgrad::mae);
inline const LossFamily<HuberOptions> huber{
    "huber", [](Operand p, Operand t, const HuberOptions& o, Reduction r) { return xgrad::huber(p, t, o.delta, r); }};
inline const LossFamily<SmoothL1Options> smooth_l1{
    "smooth_l1",
    [](Operand p, Operand t, const SmoothL1Options& o, Reduction r) { return xgrad::smooth_l1(p, t, o.beta, r); }};
inline const Loss log_cosh = detail::of("log_cosh", xgrad::log_cosh);

// ---- of truth values; the target is the probability that the element holds

// From probabilities, as sigmoid gives them.
inline const LossFamily<BinaryOptions> binary_crossentropy{"binary_crossentropy", xgrad::binary_crossentropy,
                                                           Target::probability};
inline const LossFamily<BinaryOptions> binary_crossentropy_from_logits{
    "binary_crossentropy_from_logits", xgrad::binary_crossentropy_from_logits, Target::probability, Prediction::logit};
// Targets -1 and 1.
inline const Loss hinge = detail::of("hinge", xgrad::hinge, Target::sign, Prediction::logit);

// ---- of classes

// From probabilities, as softmax gives them. Targets one-hot, or probabilities. Throws ShapeError for a single class.
inline const LossFamily<ClassOptions> categorical_crossentropy{"categorical_crossentropy",
                                                               xgrad::categorical_crossentropy, Target::distribution};
inline const LossFamily<ClassOptions> categorical_crossentropy_from_logits{"categorical_crossentropy_from_logits",
                                                                           xgrad::categorical_crossentropy_from_logits,
                                                                           Target::distribution, Prediction::logit};
// The same with targets that are class numbers.
inline const LossFamily<ClassOptions> sparse_categorical_crossentropy{
    "sparse_categorical_crossentropy", xgrad::sparse_categorical_crossentropy, Target::class_number};
inline const LossFamily<ClassOptions> sparse_categorical_crossentropy_from_logits{
    "sparse_categorical_crossentropy_from_logits", xgrad::sparse_categorical_crossentropy_from_logits,
    Target::class_number, Prediction::logit};
// From logarithms of probabilities, as log_softmax gives them: class numbers, and probabilities as targets.
inline const LossFamily<ClassOptions> nll{"nll", xgrad::nll, Target::class_number, Prediction::log_probability};
inline const Loss kl_divergence =
    detail::of("kl_divergence", xgrad::kl_divergence, Target::distribution, Prediction::log_probability);

// ---- of vectors

// Minus the cosine of the angle between the rows, as in Keras: -1 where they point the same way.
inline const Loss cosine_similarity = detail::of("cosine_similarity", detail::cosine_similarity);

}  // namespace xgrad::inline v0::nn
