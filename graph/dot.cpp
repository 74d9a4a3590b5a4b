#include <xgrad/graph/dot.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/colouring.hpp>
#include <xgrad/graph/dot_text.hpp>
#include <xgrad/graph/error.hpp>
#include <xgrad/graph/leaves.hpp>
#include <xgrad/graph/print.hpp>

namespace xgrad {
namespace {

using dot::escaped;
using dot::small_text;

struct Look {
  const char* shape;
  const char* fill;
  const char* border;
};

constexpr Look input_look{"ellipse", "#e4f5e7", "#5fae6f"};
constexpr Look parameter_look{"cylinder", "#fff5d1", "#d4a72c"};
constexpr Look constant_look{"note", "#f1f2f4", "#9aa1ab"};
constexpr std::array<Look, 3> role_looks{
    {{"box", "#e6f0fb", "#5b93cf"}, {"box", "#fdebdf", "#e08a52"}, {"box", "#efe6fa", "#9a74cc"}}};
constexpr std::array<const char*, 3> role_edges{"#6b8fb5", "#d99a70", "#a58bcb"};

std::string extents(const Shape& shape) {
  std::string out;
  for (const Index extent : shape) out += fmt::format("{}{}", out.empty() ? "" : "&#215;", extent);
  return out.empty() ? "scalar" : out;
}

// Scopes as a tree, in the order in which the tape meets them.
struct ScopeTree {
  std::string label;
  std::vector<NodeId> nodes;
  std::vector<ScopeTree> inner;
};

class Drawing {
 public:
  Drawing(const Graph& graph, const DotOptions& options)
      : graph_(graph), options_(options), drawn_(needed_nodes(graph, options.outputs, "to_dot")) {
    choose_nodes();
    measure_depths();
  }

  std::string text() {
    take_notes();
    out_ = fmt::format(
        "digraph xgrad {{\n"
        "  graph [rankdir={}, bgcolor=\"white\", fontname=\"Helvetica,Arial,sans-serif\", fontsize=12, "
        "fontcolor=\"#4b5563\", "
        "nodesep=0.3, ranksep=0.35, pad=0.2{}];\n",
        options_.rankdir, head());
    out_ +=
        "  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica,Arial,sans-serif\", fontsize=11, "
        "fontcolor=\"#1f2937\", "
        "penwidth=0.9, height=0.3, margin=\"0.12,0.05\"];\n"
        "  edge [fontname=\"Helvetica,Arial,sans-serif\", fontsize=8, fontcolor=\"#6b7280\", penwidth=0.8, "
        "arrowsize=0.55];\n";
    draw_scope(scopes(), 1);
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (drawn_[id]) draw_edges(id);
    }
    draw_updates();
    return out_ + "}\n";
  }

 private:
  void take_notes() {
    if (!options_.annotations) return;
    notes_.resize(graph_.size());
    std::vector<double> numbers;
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (!drawn_[id]) continue;
      notes_[id] = options_.annotations.note(std::span(&id, 1));
      if (notes_[id].number) numbers.push_back(*notes_[id].number);
    }
    colours_.emplace(options_.annotations, numbers, "to_dot");
  }

  // Title and legend, as an attribute of the graph.
  std::string head() const {
    const std::string title =
        options_.title.empty()
            ? ""
            : fmt::format("<FONT POINT-SIZE=\"15\" COLOR=\"#1f2937\">{}</FONT>", escaped(options_.title, 200));
    const std::string legend = colours_ ? colours_->legend_rows() : "";
    if (legend.empty()) return title.empty() ? "" : fmt::format(", labelloc=t, label=<{}>", title);
    return fmt::format(", labelloc=t, label=<<TABLE BORDER=\"0\" CELLSPACING=\"2\">{}{}</TABLE>>",
                       title.empty() ? "" : "<TR><TD>" + title + "</TD></TR>", legend);
  }

  // Numbers move into the labels of their users; a number nobody uses stays a node.
  void choose_nodes() {
    const NodeId n = graph_.size();
    inlined_.assign(n, false);
    sink_.assign(n, true);
    std::vector<bool> wanted(n, false);
    std::vector<bool> in_long_list(n, false);
    for (NodeId id = 0; id < n; ++id) {
      if (!drawn_[id]) continue;
      for (const NodeId input : graph_.inputs(id)) {
        sink_[input] = false;
        if (graph_.node(id).input_count > 4) in_long_list[input] = true;
      }
    }
    for (const Value output : options_.outputs) wanted[output.id()] = true;
    for (const Update& update : graph_.updates()) wanted[update.value.id()] = true;
    for (NodeId id = 0; id < n; ++id) {
      if (!drawn_[id] || graph_.node(id).op->traits.leaf != Leaf::constant) continue;
      if (scalar_constant(graph_, id))
        inlined_[id] = !sink_[id] && !wanted[id] && !in_long_list[id];
      else if (!options_.show_constants)
        drawn_[id] = false;
      if (inlined_[id]) drawn_[id] = false;
    }
    for (const Value output : options_.outputs) sink_[output.id()] = true;
  }

