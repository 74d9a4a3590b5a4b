#include <xgrad/graph/rewrite_rule.hpp>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

Pattern Pattern::as(std::string new_name) const {
  Pattern out = *this;
  out.name = std::move(new_name);
  return out;
}

Pattern Pattern::with(bool (*condition)(Value)) const {
  Pattern out = *this;
  out.where = condition;
  return out;
}

namespace pattern {
Pattern any(std::string name) { return {nullptr, {}, std::move(name)}; }
Pattern op(const OpDef& op, std::vector<Pattern> operands) { return {&op, std::move(operands), {}}; }
}  // namespace pattern

Value Match::operator[](std::string_view name) const {
  for (const auto& [known, value] : named_) {
    if (known == name) return value;
  }
  return {};
}

// The recursion is as deep as the pattern. A failed match removes the names that it added.
bool Match::fits(const Pattern& pattern, Value node) {
  if (pattern.op != nullptr && node.node().op != pattern.op) return false;
  if (pattern.where != nullptr && check_conditions_ && !pattern.where(node)) return false;
  const std::size_t before = named_.size();
  if (!pattern.name.empty()) {
    const Value seen = (*this)[pattern.name];
    if (seen.valid() && seen != node) return false;
    if (!seen.valid()) named_.emplace_back(pattern.name, node);
  }
  if (pattern.operands.empty() || fits_operands(pattern, node)) return true;
  named_.resize(before);
  return false;
}

bool Match::fits_operands(const Pattern& pattern, Value node) {
  Graph& graph = node.graph();
  const auto inputs = graph.inputs(node.id());
  if (inputs.size() != pattern.operands.size()) return false;
  const bool swaps = node.node().op->traits.commutative && inputs.size() == 2;
  for (std::size_t turn = 0; turn < (swaps ? 2U : 1U); ++turn) {
    const std::size_t before = named_.size();
    bool all = true;
    for (std::size_t i = 0; all && i < inputs.size(); ++i)
      all = fits(pattern.operands[i], graph.value(inputs[turn == 0 ? i : 1 - i]));
    if (all) return true;
    named_.resize(before);
  }
  return false;
}

void check_rule(const Rule& rule, const OpDef& op) {
  if (rule.name.empty()) throw GraphError(fmt::format("operation {:?}: a rewrite rule has no name", op.name));
  const auto fail = [&](const std::string& what) {
    throw GraphError(fmt::format("rewrite rule {:?} of operation {:?}: {}", rule.name, op.name, what));
  };
  if (rule.from.op != &op) fail("the root of its pattern is another operation; use OpRegistry::add_rule");
  if (rule.to == nullptr) fail("it has no builder (to)");
  if (!(rule.bound >= 0)) fail(fmt::format("bound = {}, expected 0 or more", rule.bound));
}

}  // namespace xgrad::inline v0
