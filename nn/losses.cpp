#include <xgrad/nn/losses.hpp>

#include <span>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0::nn {

MetricOutput Loss::measure(const MetricInput& in) const {
  Value counts;
  if (weight)
    counts = weight(in.prediction, in.target);
  else if (ignored_label)
    counts = label_weights(in.target, in.prediction.dtype(), {.ignored_label = ignored_label});
  if (in.weights.valid() && !each) {
    throw UserError(fmt::format(
        "{}: the rows have weights, but the loss does not say what the loss of a row is\n  hint: give it the function "
        "`each`",
        name));
  }
  if (each && (in.weights.valid() || counts.valid())) {
    const Value losses = each(in.prediction, in.target);
    if (losses.shape().rank() < 1 || losses.shape()[0] != in.prediction.shape()[0]) {
      throw ShapeError(
          fmt::format("{}: `each` of a loss must give one number or more for each of {} rows\n  it gives: {}", name,
                      in.prediction.shape()[0], losses.describe()));
    }
    return in.mean(losses, counts);
  }
  const Value mean = apply(in.prediction, in.target);
  if (!counts.valid()) return {mean};
  const Value total = sum(cast(counts, f64));
  return {where(total > 0, mean, 0), total};
}

Loss::operator Metric() const {
  if (!each) return {name, apply};
  return {name, apply, {}, [loss = *this](const MetricInput& in) { return loss.measure(in); }};
}

MetricInput Loss::counted(const MetricInput& in) const {
  MetricInput out = in;
  if (!ignored_label) return out;
  const DType dtype = in.prediction.dtype();
  const Value counts = not_equal(in.target, static_cast<double>(*ignored_label));
  out.target = xgrad::where(counts, in.target, 0);
  Value weights = cast(counts, dtype);
  if (in.weights.valid()) {
    Value rows = in.weights;
    while (rows.shape().rank() < weights.shape().rank()) rows = expand_dims(rows, -1);
    weights = weights * cast(rows, dtype);
  }
  out.weights = weights;
  return out;
}

}  // namespace xgrad::inline v0::nn

namespace xgrad::inline v0::nn::detail {
namespace {

using BinaryFunction = Value (*)(Operand, Operand, const BinaryOptions&);
using ClassFunction = Value (*)(Operand, Operand, const ClassOptions&);

// The loss of a batch, and of each row or element, from a function that is told how to reduce.
template <class F>
Loss with_reductions(const char* name, F function, Target target = Target::like_prediction,
                     Prediction prediction = Prediction::value) {
  return {.name = name,
          .apply = [function](Value p, Value t) { return function(p, t, Reduction::mean); },
          .target = target,
          .each = [function](Value p, Value t) { return function(p, t, Reduction::none); },
          .prediction = prediction};
}

Loss of_truths(const char* name, BinaryFunction function, Prediction prediction, const BinaryLossOptions& options) {
  const auto apply = [=](Value p, Value t, Reduction reduction) {
    return function(p, t, {options.label_smoothing, options.positive_weight, reduction});
  };
  return with_reductions(name, apply, Target::probability, prediction);
}

// Over a single class the loss would be 0 whatever the weights are; without an axis of classes it would be over rows.
void require_classes(const char* name, Value prediction) {
  if (prediction.shape().rank() >= 2 && prediction.shape().back() != 1) return;
  throw ShapeError(
      fmt::format("{}: predictions must be [rows, ..., classes] of at least 2 classes\n  prediction: {}\n  hint: for "
                  "one probability a row use nn::sigmoid and binary_crossentropy",
                  name, prediction.describe()));
}

// The weights become a constant of the graph the loss is used in.
Loss of_classes(const char* name, ClassFunction function, Target target, Prediction prediction,
                const ClassLossOptions& options) {
  const bool of_labels = target == Target::class_number;
  if (options.ignored_label && !of_labels)
    throw UserError(std::string(name) + ": only losses of class numbers can ignore a label");
  const auto options_in = [=](Value p, Reduction reduction) {
    ClassOptions out{options.label_smoothing, {}, options.ignored_label, reduction};
    if (const std::vector<double>& w = options.class_weights; !w.empty()) {
      const Tensor weights = Tensor::from<double>(Shape{static_cast<Index>(w.size())}, std::span(w));
      out.class_weights = p.graph().constant(weights.cast(p.dtype()));
    }
    return out;
  };
  const auto apply = [=](Value p, Value t, Reduction reduction) {
    require_classes(name, p);
    return function(p, t, options_in(p, reduction));
  };
  Loss out = with_reductions(name, apply, target, prediction);
  out.ignored_label = options.ignored_label;
  // As in PyTorch, the mean over soft targets is that over rows, with class weights or without.
  if (of_labels && !options.class_weights.empty())
    out.weight = [=](Value p, Value t) { return label_weights(t, p.dtype(), options_in(p, Reduction::none)); };
  return out;
}

}  // namespace

Loss huber(const HuberOptions& options) {
  return with_reductions("huber", [delta = options.delta](Value p, Value t, Reduction reduction) {
    return xgrad::huber(p, t, delta, reduction);
  });
}

Loss smooth_l1(const SmoothL1Options& options) {
  return with_reductions("smooth_l1", [beta = options.beta](Value p, Value t, Reduction reduction) {
    return xgrad::smooth_l1(p, t, beta, reduction);
  });
}

Loss binary_crossentropy(const BinaryLossOptions& options) {
  return of_truths("binary_crossentropy", xgrad::binary_crossentropy, Prediction::value, options);
}

Loss binary_crossentropy_from_logits(const BinaryLossOptions& options) {
  return of_truths("binary_crossentropy_from_logits", xgrad::binary_crossentropy_from_logits, Prediction::logit,
                   options);
}

Loss categorical_crossentropy(const ClassLossOptions& options) {
  return of_classes("categorical_crossentropy", xgrad::categorical_crossentropy, Target::distribution,
                    Prediction::value, options);
}

Loss categorical_crossentropy_from_logits(const ClassLossOptions& options) {
  return of_classes("categorical_crossentropy_from_logits", xgrad::categorical_crossentropy_from_logits,
                    Target::distribution, Prediction::logit, options);
}

Loss sparse_categorical_crossentropy(const ClassLossOptions& options) {
  return of_classes("sparse_categorical_crossentropy", xgrad::sparse_categorical_crossentropy, Target::class_number,
                    Prediction::value, options);
}

Loss sparse_categorical_crossentropy_from_logits(const ClassLossOptions& options) {
  return of_classes("sparse_categorical_crossentropy_from_logits", xgrad::sparse_categorical_crossentropy_from_logits,
                    Target::class_number, Prediction::logit, options);
}

Loss nll(const ClassLossOptions& options) {
  return of_classes("nll", xgrad::nll, Target::class_number, Prediction::log_probability, options);
}

Loss kl_divergence() {
  const auto apply = [](Value p, Value t, Reduction reduction) {
    require_classes("kl_divergence", p);
    return xgrad::kl_divergence(p, t, reduction);
  };
  return with_reductions("kl_divergence", apply, Target::distribution, Prediction::log_probability);
}

Loss of(const char* name, Value (*function)(Operand, Operand, Reduction), Target target, Prediction prediction) {
  return with_reductions(name, function, target, prediction);
}

Value cosine_similarity(Operand prediction, Operand target, Reduction reduction) {
  const Value similarities = -xgrad::cosine_similarity(prediction, target, -1);
  return reduction == Reduction::none ? similarities : mean(similarities);
}

}  // namespace xgrad::inline v0::nn::detail
