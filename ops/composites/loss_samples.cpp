// Samples of the losses.
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {

std::vector<Composite> loss_composites();

namespace {

using Inputs = std::span<const Value>;

constexpr std::int64_t none = 0, by_mean = 1, by_sum = 2;

Reduction reduction_of(const Attrs& a) {
  return a.integer("reduction") == none     ? Reduction::none
         : a.integer("reduction") == by_sum ? Reduction::sum
                                            : Reduction::mean;
}
Attrs reduced_by(std::int64_t reduction) { return {{"reduction", reduction}}; }

// Every reduction, and one element; predictions and targets from the domains.
std::vector<Sample> pairs(const Domain& prediction, const Domain& target, bool zero_second = false) {
  const auto make = [&](const char* label, Shape shape, std::int64_t reduction) {
    return Sample{label, {{shape, prediction}, {shape, target}}, reduced_by(reduction), 0, false, zero_second};
  };
  const auto nothing = [&](const char* label, Shape shape, std::int64_t reduction) {
    return Sample{label, {{shape, prediction}, {shape, target}}, reduced_by(reduction), 0, true, true};
  };
  return {make("each", {3, 5}, none),        make("mean", {4, 3}, by_mean),   make("sum", {9}, by_sum),
          make("one element", {1}, by_mean), nothing("nothing", {0}, by_sum), nothing("rows of nothing", {3, 0}, none)};
}
std::vector<BadSample> refused_pairs(const std::string& name) {
  const std::string differ = name + ": prediction and target differ: ";
  return {{"columns against rows",
           {Tensor({4, 1}), Tensor::zeros({4})},
           reduced_by(by_mean),
           differ + "f32[4, 1] against f32[4]"},
          {"dtypes", {Tensor::zeros({4}), Tensor({4}, f64)}, reduced_by(by_mean), differ + "f32[4] against f64[4]"},
          {"integers", {Tensor({4}, i64), Tensor({4}, i64)}, reduced_by(by_mean), "floating"}};
}

// The same, and an option out of range.
std::vector<BadSample> refused_option(const char* name, const char* option, double number, const char* message) {
  auto out = refused_pairs(name);
  Attrs attrs = reduced_by(by_mean);
  attrs.set(option, number);
  out.push_back({option, {Tensor::zeros({4}), Tensor::zeros({4})}, attrs, message});
  return out;
}

std::vector<Composite> of_numbers() {
  const Domain any = domain::any();
  // Errors of 1 + [-0.9, 0.9] or the like: both branches, not near where they meet.
  const Domain left = domain::between(0.3, 0.8), right = domain::between(-0.6, -0.4), far = domain::between(-3, -2);
  return {
      {"mse", "Squared errors.", [](Inputs x, const Attrs& a) { return mse(x[0], x[1], reduction_of(a)); },
       pairs(any, any), refused_pairs("mse")},
      {"mae", "Absolute errors.", [](Inputs x, const Attrs& a) { return mae(x[0], x[1], reduction_of(a)); },
       pairs(left, right, true), refused_pairs("mae")},
      {"huber of small errors", "Half the squared error.",
       [](Inputs x, const Attrs& a) {
         return huber(x[0], x[1], a.has("delta") ? a.number("delta") : 1.5, reduction_of(a));
       },
       pairs(left, right), refused_option("huber", "delta", 0, "huber: delta 0 is not from")},
      {"huber of large errors",
       "Linear in the error.",
       [](Inputs x, const Attrs& a) { return huber(x[0], x[1], 1.5, reduction_of(a)); },
       pairs(left, far, true),
       {}},
      {"smooth_l1", "huber / beta.",
       [](Inputs x, const Attrs& a) { return smooth_l1(x[0], x[1], 1.5, reduction_of(a)); }, pairs(left, right),
       refused_pairs("smooth_l1")},
      {"smooth_l1 of beta 0",
       "Absolute errors.",
       [](Inputs x, const Attrs& a) { return smooth_l1(x[0], x[1], 0, reduction_of(a)); },
       pairs(left, far, true),
       {}},
      {"log_cosh", "log(cosh(e)).", [](Inputs x, const Attrs& a) { return log_cosh(x[0], x[1], reduction_of(a)); },
       pairs(any, any), refused_pairs("log_cosh")},
  };
}

std::vector<Composite> of_truth() {
  const Domain any = domain::any();
  const Domain probability = domain::between(0.1, 0.9);
  return {
      {"binary_crossentropy", "-t log p - (1 - t) log(1 - p).",
       [](Inputs x, const Attrs& a) { return binary_crossentropy(x[0], x[1], {}, reduction_of(a)); },
       pairs(probability, probability), refused_pairs("binary_crossentropy")},
      {"binary_crossentropy, smoothed and weighted",
       "With other targets.",
       [](Inputs x, const Attrs& a) {
         return binary_crossentropy(x[0], x[1],
                                    {.label_smoothing = a.has("smoothing") ? a.number("smoothing") : 0.2,
                                     .positive_weight = a.has("weight") ? a.number("weight") : 3},
                                    reduction_of(a));
       },
       pairs(probability, probability),
       {refused_option("binary_crossentropy", "smoothing", 1.5, "label smoothing 1.5 is not from 0 to 1").back(),
        refused_option("binary_crossentropy", "weight", -1, "positive weight -1 is not").back()}},
      {"binary_crossentropy of sigmoid",
       "Through the logits.",
       [](Inputs x, const Attrs& a) { return binary_crossentropy(sigmoid(x[0]), x[1], {}, reduction_of(a)); },
       pairs(any, probability),
       {}},
      {"binary_crossentropy_from_logits", "The same of sigmoid(z).",
       [](Inputs x, const Attrs& a) {
         return binary_crossentropy_from_logits(x[0], x[1], {.label_smoothing = 0.1, .positive_weight = 0.5},
                                                reduction_of(a));
       },
       pairs(any, probability), refused_pairs("binary_crossentropy_from_logits")},
      {"hinge", "max(0, 1 - t p).", [](Inputs x, const Attrs& a) { return hinge(x[0], x[1], reduction_of(a)); },
       pairs(domain::between(-0.9, 0.9), domain::between(-1, 1)), refused_pairs("hinge")},
  };
}

// ---- classes

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
  return {{"rows", {{{4, 3}, prediction}, {{4}, label}}, reduced_by(none)},
          {"mean", {{{4, 3}, prediction}, {{4}, label}}, reduced_by(by_mean)},
          {"sum of a table of rows", {{{2, 2, 3}, prediction}, {{2, 2}, label}}, reduced_by(by_sum)},
          {"one row", {{{3}, prediction}, {{}, label}}, reduced_by(by_mean)},
          {"weights", {{{5, 3}, prediction}, {{5}, label}, {{3}, weight}}, reduced_by(by_mean)},
          {"smoothed", {{{4, 3}, prediction}, {{4}, label}}, smoothed},
          {"ignoring", {{{8, 3}, prediction}, {{8}, label}}, ignoring},
          {"all of it", {{{8, 3}, prediction}, {{8}, label}, {{3}, weight}}, both},
          {"one class", {{{2, 1}, prediction}, {{2}, domain::integers(0, 0)}}, reduced_by(none), 0, true, true},
          {"no rows", {{{0, 3}, prediction}, {{0}, label}}, reduced_by(by_sum), 0, true, true}};
}
std::vector<Sample> targeted(const Domain& prediction) {
  const Domain probability = domain::between(0.1, 0.9);
  Attrs smoothed = reduced_by(by_sum);
  smoothed.set("smoothing", 0.2);
  return {{"rows", {{{4, 3}, prediction}, {{4, 3}, probability}}, reduced_by(none)},
          {"mean", {{{4, 3}, prediction}, {{4, 3}, probability}}, reduced_by(by_mean)},
          {"one row", {{{3}, prediction}, {{3}, probability}}, reduced_by(by_mean)},
          {"smoothed and weighted", {{{4, 3}, prediction}, {{4, 3}, probability}, {{3}, domain::positive()}}, smoothed},
          {"one class", {{{2, 1}, prediction}, {{2, 1}, probability}}, reduced_by(none), 0, true, true},
          {"no rows", {{{0, 3}, prediction}, {{0, 3}, probability}}, reduced_by(by_sum), 0, true, true}};
}
std::vector<Sample> linear(std::vector<Sample> samples) {
  for (Sample& s : samples) s.zero_second = s.inputs.size() < 3;  // of a product with weights it is not
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
          {"a label an element", {p, Tensor({2, 3}, i64)}, mean, "labels must be i64[2]"},
          {"weights", {p, Tensor({2}, i64), Tensor::zeros({2})}, mean, name + ": 3 classes have weights f32[3]"},
          {"smoothing", {p, Tensor({2}, i64)}, smoothed, name + ": label smoothing -0.1 is not from 0 to 1"},
          {"scalar", {Tensor(1.0F), Tensor({}, i64)}, mean, name + ": predictions need an axis of classes"}};
}
std::vector<BadSample> refused_targets(const std::string& name) {
  auto out = refused_pairs(name);
  Attrs ignoring = reduced_by(by_mean);
  ignoring.set("ignored", Index{1});
  out.push_back({"ignored label", {Tensor({2, 3}), Tensor({2, 3})}, ignoring, name + ": a label can be ignored only"});
  out.push_back({"scalar", {Tensor(1.0F), Tensor(1.0F)}, reduced_by(by_mean), "an axis of classes"});
  return out;
}

