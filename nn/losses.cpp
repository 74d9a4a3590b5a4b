#include <xgrad/nn/losses.hpp>

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
    throw UserError(
        fmt::format("{}: the rows have weights, but the loss has no function `each` for the loss of a row\n  hint: set "
                    "Loss::each",
                    name));
  }
  if (each && (in.weights.valid() || counts.valid())) {
    const Value losses = each(in.prediction, in.target);
    if (losses.shape().rank() < 1 || losses.shape()[0] != in.prediction.shape()[0]) {
      throw ShapeError(
          fmt::format("{}: `each` of a loss must return one or more numbers for each of {} rows\n  got: {}", name,
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

// Throws unless predictions have an axis of at least 2 classes. With a single class the loss would always be 0; without
// a class axis it would reduce over rows.
void require_classes(const std::string& name, Value prediction) {
  if (prediction.shape().rank() >= 2 && prediction.shape().back() != 1) return;
  throw ShapeError(
      fmt::format("{}: predictions must be [rows, ..., classes] with at least 2 classes\n  prediction: {}\n  hint: for "
                  "one probability per row use nn::sigmoid and binary_crossentropy",
                  name, prediction.describe()));
}

}  // namespace

Loss of(std::string name, std::function<Value(Value, Value, Reduction)> function, Target target,
        Prediction prediction) {
  const bool has_classes = target == Target::class_index || target == Target::distribution;
  const auto reduced_by = [&](Reduction reduction) {
    return [=](Value p, Value t) {
      if (has_classes) require_classes(name, p);
      return function(p, t, reduction);
    };
  };
  return {.name = name,
          .apply = reduced_by(Reduction::mean),
          .target = target,
          .each = reduced_by(Reduction::none),
          .prediction = prediction};
}

void count_labels(Loss& loss, const ClassOptions& options) {
  const bool has_labels = loss.target == Target::class_index;
  if (options.ignored_label && !has_labels)
    throw UserError(loss.name + ": ignored_label requires a loss with class indices as targets");
  loss.ignored_label = options.ignored_label;
  // As in PyTorch, soft targets are averaged over rows, even with class weights.
  if (has_labels && options.class_weights.given())
    loss.weight = [=](Value p, Value t) { return label_weights(t, p.dtype(), options); };
}

Value cosine_similarity(Operand prediction, Operand target, Reduction reduction) {
  const Value similarities = -xgrad::cosine_similarity(prediction, target, -1);
  return reduction == Reduction::none ? similarities : mean(similarities);
}

}  // namespace xgrad::inline v0::nn::detail
