#include <xgrad/autodiff/derivation.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/autodiff/internal/batch.hpp>
#include <xgrad/autodiff/internal/pullback.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/graph/leaves.hpp>
#include <xgrad/graph/pictures/internal/formula_lines.hpp>
#include <xgrad/graph/print.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

using formula::Style;

constexpr Index shown_elements = 6;
constexpr std::size_t widest_column = 46;
constexpr std::array<Style, 2> styles{Style::text, Style::latex};

struct Line {
  std::string name, formula, filled, number;  // `filled` and `formula` may be empty
};

// Formats the elements of a tensor in nested brackets.
std::string elements_text(const Tensor& tensor, const Shape& shape, int axis, Index& next, Style style) {
  if (axis == shape.rank()) return formula::number(tensor.at(next++), style);
  std::string out;
  for (Index i = 0; i < shape[axis]; ++i)
    out += (i == 0 ? "" : ", ") + elements_text(tensor, shape, axis + 1, next, style);
  return "[" + out + "]";
}

std::string tensor_text(const Tensor& tensor, Style style) {
  Index next = 0;
  const bool small = tensor.elements() <= shown_elements && tensor.elements() > 0;
  if (small) return elements_text(tensor, tensor.shape(), 0, next, style);
  double squares = 0;
  for (Index i = 0; i < tensor.elements(); ++i) squares += tensor.at(i) * tensor.at(i);
  const std::string text = fmt::format("{}, norm {}", tensor.type().str(), number_text(std::sqrt(squares), 4));
  return style == Style::latex ? formula::latex_text(text) : text;
}

class Deriver {
 public:
  Deriver(Value loss, const std::vector<Value>& wrt, const Feeds& feeds, const RunOptions& options)
      : graph_(loss.graph()), loss_(loss), wrt_(wrt), feeds_(feeds), options_(options), feeds_with_cotangents_(feeds) {
    const std::vector<bool> needed = needed_nodes(graph_, std::vector<Value>{loss}, "derivation");
    for (NodeId id = 0; id <= loss.id(); ++id) {
      if (needed[id]) nodes_.push_back(id);
    }
    for (const NodeId id : nodes_) {
      for (const NodeId i : graph_.inputs(id)) {
        auto& users = users_[i];
        if (users.empty() || users.back() != id) users.push_back(id);
      }
    }
    choose_names();
    compute();
  }

  void forward() {
    for (const Style style : styles) {
      for (const NodeId id : nodes_) {
        const Leaf leaf = graph_.node(id).op->traits.leaf;
        if (leaf == Leaf::constant) continue;  // shown inline
        const Value value = graph_.value(id);
        Line line{names_.at(id)[index(style)], "", "", tensor_text(numbers_.at(id), style)};
        if (leaf == Leaf::none) {
          formula::Names operands;
          for (const NodeId i : graph_.inputs(id)) {
            if (names_.contains(i)) operands.emplace(i, names_.at(i)[index(style)]);
          }
          int parts = 0;
          line.formula = formula::lines({{line.name, value}}, operands, style, parts, true).back().formula;
          line.filled = filled(
              value, [&](NodeId i) { return operands.contains(i) ? &numbers_.at(i) : nullptr; }, style);
        }
        forward_[index(style)].push_back(std::move(line));
      }
    }
  }

  void backward() {
    // The nodes on a gradient path from wrt.
    const std::vector<char> wanted = numeric_dependents(graph_, loss_.id() + 1, wrt_);
    std::vector<Backward> lines;
    for (const auto& [id, name] : names_) {
      for (const Style style : styles) known_[index(style)].emplace(id, name[index(style)]);
    }
    std::array<int, 2> parts{};
    for (std::size_t i = nodes_.size(); i-- > 0;) {
      const NodeId id = nodes_[i];
      if (cotangents_.contains(id) && wanted[id] != 0) add_backward(lines, id, parts);
    }
    find_numbers(lines);
    std::map<NodeId, std::size_t> latest;  // by node: its line
    for (std::size_t i = 0; i < lines.size(); ++i) {
      backward_[index(lines[i].style)].push_back(finished(lines[i], latest, i - lines[i].parts));
      latest[lines[i].node] = i;
    }
  }