std::vector<Composite> of_classes() {
  const Domain any = domain::any();
  const Domain probability = domain::between(0.1, 0.9);
  return {
      {"categorical_crossentropy", "-sum(t log p).",
       [](Inputs x, const Attrs& a) {
         return categorical_crossentropy(x[0], x[1], class_options(x, a), reduction_of(a));
       },
       targeted(probability), refused_targets("categorical_crossentropy")},
      {"categorical_crossentropy of softmax",
       "The same through the logits.",
       [](Inputs x, const Attrs& a) {
         return categorical_crossentropy(softmax(x[0]), x[1], class_options(x, a), reduction_of(a));
       },
       targeted(any),
       {}},
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
      {"sparse_categorical_crossentropy of softmax",
       "The same through the logits.",
       [](Inputs x, const Attrs& a) {
         return sparse_categorical_crossentropy(softmax(x[0]), x[1], class_options(x, a), reduction_of(a));
       },
       labeled(any),
       {}},
      {"sparse_categorical_crossentropy_from_logits", "-log_softmax(z) of the labeled class.",
       [](Inputs x, const Attrs& a) {
         return sparse_categorical_crossentropy_from_logits(x[0], x[1], class_options(x, a), reduction_of(a));
       },
       labeled(any), refused_labels("sparse_categorical_crossentropy_from_logits")},
      {"nll", "The negative logarithm of the labeled class.",
       [](Inputs x, const Attrs& a) { return nll(x[0], x[1], class_options(x, a), reduction_of(a)); },
       linear(labeled(any)), refused_labels("nll")},
      {"kl_divergence", "sum(t (log t - log p)).",
       [](Inputs x, const Attrs& a) { return kl_divergence(x[0], x[1], reduction_of(a)); }, pairs(any, probability),
       refused_pairs("kl_divergence")},
  };
}

