#include "compositions.hpp"

#include <limits>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::testing {
namespace {

using Inputs = std::vector<Value>;

Value distances_from_largest(Value x) { return x - stop_gradient(max(x, {-1}, true)); }

Value softmax_of(Value x) {
  const Value e = exp(distances_from_largest(x));
  return e / sum(e, {-1}, true);
}

Value standardize(Value x, const Attrs& attrs) {
  const Axes axes = attrs.ints("axes");
  const Value distance = x - mean(x, axes, true);
  return distance / sqrt(mean(square(distance), axes, true) + attrs.number("epsilon"));
}

Value label_log_probability(Value x, Value labels) {
  const Value distance = distances_from_largest(x);
  const Value all = distance - log(sum(exp(distance), {-1}, true));
  return squeeze(take_along_axis(all, expand_dims(labels, -1), -1), {-1});
}

// `rest` has the mask and the seeds of dropout, both optional.
Value attention(const Inputs& in, std::span<const Value> rest, const Attrs& attrs) {
  const double none = -std::numeric_limits<double>::infinity();
  Value scores = matmul(in[0], in[1], false, true) * attrs.number("scale");
  if (attrs.flag("causal")) scores = where(greater(tril(ones_like(scores)), 0), scores, none);
  for (const Value mask : rest) {
    if (mask.dtype() == boolean) scores = where(mask, scores, none);
    if (is_floating(mask.dtype())) scores = scores + mask;
  }
  Value weights = softmax_of(scores);
  for (const Value seeds : rest) {
    if (seeds.dtype() == i64)
      weights = weights * apply("attention_dropout", {weights, seeds}, {{"dropout", attrs.number("dropout")}});
  }
  return matmul(weights, in[2]);
}

}  // namespace

const std::map<std::string, Composition>& compositions() {
  static const std::map<std::string, Composition> all{
      {"standardize", [](const Inputs& in, const Attrs& attrs) { return standardize(in[0], attrs); }},
      {"standardize_gradient",
       [](const Inputs& in, const Attrs& attrs) { return gradients(sum(standardize(in[0], attrs) * in[1]), in[0]); }},
      {"row_softmax", [](const Inputs& in, const Attrs&) { return softmax_of(in[0]); }},
      {"row_softmax_gradient",
       [](const Inputs& in, const Attrs&) { return in[0] * (in[1] - sum(in[0] * in[1], {-1}, true)); }},
      {"label_log_probability", [](const Inputs& in, const Attrs&) { return label_log_probability(in[0], in[1]); }},
      {"label_log_probability_gradient",
       [](const Inputs& in, const Attrs&) {
         return gradients(sum(label_log_probability(in[0], in[1]) * in[2]), in[0]);
       }},
      {"scaled_dot_product_attention",
       [](const Inputs& in, const Attrs& attrs) { return attention(in, std::span(in).subspan(3), attrs); }},
      {"attention_gradient",
       [](const Inputs& in, const Attrs& attrs) {
         const Value loss = sum(attention(in, std::span(in).subspan(4), attrs) * in[3]);
         Inputs parts;
         for (const Value part : gradients(loss, {in[0], in[1], in[2]})) parts.push_back(flatten(part));
         return concat(parts, 0);
       }},
  };
  return all;
}

}  // namespace xgrad::testing
