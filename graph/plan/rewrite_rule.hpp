// Rewrite rules: parts of a graph that plans replace by something cheaper. A rule is data, and stands with the
// operation at its root; users' operations bring theirs in the same way. docs/rewrites.md has a worked example.
//
//   add_rule({.name = "-(-x)",
//             .from = pattern::op(neg, {pattern::op(neg, {pattern::any("x")})}),
//             .to = [](const Match& m) { return m["x"]; },
//             .samples = {{"twice", [](Graph& g) { return -(-g.input("x", {3})); }}}});
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

struct Pattern {
  const OpDef* op = nullptr;       // null: any operation
  std::vector<Pattern> operands;   // empty: any; in either order where the operation is commutative
  std::string name;                // the word for the node in `to`; one name stands for one node
  bool (*where)(Value) = nullptr;  // what else must hold, of shapes and attributes
  bool chain = false;              // op(op(op(rest, link), link), link), where operands[0] describes a link

  Pattern as(std::string word) const;
  Pattern with(bool (*holds)(Value)) const;
};

namespace pattern {
Pattern any(std::string name);
Pattern op(const OpDef& op, std::vector<Pattern> operands);
Pattern chain(const OpDef& op, Pattern link);
}  // namespace pattern

// How a pattern fits a node.
class Match {
 public:
  // With `shape_matters` false, conditions (`where`) are taken to hold.
  explicit Match(Value node, bool shape_matters = true) : root(node), shape_matters_(shape_matters) {}
  bool fits(const Pattern& pattern) { return fits(pattern, root); }

  // The node of that name; empty if there is none.
  Value operator[](std::string_view name) const;
  Value root;
  std::vector<Value> links;  // of a chain, the first added first
  Value rest;                // what the chain begins with; empty if that is a link itself

 private:
  bool fits(const Pattern& pattern, Value node);
  bool fits_operands(const Pattern& pattern, Value node);
  bool fits_chain(const Pattern& pattern, Value node);

  bool shape_matters_;
  std::vector<std::pair<std::string_view, Value>> named_;
};

// Appends nodes to match.root.graph(), as a vjp does, and returns what has the root's type and takes its place; an
// empty Value where the rule does not apply.
using RewriteFn = Value (*)(const Match& match);

struct RuleSample {
  std::string label;
  Value (*build)(Graph& graph) = nullptr;
  bool fires = true;  // otherwise a near miss
};

struct Rule {
  std::string name;
  Pattern from;  // begins at an operation
  RewriteFn to = nullptr;
  double bound = 0;  // 0: the same bits. Otherwise the largest error, relative to the largest value of the result
  std::vector<RuleSample> samples{};
};

// Makes plans try the rule. Throws GraphError if the rule is incomplete or its name is taken. Rules are never removed.
void add_rule(Rule rule);
// All rules, in the order in which they were added.
std::vector<const Rule*> all_rules();

}  // namespace xgrad::inline v0
