// The rewrite rule that finds attention in graphs of products and softmax.
#include <cfloat>
#include <cmath>
#include <limits>

#include <xgrad/graph/leaves.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// For fewer rows or keys, packing the keys costs more than it saves.
constexpr Index least_extent = 8;

Value operand(Value v, std::size_t i) { return v.graph().value(v.graph().inputs(v.id())[i]); }
bool is(Value v, const char* op) { return v.node().op == &builtin_op(op); }

// The parts of product * scale + mask, or of where(mask, product * scale, -inf).
struct Scores {
  Value product, mask;
  double scale = 1;

  bool read(Value v) {
    if (is(v, "matmul")) {
      product = v;
      return true;
    }
    const bool quotient = is(v, "div");
    if (quotient || is(v, "mul")) {
      for (const std::size_t i : {std::size_t{1}, std::size_t{0}}) {
        const auto number = scalar_constant(v.graph(), operand(v, i).id());
        if (!number || (quotient && i == 0) || !inner(v, 1 - i) || mask.valid()) continue;
        scale *= quotient ? 1 / *number : *number;
        return true;
      }
      return false;
    }
    if (is(v, "add")) return (inner(v, 0) && set_mask(operand(v, 1))) || (inner(v, 1) && set_mask(operand(v, 0)));
    if (!is(v, "where") || !inner(v, 1)) return false;
    const auto excluded = scalar_constant(v.graph(), operand(v, 2).id());
    return excluded == -std::numeric_limits<double>::infinity() && set_mask(operand(v, 0));
  }

 private:
  // Reads operand i, if it is not broadcast.
  bool inner(Value v, std::size_t i) {
    *this = {};
    return operand(v, i).type() == v.type() && read(operand(v, i));
  }
  bool set_mask(Value v) {
    if (mask.valid()) return false;
    mask = v;
    return v.shape().rank() >= 1 && v.shape().back() == product.shape().back();
  }
};

bool flag(Value product, const char* which) { return product.graph().attrs(product.id()).flag(which); }

// The right operand of a product a b^T, stored as b; empty if it is stored as b^T.
Value transposed_right(Value product) {
  const Value right = operand(product, 1);
  if (flag(product, "transpose_b")) return right;
  if (!is(right, "transpose")) return {};
  Axes order = right.graph().attrs(right.id()).ints("order");
  std::swap(order[order.size() - 2], order.back());
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (order[i] != static_cast<Index>(i)) return {};
  }
  return operand(right, 0);
}

Value as_attention(const Match& m) {
  const Value weights = operand(m.root, 0), value = m["value"];
  const bool last = weights.graph().attrs(weights.id()).integer("axis") == weights.shape().rank() - 1;
  Scores scores;
  if (!last || flag(m.root, "transpose_a") || flag(m.root, "transpose_b") || !scores.read(m["scores"])) return {};
  if (flag(scores.product, "transpose_a") || !(std::abs(scores.scale) <= FLT_MAX)) return {};
  const Value query = operand(scores.product, 0), key = transposed_right(scores.product);
  if (!key.valid()) return {};
  const Shape batch = without_last(query.shape(), 2);
  if (without_last(key.shape(), 2) != batch || without_last(value.shape(), 2) != batch) return {};
  const Shape& shape = weights.shape();
  if (shape[shape.rank() - 2] < least_extent || shape.back() < least_extent) return {};
  return scaled_dot_product_attention(query, key, value, {.mask = scores.mask, .scale = scores.scale});
}

// Attention of 2 x 3 heads by `scores` of query and key.
template <class F>
Value sample(Graph& graph, F scores) {
  const Value query = graph.input("q", {2, 3, 9, 4}), key = graph.input("k", {2, 3, 11, 4});
  return matmul(softmax(scores(query, key)), graph.input("v", {2, 3, 11, 5}));
}
Value product(Value query, Value key) { return matmul(query, key, false, true); }

}  // namespace

// An operation `probabilities` says that its first input is the softmax of its second.
void add_attention_rules(OpRegistry& registry) {
  using pattern::any, pattern::op;
  const auto of = [&](const char* name) -> const OpDef& { return *registry.find(name); };
  registry.add_rule(
      {.name = "attention",
       .from = op(of("matmul"), {op(of("probabilities"), {any("softmax"), any("scores")}), any("value")}),
       .to = as_attention,
       .bound = 1e-5,
       .samples = {{"of products", [](Graph& g) { return sample(g, [](Value q, Value k) { return product(q, k); }); }},
                   {"of long rows",
                    [](Graph& g) {
                      const Value query = g.input("q", {2, 9, 4}), key = g.input("k", {2, 100, 4});
                      return matmul(softmax(product(query, key)), g.input("v", {2, 100, 5}));
                    }},
                   {"scaled, with a mask",
                    [](Graph& g) {
                      return sample(g, [&](Value q, Value k) { return product(q, k) / 2 + g.input("mask", {9, 11}); });
                    }},
                   {"where a mask is true, of transposed keys",
                    [](Graph& g) {
                      return sample(g, [&](Value q, Value k) {
                        const Value scores = matmul(q, transpose(k, {0, 1, 3, 2})) * 0.5;
                        return where(greater(g.input("mask", {2, 1, 1, 11}), 0), scores,
                                     -std::numeric_limits<double>::infinity());
                      });
                    }},
                   {"a scaled mask",
                    [](Graph& g) {
                      return sample(g, [&](Value q, Value k) {
                        return (product(q, k) + g.input("mask", {9, 11})) * 0.5;
                      });
                    },
                    false},
                   {"softmax over rows",
                    [](Graph& g) {
                      const Value x = g.input("x", {2, 9, 9});
                      return matmul(softmax(product(x, x), 1), x);
                    },
                    false},
                   {"few rows",
                    [](Graph& g) {
                      const Value q = g.input("q", {2, 4, 9}), k = g.input("k", {2, 9, 9});
                      return matmul(softmax(product(q, k)), k);
                    },
                    false}}});
}

}  // namespace xgrad::inline v0