  std::string text() const {
    std::array<std::size_t, 3> widths{};
    for (const auto* part : {&forward_[0], &backward_[0]}) {
      for (const Line& line : *part) {
        widths[0] = std::max(widths[0], line.name.size());
        if (line.formula.size() <= widest_column) widths[1] = std::max(widths[1], line.formula.size());
        if (line.filled.size() <= widest_column) widths[2] = std::max(widths[2], line.filled.size());
      }
    }
    std::string out = "forward\n";
    for (const Line& line : forward_[0]) out += text_line(line, widths);
    out += fmt::format("backward: dv is the derivative of {} with respect to v\n", names_.at(loss_.id())[0]);
    for (const Line& line : backward_[0]) out += text_line(line, widths);
    return out;
  }

  std::string latex() const {
    std::string out = "\\begin{aligned}\n";
    const auto add = [&](const Line& line) {
      out += line.name;
      const char* column = " &= ";
      for (const std::string* part : {&line.formula, &line.filled, &line.number}) {
        if (part->empty()) continue;
        out += column + *part;
        column = " &&= ";
      }
      out += " \\\\\n";
    };
    for (const Line& line : forward_[1]) add(line);
    const std::string loss = names_.at(loss_.id())[1];
    out += fmt::format("\\bar{{v}} &\\equiv \\frac{{\\partial {0}}}{{\\partial v}} \\\\\n", loss);
    for (const Line& line : backward_[1]) add(line);
    return out + "\\end{aligned}\n";
  }

 private:
  using Both = std::array<std::string, 2>;  // one per style
  using Values = std::map<NodeId, Tensor>;

  static std::size_t index(Style style) { return style == Style::text ? 0 : 1; }

  static std::string text_line(const Line& line, const std::array<std::size_t, 3>& widths) {
    std::string out = fmt::format("  {:<{}}", line.name, widths[0]);
    const std::size_t first = out.size() + 3 + widths[1];
    const auto pad = [&](std::size_t to) { out.append(out.size() < to ? to - out.size() : 0, ' '); };
    if (!line.formula.empty()) {
      out += " = " + line.formula;
      if (!line.filled.empty()) {
        pad(first);
        out += "  = " + line.filled;
      }
      pad(first + (widths[2] > 0 ? widths[2] + 4 : 0));
      out += " ";
    }
    return out + " = " + line.number + "\n";
  }

  // ---- names

  void choose_names() {
    // Shorten names by their scopes if they stay distinct.
    std::map<std::string, int> used;
    std::set<std::string> taken;
    const auto short_name = [&](NodeId id) {
      const std::string& name = graph_.name(id);
      const std::string inside = graph_.scope_of(id) + "/";
      return name.size() > inside.size() && name.starts_with(inside) ? name.substr(inside.size()) : name;
    };
    for (const NodeId id : nodes_) ++used[short_name(id)];
    for (const NodeId id : nodes_) {
      const std::string name = used[short_name(id)] == 1 ? short_name(id) : graph_.name(id);
      if (!name.empty() && taken.insert(name).second) chosen_[id] = name;
    }
    int next = 0;
    for (const NodeId id : nodes_) {
      if (graph_.node(id).op->traits.leaf == Leaf::constant) continue;
      std::string& name = chosen_[id];
      while (name.empty()) {
        std::string candidate = fmt::format("v{}", ++next);
        if (taken.insert(candidate).second) name = std::move(candidate);
      }
      names_[id] = {formula::name(name, Style::text), formula::name(name, Style::latex)};
    }
    for (const auto& [id, name] : names_) {
      std::string d = "d" + name[0];
      while (!taken.insert(d).second) d += "_";
      const bool letter = chosen_.at(id).size() == 1;
      cotangent_names_[id] = {d, (letter ? "\\bar{" : "\\overline{") + name[1] + "}"};
      // The bar covers the letter, not its subscript.
      if (const std::size_t at = name[1].find("_{"); at == 1)
        cotangent_names_[id][1] = "\\bar{" + name[1].substr(0, 1) + "}" + name[1].substr(1);
    }
  }

