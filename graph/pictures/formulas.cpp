#include <xgrad/graph/pictures/formulas.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/graph/leaves.hpp>
#include <xgrad/graph/pictures/formulas.hpp>
#include <xgrad/graph/pictures/internal/formula_lines.hpp>
#include <xgrad/graph/print.hpp>

namespace xgrad::inline v0 {
namespace {

// Operator precedence; a subexpression of lower precedence than its context is put in parentheses.
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

bool is_alnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

// The precedence of a known value's name. The name may be a number; then a sign lowers the precedence.
Strength strength_of_name(std::string_view text) {
  if (text.starts_with('-')) return prefix;
  return text.find(" \\cdot ") != std::string_view::npos ? product : whole;
}

// The LaTeX form of an operator symbol.
std::string_view latex_symbol(std::string_view symbol) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 11> symbols{{{"*", "\\cdot"},
                                                                                   {"%", "\\bmod"},
                                                                                   {"<", "<"},
                                                                                   {"<=", "\\le"},
                                                                                   {">=", "\\ge"},
                                                                                   {"==", "="},
                                                                                   {"!=", "\\ne"},
                                                                                   {"&&", "\\land"},
                                                                                   {"||", "\\lor"},
                                                                                   {"^", "\\oplus"},
                                                                                   {"!", "\\lnot"}}};
  for (const auto& [from, to] : symbols) {
    if (symbol == from) return to;
  }
  return symbol;
}

class FormulaPrinter {
 public:
  FormulaPrinter(const std::vector<std::pair<std::string, Value>>& wanted, const formula::Names& known,
                 formula::Style style, int& parts, bool brief)
      : graph_(wanted[0].second.graph()),
        known_(known),
        latex_(style == formula::Style::latex),
        style_(style),
        parts_(parts),
        brief_(brief) {
    for (const auto& [name, value] : wanted) count_uses(value.id());
    for (const auto& [name, value] : wanted) {
      define(value.id(), name);
    }
  }

  std::vector<formula::Line> take() { return std::move(lines_); }

 private:
  // Counts the uses of each node's operands once per node.
  void count_uses(NodeId from) {
    std::vector<NodeId> stack{from};
    while (!stack.empty()) {
      const NodeId id = stack.back();
      stack.pop_back();
      if (++uses_[id] > 1 || name_of(id) != nullptr) continue;
      for (const NodeId i : graph_.inputs(id)) stack.push_back(i);
    }
  }

  // Emits the lines of shared subexpressions first, in tape order: each is defined before use, without recursion.
  void define(NodeId id, const std::string& name) {
    std::set<NodeId> needed;
    std::vector<NodeId> stack{id};
    while (!stack.empty()) {
      const NodeId n = stack.back();
      stack.pop_back();
      if (name_of(n) != nullptr || formulas_.contains(n) || !needed.insert(n).second) continue;
      for (const NodeId i : graph_.inputs(n)) stack.push_back(i);
    }
    for (const NodeId n : needed) {
      Formula f = formula(n);
      // A visible character takes about three characters of LaTeX.
      const std::size_t letters = f.text.size() / (latex_ ? 3 : 1);
      const bool long_for_its_uses = letters > (uses_[n] > 1 ? longest_repeated : longest_part);
      const bool number = graph_.node(n).op->traits.leaf == Leaf::constant;
      if (n != id && (long_for_its_uses || (uses_[n] > 1 && f.strength != whole && !number))) {
        f = {give_line(formula::name(fmt::format("t{}", ++parts_), style_), f, n), whole};
      }
      formulas_[n] = std::move(f);
    }
    const std::string* own = name_of(id);
    give_line(name, own != nullptr ? Formula{*own} : formulas_[id], id);
    if (own == nullptr) given_[id] = name;
  }

  std::string give_line(const std::string& name, const Formula& f, NodeId id) {
    lines_.push_back({name, f.text, id});
    return name;
  }

  Formula part(NodeId id) const {
    const std::string* name = name_of(id);
    return name != nullptr ? Formula{*name, strength_of_name(*name)} : formulas_.at(id);
  }

  std::string within(NodeId id, Strength least) const {
    const Formula f = part(id);
    if (f.strength >= least) return f.text;
    return latex_ ? "\\left(" + f.text + "\\right)" : "(" + f.text + ")";
  }

  Formula formula(NodeId id) const {
    const Node& node = graph_.node(id);
    const OpDef& op = *node.op;
    if (op.traits.leaf == Leaf::constant) {
      const auto number = scalar_constant(graph_, id);
      const std::string text = !latex_  ? constant_text(graph_, id)
                               : number ? formula::number(*number, style_)
                                        : formula::latex_text(constant_text(graph_, id));
      return {text, strength_of_name(text)};
    }
    if (op.traits.leaf != Leaf::none) return {formula::name(graph_.name(id), style_)};
    if (!op.symbol.empty() && node.input_count == 1) return unary(op.symbol, node.inputs[0]);
    if (!op.symbol.empty() && node.input_count == 2) return binary(op.symbol, node.inputs[0], node.inputs[1]);
    std::string arguments;
    for (std::uint32_t i = 0; i < node.input_count; ++i) {
      arguments += (i == 0 ? "" : ", ") + part(node.inputs[i]).text;
    }
    for (const auto& item : graph_.attrs(id).items()) {
      const bool* flag = std::get_if<bool>(&item.second);
      if (brief_ && flag != nullptr && !*flag) continue;
      const Attrs one{item};
      arguments += (arguments.empty() ? "" : ", ") + (latex_ ? formula::latex_text(one.str()) : one.str());
    }
    if (!latex_) return {op.name + "(" + arguments + ")"};
    const bool plain = std::all_of(op.name.begin(), op.name.end(), is_alnum);
    return {"\\operatorname{" + (plain ? op.name : formula::latex_text(op.name)) + "}\\left(" + arguments + "\\right)"};
  }

