// Composite activations. Derivatives at kinks are those of PyTorch.
#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// Clips x. Unlike that of `clip`, the derivative is 0 at the bounds.
Value flat_outside(Value x, double low, double high) { return where(x <= low, low, where(x >= high, high, x)); }

// min(x, 0). Apply it to the argument of exp, not to the result: where exp overflows, its derivative inf times the 0 of
// `where` would be NaN.
Value negative_part(Value x) { return where(x > 0, 0, x); }

}  // namespace

Value softplus(Operand x, double beta) {
  return floating_composite(x, [&] {
    if (!(beta > 0)) throw UserError(fmt::format("softplus: beta must be > 0, got {}\n  {}", beta, x.describe()));
    return beta == 1 ? apply("softplus", {x}) : apply("softplus", {x * beta}) / beta;
  });
}

Value logsigmoid(Operand x) {
  return floating_composite(x, [&] { return -softplus(-x); });
}

Value softsign(Operand x) {
  return floating_composite(x, [&] { return x / (1 + abs(x)); });
}

Value silu(Operand x) {
  return floating_composite(x, [&] { return x * sigmoid(x); });
}

// erfc is accurate where erf is near -1.
Value gelu(Operand x) {
  return floating_composite(x, [&] { return 0.5 * x * erfc(-0.70710678118654752440 * x); });
}

Value gelu_tanh(Operand x) {
  return floating_composite(x, [&] {
    // (1 + tanh(u)) / 2 = sigmoid(2 u), which loses no digits where tanh is near -1.
    const Value inner = 1.5957691216057307117597842397375 * (x + 0.044715 * (x * square(x)));  // 2 sqrt(2 / pi)
    return x * sigmoid(inner);
  });
}

Value mish(Operand x) {
  return floating_composite(x, [&] { return x * tanh(softplus(x)); });
}

Value relu6(Operand x) {
  return floating_composite(x, [&] { return flat_outside(x, 0, 6); });
}

Value hardsigmoid(Operand x) {
  return floating_composite(x, [&] { return relu6(x + 3) / 6; });
}

Value hardswish(Operand x) {
  return floating_composite(x, [&] { return x * (clip(x + 3, 0, 6) / 6); });
}

Value leaky_relu(Operand x, double slope) {
  return floating_composite(x, [&] { return where(x > 0, x, slope * x); });
}

Value prelu(Operand x, Operand slope) {
  return floating_composite(x, [&] { return where(x > 0, x, slope * negative_part(x)); });
}

Value elu(Operand x, double alpha) {
  return floating_composite(x, [&] {
    const Value below = expm1(negative_part(x));
    return where(x > 0, x, alpha == 1 ? below : alpha * below);
  });
}

Value selu(Operand x) {
  return floating_composite(
      x, [&] { return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717); });
}

namespace {

template <Value (*function)(Operand)>
Value call(Inputs x, const Attrs&) {
  return function(x[0]);
}

std::vector<BadSample> integers(const char* name) {
  return {{"integers", {Tensor({3}, i64)}, {}, std::string(name) + ": needs a floating dtype"}};
}

template <Value (*function)(Operand)>
Composite smooth(const char* name, const char* doc, const Domain& domain = domain::any()) {
  return {name, doc, call<function>, unary_samples(domain), integers(name)};
}

// A piecewise linear function, whose second derivative is 0.
Composite piecewise(const char* name, const char* doc, Value (*build)(Inputs, const Attrs&), std::vector<double> kinks,
                    bool zero_second = true) {
  Domain domain = domain::away_from(std::move(kinks));
  domain.low = -5;
  domain.high = 8;
  return {name, doc, build, unary_samples_with(domain, domain::positive(), zero_second), integers(name)};
}

}  // namespace

std::vector<Composite> activation_composites() {
  const Domain not_zero = domain::away_from({0});
  std::vector<Composite> out{
      smooth<logsigmoid>("logsigmoid", "log(sigmoid(x))."),
      smooth<softsign>("softsign", "x / (1 + |x|).", not_zero),
      smooth<silu>("silu", "x sigmoid(x)."),
      smooth<gelu>("gelu", "x (1 + erf(x / sqrt(2))) / 2."),
      smooth<gelu_tanh>("gelu_tanh", "x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2."),
      smooth<mish>("mish", "x tanh(softplus(x))."),
      piecewise("hardsigmoid", "min(max(x + 3, 0), 6) / 6.", call<hardsigmoid>, {-3, 3}),
      piecewise("hardswish", "x hardsigmoid(x).", call<hardswish>, {-3, 3}, false),
      piecewise("relu6", "min(max(x, 0), 6).", call<relu6>, {0, 6}),
      piecewise("leaky_relu", "x above 0, else 0.01 x.", [](Inputs x, const Attrs&) { return leaky_relu(x[0]); }, {0}),
      {"elu", "x above 0, else exp(x) - 1.",
       [](Inputs x, const Attrs& a) { return elu(x[0], a.has("alpha") ? a.number("alpha") : 1); },
       unary_samples_with(not_zero, domain::between(-2, -0.1), false), integers("elu")},
      {"selu", "1.0507 elu(x, 1.6733).", call<selu>, unary_samples_with(not_zero, domain::between(-2, -0.1), false),
       integers("selu")},
      {"softplus of beta",
       "log(1 + exp(beta x)) / beta.",
       [](Inputs x, const Attrs& a) { return softplus(x[0], a.number("beta")); },
       {{"row", {{{19}}}, {{"beta", 2.5}}}, {"flat", {{{9}, domain::between(-2, 2)}}, {{"beta", 0.5}}}},
       {{"beta of 0", {Tensor::zeros({3})}, {{"beta", 0.0}}, "softplus: beta must be > 0, got 0"}}},
      {"prelu",
       "x above 0, else slope x.",
       [](Inputs x, const Attrs&) { return prelu(x[0], x[1]); },
       {{"one slope", {{{19}, not_zero}, {{}}}, {}},
        {"a slope for each", {{{9}, not_zero}, {{9}}}, {}},
        {"a slope for each column", {{{4, 5}, not_zero}, {{5}}}, {}},
        {"one element", {{{1}, domain::between(-2, -0.1)}, {{1}}}, {}},
        zero_gradient({"empty", {{{0, 5}}, {{5}}}})},
       {{"slopes that do not fit", {Tensor({4, 5}), Tensor::zeros({4})}, {}, "shapes do not broadcast"},
        {"integers", {Tensor({3}, i64), Tensor::zeros({3})}, {}, "prelu: needs a floating dtype"}}}};
  out.front().samples.push_back(zero_second({"far below", {{{9}, domain::between(-60, -20)}}}));
  for (Composite& c : out) {
    if (c.name == "elu") c.samples.push_back({"alpha", {{{19}, not_zero}}, {{"alpha", 0.3}}});
  }
  return out;
}

}  // namespace xgrad::inline v0
