// Classification losses, and `probabilities`, the view by which a loss finds the logits of a softmax.
#include <algorithm>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/composites/internal/loss_parts.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// Note [Softmax and cross-entropy]. Where softmax rounds a probability to 0, its logarithm and the gradient are lost.
// Therefore softmax ends in this view, whose second input is the logits. A cross-entropy that is applied to the view
// computes log_softmax of the logits instead.
struct Probabilities : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "probabilities";
  static constexpr const char* doc =
      "Returns the first input, which is the softmax of the second input along an axis. Cross-entropies read the "
      "second input, the logits, instead.";
  static Traits traits() { return {.view = true, .shape_only = 2}; }
  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {f32, f64});
    if (in.shape(0) != in.shape(1))
      in.fail_shape(fmt::format("{} and {} differ", in.shape(0).str(), in.shape(1).str()));
    axis_of(in);
    return in.type(0);
  }
  static void kernel(const KernelCall& call) {
    std::copy_n(call.inputs[0].as<char>(), call.output.type.bytes(), call.output.as<char>());
  }
  static Cotangents vjp(const Vjp& r) { return {r.cotangent(), Value{}}; }
  static std::vector<Sample> samples() {
    return {zero_second({"matrix", {{{3, 5}}, {{3, 5}}}, axis_attrs(1)}),
            zero_second({"one element", {{{1}}, {{1}}}, axis_attrs(0)}),
            zero_gradient({"empty", {{{0, 3}}, {{0, 3}}}, axis_attrs(1)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"shapes", {Tensor({3, 5}), Tensor({3, 4})}, axis_attrs(1), "differ"}};
  }
};

// The logits behind the output of softmax over the last axis; empty for other values.
Value logits_behind(Value prediction) {
  const Node& node = prediction.node();
  if (node.op != &builtin_op("probabilities")) return {};
  Graph& graph = prediction.graph();
  if (graph.attrs(prediction.id()).integer("axis") != prediction.shape().rank() - 1) return {};
  return graph.value(graph.inputs(prediction.id())[1]);
}

// Log-probabilities, computed from the logits if they are known, otherwise from clipped probabilities.
Value log_of(Value prediction, Value logits) {
  if (logits.valid()) return log_softmax(logits);
  const Value p = prediction / sum(prediction, {-1}, true);
  return log(clip(p, smallest_probability, 1 - smallest_probability));
}

// A classification loss. `function` is the name that the user called, for errors; `prediction` holds probabilities,
// log-probabilities or logits.
struct ClassLoss {
  // From here on an operation of its own is faster than the fused composition, which stores log-probabilities.
  static constexpr Index many_classes = 256;

  const char* function;
  Value prediction;
  const ClassOptions& options;
  Reduction reduction;
  Value class_weights = options.class_weights.vector(prediction, prediction.dtype());

  Index classes() const { return prediction.shape().back(); }
  double smoothing() const { return options.label_smoothing; }
  bool weighted() const { return class_weights.valid(); }

  void check() const {
    require_floating(function, prediction);
    if (prediction.shape().rank() == 0) {
      throw ShapeError(fmt::format("{}: predictions need an axis of classes\n  {}", function, prediction.describe()));
    }
    require_number(function, "label smoothing", smoothing(), 0, 1);
    if (!weighted()) return;
    const Value w = class_weights;
    prediction.graph().require(w, fmt::format("{}: class weights", function));
    if (w.type() != TensorType{prediction.dtype(), {classes()}}) {
      throw ShapeError(
          fmt::format("{}: class weights of {} classes must be {}[{}]\n  prediction: {}\n  class weights: {}", function,
                      classes(), name_of(prediction.dtype()), classes(), prediction.describe(), w.describe()));
    }
  }
  void check_target(Value target) const {
    check();
    require_same_shape(function, prediction, "target", target);
    if (options.ignored_label)
      throw UserError(fmt::format("{}: ignored_label needs a loss that takes labels", function));
  }
  void check_labels(Value labels) const {
    check();
    prediction.graph().require(labels, fmt::format("{}: labels", function));
    const Shape expected = without_last(prediction.shape(), 1);
    if (labels.type() == TensorType{i64, expected}) return;
    throw ShapeError(fmt::format("{}: for predictions {} labels must be i64{}\n  prediction: {}\n  labels: {}",
                                 function, prediction.shape().str(), expected.str(), prediction.describe(),
                                 labels.describe()));
  }