  Formula unary(const std::string& symbol, NodeId input) const {
    const std::string operand = within(input, whole);
    if (!latex_) return {symbol + operand, prefix};
    const std::string_view written = latex_symbol(symbol);
    return {fmt::format("{}{}{}", written, written.starts_with('\\') ? " " : "", operand), prefix};
  }

  Formula binary(const std::string& symbol, NodeId a, NodeId b) const {
    const Strength s = strength_of(symbol);
    if (latex_ && symbol == "/") return {"\\frac{" + part(a).text + "}{" + part(b).text + "}", whole};
    // Operators are left-associative: a right operand of the same precedence gets parentheses.
    const Strength left = s > comparison ? s : Strength(s + 1);
    // An operator followed by a sign is valid in programs, but not in LaTeX.
    const Strength right = latex_ && part(b).strength == prefix ? whole : Strength(s + 1);
    return {fmt::format("{} {} {}", within(a, left), latex_ ? latex_symbol(symbol) : symbol, within(b, right)), s};
  }

  const std::string* name_of(NodeId id) const {
    for (const formula::Names* names : {&known_, &given_}) {
      if (const auto found = names->find(id); found != names->end()) return &found->second;
    }
    return nullptr;
  }

  Graph& graph_;
  const formula::Names& known_;
  formula::Names given_;  // names of the requested values
  std::map<NodeId, Formula> formulas_;
  std::map<NodeId, int> uses_;
  std::vector<formula::Line> lines_;
  bool latex_;
  formula::Style style_;
  int& parts_;
  bool brief_;
};

}  // namespace

namespace formula {

std::vector<Line> lines(const std::vector<std::pair<std::string, Value>>& wanted, const Names& known, Style style,
                        int& parts, bool brief) {
  return FormulaPrinter(wanted, known, style, parts, brief).take();
}

std::string latex_text(std::string_view text) {
  std::string inner;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\')
      inner += "\\textbackslash{}";
    else if (c == '~')
      inner += "\\textasciitilde{}";
    else if (c == '^')
      inner += "\\textasciicircum{}";
    else if (std::string_view("{}$&#_%").find(c) != std::string_view::npos)
      inner += std::string("\\") + c;
    else if (c == '<' || c == '>' || c == '|')
      inner += c == '<' ? "\\textless{}" : c == '>' ? "\\textgreater{}" : "\\textbar{}";
    else
      inner += byte < 0x20 || byte >= 0x7f ? '?' : c;
  }
  return "\\text{" + inner + "}";
}

std::string name(std::string_view text, Style style) {
  const bool alnum = !text.empty() && std::all_of(text.begin(), text.end(), is_alnum);
  if (style == Style::text) {
    const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
      return is_alnum(c) || c == '_' || c == '/' || c == '.';
    });
    return plain ? std::string(text) : fmt::format("{:?}", text);
  }
  if (!alnum || std::isdigit(static_cast<unsigned char>(text[0])) != 0) return latex_text(text);
  const auto digits =
      std::find_if(text.begin(), text.end(), [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; });
  const bool index = digits != text.end() && std::all_of(digits, text.end(), [](char c) {
                       return std::isdigit(static_cast<unsigned char>(c)) != 0;
                     });
  const std::string base(text.begin(), index ? digits : text.end());
  const std::string written = base.size() == 1 ? base : "\\mathit{" + base + "}";
  return index ? written + "_{" + std::string(digits, text.end()) + "}" : written;
}

std::string number(double number, Style style) {
  const std::string text = number_text(number, 4);
  if (style == Style::text) return text;
  if (std::isnan(number)) return "\\mathrm{NaN}";
  if (std::isinf(number)) return number < 0 ? "-\\infty" : "\\infty";
  const std::size_t e = text.find('e');
  if (e == std::string::npos) return text;
  return fmt::format("{} \\cdot 10^{{{}}}", text.substr(0, e), std::stoi(text.substr(e + 1)));
}

}  // namespace formula

std::string to_formulas(const std::vector<std::pair<std::string, Value>>& wanted,
                        const std::vector<std::pair<std::string, Value>>& known) {
  if (wanted.empty()) return "";
  if (!wanted[0].second.valid()) throw GraphError("to_formulas: the Value is empty");
  const Graph& graph = wanted[0].second.graph();
  formula::Names names;
  for (const auto& [name, value] : known) {
    graph.require(value, "to_formulas");
    names[value.id()] = name;
  }
  for (const auto& [name, value] : wanted) graph.require(value, "to_formulas");
  std::string out;
  int parts = 0;
  for (const formula::Line& line : formula::lines(wanted, names, formula::Style::text, parts))
    out += fmt::format("{} = {}\n", line.name, line.formula);
  return out;
}

}  // namespace xgrad::inline v0
