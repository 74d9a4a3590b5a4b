// Two graphs in one picture.
#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include <xgrad/graph/dot_boxes.hpp>
#include <xgrad/graph/dot_text.hpp>
#include <xgrad/graph/error.hpp>
#include <xgrad/graph/graph_diff.hpp>
#include <xgrad/graph/leaves.hpp>
#include <xgrad/graph/memory_text.hpp>
#include <xgrad/graph/print.hpp>

namespace xgrad {
namespace {

using dot::escaped;
using dot::small_text;

enum Kind : std::uint8_t { same, changed, added, removed };

struct Look {
  const char* name;
  const char* fill;
  const char* border;
};
constexpr std::array<Look, 4> looks{{{"the same", "#f6f7f9", "#b6bec9"},
                                     {"changed", "#fff0bf", "#c99a1c"},
                                     {"added", "#d5f0d8", "#3f9a4b"},
                                     {"removed", "#fbdada", "#c94a4a"}}};

// Scopes as boxes in boxes, with the lines of the nodes in each.
struct Cluster {
  std::vector<std::string> lines;
  std::map<std::string, Cluster, std::less<>> inner;
};

class DiffPicture {
 public:
  DiffPicture(const Graph& before, const Graph& after, const DiffDotOptions& options)
      : a_(before), b_(after), options_(options), diff_(diff(before, after)) {
    kind_.assign(b_.size(), same);
    for (const NodeId id : diff_.added) kind_[id] = added;
    changes_.resize(b_.size());
    to_b_.assign(a_.size(), dot::no_box);
    for (const GraphDiff::Pair& pair : diff_.pairs) {
      to_b_[pair.before] = pair.after;
      if (pair.changes.empty()) continue;
      kind_[pair.after] = changed;
      changes_[pair.after] = pair.changes;
    }
    choose();
  }

  std::string str() {
    for (NodeId id = 0; id < b_.size(); ++id) {
      if (drawn_[id]) put(b_, id, 'n', kind_[id], changes_[id]);
    }
    for (const NodeId id : diff_.removed) put(a_, id, 'r', removed, {});
    std::string out = fmt::format(
        "digraph diff {{\n  graph [bgcolor=\"white\", fontname=\"Helvetica,Arial,sans-serif\", fontsize=12, "
        "fontcolor=\"#4b5563\", nodesep=0.3, ranksep=0.35, pad=0.2, labelloc=t, label=<{}>];\n"
        "  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica,Arial,sans-serif\", fontsize=11, "
        "fontcolor=\"#1f2937\", penwidth=0.9, height=0.3, margin=\"0.12,0.05\"];\n"
        "  edge [color=\"#9aa5b4\", penwidth=0.8, arrowsize=0.55];\n",
        head());
    int clusters = 0;
    write(root_, 1, clusters, out);
    return out + edges() + "}\n";
  }

 private:
  // All, or what is not the same and its neighbours.
  void choose() {
    drawn_.assign(b_.size(), b_.size() + diff_.removed.size() <= static_cast<std::size_t>(options_.max_nodes));
    for (NodeId id = 0; id < b_.size(); ++id) {
      if (kind_[id] != same) drawn_[id] = true;
      for (const NodeId input : b_.inputs(id)) {
        if (kind_[id] != same) drawn_[input] = true;
        if (kind_[input] != same) drawn_[id] = true;
      }
    }
    for (const NodeId id : diff_.removed) {
      for (const NodeId input : a_.inputs(id)) {
        if (to_b_[input] != dot::no_box) drawn_[to_b_[input]] = true;
      }
    }
  }

  std::string head() const {
    std::array<std::size_t, 4> count{};
    for (const Kind kind : kind_) ++count[kind];
    count[removed] = diff_.removed.size();
    std::string rows;
    if (!options_.title.empty()) {
      rows += fmt::format("<TR><TD COLSPAN=\"4\"><FONT POINT-SIZE=\"15\" COLOR=\"{}\">{}</FONT></TD></TR>", dot::dark,
                          escaped(options_.title, 200));
    }
    rows += "<TR>";
    for (std::size_t kind = 0; kind < looks.size(); ++kind) {
      rows += fmt::format(
          "<TD BGCOLOR=\"{}\" BORDER=\"1\" COLOR=\"{}\"><FONT POINT-SIZE=\"10\">&#160;{} {}&#160;</FONT></TD>",
          looks[kind].fill, looks[kind].border, thousands(count[kind]), looks[kind].name);
    }
    rows += "</TR>";
    const auto left_out = static_cast<std::size_t>(std::count(drawn_.begin(), drawn_.end(), false));
    if (left_out > 0) {
      rows += "<TR><TD COLSPAN=\"4\">" +
              small_text(fmt::format("{} nodes that are the same are left out", thousands(left_out))) + "</TD></TR>";
    }
    for (const std::string& update : diff_.updates)
      rows += "<TR><TD COLSPAN=\"4\">" + small_text(escaped(update, 200)) + "</TD></TR>";
    return "<TABLE BORDER=\"0\" CELLSPACING=\"4\" CELLPADDING=\"2\">" + rows + "</TABLE>";
  }

