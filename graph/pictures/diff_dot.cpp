// Draws the difference of two graphs as one diagram.
#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/graph/leaves.hpp>
#include <xgrad/graph/pictures/graph_diff.hpp>
#include <xgrad/graph/pictures/internal/dot_boxes.hpp>
#include <xgrad/graph/pictures/internal/dot_text.hpp>
#include <xgrad/graph/pictures/internal/dot_work.hpp>
#include <xgrad/graph/print.hpp>

namespace xgrad::inline v0 {
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

// A scope, drawn as a nested cluster: DOT lines of its nodes, and the inner scopes.
struct Cluster {
  std::vector<std::string> lines;
  std::map<std::string, Cluster, std::less<>> inner;
};

class DiffPicture {
 public:
  // Draws at most `most` nodes; unchanged nodes are left out first.
  DiffPicture(const Graph& before, const Graph& after, const GraphDiff& diff, const DiffDotOptions& options,
              std::size_t most, const dot::Detail& detail)
      : a_(before), b_(after), options_(options), detail_(detail), diff_(diff) {
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
    choose(most);
  }

  bool fits() const {
    dot::Sketch sketch;
    std::vector<std::uint32_t> at(b_.size() + a_.size());  // by node: its index in the sketch
    for (NodeId id = 0; id < b_.size(); ++id) {
      if (drawn_[id]) at[id] = sketch.nodes++;
    }
    for (NodeId id = 0; id < a_.size(); ++id) {
      if (removed_drawn_[id]) at[b_.size() + id] = sketch.nodes++;
    }
    for_each_edge([&](End from, End to) {
      sketch.edges.push_back({at[from.id + (from.gone ? b_.size() : 0)], at[to.id + (to.gone ? b_.size() : 0)]});
    });
    return dot::fits(sketch, detail_, options_.effort);
  }

  std::string str() {
    for (NodeId id = 0; id < b_.size(); ++id) {
      if (drawn_[id]) put(b_, id, 'n', kind_[id], changes_[id]);
    }
    for (const NodeId id : diff_.removed) {
      if (removed_drawn_[id]) put(a_, id, 'r', removed, {});
    }
    std::string out = fmt::format(
        "digraph diff {{\n  graph [bgcolor=\"white\", fontname=\"Helvetica,Arial,sans-serif\", fontsize=12, "
        "fontcolor=\"#4b5563\", nodesep=0.3, ranksep=0.35, pad=0.2{}, labelloc=t, label=<{}>];\n"
        "  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica,Arial,sans-serif\", fontsize=11, "
        "fontcolor=\"#1f2937\", penwidth=0.9, height=0.3, margin=\"0.12,0.05\"];\n"
        "  edge [color=\"#9aa5b4\", penwidth=0.8, arrowsize=0.55];\n",
        detail_.careful ? "" : dot::quick_layout, head());
    int clusters = 0;
    write(root_, 1, clusters, out);
    return out + edges() + "}\n";
  }

