// Losses for regression, binary classification and vectors.
#include <limits>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/composites/internal/loss_parts.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/reductions/internal/axes.hpp>

namespace xgrad::inline v0 {

Value reduced(Value losses, Reduction reduction) {
  switch (reduction) {
    case Reduction::none: return losses;
    case Reduction::mean: return mean(losses);
    case Reduction::sum: return sum(losses);
  }
  return losses;
}

Value weighted_cost(Value weight, Value cost) {
  return weight * where(logical_and(equal(weight, 0), isinf(cost)), 0, cost);
}

constexpr double huge = std::numeric_limits<double>::max();

void require_same_shape(const char* function, Value prediction, const char* what, Value other) {
  prediction.graph().require(other, fmt::format("{}: {}", function, what));
  require_floating(function, prediction);
  if (prediction.type() == other.type()) return;
  throw ShapeError(fmt::format("{}: prediction and {} differ: {} against {}\n  prediction: {}\n  {}: {}", function,
                               what, prediction.type().str(), other.type().str(), prediction.describe(), what,
                               other.describe()));
}

void require_number(const char* function, const char* what, double number, double low, double high) {
  if (number >= low && number <= high) return;
  const std::string range = high < huge ? fmt::format("in [{}, {}]", low, high)
                            : low > 0   ? "finite and positive"
                                        : fmt::format("finite and at least {}", low);
  throw UserError(fmt::format("{}: {} must be {}, got {}", function, what, range, number));
}

namespace {

Value error(const char* function, Value prediction, Value target) {
  require_same_shape(function, prediction, "target", target);
  return prediction - target;
}

// Huber loss of errors e. Uses clip(e) instead of |e|, so that the second derivative at 0 is right.
Value huber_of(Value e, double delta) {
  const Value cut = clip(e, -delta, delta);
  return cut * (e - 0.5 * cut);
}

}  // namespace

Value mse(Operand prediction, Operand target, Reduction reduction) {
  return composite(prediction, [&] { return reduced(square(error("mse", prediction, target)), reduction); });
}

Value mae(Operand prediction, Operand target, Reduction reduction) {
  return composite(prediction, [&] { return reduced(abs(error("mae", prediction, target)), reduction); });
}

Value huber(Operand prediction, Operand target, double delta, Reduction reduction) {
  return composite(prediction, [&] {
    require_number("huber", "delta", delta, std::numeric_limits<double>::min(), huge);
    return reduced(huber_of(error("huber", prediction, target), delta), reduction);
  });
}

Value smooth_l1(Operand prediction, Operand target, double beta, Reduction reduction) {
  return composite(prediction, [&] {
    require_number("smooth_l1", "beta", beta, 0, huge);
    const Value e = error("smooth_l1", prediction, target);
    return reduced(beta == 0 ? abs(e) : huber_of(e, beta) / beta, reduction);
  });
}

Value log_cosh(Operand prediction, Operand target, Reduction reduction) {
  return composite(prediction, [&] {
    const Value e = error("log_cosh", prediction, target);
    // log cosh e = log(1 + 2 sinh(e / 2)^2), which is exact near 0; beyond 20 it is |e| - log 2 to the last bit.
    constexpr double far = 20;
    const Value half = 0.5 * clip(e, -far, far);
    return reduced(log1p(2 * square(sinh(half))) + relu(abs(e) - far), reduction);
  });
}

// ---- binary classification

namespace {

Value smoothed(const char* function, Value target, const BinaryOptions& options) {
  require_number(function, "label smoothing", options.label_smoothing, 0, 1);
  require_number(function, "positive weight", options.positive_weight, 0, huge);
  const double s = options.label_smoothing;
  return s == 0 ? target : target * (1 - s) + 0.5 * s;
}

Value weighted(Value target, const BinaryOptions& options) {
  return options.positive_weight == 1 ? target : target * options.positive_weight;
}

Value binary_from_logits(Value logits, Value target, const BinaryOptions& options, Reduction reduction) {
  // Both terms are >= 0, so that nothing cancels at large logits.
  const Value costs = weighted_cost(weighted(target, options), softplus(-logits));
  return reduced(costs + weighted_cost(1 - target, softplus(logits)), reduction);
}

}  // namespace

Value binary_crossentropy(Operand prediction, Operand target, const BinaryOptions& options, Reduction reduction) {
  return composite(prediction, [&] {
    const char* function = "binary_crossentropy";
    require_same_shape(function, prediction, "target", target);
    const Value t = smoothed(function, target, options);
    if (prediction.node().op == &builtin_op("sigmoid")) {
      return binary_from_logits(prediction.graph().value(prediction.graph().inputs(prediction.id())[0]), t, options,
                                reduction);
    }
    const Value p = clip(prediction, smallest_probability, 1 - smallest_probability);
    return reduced(-(weighted(t, options) * log(p) + (1 - t) * log1p(-p)), reduction);
  });
}

Value binary_crossentropy_from_logits(Operand logits, Operand target, const BinaryOptions& options,
                                      Reduction reduction) {
  return composite(logits, [&] {
    const char* function = "binary_crossentropy_from_logits";
    require_same_shape(function, logits, "target", target);
    return binary_from_logits(logits, smoothed(function, target, options), options, reduction);
  });
}

Value hinge(Operand prediction, Operand target, Reduction reduction) {
  return composite(prediction, [&] {
    require_same_shape("hinge", prediction, "target", target);
    return reduced(relu(1 - target * prediction), reduction);
  });
}

// ---- vectors

namespace {

// Normalizes slices along an axis to length 1. Slices shorter than epsilon are divided by epsilon, a constant.
Value of_unit_length(Value x, Index axis, double epsilon) {
  const Value factor = reductions::shrinking(x, {axis});
  const Value smaller = x * factor;
  return smaller * rsqrt(maximum(sum(square(smaller), {axis}, true), square(epsilon * factor)));
}

void require_rows(const char* function, Value x) {
  if (x.shape().rank() > 0) return;
  throw ShapeError(fmt::format("{}: operands must have at least 1 axis\n  {}", function, x.describe()));
}

Value distance(Value a, Value b) { return norm(a - b + 1e-6, 2, {-1}); }

}  // namespace

Value cosine_similarity(Operand a, Operand b, Index axis, double epsilon) {
  return composite(a, [&] {
    require_same_shape("cosine_similarity", a, "second operand", b);
    require_rows("cosine_similarity", a);
    require_number("cosine_similarity", "epsilon", epsilon, 1e-15, 1);
    const Index along = axis_index(axis, a.shape().rank(), "cosine_similarity");
    return sum(of_unit_length(a, along, epsilon) * of_unit_length(b, along, epsilon), {along});
  });
}

Value cosine_embedding(Operand a, Operand b, Operand target, double margin, Reduction reduction) {
  return composite(a, [&] {
    require_same_shape("cosine_embedding", a, "second operand", b);
    require_rows("cosine_embedding", a);
    require_number("cosine_embedding", "margin", margin, -1, 1);
    a.graph().require(target, "cosine_embedding: target");
    const Shape rows = without_last(a.shape(), 1);
    if (target.shape() != rows || target.dtype() == boolean) {
      throw ShapeError(
          fmt::format("cosine_embedding: the targets of rows {} must be numbers {}\n  rows: {}\n  target: {}",
                      a.shape().str(), rows.str(), a.describe(), target.describe()));
    }
    const Value similarity = cosine_similarity(a, b);
    return reduced(where(target > 0, 1 - similarity, relu(similarity - margin)), reduction);
  });
}

Value triplet_margin(Operand anchor, Operand positive, Operand negative, double margin, Reduction reduction) {
  return composite(anchor, [&] {
    require_same_shape("triplet_margin", anchor, "positive", positive);
    require_same_shape("triplet_margin", anchor, "negative", negative);
    require_rows("triplet_margin", anchor);
    require_number("triplet_margin", "margin", margin, 0, huge);
    return reduced(relu(distance(anchor, positive) - distance(anchor, negative) + margin), reduction);
  });
}

// ---- samples

Reduction reduction_of(const Attrs& a) {
  return a.integer("reduction") == by_none  ? Reduction::none
         : a.integer("reduction") == by_sum ? Reduction::sum
                                            : Reduction::mean;
}
Attrs reduced_by(std::int64_t reduction) { return {{"reduction", reduction}}; }

std::vector<Sample> loss_samples(const Domain& prediction, const Domain& target, bool zero_second) {
  const auto make = [&](const char* label, Shape shape, std::int64_t reduction) {
    return Sample{.label = label,
                  .inputs = {{shape, prediction}, {shape, target}},
                  .attrs = reduced_by(reduction),
                  .zero_second = zero_second};
  };
  const auto nothing = [&](const char* label, Shape shape, std::int64_t reduction) {
    return zero_gradient({label, {{shape, prediction}, {shape, target}}, reduced_by(reduction)});
  };
  return {make("each", {3, 5}, by_none),     make("mean", {4, 3}, by_mean), make("sum", {9}, by_sum),
          make("one element", {1}, by_mean), nothing("empty", {0}, by_sum), nothing("empty rows", {3, 0}, by_none)};
}
std::vector<BadSample> bad_losses(const std::string& name) {
  const std::string differ = name + ": prediction and target differ: ";
  return {{"columns against rows",
           {Tensor({4, 1}), Tensor::zeros({4})},
           reduced_by(by_mean),
           differ + "f32[4, 1] against f32[4]"},
          {"dtypes", {Tensor::zeros({4}), Tensor({4}, f64)}, reduced_by(by_mean), differ + "f32[4] against f64[4]"},
          {"integers", {Tensor({4}, i64), Tensor({4}, i64)}, reduced_by(by_mean), "floating"}};
}

namespace {

// The samples of bad_losses, and one with an option out of range.
std::vector<BadSample> refused_option(const char* name, const char* option, double number, const char* message) {
  auto out = bad_losses(name);
  Attrs attrs = reduced_by(by_mean);
  attrs.set(option, number);
  out.push_back({option, {Tensor::zeros({4}), Tensor::zeros({4})}, attrs, message});
  return out;
}

std::vector<Composite> of_numbers() {
  const Domain any = domain::any();
  // The domains give errors in both branches of a loss, away from the point where the branches meet.
  const Domain left = domain::between(0.3, 0.8), right = domain::between(-0.6, -0.4), far = domain::between(-3, -2);
  return {
      {"mse", "Mean squared error; here without the mean.",
       [](Inputs x, const Attrs& a) { return mse(x[0], x[1], reduction_of(a)); }, loss_samples(any, any),
       bad_losses("mse")},
      {"mae", "Mean absolute error; here without the mean.",
       [](Inputs x, const Attrs& a) { return mae(x[0], x[1], reduction_of(a)); }, loss_samples(left, right, true),
       bad_losses("mae")},
      {"huber of small errors", "Half the squared error.",
       [](Inputs x, const Attrs& a) {
         return huber(x[0], x[1], a.has("delta") ? a.number("delta") : 1.5, reduction_of(a));
       },
       loss_samples(left, right),
       refused_option("huber", "delta", 0, "huber: delta must be finite and positive, got 0")},
      {"huber of large errors", "Linear in the error.",
       [](Inputs x, const Attrs& a) { return huber(x[0], x[1], 1.5, reduction_of(a)); }, loss_samples(left, far, true)},
      {"smooth_l1", "huber / beta.",
       [](Inputs x, const Attrs& a) { return smooth_l1(x[0], x[1], 1.5, reduction_of(a)); }, loss_samples(left, right),
       bad_losses("smooth_l1")},
      {"smooth_l1 of beta 0", "Equals mae.",
       [](Inputs x, const Attrs& a) { return smooth_l1(x[0], x[1], 0, reduction_of(a)); },
       loss_samples(left, far, true)},
      {"log_cosh", "log(cosh(e)).", [](Inputs x, const Attrs& a) { return log_cosh(x[0], x[1], reduction_of(a)); },
       loss_samples(any, any), bad_losses("log_cosh")},
  };
}

std::vector<Composite> of_truth() {
  const Domain any = domain::any();
  const Domain probability = domain::between(0.1, 0.9);
  return {
      {"binary_crossentropy", "-t log p - (1 - t) log(1 - p).",
       [](Inputs x, const Attrs& a) { return binary_crossentropy(x[0], x[1], {}, reduction_of(a)); },
       loss_samples(probability, probability), bad_losses("binary_crossentropy")},
      {"binary_crossentropy, smoothed and weighted",
       "binary_crossentropy with label smoothing and a positive weight.",
       [](Inputs x, const Attrs& a) {
         return binary_crossentropy(x[0], x[1],
                                    {.label_smoothing = a.has("smoothing") ? a.number("smoothing") : 0.2,
                                     .positive_weight = a.has("weight") ? a.number("weight") : 3},
                                    reduction_of(a));
       },
       loss_samples(probability, probability),
       {refused_option("binary_crossentropy", "smoothing", 1.5, "label smoothing must be in [0, 1], got 1.5").back(),
        refused_option("binary_crossentropy", "weight", -1, "positive weight must be finite and at least 0, got -1")
            .back()}},
      {"binary_crossentropy of sigmoid", "binary_crossentropy, computed from the logits.",
       [](Inputs x, const Attrs& a) { return binary_crossentropy(sigmoid(x[0]), x[1], {}, reduction_of(a)); },
       loss_samples(any, probability)},
      {"binary_crossentropy_from_logits", "binary_crossentropy of sigmoid(z).",
       [](Inputs x, const Attrs& a) {
         return binary_crossentropy_from_logits(x[0], x[1], {.label_smoothing = 0.1, .positive_weight = 0.5},
                                                reduction_of(a));
       },
       loss_samples(any, probability), bad_losses("binary_crossentropy_from_logits")},
      {"hinge", "max(0, 1 - t p).", [](Inputs x, const Attrs& a) { return hinge(x[0], x[1], reduction_of(a)); },
       loss_samples(domain::between(-0.9, 0.9), domain::between(-1, 1)), bad_losses("hinge")},
  };
}

std::vector<Composite> of_vectors() {
  const Domain any = domain::any();
  const Domain alike = domain::between(0.5, 1.5);
  return {
      {"cosine_similarity",
       "a . b / (|a| |b|).",
       [](Inputs x, const Attrs& a) { return cosine_similarity(x[0], x[1], a.integer("axis")); },
       {{"rows", {{{4, 3}}, {{4, 3}}}, axis_attrs(-1)},
        {"columns", {{{4, 3}}, {{4, 3}}}, axis_attrs(0)},
        {"vectors", {{{9}}, {{9}}}, axis_attrs(0)},
        zero_gradient({"one element", {{{1}, alike}, {{1}, alike}}, axis_attrs(0)}),
        zero_gradient({"no rows", {{{0, 3}}, {{0, 3}}}, axis_attrs(-1)}),
        zero_gradient({"empty rows", {{{3, 0}}, {{3, 0}}}, axis_attrs(-1)})},
       {{"shapes", {Tensor({2, 3}), Tensor::zeros({3})}, axis_attrs(0), "prediction and second operand differ"},
        {"axis", {Tensor::zeros({3}), Tensor::zeros({3})}, axis_attrs(1), "cosine_similarity: axis 1"},
        {"scalar", {Tensor(1.0F), Tensor(1.0F)}, axis_attrs(0), "operands must have at least 1 axis"}}},
      {"cosine_embedding",
       "1 - s for similar rows, max(0, s - margin) for others; s is the cosine similarity.",
       [](Inputs x, const Attrs& a) { return cosine_embedding(x[0], x[1], 2 * x[2] - 1, 0.1, reduction_of(a)); },
       {{"rows", {{{6, 3}, alike}, {{6, 3}, alike}, {{6}, domain::integers(0, 1)}}, reduced_by(by_none)},
        {"mean", {{{6, 3}, alike}, {{6, 3}, alike}, {{6}, domain::integers(0, 1)}}, reduced_by(by_mean)},
        {"one row", {{{17}, alike}, {{17}, alike}, {{}, domain::integers(1, 1)}}, reduced_by(by_sum)},
        zero_gradient({"no rows", {{{0, 3}}, {{0, 3}}, {{0}, domain::integers(0, 1)}}, reduced_by(by_sum)})},
       {{"target", {Tensor({2, 3}), Tensor({2, 3}), Tensor({2, 1}, i64)}, reduced_by(by_none), "must be numbers [2]"}}},
      {"triplet_margin",
       "max(0, |a - p| - |a - n| + margin).",
       [](Inputs x, const Attrs& a) { return triplet_margin(x[0], x[1], x[2], 9, reduction_of(a)); },
       {{"rows", {{{4, 3}, any}, {{4, 3}, any}, {{4, 3}, alike}}, reduced_by(by_none)},
        {"sum", {{{4, 3}, any}, {{4, 3}, any}, {{4, 3}, alike}}, reduced_by(by_sum)},
        {"one row", {{{17}, any}, {{17}, any}, {{17}, alike}}, reduced_by(by_mean)},
        zero_gradient({"no rows", {{{0, 3}, any}, {{0, 3}, any}, {{0, 3}, alike}}, reduced_by(by_sum)})},
       {{"shapes",
         {Tensor({2, 3}), Tensor({2, 3}), Tensor({2, 1})},
         reduced_by(by_none),
         "prediction and negative differ"}}},
  };
}

}  // namespace

std::vector<Composite> loss_composites() {
  auto out = of_numbers();
  for (const auto& family : {of_truth(), of_vectors()}) out.insert(out.end(), family.begin(), family.end());
  return out;
}

}  // namespace xgrad::inline v0