// ---- vectors

std::vector<Composite> of_vectors() {
  const Domain any = domain::any();
  const Domain alike = domain::between(0.5, 1.5);
  return {
      {"cosine_similarity",
       "a . b / (|a| |b|).",
       [](Inputs x, const Attrs& a) { return cosine_similarity(x[0], x[1], a.integer("axis")); },
       {{"rows", {{{4, 3}}, {{4, 3}}}, {{"axis", Index{-1}}}},
        {"columns", {{{4, 3}}, {{4, 3}}}, {{"axis", Index{0}}}},
        {"vectors", {{{9}}, {{9}}}, {{"axis", Index{0}}}},
        {"one element", {{{1}, alike}, {{1}, alike}}, {{"axis", Index{0}}}, 0, true, true},
        {"no rows", {{{0, 3}}, {{0, 3}}}, {{"axis", Index{-1}}}, 0, true, true},
        {"rows of nothing", {{{3, 0}}, {{3, 0}}}, {{"axis", Index{-1}}}, 0, true, true}},
       {{"shapes", {Tensor({2, 3}), Tensor::zeros({3})}, {{"axis", Index{0}}}, "prediction and second operand differ"},
        {"axis", {Tensor::zeros({3}), Tensor::zeros({3})}, {{"axis", Index{1}}}, "cosine_similarity: axis 1"},
        {"scalar", {Tensor(1.0F), Tensor(1.0F)}, {{"axis", Index{0}}}, "a scalar is no row"}}},
      {"cosine_embedding",
       "1 - s, or max(0, s - margin).",
       [](Inputs x, const Attrs& a) { return cosine_embedding(x[0], x[1], 2 * x[2] - 1, 0.1, reduction_of(a)); },
       {{"rows", {{{6, 3}, alike}, {{6, 3}, alike}, {{6}, domain::integers(0, 1)}}, reduced_by(none)},
        {"mean", {{{6, 3}, alike}, {{6, 3}, alike}, {{6}, domain::integers(0, 1)}}, reduced_by(by_mean)},
        {"one row", {{{17}, alike}, {{17}, alike}, {{}, domain::integers(1, 1)}}, reduced_by(by_sum)},
        {"no rows", {{{0, 3}}, {{0, 3}}, {{0}, domain::integers(0, 1)}}, reduced_by(by_sum), 0, true, true}},
       {{"target", {Tensor({2, 3}), Tensor({2, 3}), Tensor({2, 1}, i64)}, reduced_by(none), "must be numbers [2]"}}},
      {"triplet_margin",
       "max(0, |a - p| - |a - n| + margin).",
       [](Inputs x, const Attrs& a) { return triplet_margin(x[0], x[1], x[2], 9, reduction_of(a)); },
       {{"rows", {{{4, 3}, any}, {{4, 3}, any}, {{4, 3}, alike}}, reduced_by(none)},
        {"sum", {{{4, 3}, any}, {{4, 3}, any}, {{4, 3}, alike}}, reduced_by(by_sum)},
        {"one row", {{{17}, any}, {{17}, any}, {{17}, alike}}, reduced_by(by_mean)},
        {"no rows", {{{0, 3}, any}, {{0, 3}, any}, {{0, 3}, alike}}, reduced_by(by_sum), 0, true, true}},
       {{"shapes",
         {Tensor({2, 3}), Tensor({2, 3}), Tensor({2, 1})},
         reduced_by(none),
         "prediction and negative differ"}}},
  };
}

}  // namespace

std::vector<Composite> loss_composites() {
  auto out = of_numbers();
  for (const auto& family : {of_truth(), of_classes(), of_vectors()})
    out.insert(out.end(), family.begin(), family.end());
  return out;
}

}  // namespace xgrad::inline v0