  // ---- numbers

  void compute() {
    std::vector<Value> values, floating;
    for (const NodeId id : nodes_) {
      values.push_back(graph_.value(id));
      if (is_floating(values.back().dtype())) floating.push_back(values.back());
    }
    std::vector<Value> given;
    {
      const auto role = graph_.role(Role::backward, loss_);
      given = pullback({loss_}, {graph_.constant(1.0, loss_.dtype())}, floating, Unconnected::empty);
    }
    std::vector<Value> wanted = values;
    for (const Value v : given) {
      if (v.valid()) wanted.push_back(v);
    }
    const std::vector<Tensor> numbers = evaluate(wanted, feeds_, options_);
    for (std::size_t i = 0; i < values.size(); ++i) numbers_[values[i].id()] = numbers[i];
    std::size_t next = values.size();
    for (std::size_t i = 0; i < floating.size(); ++i) {
      if (given[i].valid()) cotangents_[floating[i].id()] = numbers[next++];
    }
  }

  // ---- lines

  // The formula of `value` with its operands replaced by numbers; empty unless all are scalars. `number_of` returns the
  // tensor of a node, or null if the formula contains the node's own operands instead.
  template <class NumberOf>
  std::string filled(Value value, NumberOf number_of, Style style) const {
    if (value.shape().rank() != 0) return "";
    formula::Names known;
    std::set<NodeId> seen{value.id()};
    std::vector<NodeId> stack(graph_.inputs(value.id()).begin(), graph_.inputs(value.id()).end());
    if (number_of(value.id()) != nullptr) stack = {value.id()};
    while (!stack.empty()) {
      const NodeId id = stack.back();
      stack.pop_back();
      if (const Tensor* number = number_of(id)) {
        if (number->shape().rank() != 0) return "";
        known.emplace(id, formula::number(number->item(), style));
        continue;
      }
      for (const NodeId i : graph_.inputs(id)) {
        if (seen.insert(i).second) stack.push_back(i);
      }
    }
    if (known.empty()) return "";
    int parts = 0;
    const auto lines = formula::lines({{"", value}}, known, style, parts, true);
    return lines.size() == 1 ? lines[0].formula : "";
  }

  // The input that stands for the derivative with respect to a node.
  Value stand_in(NodeId id) {
    if (const auto found = stand_ins_.find(id); found != stand_ins_.end()) return found->second;
    std::string name = "d" + std::to_string(id);
    while (graph_.find_input(name).valid()) name += "'";
    const TensorType& type = graph_.node(id).type;
    const Value value = graph_.input(name, type.shape, type.dtype);
    stand_ins_[id] = value;
    for (const Style style : styles) known_[index(style)].emplace(value.id(), cotangent_names_.at(id)[index(style)]);
    feeds_with_cotangents_.push_back({value, cotangents_.at(id)});
    given_.emplace(value.id(), cotangents_.at(id));
    return value;
  }

  // The sum of the contributions of a node's users, as the reverse pass adds them.
  Value total_of(NodeId id) {
    Value total;
    const auto users = users_.find(id);
    if (users == users_.end()) return total;
    for (auto i = users->second.rbegin(); i != users->second.rend(); ++i) {
      const NodeId user = *i;
      if (!cotangents_.contains(user) || graph_.node(user).op->vjp == nullptr) continue;
      const Value cotangent = stand_in(user);
      const Cotangents given = graph_.node(user).op->vjp(Vjp(graph_.value(user), cotangent));
      for (std::size_t k = 0; k < given.values().size(); ++k) {
        Value c = given.values()[k];
        if (graph_.inputs(user)[k] != id || !c.valid()) continue;
        if (c.shape() != graph_.node(id).type.shape) c = sum_like(c, graph_.value(id));
        total = total.valid() ? xgrad::add(total, c) : c;
      }
    }
    return total;
  }