  // A derivative flows against the nodes it was made for, the derivative of a derivative with them again: 0 for what
  // the user wrote, one more for each time backward.
  void measure_depths() {
    depth_.assign(graph_.size(), 0);
    for (NodeId id = 0; id < graph_.size(); ++id) {
      const Node& node = graph_.node(id);
      if (node.role != Role::backward) continue;
      depth_[id] = 1;
      if (node.origin >= 0) depth_[id] = depth_[static_cast<NodeId>(node.origin)] + 1;
    }
  }

  ScopeTree scopes() const {
    constexpr std::size_t max_depth = 24;  // deeper ones share a box
    ScopeTree root;
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (!drawn_[id]) continue;
      ScopeTree* at = &root;
      std::string_view path = graph_.scope_of(id);
      for (std::size_t depth = 1; !path.empty(); ++depth) {
        const std::size_t end = depth == max_depth ? path.size() : std::min(path.find('/'), path.size());
        const std::string_view label = path.substr(0, end);
        path.remove_prefix(std::min(end + 1, path.size()));
        auto found = std::find_if(at->inner.begin(), at->inner.end(), [&](const auto& s) { return s.label == label; });
        if (found == at->inner.end()) found = at->inner.insert(found, ScopeTree{std::string(label), {}, {}});
        at = &*found;
      }
      at->nodes.push_back(id);
    }
    return root;
  }

  void draw_scope(const ScopeTree& scope, std::size_t depth) {
    const std::string indent(2 * depth, ' ');
    for (const NodeId id : scope.nodes) out_ += indent + node(id) + "\n";
    for (const ScopeTree& inner : scope.inner) {
      out_ += fmt::format(
          "{}subgraph cluster_{} {{\n"
          "{}  label=<{}>; labeljust=l; style=\"rounded,filled\"; color=\"#d5dbe3\"; fillcolor=\"{}\"; penwidth=0.8; "
          "fontsize=10; margin=10;\n",
          indent, clusters_++, indent, escaped(inner.label), depth % 2 == 1 ? "#f8fafc" : "#f1f5f9");
      draw_scope(inner, depth + 1);
      out_ += indent + "}\n";
    }
  }

  std::string node(NodeId id) const {
    const Node& node = graph_.node(id);
    const Leaf leaf = node.op->traits.leaf;
    const Look look = leaf == Leaf::input       ? input_look
                      : leaf == Leaf::parameter ? parameter_look
                      : leaf == Leaf::constant  ? constant_look
                                                : role_looks[static_cast<std::size_t>(node.role)];
    const bool number = scalar_constant(graph_, id).has_value();
    std::string label;
    if (leaf == Leaf::constant) {
      label = escaped(constant_text(graph_, id));
    } else if (leaf != Leaf::none && node.name != 0) {
      label = escaped(name_in_scope(id));
    } else {
      label = operation(id);
    }
    if ((leaf == Leaf::none || leaf == Leaf::constant) && node.name != 0) {
      label += "<BR/>" + small_text("<I>" + escaped(name_in_scope(id)) + "</I>");
    }
    const bool of_leaf = leaf != Leaf::none && !number;
    if (of_leaf || (sink_[id] && options_.show_shapes)) label += "<BR/>" + small_text(type_text(node.type));
    std::string fill = look.fill;
    std::string font;
    if (colours_) {
      const NodeNote& note = notes_[id];
      const NodeColour colour = note.number ? colours_->colour(*note.number) : NodeColour{"#ffffff", dot::dark};
      fill = colour.fill;
      if (colour.text != dot::dark) font = fmt::format(", fontcolor=\"{}\"", colour.text);
      for (const std::string& line : note.lines) label += "<BR/>" + small_text(escaped(line, 200));
      if (!font.empty()) label = dot::in_light(label);
    }
    return fmt::format("n{} [label=<{}>, shape={}{}, fillcolor=\"{}\", color=\"{}\"{}{}];", id, label,
                       number ? "plain" : look.shape,
                       leaf == Leaf::none        ? ""
                       : leaf == Leaf::parameter ? ", style=\"filled\", margin=\"0.16,0.09\""
                                                 : ", style=\"filled\"",
                       fill, look.border, leaf == Leaf::none && sink_[id] ? ", penwidth=2" : "", font);
  }

  // A name that begins with the scope says no more than the boxes around it.
  std::string_view name_in_scope(NodeId id) const {
    const std::string_view name = graph_.name(id);
    const std::string& scope = graph_.scope_of(id);
    const bool inside =
        !scope.empty() && name.size() > scope.size() + 1 && name.starts_with(scope) && name[scope.size()] == '/';
    return inside ? name.substr(scope.size() + 1) : name;
  }

  // The operation with the numbers among its inputs, such as mul(., 2), and with its attributes below.
  std::string operation(NodeId id) const {
    const Node& node = graph_.node(id);
    std::string label = escaped(node.op->name);
    const auto inputs = graph_.inputs(id);
    if (std::any_of(inputs.begin(), inputs.end(), [&](NodeId input) { return inlined_[input]; })) {
      std::string list;
      for (const NodeId input : inputs) {
        list += list.empty() ? "(" : ", ";
        list += inlined_[input] ? escaped(constant_text(graph_, input)) : "&#183;";
      }
      label += list + ")";
    }
    std::string attrs;
    for (const auto& item : graph_.attrs(id).items()) {
      const bool* flag = std::get_if<bool>(&item.second);
      const Axes* list = std::get_if<Axes>(&item.second);
      if ((flag != nullptr && !*flag) || (list != nullptr && list->empty())) continue;
      attrs += attrs.empty() ? "" : " ";
      attrs += flag != nullptr ? item.first : Attrs{item}.str();
    }
    if (options_.show_attrs && !attrs.empty()) label += "<BR/>" + small_text(escaped(attrs, 60));
    return label;
  }

  std::string type_text(const TensorType& type) const {
    const bool usual = type.dtype == graph_.options().dtype;
    return (usual ? "" : std::string(name_of(type.dtype)) + " ") + extents(type.shape);
  }

  void draw_edges(NodeId id) {
    const auto inputs = graph_.inputs(id);
    const auto role = static_cast<std::size_t>(graph_.node(id).role);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const NodeId input = inputs[i];
      if (!drawn_[input]) continue;
      const bool first = std::find(inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(i), input) ==
                         inputs.begin() + static_cast<std::ptrdiff_t>(i);
      const bool leaf = graph_.node(input).op->traits.leaf != Leaf::none;
      std::string attrs = fmt::format("color=\"{}\"", role_edges[role]);
      if (depth_[id] != depth_[input]) {
        // What a derivative remembers of the forward pass: beside it, not below it, and faint.
        attrs += ", style=dashed, penwidth=0.6, arrowsize=0.45, minlen=0, weight=0";
      } else if (options_.show_shapes && first && !leaf) {
        attrs += fmt::format(", label=<&#160;{}>", type_text(graph_.node(input).type));
      }
      // Straight where the program flows; the rest bends around it.
      if (depth_[id] == 0 && depth_[input] == 0 && !leaf) attrs += ", weight=8";
      const bool upwards = depth_[id] == depth_[input] && depth_[id] % 2 == 1;
      out_ += upwards ? fmt::format("  n{} -> n{} [dir=back, {}];\n", id, input, attrs)
                      : fmt::format("  n{} -> n{} [{}];\n", input, id, attrs);
    }
  }

  void draw_updates() {
    std::map<const void*, NodeId> parameters;
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (drawn_[id] && graph_.node(id).op->traits.leaf == Leaf::parameter)
        parameters[graph_.parameter_of(id).raw()] = id;
    }
    for (const Update& update : graph_.updates()) {
      const auto found = parameters.find(update.parameter.raw());
      if (found == parameters.end() || !drawn_[update.value.id()]) continue;
      out_ += fmt::format("  n{} -> n{} [color=\"{}\", style=dashed, constraint=false, label=<&#160;update>];\n",
                          update.value.id(), found->second, role_looks[2].border);
    }
  }

  const Graph& graph_;
  const DotOptions& options_;
  std::vector<bool> drawn_;
  std::vector<bool> inlined_;
  std::vector<bool> sink_;
  std::vector<std::uint32_t> depth_;
  std::vector<NodeNote> notes_;
  std::optional<Colouring> colours_;  // if there are annotations
  std::string out_;
  std::size_t clusters_ = 0;
};

}  // namespace

std::string to_dot(const Graph& graph, const DotOptions& options) {
  constexpr std::array<std::string_view, 4> directions{"TB", "LR", "BT", "RL"};
  if (std::find(directions.begin(), directions.end(), options.rankdir) == directions.end()) {
    throw GraphError(fmt::format("to_dot: rankdir is {:?}, where TB, LR, BT and RL are known", options.rankdir));
  }
  return Drawing(graph, options).text();
}

}  // namespace xgrad
