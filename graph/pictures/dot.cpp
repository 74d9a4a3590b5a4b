#include <xgrad/graph/pictures/dot.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/graph/leaves.hpp>
#include <xgrad/graph/pictures/internal/coloring.hpp>
#include <xgrad/graph/pictures/internal/dot_boxes.hpp>
#include <xgrad/graph/pictures/internal/dot_text.hpp>
#include <xgrad/graph/pictures/internal/dot_work.hpp>
#include <xgrad/graph/print.hpp>

namespace xgrad::inline v0 {
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
// Indexed by Role: forward, backward, update.
constexpr std::array<Look, 3> role_looks{
    {{"box", "#e6f0fb", "#5b93cf"}, {"box", "#fdebdf", "#e08a52"}, {"box", "#efe6fa", "#9a74cc"}}};
constexpr std::array<const char*, 3> role_edges{"#6b8fb5", "#d99a70", "#a58bcb"};

std::string extents(const Shape& shape) {
  std::string out;
  for (const Index extent : shape) out += fmt::format("{}{}", out.empty() ? "" : "&#215;", extent);
  return out.empty() ? "scalar" : out;
}

class Drawing {
 public:
  Drawing(const Graph& graph, const DotOptions& options, std::optional<int> depth, int max_nodes)
      : graph_(graph), options_(options), drawn_(needed_nodes(graph, options.outputs, "to_dot")) {
    choose_nodes();
    measure_orders();
    boxes_ = dot::make_boxes(graph_, drawn_, order_,
                             {.depth = depth,
                              .fold_repeats = options.fold_repeats && !options.annotations,
                              .max_nodes = static_cast<std::size_t>(max_nodes)});
    for (const dot::Box& box : boxes_.boxes) place_.push_back(box.nodes.empty() ? dot::no_box : drawn_boxes_++);
    connect();
    connect_updates();
    name_leaves();
  }

  bool fits(const dot::Detail& detail) const {
    return dot::fits(sketch(detail), detail, options_.effort, !boxes_.folding.empty());
  }

  std::string text(const dot::Detail& detail) {
    detail_ = detail;
    take_notes();
    out_ = fmt::format(
        "digraph xgrad {{\n"
        "  graph [rankdir={}, bgcolor=\"white\", fontname=\"Helvetica,Arial,sans-serif\", fontsize=12, "
        "fontcolor=\"#4b5563\", "
        "nodesep=0.3, ranksep=0.35, pad=0.2{}{}{}];\n",
        options_.rankdir, boxes_.plain() ? "" : ", newrank=true", detail_.careful ? "" : dot::quick_layout, head());
    out_ +=
        "  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica,Arial,sans-serif\", fontsize=11, "
        "fontcolor=\"#1f2937\", "
        "penwidth=0.9, height=0.3, margin=\"0.12,0.05\"];\n"
        "  edge [fontname=\"Helvetica,Arial,sans-serif\", fontsize=8, fontcolor=\"#6b7280\", penwidth=0.8, "
        "arrowsize=0.55];\n";
    draw_cluster(boxes_.root, 1);
    for (const Edge& edge : edges_) {
      if (detail_.leaf_edges || !edge.named) edge.update ? draw_update(edge) : draw(edge);
    }
    return out_ + "}\n";
  }

 private:
  // Whether another box reads a node: no; yes; yes, by a node of the same derivative order and role.
  enum class Use : std::uint8_t { none, other_kind, same_kind };

  // An edge between boxes: between single nodes one edge per operand, otherwise one edge for all values.
  struct Edge {
    NodeId from = 0, to = 0;     // the first value, and the node that reads it
    std::vector<NodeId> values;  // all values that the edge carries, without duplicates
    bool labeled = true;
    bool named = false;   // from or to a leaf whose name may be shown in the operation instead
    bool update = false;  // from a new value to its parameter
  };

  void take_notes() {
    if (!options_.annotations) return;
    for (const dot::Box& box : boxes_.boxes)
      notes_.push_back(box.nodes.empty() ? NodeNote{} : options_.annotations.note(box.nodes));
    colors_.emplace(options_.annotations, notes_, "to_dot");
  }

