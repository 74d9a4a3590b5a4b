// The samples with which the suites prove the functions made of operations.
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/registry.hpp>

namespace xgrad {
namespace {

using Inputs = std::span<const Value>;

Sample one(const char* label, Shape shape, Attrs attrs = {}, bool zero_second = false) {
  return {label, {{shape}}, std::move(attrs), 0, false, zero_second};
}

}  // namespace

std::vector<Composite> other_composites() {
  const Attrs last{{"axes", Axes{-1}}};
  const Attrs all{{"axes", Axes{}}};
  const std::vector<Sample> reductions{one("row", {9}, all), one("last axis", {3, 5}, last), one("all", {3, 4}, all),
                                       one("one element", {1}, all)};
  const auto second_zero = [](std::vector<Sample> samples) {
    for (Sample& s : samples) s.zero_second = true;
    return samples;
  };
  const std::vector<BadSample> not_floating{{"integers", {Tensor({3}, i64)}, all, "floating"}};
  const auto probabilities = domain::between(0.1, 0.9);
  const std::vector<Sample> pairs{{"batch", {{{4, 3}, probabilities}, {{4, 3}, probabilities}}, {}}};
  const std::vector<Sample> labelled{{"batch", {{{4, 3}, probabilities}, {{4}, domain::integers(0, 2)}}, {}}};
  const auto bad_pair = [](const char* name) {
    return std::vector<BadSample>{
        {"shapes", {Tensor({4, 1}), Tensor({4})}, {}, std::string(name) + ": prediction and target"}};
  };
  const std::vector<BadSample> bad_labels{{"label too large",
                                           {Tensor::full({2, 3}, 0.5), Tensor::from<std::int64_t>({2}, {0, 3})},
                                           {},
                                           "index 3 at position 1"},
                                          {"labels of f32", {Tensor({2, 3}), Tensor({2})}, {}, "labels must be i64"}};

  std::vector<Sample> variances = reductions;
  variances.back().zero_gradient = variances.back().zero_second = true;  // of one element it is 0
  std::vector<Sample> normalised{one("row", {9}, last), one("matrix", {3, 5}, last)};

  return {
      {"mean", "Sum over axes divided by the number of elements.",
       [](Inputs x, const Attrs& a) { return mean(x[0], a.ints("axes")); }, second_zero(reductions), not_floating},
      {"variance", "Mean squared distance from the mean.",
       [](Inputs x, const Attrs& a) { return variance(x[0], a.ints("axes")); }, variances, not_floating},
      {"logsumexp",
       "log(sum(exp(x))).",
       [](Inputs x, const Attrs& a) { return logsumexp(x[0], a.ints("axes")); },
       {one("row", {9}, all), one("last axis", {3, 5}, last), one("one element", {1}, all, true)},
       {}},
      {"softmax",
       "exp(x) / sum(exp(x)) along an axis.",
       [](Inputs x, const Attrs& a) { return softmax(x[0], a.ints("axes")[0]); },
       normalised,
       {{"scalar", {Tensor(1.0F)}, last, "a scalar has no axis"}}},
      {"log_softmax",
       "x - logsumexp(x) along an axis.",
       [](Inputs x, const Attrs& a) { return log_softmax(x[0], a.ints("axes")[0]); },
       normalised,
       {{"scalar", {Tensor(1.0F)}, last, "a scalar has no axis"}}},
      {"mse", "Mean squared difference.", [](Inputs x, const Attrs&) { return mse(x[0], x[1]); }, pairs,
       bad_pair("mse")},
      {"categorical_crossentropy", "-sum(t log p), averaged over rows.",
       [](Inputs x, const Attrs&) { return categorical_crossentropy(x[0], x[1]); }, pairs,
       bad_pair("categorical_crossentropy")},
      {"categorical_crossentropy of softmax",
       "The same through the logits.",
       [](Inputs x, const Attrs&) { return categorical_crossentropy(softmax(x[0]), x[1]); },
       pairs,
       {}},
      {"categorical_crossentropy_from_logits", "-sum(t log_softmax(x)), averaged over rows.",
       [](Inputs x, const Attrs&) { return categorical_crossentropy_from_logits(x[0], x[1]); }, pairs,
       bad_pair("categorical_crossentropy_from_logits")},
      {"sparse_categorical_crossentropy", "-log p of the labelled class, averaged over rows.",
       [](Inputs x, const Attrs&) { return sparse_categorical_crossentropy(x[0], x[1]); }, labelled, bad_labels},
      {"sparse_categorical_crossentropy_from_logits", "-log_softmax(x) of the labelled class, averaged over rows.",
       [](Inputs x, const Attrs&) { return sparse_categorical_crossentropy_from_logits(x[0], x[1]); }, labelled,
       bad_labels},
  };
}

}  // namespace xgrad