 private:
  // Selects the nodes to draw: all nodes, or only the changed ones and their neighbors, or only some of the changed
  // ones.
  void choose(std::size_t most) {
    removed_drawn_.assign(a_.size(), false);
    for (const NodeId id : diff_.removed) removed_drawn_[id] = true;
    drawn_.assign(b_.size(), b_.size() + diff_.removed.size() <= most);
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
    const auto drawn = static_cast<std::size_t>(std::count(drawn_.begin(), drawn_.end(), true));
    if (drawn + diff_.removed.size() <= most) return;
    for (NodeId id = 0; id < b_.size(); ++id) drawn_[id] = kind_[id] != same;
    const auto other = static_cast<std::size_t>(std::count(drawn_.begin(), drawn_.end(), true));
    const std::size_t from_removed = std::min(diff_.removed.size(), std::max(most / 2, most - std::min(most, other)));
    keep_first(drawn_, most - from_removed);
    keep_first(removed_drawn_, from_removed);
  }
  static void keep_first(std::vector<bool>& drawn, std::size_t count) {
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      if (!drawn[i]) continue;
      drawn[i] = count > 0;
      count -= count > 0 ? 1 : 0;
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
    std::array<std::size_t, 2> left_out{};  // number of unchanged nodes, and of all other nodes
    for (NodeId id = 0; id < b_.size(); ++id) {
      if (!drawn_[id]) ++left_out[kind_[id] == same ? 0 : 1];
    }
    for (const NodeId id : diff_.removed) left_out[1] += removed_drawn_[id] ? 0U : 1U;
    const auto line = [&](const std::string& text) {
      rows += "<TR><TD COLSPAN=\"4\">" + small_text(text) + "</TD></TR>";
    };
    if (left_out[0] > 0) line(fmt::format("{} unchanged nodes are left out", thousands(left_out[0])));
    if (left_out[1] > 0) line(fmt::format("{} changed nodes are left out too", thousands(left_out[1])));
    if (options_.effort < 1) line("Graphviz takes too long for more detail");
    constexpr std::size_t shown = 20;
    for (std::size_t i = 0; i < std::min(diff_.updates.size(), shown); ++i) line(escaped(diff_.updates[i], 200));
    if (diff_.updates.size() > shown) line(fmt::format("and {} more updates", thousands(diff_.updates.size() - shown)));
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

  struct End {
    NodeId id = 0;
    bool gone = false;  // it ends at a removed node
  };
  std::string name_of(End end) const { return fmt::format("{}{}", end.gone ? 'r' : 'n', end.id); }

  // Visits the edges of the second graph and those of the first graph's removed nodes.
  template <class Take>
  void for_each_edge(Take take) const {
    for (NodeId id = 0; id < b_.size(); ++id) {
      for (const NodeId input : b_.inputs(id)) {
        if (drawn_[id] && drawn_[input]) take(End{input, false}, End{id, false});
      }
    }
    const auto end = [&](NodeId n) { return to_b_[n] == dot::no_box ? End{n, true} : End{to_b_[n], false}; };
    const auto drawn = [&](End e) { return e.gone ? removed_drawn_[e.id] : drawn_[e.id]; };
    for (NodeId id = 0; id < a_.size(); ++id) {
      for (const NodeId input : a_.inputs(id)) {
        const End from = end(input), to = end(id);
        if ((from.gone || to.gone) && drawn(from) && drawn(to)) take(from, to);
      }
    }
  }

  std::string edges() const {
    std::string out;
    for_each_edge([&](End from, End to) {
      const bool gone = from.gone || to.gone;
      const bool fresh = !gone && (kind_[from.id] == added || kind_[to.id] == added);
      out += fmt::format("  {} -> {}{};\n", name_of(from), name_of(to),
                         gone    ? " [color=\"#c94a4a\", style=dashed, penwidth=1.2]"
                         : fresh ? " [color=\"#3f9a4b\", penwidth=1.2]"
                                 : "");
    });
    return out;
  }

  const Graph& a_;
  const Graph& b_;
  const DiffDotOptions& options_;
  dot::Detail detail_;
  const GraphDiff& diff_;
  std::vector<Kind> kind_;  // of the second graph's nodes
  std::vector<std::vector<std::string>> changes_;
  std::vector<NodeId> to_b_;                 // by node of the first graph
  std::vector<bool> drawn_, removed_drawn_;  // of the second graph's nodes, and of the first's
  Cluster root_;
};

}  // namespace

std::string diff_to_dot(const Graph& before, const Graph& after, const DiffDotOptions& options) {
  if (options.max_nodes < 0)
    throw GraphError(fmt::format("diff_to_dot: max_nodes must not be negative, got {}", options.max_nodes));
  dot::check_limits("diff_to_dot", options.effort, options.time_limit);
  const GraphDiff difference = diff(before, after);
  std::string text;
  for (int most = std::max(options.max_nodes, dot::fewest_boxes); most >= dot::fewest_boxes; most /= 2) {
    for (const dot::Detail& detail : dot::details) {
      if (!detail.leaf_edges && detail.careful) continue;  // this diagram draws all edges, without labels
      DiffPicture picture(before, after, difference, options, static_cast<std::size_t>(most), detail);
      if (picture.fits() || most / 2 < dot::fewest_boxes) text = picture.str();
      if (picture.fits()) return text;
    }
  }
  return text;
}

}  // namespace xgrad::inline v0