  // A line of the backward part, before its numbers are computed.
  struct Backward {
    Style style;
    std::string name, formula;
    NodeId node;
    std::size_t parts;  // number of preceding lines with subexpressions of its formula
  };

  void add_backward(std::vector<Backward>& lines, NodeId id, std::array<int, 2>& parts) {
    const auto role = graph_.role(Role::backward, graph_.value(id));
    const bool first = id == loss_.id();
    const Value total = first ? graph_.constant(1.0, loss_.dtype()) : total_of(id);
    if (!total.valid()) return;
    for (const Style style : styles) {
      const std::string& name = cotangent_names_.at(id)[index(style)];
      if (first) {
        lines.push_back({style, name, "", total.id(), 0});
        continue;
      }
      std::size_t before = 0;
      for (formula::Line& line :
           formula::lines({{name, total}}, known_[index(style)], style, parts[index(style)], true))
        lines.push_back({style, std::move(line.name), std::move(line.formula), line.node, before++});
    }
  }

  // Evaluates all lines in one run, since each run visits the whole tape.
  void find_numbers(const std::vector<Backward>& lines) {
    std::vector<Value> values;
    for (const Backward& line : lines) values.push_back(graph_.value(line.node));
    const std::vector<Tensor> numbers = evaluate(values, feeds_with_cotangents_, options_);
    for (std::size_t i = 0; i < lines.size(); ++i) results_.emplace(lines[i].node, numbers[i]);
  }

  // Fills the numbers into a line. Its subexpressions are the nodes whose lines begin at `first_part`.
  Line finished(const Backward& line, const std::map<NodeId, std::size_t>& latest, std::size_t first_part) const {
    const auto number_of = [&](NodeId id) -> const Tensor* {
      if (const auto given = given_.find(id); given != given_.end()) return &given->second;
      if (names_.contains(id)) return &numbers_.at(id);
      const auto part = latest.find(id);
      return part != latest.end() && part->second >= first_part ? &results_.at(id) : nullptr;
    };
    std::string with_numbers = filled(graph_.value(line.node), number_of, line.style);
    std::string result = tensor_text(results_.at(line.node), line.style);
    if (with_numbers == result) with_numbers.clear();  // the cotangent is passed on unchanged
    return {line.name, line.formula, with_numbers, result};
  }

  Graph& graph_;
  Value loss_;
  const std::vector<Value>& wrt_;
  const Feeds& feeds_;
  const RunOptions& options_;
  std::vector<NodeId> nodes_;  // needed by the loss, in tape order
  std::map<NodeId, std::vector<NodeId>> users_;
  std::map<NodeId, std::string> chosen_;
  std::map<NodeId, Both> names_, cotangent_names_;
  Values numbers_, cotangents_;
  std::map<NodeId, Value> stand_ins_;  // by node: the input for its derivative
  Feeds feeds_with_cotangents_;        // the feeds, including those of stand_ins_
  Values given_;                       // by node: value of its stand-in
  Values results_;                     // by node: value of its backward line
  std::array<formula::Names, 2> known_;
  std::array<std::vector<Line>, 2> forward_, backward_;  // one per style
};

}  // namespace

Derivation derivation(Value loss, const std::vector<Value>& wrt, const Feeds& feeds, const RunOptions& options) {
  if (!loss.valid()) throw GraphError("derivation: the loss is an empty Value");
  Graph& graph = loss.graph();
  const GraphTransaction transaction(graph);  // never committed
  (void)gradients(loss, wrt);                 // throws if a derivative does not exist
  Deriver deriver(loss, wrt, feeds, options);
  deriver.forward();
  deriver.backward();
  Derivation out;
  out.text_ = deriver.text();
  out.latex_ = deriver.latex();
  return out;
}

}  // namespace xgrad::inline v0
