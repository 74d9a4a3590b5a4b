// Values as formulas.
#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <string_view>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/graph/leaves.hpp>
#include <xgrad/graph/print.hpp>

namespace xgrad {
namespace {

// How strongly a formula holds together; a part that is weaker than what surrounds it stands in parentheses.
enum Strength { logical, comparison, sum, product, prefix, whole };

struct Formula {
  std::string text;
  Strength strength = whole;
};

Strength strength_of(std::string_view symbol) {
  if (symbol == "*" || symbol == "/" || symbol == "%") return product;
  if (symbol == "+" || symbol == "-") return sum;
  return symbol == "&&" || symbol == "||" || symbol == "^" ? logical : comparison;
}

constexpr std::size_t longest_repeated = 12;  // characters
constexpr std::size_t longest_part = 90;

// A name as it is if it can stand in a formula, otherwise in quotes.
std::string name_text(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '/' || c == '.';
  });
  return plain && !name.empty() ? name : fmt::format("{:?}", name);
}

class FormulaPrinter {
 public:
  FormulaPrinter(const std::vector<std::pair<std::string, Value>>& wanted,
                 const std::vector<std::pair<std::string, Value>>& known)
      : graph_(wanted[0].second.graph()) {
    for (const auto& [name, value] : known) {
      graph_.require(value, "to_formulas");
      names_[value.id()] = name;
    }
    for (const auto& [name, value] : wanted) {
      graph_.require(value, "to_formulas");
      count_uses(value.id());
    }
    for (const auto& [name, value] : wanted) {
      define(value.id(), name);
    }
  }

  std::string lines() const { return lines_; }

 private:
  // A node's operands count once however often the node is used.
  void count_uses(NodeId from) {
    std::vector<NodeId> stack{from};
    while (!stack.empty()) {
      const NodeId id = stack.back();
      stack.pop_back();
      if (++uses_[id] > 1 || names_.contains(id)) continue;
      for (const NodeId i : graph_.inputs(id)) stack.push_back(i);
    }
  }

  // Lines for the parts first, in the order of the tape, so that no recursion is needed and each is there when used.
  void define(NodeId id, const std::string& name) {
    std::vector<char> needed(id + 1, 0);
    needed[id] = 1;
    for (NodeId n = id + 1; n-- > 0;) {
      if (needed[n] == 0 || names_.contains(n)) continue;
      for (const NodeId i : graph_.inputs(n)) needed[i] = 1;
    }
    for (NodeId n = 0; n <= id; ++n) {
      if (needed[n] == 0 || names_.contains(n) || formulas_.contains(n)) continue;
      Formula f = formula(n);
      const bool long_for_its_uses = f.text.size() > (uses_[n] > 1 ? longest_repeated : longest_part);
      const bool number = graph_.node(n).op->traits.leaf == Leaf::constant;
      if (n != id && (long_for_its_uses || (uses_[n] > 1 && f.strength != whole && !number))) {
        f = {give_line(fmt::format("t{}", ++parts_), f), whole};
      }
      formulas_[n] = std::move(f);
    }
    const bool has_name = names_.contains(id);
    give_line(name, has_name ? Formula{names_[id]} : formulas_[id]);
    if (!has_name) names_[id] = name;
  }

  std::string give_line(const std::string& name, const Formula& f) {
    lines_ += fmt::format("{} = {}\n", name, f.text);
    return name;
  }

  Formula part(NodeId id) const {
    const auto named = names_.find(id);
    return named != names_.end() ? Formula{named->second} : formulas_.at(id);
  }

  std::string within(NodeId id, Strength least) const {
    const Formula f = part(id);
    return f.strength < least ? "(" + f.text + ")" : f.text;
  }

  Formula formula(NodeId id) const {
    const Node& node = graph_.node(id);
    const OpDef& op = *node.op;
    if (op.traits.leaf == Leaf::constant) {
      const std::string text = constant_text(graph_, id);
      return {text, text.starts_with('-') ? prefix : whole};
    }
    if (op.traits.leaf != Leaf::none) return {name_text(graph_.name(id))};
    if (!op.symbol.empty() && node.input_count == 1) return {op.symbol + within(node.inputs[0], whole), prefix};
    if (!op.symbol.empty() && node.input_count == 2) {
      const Strength s = strength_of(op.symbol);
      // What is computed first stays visible: the right side of its like stands in parentheses.
      const Strength left = s > comparison ? s : Strength(s + 1);
      return {within(node.inputs[0], left) + " " + op.symbol + " " + within(node.inputs[1], Strength(s + 1)), s};
    }
    std::string arguments;
    for (std::uint32_t i = 0; i < node.input_count; ++i) {
      arguments += (i == 0 ? "" : ", ") + part(node.inputs[i]).text;
    }
    for (const auto& item : graph_.attrs(id).items()) {
      const Attrs one{item};
      arguments += (arguments.empty() ? "" : ", ") + one.str();
    }
    return {op.name + "(" + arguments + ")"};
  }

  Graph& graph_;
  std::map<NodeId, std::string> names_;
  std::map<NodeId, Formula> formulas_;
  std::map<NodeId, int> uses_;
  std::string lines_;
  int parts_ = 0;
};

}  // namespace

std::string to_formulas(const std::vector<std::pair<std::string, Value>>& wanted,
                        const std::vector<std::pair<std::string, Value>>& known) {
  if (wanted.empty()) return "";
  if (!wanted[0].second.valid()) throw GraphError("to_formulas: the Value is empty");
  return FormulaPrinter(wanted, known).lines();
}

}  // namespace xgrad
