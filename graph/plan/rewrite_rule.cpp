#include <xgrad/graph/plan/rewrite_rule.hpp>

#include <algorithm>
#include <deque>
#include <mutex>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/immortal.hpp>

namespace xgrad::inline v0 {
namespace {

struct Rules {
  std::mutex mutex;
  std::deque<Rule> all;  // whose addresses do not change
};

Rules& rules() {
  static Immortal<Rules> all;
  return *all;
}

}  // namespace

Pattern Pattern::as(std::string word) const {
  Pattern out = *this;
  out.name = std::move(word);
  return out;
}

Pattern Pattern::with(bool (*holds)(Value)) const {
  Pattern out = *this;
  out.where = holds;
  return out;
}

namespace pattern {
Pattern any(std::string name) { return {nullptr, {}, std::move(name)}; }
Pattern op(const OpDef& op, std::vector<Pattern> operands) { return {&op, std::move(operands), {}}; }
Pattern chain(const OpDef& op, Pattern link) { return {&op, {std::move(link)}, {}, nullptr, true}; }
}  // namespace pattern

Value Match::operator[](std::string_view name) const {
  for (const auto& [word, value] : named_) {
    if (word == name) return value;
  }
  return {};
}

// As deep as the pattern, never as the graph. A failed match leaves no names behind.
bool Match::fits(const Pattern& pattern, Value node) {
  if (pattern.op != nullptr && node.node().op != pattern.op) return false;
  if (pattern.where != nullptr && shape_matters_ && !pattern.where(node)) return false;
  const std::size_t before = named_.size();
  if (!pattern.name.empty()) {
    const Value seen = (*this)[pattern.name];
    if (seen.valid() && seen != node) return false;
    if (!seen.valid()) named_.emplace_back(pattern.name, node);
  }
  if (pattern.operands.empty() || (pattern.chain ? fits_chain(pattern, node) : fits_operands(pattern, node)))
    return true;
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

// Down the left side, in a loop.
bool Match::fits_chain(const Pattern& pattern, Value node) {
  Graph& graph = node.graph();
  const auto is_link = [&](Value v) { return Match(v, shape_matters_).fits(pattern.operands[0]); };
  links.clear();
  for (rest = node; rest.node().op == pattern.op && rest.type() == node.type();) {
    const auto inputs = graph.inputs(rest.id());
    const Value link = graph.value(inputs[1]);
    if (!is_link(link)) break;
    links.push_back(link);
    rest = graph.value(inputs[0]);
  }
  if (!links.empty() && is_link(rest)) links.push_back(std::exchange(rest, Value()));
  std::reverse(links.begin(), links.end());
  return links.size() > 1;
}

void add_rule(Rule rule) {
  if (rule.name.empty()) throw GraphError("rewrite rule: it has no name");
  if (rule.from.op == nullptr || rule.to == nullptr)
    throw GraphError(fmt::format("rewrite rule {:?}: it begins at no operation, or builds nothing", rule.name));
  if (!(rule.bound >= 0)) throw GraphError(fmt::format("rewrite rule {:?}: bound {}", rule.name, rule.bound));
  const std::lock_guard lock(rules().mutex);
  for (const Rule& known : rules().all) {
    if (known.name == rule.name) throw GraphError(fmt::format("rewrite rule {:?}: the name is taken", rule.name));
  }
  rules().all.push_back(std::move(rule));
}

std::vector<const Rule*> all_rules() {
  const std::lock_guard lock(rules().mutex);
  std::vector<const Rule*> out;
  for (const Rule& rule : rules().all) out.push_back(&rule);
  return out;
}

}  // namespace xgrad::inline v0