  // ---- from target probabilities

  Value of_target(Value log_probabilities, Value target) const {
    const double s = smoothing();
    Value weights = s == 0 ? target : target * (1 - s) + s / static_cast<double>(classes());
    if (weighted()) weights = weights * class_weights;
    return reduced(-sum(weighted_cost(weights, log_probabilities), {-1}), reduction);
  }

  // ---- from class indices

  // `log_of_all(logits)` returns the log-probabilities of all classes. `logits` may be empty.
  template <class LogOfAll>
  Value of_labels(Value given_labels, Value logits, LogOfAll log_of_all) const {
    Value labels = given_labels;
    const bool ignoring = options.ignored_label.has_value();
    Value counts;  // bool: the row is not ignored
    if (ignoring) {
      counts = not_equal(labels, static_cast<double>(*options.ignored_label));
      labels = where(counts, labels, 0);  // any valid class index
    }
    const bool of_label_alone = logits.valid() && classes() >= many_classes && smoothing() == 0;
    const Value log_probabilities = of_label_alone ? Value() : log_of_all(logits);
    const Value chosen = of_label_alone
                             ? apply("label_log_probability", {logits, labels}, axis_attrs(logits.shape().rank() - 1))
                             : squeeze(take_along_axis(log_probabilities, expand_dims(labels, -1), -1), {-1});
    const Value weights = weighted() ? gather(class_weights, labels) : Value();
    Value losses = weighted() ? -weighted_cost(weights, chosen) : -chosen;
    if (smoothing() != 0) {
      const Value all = weighted() ? weighted_cost(class_weights, log_probabilities) : log_probabilities;
      losses = losses * (1 - smoothing()) - sum(all, {-1}) * (smoothing() / static_cast<double>(classes()));
    }
    if (ignoring) losses = where(counts, losses, 0);
    if (reduction != Reduction::mean || (!weighted() && !ignoring)) return reduced(losses, reduction);
    return sum(losses) /
           sum(label_weights(given_labels, prediction.dtype(), {0, class_weights, options.ignored_label}));
  }
};

}  // namespace

Value ClassWeights::vector(Value beside, DType dtype) const {
  return numbers_.empty() ? vector_ : beside.graph().constant(Tensor(numbers_).cast(dtype));
}

Value label_weights(Operand labels, DType dtype, const ClassOptions& options) {
  return composite(labels, [&] {
    Value counts, label = labels;
    if (options.ignored_label) {
      counts = not_equal(labels, static_cast<double>(*options.ignored_label));
      label = where(counts, labels, 0);
    }
    const Value of_classes = options.class_weights.vector(labels, dtype);
    const Value weights = of_classes.valid() ? gather(of_classes, label) : cast(ones_like(labels), dtype);
    return counts.valid() ? where(counts, weights, 0) : weights;
  });
}

void register_losses(OpRegistry& registry) { add_operations<Probabilities>(registry); }

Value categorical_crossentropy(Operand prediction, Operand target, const ClassOptions& options, Reduction reduction) {
  return composite(prediction, [&] {
    const ClassLoss loss{"categorical_crossentropy", prediction, options, reduction};
    loss.check_target(target);
    return loss.of_target(log_of(prediction, logits_behind(prediction)), target);
  });
}

Value categorical_crossentropy_from_logits(Operand logits, Operand target, const ClassOptions& options,
                                           Reduction reduction) {
  return composite(logits, [&] {
    const ClassLoss loss{"categorical_crossentropy_from_logits", logits, options, reduction};
    loss.check_target(target);
    return loss.of_target(log_softmax(logits), target);
  });
}

Value sparse_categorical_crossentropy(Operand prediction, Operand labels, const ClassOptions& options,
                                      Reduction reduction) {
  return composite(prediction, [&] {
    const ClassLoss loss{"sparse_categorical_crossentropy", prediction, options, reduction};
    loss.check_labels(labels);
    return loss.of_labels(labels, logits_behind(prediction), [&](Value logits) { return log_of(prediction, logits); });
  });
}

