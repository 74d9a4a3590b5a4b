// Rewrite rules: a plan replaces part of a graph by a cheaper one. docs/rewrites.md has a worked example.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0 {

struct OpDef;

// A tree of operations that a rule looks for, made by the functions of namespace `pattern`.
struct Pattern {
  const OpDef* op = nullptr;       // null: any operation
  std::vector<Pattern> operands;   // empty: any; tried in both orders if the operation is commutative
  std::string name;                // the key of the node in Match; equal names must match the same node
  bool (*where)(Value) = nullptr;  // an additional condition on shapes and attributes

  Pattern as(std::string new_name) const;
  Pattern with(bool (*condition)(Value)) const;
};

namespace pattern {
// Matches any node.
Pattern any(std::string name);
// Matches a node of the operation whose inputs match `operands`.
Pattern op(const OpDef& op, std::vector<Pattern> operands);
}  // namespace pattern

// The result of matching a pattern at a node.
class Match {
 public:
  // With `check_conditions` false, every `where` counts as true.
  explicit Match(Value node, bool check_conditions = true) : root(node), check_conditions_(check_conditions) {}
  bool fits(const Pattern& pattern) { return fits(pattern, root); }

  // The node of that name; empty if there is none.
  Value operator[](std::string_view name) const;
  Value root;

 private:
  bool fits(const Pattern& pattern, Value node);
  bool fits_operands(const Pattern& pattern, Value node);

  bool check_conditions_;
  std::vector<std::pair<std::string_view, Value>> named_;
};

// Appends nodes to match.root.graph(), as a vjp does. Returns the replacement, which must have the root's type, or an
// empty Value if the rule does not apply.
using RewriteFn = Value (*)(const Match& match);

// A graph on which the test suite tries the rule.
struct RuleSample {
  std::string label;
  Value (*build)(Graph& graph) = nullptr;
  bool fires = true;  // false: the rule must not apply
};

// A rewrite of `from` to `to`. The operation at the root of `from` holds it, see OpDef::rules; PlanOptions::rules adds
// rules for one plan.
//
//   registry.add_rule({.name = "-(-x)",
//                      .from = pattern::op(neg, {pattern::op(neg, {pattern::any("x")})}),
//                      .to = [](const Match& m) { return m["x"]; },
//                      .samples = {{"twice", [](Graph& g) { return -(-g.input("x", {3})); }}}});
struct Rule {
  std::string name;
  Pattern from;  // its root is an operation
  RewriteFn to = nullptr;
  double bound = 0;  // 0: bit-identical results. Otherwise the largest error, relative to the result's largest element
  std::vector<RuleSample> samples{};
};

// Which rules a plan applies. They never change the graph itself.
enum class Rewrites : std::uint8_t {
  none,
  exact,  // rules with bit-identical results
  close,  // also rules that change results within Rule::bound
};

// Throws GraphError, with the rule's name, unless the rule is complete and its root is `op`.
void check_rule(const Rule& rule, const OpDef& op);

}  // namespace xgrad::inline v0