  // The graph's label: title, notes on folding, and the legend.
  std::string head() const {
    const std::string title =
        options_.title.empty()
            ? ""
            : fmt::format("<FONT POINT-SIZE=\"15\" COLOR=\"#1f2937\">{}</FONT>", escaped(options_.title, 200));
    std::string rows;
    for (const std::string& line : left_out()) rows += "<TR><TD>" + small_text(escaped(line, 200)) + "</TD></TR>";
    if (colors_) rows += colors_->legend_rows();
    if (rows.empty()) return title.empty() ? "" : fmt::format(", labelloc=t, label=<{}>", title);
    return fmt::format(", labelloc=t, label=<<TABLE BORDER=\"0\" CELLSPACING=\"2\">{}{}</TABLE>>",
                       title.empty() ? "" : "<TR><TD>" + title + "</TD></TR>", rows);
  }

  // Notes on details that were left out although the options ask for them.
  std::vector<std::string> left_out() const {
    std::vector<std::string> lines;
    if (!boxes_.folding.empty()) lines.push_back(boxes_.folding);
    const auto hidden = static_cast<std::size_t>(
        std::count_if(edges_.begin(), edges_.end(), [](const Edge& edge) { return edge.named; }));
    if (!detail_.leaf_edges && hidden > 0) {
      lines.push_back(fmt::format(
          "{} edges from inputs and parameters are left out: the operations that read them show their names",
          thousands(hidden)));
    }
    if (!detail_.labels && (options_.show_shapes || options_.show_bytes))
      lines.emplace_back("shapes on edges are left out");
    if (options_.effort < 1) lines.emplace_back("Graphviz takes too long for more detail");
    return lines;
  }

  // Selects the nodes to draw. Scalar constants move into the labels of the nodes that read them.
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

  // Derivative order of each node: 0 for forward nodes, one more for each differentiation. Edges flow forward for even
  // orders and backward for odd ones.
  void measure_orders() {
    order_.assign(graph_.size(), 0);
    for (NodeId id = 0; id < graph_.size(); ++id) {
      const Node& node = graph_.node(id);
      if (node.role != Role::backward) continue;
      order_[id] = 1;
      if (node.origin >= 0) order_[id] = order_[static_cast<NodeId>(node.origin)] + 1;
    }
  }

  // ---- edges

  void connect() {
    std::unordered_map<std::uint64_t, std::size_t> merged;  // edges with a folded or repeated end
    outside_.assign(graph_.size(), Use::none);
    std::vector<NodeId> last_reader(graph_.size(), 0);  // node 0 has no inputs
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (!drawn_[id]) continue;
      for (const NodeId input : graph_.inputs(id)) {
        const bool again = last_reader[input] == id;
        last_reader[input] = id;
        if (!drawn_[input]) continue;
        const std::uint32_t from = boxes_.of[input], to = boxes_.of[id];
        const bool implied = boxes_.implied(input, id);
        if (from != to || boxes_.block[input] != boxes_.block[id]) {
          const NodeId made = boxes_.original[input];
          outside_[made] =
              std::max(outside_[made], order_[id] == order_[input] && graph_.node(id).role == graph_.node(input).role
                                           ? Use::same_kind
                                           : Use::other_kind);
        }
        if (from == to || implied) continue;
        const bool single =
            !boxes_.boxes[from].folded && !boxes_.boxes[to].folded && boxes_.block[input] == 0 && boxes_.block[id] == 0;
        if (single) {
          edges_.push_back({input, id, {input}, !again});
          continue;
        }
        const NodeId value = boxes_.original[input];
        const auto [found, fresh] = merged.try_emplace(std::uint64_t{from} << 32 | to, edges_.size());
        if (fresh) edges_.push_back({value, boxes_.original[id], {}, true});
        edges_[found->second].values.push_back(value);
      }
    }
    for (Edge& edge : edges_) {
      std::unordered_set<NodeId> seen;
      std::erase_if(edge.values, [&](NodeId value) { return !seen.insert(value).second; });
    }
  }