Value sparse_categorical_crossentropy_from_logits(Operand logits, Operand labels, const ClassOptions& options,
                                                  Reduction reduction) {
  return composite(logits, [&] {
    const ClassLoss loss{"sparse_categorical_crossentropy_from_logits", logits, options, reduction};
    loss.check_labels(labels);
    return loss.of_labels(labels, logits, [](Value z) { return log_softmax(z); });
  });
}

Value nll(Operand log_probabilities, Operand labels, const ClassOptions& options, Reduction reduction) {
  return composite(log_probabilities, [&] {
    const ClassLoss loss{"nll", log_probabilities, options, reduction};
    loss.check_labels(labels);
    return loss.of_labels(labels, {}, [&](Value) { return log_probabilities; });
  });
}

Value kl_divergence(Operand log_probabilities, Operand target, Reduction reduction) {
  return composite(log_probabilities, [&] {
    const ClassOptions plain;
    const ClassLoss loss{"kl_divergence", log_probabilities, plain, reduction};
    loss.check_target(target);
    // Terms with target 0 are 0, even where the log-probability is -inf.
    const Value silent = equal(target, 0);
    const Value distance = target * (log(where(silent, 1, target)) - where(silent, 0, log_probabilities));
    return reduced(sum(where(silent, 0, distance), {-1}), reduction);
  });
}

// ---- samples

namespace {

ClassOptions class_options(Inputs x, const Attrs& a) {
  ClassOptions out;
  if (a.has("smoothing")) out.label_smoothing = a.number("smoothing");
  if (a.has("ignored")) out.ignored_label = a.integer("ignored");
  if (x.size() > 2) out.class_weights = x[2];
  return out;
}

std::vector<Sample> labeled(const Domain& prediction) {
  const Domain label = domain::integers(0, 2), weight = domain::positive();
  Attrs smoothed = reduced_by(by_mean), ignoring = reduced_by(by_mean), both = reduced_by(by_sum);
  smoothed.set("smoothing", 0.2);
  ignoring.set("ignored", Index{1});
  both.set("smoothing", 0.1);
  both.set("ignored", Index{2});
  return {{"rows", {{{4, 3}, prediction}, {{4}, label}}, reduced_by(by_none)},
          {"mean", {{{4, 3}, prediction}, {{4}, label}}, reduced_by(by_mean)},
          {"sum of a table of rows", {{{2, 2, 3}, prediction}, {{2, 2}, label}}, reduced_by(by_sum)},
          {"one row", {{{3}, prediction}, {{}, label}}, reduced_by(by_mean)},
          {"weights", {{{5, 3}, prediction}, {{5}, label}, {{3}, weight}}, reduced_by(by_mean)},
          {"smoothed", {{{4, 3}, prediction}, {{4}, label}}, smoothed},
          {"ignoring", {{{8, 3}, prediction}, {{8}, label}}, ignoring},
          {"all of it", {{{8, 3}, prediction}, {{8}, label}, {{3}, weight}}, both},
          zero_gradient({"one class", {{{2, 1}, prediction}, {{2}, domain::integers(0, 0)}}, reduced_by(by_none)}),
          zero_gradient({"no rows", {{{0, 3}, prediction}, {{0}, label}}, reduced_by(by_sum)})};
}
std::vector<Sample> targeted(const Domain& prediction) {
  const Domain probability = domain::between(0.1, 0.9);
  Attrs smoothed = reduced_by(by_sum);
  smoothed.set("smoothing", 0.2);
  return {{"rows", {{{4, 3}, prediction}, {{4, 3}, probability}}, reduced_by(by_none)},
          {"mean", {{{4, 3}, prediction}, {{4, 3}, probability}}, reduced_by(by_mean)},
          {"one row", {{{3}, prediction}, {{3}, probability}}, reduced_by(by_mean)},
          {"smoothed and weighted", {{{4, 3}, prediction}, {{4, 3}, probability}, {{3}, domain::positive()}}, smoothed},
          zero_gradient({"one class", {{{2, 1}, prediction}, {{2, 1}, probability}}, reduced_by(by_none)}),
          zero_gradient({"no rows", {{{0, 3}, prediction}, {{0, 3}, probability}}, reduced_by(by_sum)})};
}
std::vector<Sample> linear(std::vector<Sample> samples) {
  for (Sample& s : samples) s.zero_second = s.inputs.size() < 3;  // a product with class weights is not linear
  return samples;
}

std::vector<BadSample> refused_labels(const std::string& name) {
  const Tensor p = Tensor::full({2, 3}, 0.5);
  const Attrs mean = reduced_by(by_mean);
  Attrs smoothed = mean;
  smoothed.set("smoothing", -0.1);
  return {{"label too large", {p, Tensor::from<std::int64_t>({2}, {0, 3})}, mean, "index 3 at position 1"},
          {"negative label", {p, Tensor::from<std::int64_t>({2}, {-1, 0})}, mean, "index -1 at position 0"},
          {"labels of f32", {p, Tensor::zeros({2})}, mean, name + ": for predictions [2, 3] labels must be i64[2]"},
          {"one label per element", {p, Tensor({2, 3}, i64)}, mean, "labels must be i64[2]"},
          {"weights",
           {p, Tensor({2}, i64), Tensor::zeros({2})},
           mean,
           name + ": class weights of 3 classes must be f32[3]"},
          {"smoothing", {p, Tensor({2}, i64)}, smoothed, name + ": label smoothing must be in [0, 1], got -0.1"},
          {"scalar", {Tensor(1.0F), Tensor({}, i64)}, mean, name + ": predictions need an axis of classes"}};
}
std::vector<BadSample> refused_targets(const std::string& name) {
  auto out = bad_losses(name);
  Attrs ignoring = reduced_by(by_mean);
  ignoring.set("ignored", Index{1});
  out.push_back({"ignored label", {Tensor({2, 3}), Tensor({2, 3})}, ignoring, name + ": ignored_label needs"});
  out.push_back({"scalar", {Tensor(1.0F), Tensor(1.0F)}, reduced_by(by_mean), "an axis of classes"});
  return out;
}

}  // namespace