  void put(const Graph& g, NodeId id, char prefix, Kind kind, const std::vector<std::string>& changes) {
    const Node& node = g.node(id);
    const Leaf leaf = node.op->traits.leaf;
    const std::string_view name = dot::name_in_scope(g, id);
    std::string label = escaped(leaf == Leaf::constant                ? constant_text(g, id)
                                : leaf != Leaf::none && !name.empty() ? std::string(name)
                                                                      : node.op->name);
    if (leaf == Leaf::none && !name.empty()) label += "<BR/>" + small_text("<I>" + escaped(name) + "</I>");
    if (leaf == Leaf::none && !g.attrs(id).empty() && kind != same)
      label += "<BR/>" + small_text(escaped(g.attrs(id).str(), 60));
    if (!scalar_constant(g, id)) label += "<BR/>" + small_text(escaped(node.type.str()));
    for (const std::string& change : changes)
      label += "<BR/><FONT POINT-SIZE=\"9\" COLOR=\"#8a5a00\">" + escaped(change, 120) + "</FONT>";
    const char* shape = leaf == Leaf::input       ? ", shape=ellipse, style=filled"
                        : leaf == Leaf::parameter ? ", shape=cylinder, style=filled"
                        : leaf == Leaf::constant  ? ", shape=note, style=filled"
                                                  : "";
    Cluster* at = &root_;
    std::string_view path = g.scope_of(id);
    for (int level = 0; !path.empty(); ++level) {
      const std::size_t end = level == 23 ? path.size() : std::min(path.find('/'), path.size());
      at = &at->inner[std::string(path.substr(0, end))];
      path.remove_prefix(std::min(end + 1, path.size()));
    }
    at->lines.push_back(fmt::format("{}{} [label=<{}>, fillcolor=\"{}\", color=\"{}\"{}{}];", prefix, id, label,
                                    looks[kind].fill, looks[kind].border, shape, kind == same ? "" : ", penwidth=1.6"));
  }

  void write(const Cluster& cluster, std::size_t depth, int& clusters, std::string& out) const {
    const std::string indent(2 * depth, ' ');
    for (const std::string& line : cluster.lines) out += indent + line + "\n";
    for (const auto& [label, inner] : cluster.inner) {
      out += fmt::format(
          "{0}subgraph cluster_{1} {{\n{0}  label=<{2}>; labeljust=l; style=\"rounded,filled\"; color=\"#d5dbe3\"; "
          "fillcolor=\"{3}\"; penwidth=0.8; fontsize=10; margin=10;\n",
          indent, clusters++, escaped(label), depth % 2 == 1 ? "#fcfdfe" : "#f8fafc");
      write(inner, depth + 1, clusters, out);
      out += indent + "}\n";
    }
  }

  // Those of the second graph, and those of the first that are gone.
  std::string edges() const {
    std::string out;
    for (NodeId id = 0; id < b_.size(); ++id) {
      for (const NodeId input : b_.inputs(id)) {
        if (!drawn_[id] || !drawn_[input]) continue;
        const bool fresh = kind_[id] == added || kind_[input] == added;
        out += fmt::format("  n{} -> n{}{};\n", input, id, fresh ? " [color=\"#3f9a4b\", penwidth=1.2]" : "");
      }
    }
    for (NodeId id = 0; id < a_.size(); ++id) {
      for (const NodeId input : a_.inputs(id)) {
        const bool gone = to_b_[id] == dot::no_box, from_gone = to_b_[input] == dot::no_box;
        if (!gone && !from_gone) continue;
        const auto end = [&](NodeId n) {
          return to_b_[n] == dot::no_box ? fmt::format("r{}", n) : fmt::format("n{}", to_b_[n]);
        };
        out += fmt::format("  {} -> {} [color=\"#c94a4a\", style=dashed, penwidth=1.2];\n", end(input), end(id));
      }
    }
    return out;
  }

  const Graph& a_;
  const Graph& b_;
  const DiffDotOptions& options_;
  GraphDiff diff_;
  std::vector<Kind> kind_;  // of the second graph's nodes
  std::vector<std::vector<std::string>> changes_;
  std::vector<NodeId> to_b_;  // by node of the first graph
  std::vector<bool> drawn_;
  Cluster root_;
};

}  // namespace

std::string diff_to_dot(const Graph& before, const Graph& after, const DiffDotOptions& options) {
  if (options.max_nodes < 0)
    throw GraphError(fmt::format("diff_to_dot: max_nodes is {}, which has no meaning", options.max_nodes));
  return DiffPicture(before, after, options).str();
}

}  // namespace xgrad