  void connect_updates() {
    std::unordered_map<const void*, NodeId> parameters;
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (drawn_[id] && graph_.node(id).op->traits.leaf == Leaf::parameter)
        parameters[graph_.parameter_of(id).raw()] = id;
    }
    std::set<std::pair<std::uint32_t, std::uint32_t>> merged;
    for (const Update& update : graph_.updates()) {
      const NodeId value = update.value.id();
      const auto found = parameters.find(update.parameter.raw());
      if (found == parameters.end() || !drawn_[value]) continue;
      const std::uint32_t from = boxes_.of[value], to = boxes_.of[found->second];
      if (from != to && merged.emplace(from, to).second)
        edges_.push_back({.from = value, .to = found->second, .values = {}, .update = true});
    }
  }

  // Replaces long edges of leaves, such as a weight that all steps of an unrolled net read, by the leaf's name inside
  // the operation. Keeps the shortest edge of each leaf.
  void name_leaves() {
    constexpr int far = 4;  // ranks
    const std::vector<int> rank = dot::ranks(sketch({}));
    const auto length = [&](const Edge& edge) {
      return std::abs(rank[place_[boxes_.of[edge.from]]] - rank[place_[boxes_.of[edge.to]]]);
    };
    std::unordered_map<std::uint32_t, std::vector<std::size_t>> uses;  // by box of a leaf: indices of its edges
    for (std::size_t e = 0; e < edges_.size(); ++e) {
      const std::uint32_t from = boxes_.of[edges_[e].from];
      if (!edges_[e].update && !boxes_.boxes[from].folded && is_leaf(edges_[e].from)) uses[from].push_back(e);
    }
    for (const auto& [box, edges] : uses) {
      const auto spread =
          std::count_if(edges.begin(), edges.end(), [&](std::size_t e) { return length(edges_[e]) > far; });
      if (spread < 2) continue;
      const std::size_t kept = *std::min_element(edges.begin(), edges.end(), [&](std::size_t a, std::size_t b) {
        return length(edges_[a]) < length(edges_[b]);
      });
      for (const std::size_t e : edges) {
        if (e == kept) continue;
        edges_[e].named = true;
        named_.insert(pair_of(boxes_.of[edges_[e].from], boxes_.of[edges_[e].to]));
        named_in_[boxes_.of[edges_[e].to]].push_back(edges_[e].from);
      }
      for (Edge& edge : edges_) {
        if (!edge.update || boxes_.of[edge.to] != box) continue;
        edge.named = true;
        updated_in_[boxes_.of[edge.from]].push_back(edge.to);
      }
    }
  }

  static std::uint64_t pair_of(std::uint32_t from, std::uint32_t to) { return std::uint64_t{from} << 32 | to; }
  bool is_leaf(NodeId id) const { return graph_.node(id).op->traits.leaf != Leaf::none; }
  std::string leaf_name(NodeId id) const {
    return graph_.name(id).empty() ? fmt::format("%{}", id) : escaped(graph_.name(id), 30);
  }
  // The names of the leaves, as a shortened list for a box.
  std::string leaf_names(const std::vector<NodeId>& leaves) const {
    constexpr std::size_t shown = 4;
    std::string out;
    for (std::size_t i = 0; i < std::min(leaves.size(), shown); ++i) out += (i == 0 ? "" : ", ") + leaf_name(leaves[i]);
    return leaves.size() > shown ? out + fmt::format(" and {} more", leaves.size() - shown) : out;
  }

  // Whether the edge is drawn from its reader up to its value, as edges between backward nodes are.
  bool upwards(const Edge& edge) const { return order_[edge.from] == order_[edge.to] && order_[edge.from] % 2 == 1; }
  bool of_leaves(const Edge& edge) const {
    return std::all_of(edge.values.begin(), edge.values.end(),
                       [&](NodeId value) { return !boxes_.boxes[boxes_.of[value]].folded && is_leaf(value); });
  }
  bool carries_text(const Edge& edge) const {
    return edge.labeled && !of_leaves(edge) && order_[edge.from] == order_[edge.to] &&
           (options_.show_shapes || options_.show_bytes);
  }

  // Keeps edges of the forward graph straight; edges between derivative orders bend around them.
  int weight(const Edge& edge) const {
    if (order_[edge.from] != order_[edge.to]) return 0;
    return order_[edge.from] == 0 && !of_leaves(edge) ? 8 : 1;
  }

  dot::Sketch sketch(const dot::Detail& detail) const {
    dot::Sketch out;
    out.nodes = drawn_boxes_;
    for (const Edge& edge : edges_) {
      if (edge.named && !detail.leaf_edges) continue;
      std::uint32_t from = place_[boxes_.of[edge.from]], to = place_[boxes_.of[edge.to]];
      if (edge.update) {
        out.edges.push_back({from, to, 0, detail.labels, false, 0});
        continue;
      }
      if (upwards(edge)) std::swap(from, to);
      const bool along = order_[edge.from] == order_[edge.to];
      out.edges.push_back({from, to, along ? 1 : 0, detail.labels && carries_text(edge), true, weight(edge)});
    }
    return out;
  }

  std::string name_of_box(NodeId id) const {
    const dot::Box& box = boxes_.boxes[boxes_.of[id]];
    return fmt::format("{}{}", box.folded ? 'g' : 'n', box.first());
  }

  void draw(const Edge& edge) {
    const std::uint32_t from = order_[edge.from], to = order_[edge.to];
    std::string attrs = fmt::format("color=\"{}\"", role_edges[static_cast<std::size_t>(graph_.node(edge.to).role)]);
    if (from != to) {
      // A saved forward value that a backward node reads: place it beside the node, not above it, and draw it faintly.
      attrs += ", style=dashed, penwidth=0.6, arrowsize=0.45, minlen=0, weight=0";
    } else if (detail_.labels && carries_text(edge)) {
      if (const std::string text = text_on(edge); !text.empty()) attrs += fmt::format(", label=<&#160;{}>", text);
    }
    if (weight(edge) > 1) attrs += fmt::format(", weight={}", weight(edge));
    const std::string a = name_of_box(edge.from), b = name_of_box(edge.to);
    out_ += upwards(edge) ? fmt::format("  {} -> {} [dir=back, {}];\n", b, a, attrs)
                          : fmt::format("  {} -> {} [{}];\n", a, b, attrs);
  }

  void draw_update(const Edge& edge) {
    out_ += fmt::format("  {} -> {} [color=\"{}\", style=dashed, constraint=false{}];\n", name_of_box(edge.from),
                        name_of_box(edge.to), role_looks[2].border, detail_.labels ? ", label=<&#160;update>" : "");
  }

  // The types of the edge's values, a few of them, and their total size.
  std::string text_on(const Edge& edge) const {
    constexpr std::size_t shown = 2;
    std::string out;
    for (std::size_t i = 0; options_.show_shapes && i < std::min(edge.values.size(), shown); ++i)
      out += (i == 0 ? "" : ", ") + type_text(graph_.node(edge.values[i]).type);
    if (options_.show_shapes && edge.values.size() > shown)
      out += fmt::format(" and {} more", edge.values.size() - shown);
    if (!options_.show_bytes) return out;
    std::size_t bytes = 0;
    for (const NodeId value : edge.values) bytes += graph_.node(value).type.bytes();
    return out + (out.empty() ? "" : ", ") + memory_text(bytes);
  }

  // ---- boxes

  void draw_cluster(const dot::Cluster& cluster, std::size_t depth) {
    const std::string indent(2 * depth, ' ');
    for (const std::uint32_t b : cluster.boxes) {
      if (!boxes_.boxes[b].nodes.empty()) out_ += indent + box(b) + "\n";
    }
    for (const dot::Cluster& inner : cluster.inner) {
      const bool repeats = inner.times > 1;
      out_ += fmt::format(
          "{}subgraph cluster_{} {{\n"
          "{}  label=<{}{}>; labeljust=l; style=\"rounded,filled\"; color=\"{}\"; fillcolor=\"{}\"; penwidth={}; "
          "fontsize=10; margin=10;\n",
          indent, clusters_++, indent, escaped(inner.label),
          repeats ? fmt::format("&#160; <B>&#215;{}</B>", inner.times) : "", repeats ? "#9aa7b8" : "#d5dbe3",
          depth % 2 == 1 ? "#f8fafc" : "#f1f5f9", repeats ? "1.6" : "0.8");
      draw_cluster(inner, depth + 1);
      out_ += indent + "}\n";
    }
  }

  std::string box(std::uint32_t b) const { return boxes_.boxes[b].folded ? folded(b) : node(b); }

  // Label of a folded box: its number of operations, its output types and its parameter count.
  std::string folded(std::uint32_t b) const {
    const dot::Box& box = boxes_.boxes[b];
    std::array<std::size_t, 4> count{};  // number of nodes, by Leaf
    std::uint64_t numbers = 0;
    std::array<std::vector<NodeId>, 3> results;  // outputs of the box, by Use
    bool sink = false;
    for (const NodeId id : box.nodes) {
      const Leaf leaf = graph_.node(id).op->traits.leaf;
      ++count[static_cast<std::size_t>(leaf)];
      if (leaf == Leaf::parameter) numbers += static_cast<std::uint64_t>(graph_.node(id).type.shape.elements());
      sink = sink || sink_[id];
      if (leaf != Leaf::none) continue;
      if (sink_[id] || outside_[id] != Use::none) results[static_cast<std::size_t>(outside_[id])].push_back(id);
    }
    const auto counted = [&](Leaf leaf, const char* what) {
      const std::size_t n = count[static_cast<std::size_t>(leaf)];
      return n == 0 ? "" : fmt::format("{} {}{}", thousands(n), what, n == 1 ? "" : "s");
    };
    std::string contents;
    for (const std::string& text :
         {counted(Leaf::none, "operation"), counted(Leaf::input, "input"), counted(Leaf::constant, "constant")}) {
      if (!text.empty()) contents += (contents.empty() ? "" : ", ") + text;
    }
    std::string label = "<B>" + escaped(box.label) + "</B>";
    if (!contents.empty()) label += "<BR/>" + small_text(contents);
    if (numbers > 0) {
      label += "<BR/>" + small_text(fmt::format("{} in {}", thousands(numbers), counted(Leaf::parameter, "parameter")));
    }
    if (box.neighbors) label += "<BR/>" + small_text(escaped(operations(box)));
    if (const auto found = named_in_.find(b); found != named_in_.end() && !detail_.leaf_edges)
      label += "<BR/>" + small_text("uses " + leaf_names(found->second));
    label += updated(b);
    // Show the values that the next layer reads; if there are none, all outputs.
    const auto& out = !results[2].empty() ? results[2] : !results[0].empty() ? results[0] : results[1];
    if (options_.show_shapes && !out.empty()) {
      label += "<BR/>" + small_text("&#8594; " + (out.size() == 1 ? type_text(graph_.node(out[0]).type)
                                                                  : fmt::format("{} values", out.size())));
    }
    return drawn_box(fmt::format("g{}", box.first()), b, label, role_looks[static_cast<std::size_t>(box.role)],
                     ", peripheries=2", sink);
  }

  // Names of the parameters that the box updates and no edge shows.
  std::string updated(std::uint32_t b) const {
    const auto found = updated_in_.find(b);
    if (found == updated_in_.end() || detail_.leaf_edges) return "";
    return "<BR/>" + small_text("updates " + leaf_names(found->second));
  }

  // The most frequent operations of a box, as text.
  std::string operations(const dot::Box& box) const {
    std::map<std::string, std::size_t> count;
    for (const NodeId id : box.nodes) {
      if (!is_leaf(id)) ++count[graph_.node(id).op->name];
    }
    return dot::most(count);
  }

  std::string node(std::uint32_t b) const {
    const NodeId id = boxes_.boxes[b].first();
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
      label = escaped(dot::name_in_scope(graph_, id));
    } else {
      label = operation(id);
    }
    if ((leaf == Leaf::none || leaf == Leaf::constant) && node.name != 0) {
      label += "<BR/>" + small_text("<I>" + escaped(dot::name_in_scope(graph_, id)) + "</I>");
    }
    label += updated(b);
    const bool of_leaf = leaf != Leaf::none && !number;
    if (of_leaf || (sink_[id] && options_.show_shapes)) label += "<BR/>" + small_text(type_text(node.type));
    return drawn_box(fmt::format("n{}", id), b, label, number ? Look{"plain", look.fill, look.border} : look,
                     leaf == Leaf::none        ? ""
                     : leaf == Leaf::parameter ? ", style=\"filled\", margin=\"0.16,0.09\""
                                               : ", style=\"filled\"",
                     leaf == Leaf::none && sink_[id]);
  }

  // Draws a box with its annotations.
  std::string drawn_box(const std::string& name, std::uint32_t b, std::string label, const Look& look,
                        const char* style, bool sink) const {
    std::string fill = look.fill;
    const std::string font = colors_ ? colors_->annotate(notes_[b], label, fill) : "";
    return fmt::format("{} [label=<{}>, shape={}{}, fillcolor=\"{}\", color=\"{}\"{}{}];", name, label, look.shape,
                       style, fill, look.border, sink ? ", penwidth=2" : "", font);
  }

  // The operation with its scalar operands, such as mul(., 2), and with its attributes below.
  std::string operation(NodeId id) const {
    const Node& node = graph_.node(id);
    std::string label = escaped(node.op->name);
    const auto inputs = graph_.inputs(id);
    const auto named = [&](NodeId input) {
      return !detail_.leaf_edges && drawn_[input] && named_.count(pair_of(boxes_.of[input], boxes_.of[id])) != 0;
    };
    if (std::any_of(inputs.begin(), inputs.end(), [&](NodeId input) { return inlined_[input] || named(input); })) {
      constexpr std::size_t shown = 8;
      std::string list;
      for (const NodeId input : inputs.first(std::min(inputs.size(), shown))) {
        list += list.empty() ? "(" : ", ";
        list += inlined_[input] ? escaped(constant_text(graph_, input)) : named(input) ? leaf_name(input) : "&#183;";
      }
      label += list + (inputs.size() > shown ? ", &#8230;)" : ")");
    }
    std::string attrs;
    for (const auto& item : graph_.attrs(id).items()) {
      const bool* flag = std::get_if<bool>(&item.second);
      const auto* list = std::get_if<std::vector<Index>>(&item.second);
      if ((flag != nullptr && !*flag) || (list != nullptr && list->empty())) continue;
      attrs += attrs.empty() ? "" : " ";
      attrs += flag != nullptr ? item.first : Attrs{item}.str();
    }
    if (options_.show_attrs && !attrs.empty()) label += "<BR/>" + small_text(escaped(attrs, 60));
    return label;
  }

  std::string type_text(const TensorType& type) const {
    const bool usual = !options_.show_bytes && type.dtype == graph_.options().dtype;
    return (usual ? "" : std::string(name_of(type.dtype)) + " ") + extents(type.shape);
  }

  const Graph& graph_;
  const DotOptions& options_;
  std::vector<bool> drawn_;
  std::vector<bool> inlined_;
  std::vector<bool> sink_;
  std::vector<std::uint32_t> order_;  // by node: its derivative order
  std::vector<Use> outside_;          // by node: whether another box reads it
  dot::Boxes boxes_;
  std::vector<std::uint32_t> place_;  // by box: its index among those drawn
  std::uint32_t drawn_boxes_ = 0;
  std::vector<Edge> edges_;
  std::unordered_set<std::uint64_t> named_;  // pairs of boxes whose edge a name may replace
  std::unordered_map<std::uint32_t, std::vector<NodeId>> named_in_, updated_in_;  // by box: leaves that it names
  dot::Detail detail_;
  std::vector<NodeNote> notes_;     // by box
  std::optional<ColorMap> colors_;  // if there are annotations
  std::string out_;
  std::size_t clusters_ = 0;
};

}  // namespace