std::vector<Composite> class_loss_composites() {
  const Domain any = domain::any();
  const Domain probability = domain::between(0.1, 0.9);
  return {
      {"categorical_crossentropy", "-sum(t log p).",
       [](Inputs x, const Attrs& a) {
         return categorical_crossentropy(x[0], x[1], class_options(x, a), reduction_of(a));
       },
       targeted(probability), refused_targets("categorical_crossentropy")},
      {"categorical_crossentropy of softmax", "-sum(t log p), computed from the logits.",
       [](Inputs x, const Attrs& a) {
         return categorical_crossentropy(softmax(x[0]), x[1], class_options(x, a), reduction_of(a));
       },
       targeted(any)},
      {"categorical_crossentropy_from_logits", "-sum(t log_softmax(z)).",
       [](Inputs x, const Attrs& a) {
         return categorical_crossentropy_from_logits(x[0], x[1], class_options(x, a), reduction_of(a));
       },
       targeted(any), refused_targets("categorical_crossentropy_from_logits")},
      {"sparse_categorical_crossentropy", "-log p of the labeled class.",
       [](Inputs x, const Attrs& a) {
         return sparse_categorical_crossentropy(x[0], x[1], class_options(x, a), reduction_of(a));
       },
       labeled(probability), refused_labels("sparse_categorical_crossentropy")},
      {"sparse_categorical_crossentropy of softmax", "-log p of the labeled class, computed from the logits.",
       [](Inputs x, const Attrs& a) {
         return sparse_categorical_crossentropy(softmax(x[0]), x[1], class_options(x, a), reduction_of(a));
       },
       labeled(any)},
      {"sparse_categorical_crossentropy_from_logits", "-log_softmax(z) of the labeled class.",
       [](Inputs x, const Attrs& a) {
         return sparse_categorical_crossentropy_from_logits(x[0], x[1], class_options(x, a), reduction_of(a));
       },
       labeled(any), refused_labels("sparse_categorical_crossentropy_from_logits")},
      {"nll", "-log p of the labeled class, from log-probabilities.",
       [](Inputs x, const Attrs& a) { return nll(x[0], x[1], class_options(x, a), reduction_of(a)); },
       linear(labeled(any)), refused_labels("nll")},
      {"kl_divergence", "sum(t (log t - log p)).",
       [](Inputs x, const Attrs& a) { return kl_divergence(x[0], x[1], reduction_of(a)); },
       loss_samples(any, probability), bad_losses("kl_divergence")},
  };
}

}  // namespace xgrad::inline v0
