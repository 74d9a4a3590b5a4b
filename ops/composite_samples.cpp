// The samples with which the suites prove the functions made of operations.
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/registry.hpp>

namespace xgrad {

namespace {

using Inputs = std::span<const Value>;

}  // namespace

std::vector<Composite> other_composites() {
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

  return {
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
