// Composite elementwise functions, without kernels or vjps of their own.
#include <limits>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

Value zeros_like(Operand x) {
  return composite(x, [&] { return broadcast_like(number_like(x, 0), x); });
}
Value ones_like(Operand x) {
  return composite(x, [&] { return broadcast_like(number_like(x, 1), x); });
}

Value reciprocal(Operand x) {
  return composite(x, [&] { return 1 / x; });
}

// Only NaN differs from itself; integers and booleans are finite.
Value isnan(Operand x) {
  return composite(x, [&] { return not_equal(x, x); });
}
Value isinf(Operand x) {
  return composite(x, [&] { return is_floating(x.dtype()) ? equal(abs(x), infinity) : isnan(x); });
}
Value isfinite(Operand x) {
  return composite(x, [&] { return is_floating(x.dtype()) ? less(abs(x), infinity) : equal(x, x); });
}

Value clip(Operand x, std::optional<double> low, std::optional<double> high) {
  return composite(x, [&] {
    if (!(low.value_or(-infinity) <= high.value_or(infinity))) {
      throw UserError(fmt::format("clip: low must be <= high, got {} and {}\n  {}", low.value_or(-infinity),
                                  high.value_or(infinity), x.describe()));
    }
    // Not maximum and minimum, which at a bound would give x only half of the derivative.
    const Value below_high = high ? where(x > *high, *high, x) : x;
    return low ? where(x < *low, *low, below_high) : below_high;
  });
}

Value clip(Operand x, Operand low, Operand high) {
  return composite(x, [&] {
    const Value above_low = where(logical_or(x < low, isnan(low)), low, x);
    return where(logical_or(above_low > high, isnan(high)), high, above_low);
  });
}

Value lerp(Operand a, Operand b, Operand weight) {
  return floating_composite(a, [&] {
    const Value way = b - a;
    // Start from the nearer end, so that both ends are exact. Select the weight, not the sum, so that an infinite b - a
    // does not make the derivative NaN.
    const Value near_a = weight < 0.5;
    return where(near_a, a, b) + where(near_a, weight, weight - 1) * way;
  });
}

Value lerp(Operand a, Operand b, double weight) {
  return floating_composite(a, [&] { return weight < 0.5 ? a + weight * (b - a) : b - (b - a) * (1 - weight); });
}

Update assign(Operand parameter, Operand value) {
  return composite(parameter, [&]() -> Update {
    if (parameter.node().op->traits.leaf != Leaf::parameter) {
      throw GraphError(fmt::format("assign: the target must be a parameter\n  {}", parameter.describe()));
    }
    parameter.graph().require(value, "assign");
    if (parameter.type() != value.type()) {
      throw ShapeError(fmt::format("assign: parameter and value must have the same type\n  parameter: {}\n  value: {}",
                                   parameter.describe(), value.describe()));
    }
    return {parameter.graph().parameter_of(parameter.id()), value};
  });
}

namespace {

// A function whose output is bool. Its samples include integers.
Composite truth(const char* name, const char* doc, Value (*build)(Inputs, const Attrs&)) {
  return {name, doc, build, with_integers(unary_samples(domain::any(), true, true), {domain::integers(-2, 2)}), {}};
}

Value clipped(Inputs x, const Attrs& a) {
  const auto bound = [&](const char* name) { return a.has(name) ? std::optional(a.number(name)) : std::nullopt; };
  return clip(x[0], bound("low"), bound("high"));
}

}  // namespace

std::vector<Composite> elementwise_composites() {
  const Attrs both{{"low", -0.5}, {"high", 0.75}};
  const Domain around = domain::away_from({-0.5, 0.75});
  return {
      {"reciprocal",
       "1 / x.",
       [](Inputs x, const Attrs&) { return reciprocal(x[0]); },
       unary_samples(domain::away_from({-0.1, 0, 0.1})),
       {{"integers", {Tensor({3}, i64)}, {}, "i64"}}},
      truth("isnan", "Whether x is NaN.", [](Inputs x, const Attrs&) { return isnan(x[0]); }),
      truth("isinf", "Whether x is infinite.", [](Inputs x, const Attrs&) { return isinf(x[0]); }),
      truth("isfinite", "Whether x is neither NaN nor infinite.",
            [](Inputs x, const Attrs&) { return isfinite(x[0]); }),
      {"clip",
       "max(min(x, high), low).",
       clipped,
       {zero_second({"row", {{{19}, around}}, both}),
        zero_second({"matrix", {{{3, 5}, around}}, both}),
        zero_second({"below alone", {{{9}, around}}, {{"low", -0.5}}}),
        zero_second({"above alone", {{{9}, around}}, {{"high", 0.75}}}),
        zero_second({"no bound", {{{9}}}}),
        {"integers", {{{19}, domain::integers(-9, 9)}}, {{"low", -2.0}, {"high", 3.0}}},
        zero_second({"one element", {{{1}, domain::between(-0.4, 0.7)}}, both}),
        zero_gradient({"empty", {{{0}}}, both})},
       {{"not in order", {Tensor::zeros({3})}, {{"low", 1.0}, {"high", 0.0}}, "clip: low must be <= high, got 1 and 0"},
        {"a fraction for integers", {Tensor({3}, i64)}, {{"low", 0.5}}, "0.5 is not a number of dtype i64"}}},
      {"clip by tensors",
       "max(min(x, high), low).",
       [](Inputs x, const Attrs&) { return clip(x[0], x[1], x[2]); },
       {zero_second({"rows",
                     {{{19}, domain::away_from({-1, 1})},
                      {{19}, domain::between(-1, -0.96)},
                      {{19}, domain::between(0.96, 1)}}}),
        zero_second({"broadcast",
                     {{{3, 9}, domain::away_from({-1, 1})},
                      {{}, domain::between(-1, -0.96)},
                      {{3, 1}, domain::between(0.96, 1)}}})},
       {{"shapes", {Tensor::zeros({4}), Tensor::zeros({3}), Tensor::zeros({4})}, {}, "shapes do not broadcast"}}},
      {"lerp",
       "a + weight (b - a).",
       [](Inputs x, const Attrs& a) {
         return x.size() == 3 ? lerp(x[0], x[1], x[2]) : lerp(x[0], x[1], a.number("weight"));
       },
       {{"rows", {{{19}}, {{19}}, {{19}, domain::away_from({0.5})}}, {}},
        {"one weight", {{{3, 5}}, {{3, 5}}, {{}}}, {}},
        zero_second({"a number, near the start", {{{9}}, {{9}}}, {{"weight", 0.3}}}),
        zero_second({"a number, near the end", {{{3, 5}}, {{5}}}, {{"weight", 0.8}}}),
        {"one element", {{{1}}, {{1}}, {{1}, domain::between(0.1, 0.4)}}, {}},
        zero_gradient({"empty", {{{0}}, {{0}}, {{0}}}})},
       {{"integers", {Tensor({3}, i64), Tensor({3}, i64)}, {{"weight", 0.5}}, "lerp: needs a floating dtype"}}}};
}

}  // namespace xgrad::inline v0