std::string to_dot(const Graph& graph, const DotOptions& options) {
  constexpr std::array<std::string_view, 4> directions{"TB", "LR", "BT", "RL"};
  if (std::find(directions.begin(), directions.end(), options.rankdir) == directions.end()) {
    throw GraphError(fmt::format("to_dot: rankdir must be TB, LR, BT or RL, got {:?}", options.rankdir));
  }
  for (const auto& [value, name] :
       {std::pair{options.depth.value_or(0), "depth"}, std::pair{options.max_nodes.value_or(0), "max_nodes"}}) {
    if (value < 0) throw GraphError(fmt::format("to_dot: {} must not be negative, got {}", name, value));
  }
  dot::check_limits("to_dot", options.effort, options.time_limit);
  const bool asked = options.depth || options.max_nodes;
  int boxes = options.max_nodes.value_or(dot::usual_boxes);
  for (std::optional<int> depth = options.depth;; depth.reset()) {
    Drawing drawing(graph, options, depth, boxes);
    for (const dot::Detail& detail : dot::details) {
      if (drawing.fits(detail)) return drawing.text(detail);
    }
    // At the default effort, draw the requested number of boxes even if that takes long.
    if ((asked && options.effort >= 1) || boxes <= dot::fewest_boxes) return drawing.text(dot::details.back());
    boxes = depth ? std::min(boxes, dot::usual_boxes) : std::min(boxes / 2, dot::usual_boxes);
  }
}

}  // namespace xgrad::inline v0
