#include <xgrad/nn/losses.hpp>

#include <xgrad/graph/error.hpp>

namespace xgrad::nn::detail {
namespace {

// The loss of a batch, and of each row or element, from a function that is told how to reduce.
template <class F>
Loss with_reductions(const char* name, F function, Target target = Target::like_prediction,
                     std::optional<Index> ignored_label = {}) {
  return {name, [function](Value p, Value t) { return function(p, t, Reduction::mean); }, target,
          [function](Value p, Value t) { return function(p, t, Reduction::none); }, ignored_label};
}

using BinaryFunction = Value (*)(Operand, Operand, const BinaryOptions&);
using ClassFunction = Value (*)(Operand, Operand, const ClassOptions&);

Loss of_truths(const char* name, BinaryFunction function, const BinaryLossOptions& options) {
  return with_reductions(name, [=](Value p, Value t, Reduction reduction) {
    return function(p, t, {options.label_smoothing, options.positive_weight, reduction});
  });
}

// The weights become a constant of the graph the loss is used in.
Loss of_classes(const char* name, ClassFunction function, Target target, const ClassLossOptions& options) {
  if (options.ignored_label && target != Target::class_number)
    throw UserError(std::string(name) + ": only losses of class numbers can ignore a label");
  const auto apply = [=](Value p, Value t, Reduction reduction) {
    ClassOptions out{options.label_smoothing, {}, options.ignored_label, reduction};
    if (const std::vector<double>& w = options.class_weights; !w.empty()) {
      const Tensor weights = Tensor::from<double>(Shape{static_cast<Index>(w.size())}, std::span(w));
      out.class_weights = p.graph().constant(weights.cast(p.dtype()));
    }
    return function(p, t, out);
  };
  return with_reductions(name, apply, target, options.ignored_label);
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
  return of_truths("binary_crossentropy", xgrad::binary_crossentropy, options);
}

Loss binary_crossentropy_from_logits(const BinaryLossOptions& options) {
  return of_truths("binary_crossentropy_from_logits", xgrad::binary_crossentropy_from_logits, options);
}

Loss categorical_crossentropy(const ClassLossOptions& options) {
  return of_classes("categorical_crossentropy", xgrad::categorical_crossentropy, Target::like_prediction, options);
}

Loss categorical_crossentropy_from_logits(const ClassLossOptions& options) {
  return of_classes("categorical_crossentropy_from_logits", xgrad::categorical_crossentropy_from_logits,
                    Target::like_prediction, options);
}

Loss sparse_categorical_crossentropy(const ClassLossOptions& options) {
  return of_classes("sparse_categorical_crossentropy", xgrad::sparse_categorical_crossentropy, Target::class_number,
                    options);
}

Loss sparse_categorical_crossentropy_from_logits(const ClassLossOptions& options) {
  return of_classes("sparse_categorical_crossentropy_from_logits", xgrad::sparse_categorical_crossentropy_from_logits,
                    Target::class_number, options);
}

Loss nll(const ClassLossOptions& options) { return of_classes("nll", xgrad::nll, Target::class_number, options); }

Value cosine_similarities(Value prediction, Value target) { return -xgrad::cosine_similarity(prediction, target, -1); }

Value cosine_similarity(Value prediction, Value target) { return mean(cosine_similarities(prediction, target)); }

}  // namespace xgrad::nn::detail
