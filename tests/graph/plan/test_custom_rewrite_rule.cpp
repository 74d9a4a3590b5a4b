// A rewrite rule is a value: with a custom operation it is a member of its OpDef, for built-in ones it is an option of
// the plan.
#include <string>

#include <doctest/doctest.h>

#include <xgrad/engine.hpp>
#include <xgrad/ops/define/custom.hpp>
#include <xgrad/ops/define/registry.hpp>

using namespace xgrad;

namespace {

struct Flip {
  template <class T>
  T operator()(T x) const {
    return -x;
  }
};

OpDef with_rule(OpDef op, const OpDef& self) {
  op.rules = {{.name = "flipped twice",
               .from = pattern::op(self, {pattern::op(self, {pattern::any("x")})}),
               .to = [](const Match& m) { return m["x"]; }}};
  return op;
}

const OpDef mirror_op =
    with_rule(elementwise_op<Flip, 1>({.name = "mirror", .doc = "-x.", .no_gradient = "a test"}), mirror_op);

Value mirror(Operand x) { return x.graph().apply(mirror_op, {x}); }

Tensor numbers() { return Tensor::from<float>({4}, {1, -0.0F, 3, -4}); }

int steps_without_fusion(Value y, PlanOptions options = {}) {
  options.fuse = false;
  const Plan plan({y}, {}, options);
  CHECK(bitwise_equal(plan.run({{"x", numbers()}})[0], evaluate(y, {{"x", numbers()}})));
  return plan.steps();
}

}  // namespace

TEST_CASE("custom rewrite rule: a custom operation holds its rules") {
  Graph g;
  const Value y = tanh(mirror(mirror(mirror(g.input("x", {4})))));
  CHECK(steps_without_fusion(y) == 2);
  CHECK(steps_without_fusion(y, {.rewrites = Rewrites::none}) == 4);
}

TEST_CASE("custom rewrite rule: a rule of one plan, for built-in operations") {
  const OpDef& neg = builtin_op("neg");
  const Rule twice{.name = "negated twice",
                   .from = pattern::op(neg, {pattern::op(neg, {pattern::any("x")})}),
                   .to = [](const Match& m) { return m["x"]; }};
  Graph g;
  const Value y = tanh(-(-g.input("x", {4})));
  CHECK(steps_without_fusion(y) == 3);
  CHECK(steps_without_fusion(y, {.rules = {twice}}) == 1);
  CHECK(steps_without_fusion(y, {.rewrites = Rewrites::none, .rules = {twice}}) == 3);
}
