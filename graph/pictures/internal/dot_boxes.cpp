#include <xgrad/graph/pictures/internal/dot_boxes.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include <fmt/format.h>

#include <xgrad/graph/base/internal/number_text.hpp>
#include <xgrad/graph/leaves.hpp>

namespace xgrad::inline v0::dot {
namespace {

constexpr int max_level = 24;          // deeper scopes share a box
constexpr std::size_t max_period = 8;  // layers in one repeated block
constexpr std::size_t few_boxes = 8;   // a diagram of so few boxes says little about a large graph
constexpr std::uint32_t many_uses = 4;

// A node of the scope tree; 0 is the root.
struct Scope {
  std::string label;
  std::uint32_t parent = 0;
  int level = 0;
  std::vector<NodeId> nodes;          // directly in it
  std::vector<std::uint32_t> inner;   // in tape order
  std::vector<std::uint32_t> stands;  // the inner scopes that are drawn; a repetition is drawn as its first block
};

// `times` repeated blocks of `period` neighboring scopes.
struct Repetition {
  std::size_t first = 0, period = 1;
  int times = 1;
};

std::uint64_t mixed(std::uint64_t hash, std::uint64_t more) {
  hash ^= more + 0x9e3779b97f4a7c15ULL + (hash << 6) + (hash >> 2);
  return hash * 0xff51afd7ed558ccdULL;
}

class Boxer {
 public:
  Boxer(const Graph& graph, const std::vector<bool>& drawn, const std::vector<std::uint32_t>& order,
        const BoxOptions& options)
      : graph_(graph), drawn_(drawn), order_(order), options_(options) {
    const NodeId n = graph.size();
    result_.of.assign(n, no_box);
    result_.blocks.emplace_back();
    result_.block.assign(n, 0);
    result_.original.resize(n);
    for (NodeId id = 0; id < n; ++id) result_.original[id] = id;
    read_scopes();
  }

  Boxes make() {
    if (options_.fold_repeats) {
      for (NodeId id = 0; id < graph_.size(); ++id)
        type_hash_.push_back(std::hash<std::string>()(graph_.node(id).type.str()));
      for (std::uint32_t s = 0; s < scopes_.size(); ++s) sign(s);
      fold_repeats(0);
    }
    const std::size_t all = count_at(max_level);
    int depth = options_.depth.value_or(max_level);
    if (!options_.depth && all > options_.max_nodes) depth = automatic_depth();
    place(0, result_.root, depth);
    if (chunk_ > 1) chunk(result_.root);
    number();
    if (!options_.depth && all > options_.max_nodes) result_.folding = in_words(depth);
    return std::move(result_);
  }

 private:
  // ---- the tree

  void read_scopes() {
    scopes_.emplace_back();
    scope_of_.assign(graph_.size(), 0);
    std::unordered_map<std::uint32_t, std::uint32_t> known;  // by scope of the graph: its index here
    std::map<std::pair<std::uint32_t, std::string>, std::uint32_t> inner;
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (!drawn_[id]) continue;
      const auto [found, fresh] = known.try_emplace(graph_.node(id).scope, 0);
      if (fresh) found->second = scope_at(graph_.scope_of(id), inner);
      scope_of_[id] = found->second;
      scopes_[found->second].nodes.push_back(id);
    }
    for (Scope& s : scopes_) s.stands = s.inner;
    std::vector<std::uint32_t> uses(graph_.size(), 0);
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (!drawn_[id]) continue;
      for (const NodeId input : graph_.inputs(id)) ++uses[input];
    }
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (drawn_[id] && graph_.node(id).op->traits.leaf != Leaf::none && uses[id] >= many_uses) shared_.push_back(id);
    }
    if (shared_.size() > options_.max_nodes / 4) shared_.clear();
  }

  std::uint32_t scope_at(std::string_view path, std::map<std::pair<std::uint32_t, std::string>, std::uint32_t>& inner) {
    std::uint32_t at = 0;
    for (int level = 1; !path.empty(); ++level) {
      const std::size_t end = level == max_level ? path.size() : std::min(path.find('/'), path.size());
      const std::string label(path.substr(0, end));
      path.remove_prefix(std::min(end + 1, path.size()));
      const auto [found, fresh] = inner.try_emplace({at, label}, static_cast<std::uint32_t>(scopes_.size()));
      if (fresh) {
        scopes_[at].inner.push_back(found->second);
        scopes_.push_back({label, at, level, {}, {}, {}});
      }
      at = found->second;
    }
    return at;
  }

  // All drawn nodes of a scope and its nested scopes, in tape order.
  std::vector<NodeId> nodes_below(std::uint32_t scope) const {
    std::vector<NodeId> out;
    std::vector<std::uint32_t> stack{scope};
    while (!stack.empty()) {
      const Scope& s = scopes_[stack.back()];
      stack.pop_back();
      out.insert(out.end(), s.nodes.begin(), s.nodes.end());
      stack.insert(stack.end(), s.inner.begin(), s.inner.end());
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  // ---- repetitions

  // Hash of a node's visible properties and its operands; operands outside its scope count by their type.
  std::uint64_t signature(NodeId id, const std::unordered_map<NodeId, std::uint32_t>& local,
                          std::uint64_t relative_scope) const {
    const Node& node = graph_.node(id);
    const std::hash<std::string_view> text;
    std::uint64_t h = mixed(relative_scope, text(node.op->name));
    h = mixed(h, type_hash_[id]);
    h = mixed(h, static_cast<std::uint64_t>(node.role) * 64 + order_[id]);
    h = mixed(h, text(name_in_scope(graph_, id)));
    if (node.op->traits.leaf == Leaf::none) {
      for (const auto& item : graph_.attrs(id).items()) {
        // Ignore the stream: equal random nodes have different streams.
        if (node.op->traits.random && item.first == "stream") continue;
        h = mixed(h, Attrs{item}.hash());
      }
    } else if (node.op->traits.leaf == Leaf::constant) {
      h = mixed(h, graph_.attrs(id).hash());
    }
    for (const NodeId input : graph_.inputs(id)) {
      const auto found = local.find(input);
      if (found != local.end()) {
        h = mixed(h, found->second + 1);
      } else if (graph_.node(input).op->traits.leaf == Leaf::constant) {
        h = mixed(h, graph_.attrs(input).hash());
      } else {
        h = mixed(mixed(h, type_hash_[input]), order_[input]);
      }
    }
    return h;
  }

  void sign(std::uint32_t scope) {
    signs_.resize(scopes_.size());
    if (scope == 0) return;
    const std::vector<NodeId> nodes = nodes_below(scope);
    std::unordered_map<NodeId, std::uint32_t> local;
    for (std::uint32_t i = 0; i < nodes.size(); ++i) local[nodes[i]] = i;
    for (const NodeId id : nodes) {
      std::uint64_t path = 0;
      for (std::uint32_t s = scope_of_[id]; s != scope; s = scopes_[s].parent)
        path = mixed(path, std::hash<std::string_view>()(scopes_[s].label));
      signs_[scope].push_back(signature(id, local, path));
    }
  }

  void fold_repeats(std::uint32_t scope) {
    const std::vector<std::uint32_t> inner = scopes_[scope].inner;
    if (inner.size() > 1) {
      const auto feeds = flows_between(inner);
      std::vector<std::uint32_t> stands;
      for (std::size_t i = 0; i < inner.size();) {
        const Repetition r = repetition_at(inner, feeds, i);
        for (std::size_t k = 0; k < r.period; ++k) stands.push_back(inner[i + k]);
        if (r.times > 1) hide_copies(inner, r);
        i += r.period * static_cast<std::size_t>(r.times);
      }
      scopes_[scope].stands = std::move(stands);
    }
    for (const std::uint32_t s : std::vector<std::uint32_t>(scopes_[scope].stands)) fold_repeats(s);
  }

  // Pairs of neighboring scopes, as positions in `inner`, where the second reads a forward value of the first.
  std::set<std::pair<std::size_t, std::size_t>> flows_between(const std::vector<std::uint32_t>& inner) const {
    std::unordered_map<NodeId, std::size_t> place;
    std::vector<std::vector<NodeId>> nodes;
    for (std::size_t i = 0; i < inner.size(); ++i) {
      nodes.push_back(nodes_below(inner[i]));
      for (const NodeId id : nodes.back()) place[id] = i;
    }
    std::set<std::pair<std::size_t, std::size_t>> out;
    for (std::size_t i = 0; i < inner.size(); ++i) {
      for (const NodeId id : nodes[i]) {
        if (graph_.node(id).role != Role::forward) continue;
        for (const NodeId input : graph_.inputs(id)) {
          const auto found = place.find(input);
          if (found != place.end() && found->second < i && i - found->second < 2 * max_period)
            out.emplace(found->second, i);
        }
      }
    }
    return out;
  }

  Repetition repetition_at(const std::vector<std::uint32_t>& inner,
                           const std::set<std::pair<std::size_t, std::size_t>>& feeds, std::size_t first) const {
    const auto alike = [&](std::size_t a, std::size_t b) {
      return !signs_[inner[a]].empty() && signs_[inner[a]] == signs_[inner[b]];
    };
    const auto chained = [&](std::size_t block, std::size_t period) {
      for (std::size_t a = block - period; a < block; ++a) {
        const auto from = feeds.lower_bound({a, block});
        if (from != feeds.end() && from->first == a && from->second < block + period) return true;
      }
      return false;
    };
    Repetition best{first, 1, 1};
    std::size_t covered = 1;
    for (std::size_t period = 1; period <= max_period; ++period) {
      std::size_t block = first + period;
      for (; block + period <= inner.size(); block += period) {
        bool same = true;
        for (std::size_t k = 0; k < period && same; ++k) same = alike(block + k - period, block + k);
        if (!same || !chained(block, period)) break;
      }
      const std::size_t times = (block - first) / period;
      if (times > 1 && times * period > covered) {
        best = {first, period, static_cast<int>(times)};
        covered = times * period;
      }
    }
    return best;
  }

  void hide_copies(const std::vector<std::uint32_t>& inner, const Repetition& r) {
    ++repetitions_;
    const auto first_block = static_cast<std::uint32_t>(result_.blocks.size());
    for (std::size_t k = 0; k < r.period; ++k) {
      const std::vector<NodeId> originals = nodes_below(inner[r.first + k]);
      for (std::uint32_t t = 0; t < static_cast<std::uint32_t>(r.times); ++t) {
        const std::vector<NodeId> nodes = nodes_below(inner[r.first + k + t * r.period]);
        if (k == 0) result_.blocks.push_back({repetitions_, t, result_.block[nodes[0]]});
        for (std::size_t i = 0; i < nodes.size(); ++i) {
          result_.block[nodes[i]] = first_block + t;
          if (t > 0) result_.original[nodes[i]] = originals[i];
        }
      }
    }
    const std::uint32_t last = inner[r.first + r.period * static_cast<std::size_t>(r.times) - 1];
    const std::uint32_t head = inner[r.first];
    repeated_[head] = {r, scopes_[last].label};
  }

  // ---- depth

  // The scope whose cluster or folded box contains `id` at this depth.
  std::uint32_t scope_at_depth(NodeId id, int depth) const {
    std::uint32_t s = scope_of_[id];
    while (scopes_[s].level > depth + 1) s = scopes_[s].parent;
    return s;
  }

  std::size_t count_at(int depth) const {
    std::set<std::tuple<std::uint32_t, int, std::uint32_t>> folded;
    std::size_t single = 0;
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (!drawn_[id] || result_.original[id] != id) continue;
      const std::uint32_t s = scope_at_depth(id, depth);
      if (scopes_[s].level > depth)
        folded.emplace(s, static_cast<int>(graph_.node(id).role), order_[id]);
      else
        ++single;
    }
    return single + folded.size();
  }

  // The largest depth that fits. If that has few boxes and the next far too many, neighbors share boxes.
  int automatic_depth() {
    int depth = -1;
    int levels = 0;
    for (const Scope& s : scopes_) levels = std::max(levels, s.level);
    while (depth < levels && count_at(depth + 1) <= options_.max_nodes) ++depth;
    if (depth >= 0 && count_at(depth) >= std::min(few_boxes, options_.max_nodes)) return depth;
    ++depth;
    const std::size_t room = std::max<std::size_t>(options_.max_nodes - shared_.size(), 1);
    chunk_ = (count_at(depth) + room - 1) / room + 1;
    return depth;
  }

  // ---- boxes

  void place(std::uint32_t scope, Cluster& cluster, int depth) {
    for (const NodeId id : scopes_[scope].nodes) {
      cluster.boxes.push_back(static_cast<std::uint32_t>(result_.boxes.size()));
      result_.boxes.push_back({{id}, false, false, {}, graph_.node(id).role, order_[id]});
    }
    const auto& stands = scopes_[scope].stands;
    for (std::size_t i = 0; i < stands.size(); ++i) {
      const auto repeated = repeated_.find(stands[i]);
      if (repeated == repeated_.end()) {
        place_scope(stands[i], scopes_[stands[i]].label, 1, cluster, depth);
        continue;
      }
      const auto& [r, last] = repeated->second;
      const std::string label = scopes_[stands[i]].label + " \xe2\x80\xa6 " + last;
      if (r.period == 1) {
        place_scope(stands[i], label, r.times, cluster, depth);
        continue;
      }
      Cluster together{label, r.times, {}, {}};
      for (std::size_t k = 0; k < r.period; ++k)
        place_scope(stands[i + k], scopes_[stands[i + k]].label, 1, together, depth);
      i += r.period - 1;
      cluster.inner.push_back(std::move(together));
    }
  }

  void place_scope(std::uint32_t scope, const std::string& label, int times, Cluster& around, int depth) {
    if (scopes_[scope].level <= depth) {
      around.inner.push_back({label, times, {}, {}});
      place(scope, around.inner.back(), depth);
      return;
    }
    std::map<std::pair<Role, std::uint32_t>, std::vector<NodeId>> parts;
    for (const NodeId id : nodes_below(scope)) {
      if (result_.original[id] == id) parts[{graph_.node(id).role, order_[id]}].push_back(id);
    }
    const std::string text = times > 1 ? fmt::format("{} \xc3\x97{}", label, times) : label;
    for (auto& [kind, nodes] : parts) {
      around.boxes.push_back(static_cast<std::uint32_t>(result_.boxes.size()));
      result_.boxes.push_back({std::move(nodes), true, false, text, kind.first, kind.second});
    }
  }

  // Merges neighbors of the same kind in one cluster into shared boxes.
  void chunk(Cluster& cluster) {
    std::map<std::pair<Role, std::uint32_t>, std::vector<std::uint32_t>> kinds;
    std::sort(cluster.boxes.begin(), cluster.boxes.end(),
              [&](std::uint32_t a, std::uint32_t b) { return result_.boxes[a].first() < result_.boxes[b].first(); });
    std::vector<std::uint32_t> kept;
    for (const std::uint32_t b : cluster.boxes) {
      const dot::Box& box = result_.boxes[b];
      const bool shared = !box.folded && std::binary_search(shared_.begin(), shared_.end(), box.first());
      (shared ? kept : kinds[{box.role, box.order}]).push_back(b);
    }
    cluster.boxes = std::move(kept);
    for (const auto& [kind, members] : kinds) {
      for (std::size_t first = 0; first < members.size(); first += chunk_) {
        const std::size_t end = std::min(members.size(), first + chunk_);
        Box& box = result_.boxes[members[first]];
        cluster.boxes.push_back(members[first]);
        if (end - first == 1) continue;
        const std::string from = text_of(box), to = text_of(result_.boxes[members[end - 1]]);
        for (std::size_t i = first + 1; i < end; ++i) {
          auto& nodes = result_.boxes[members[i]].nodes;
          box.nodes.insert(box.nodes.end(), nodes.begin(), nodes.end());
          nodes.clear();
        }
        std::sort(box.nodes.begin(), box.nodes.end());
        box.folded = true;
        box.neighbors = true;
        box.label = fmt::format("{} \xe2\x80\xa6 {}", from, to);
      }
    }
    for (Cluster& inner : cluster.inner) chunk(inner);
  }

  std::string text_of(const Box& box) const {
    if (box.folded) return box.label;
    const std::string_view name = name_in_scope(graph_, box.first());
    return name.empty() ? fmt::format("%{}", box.first()) : std::string(name);
  }

  // Removes merged boxes and records the box of every node.
  void number() {
    for (std::uint32_t b = 0; b < result_.boxes.size(); ++b) {
      for (const NodeId id : result_.boxes[b].nodes) result_.of[id] = b;
    }
    for (NodeId id = 0; id < graph_.size(); ++id) {
      NodeId& original = result_.original[id];  // resolved to the first for a copy of a copy
      while (result_.original[original] != original) original = result_.original[original];
      if (drawn_[id]) result_.of[id] = result_.of[original];
    }
  }

  std::string in_words(int depth) const {
    std::size_t nodes = 0, boxes = 0;
    for (NodeId id = 0; id < graph_.size(); ++id) nodes += static_cast<std::size_t>(drawn_[id]);
    for (const Box& box : result_.boxes) boxes += static_cast<std::size_t>(!box.nodes.empty());
    std::string out = fmt::format("{} nodes drawn as {} boxes", thousands(nodes), thousands(boxes));
    const bool scoped = scopes_.size() > 1;
    if (scoped) out += depth == 0 ? ": a layer is one box" : fmt::format(": scopes are one box below level {}", depth);
    if (chunk_ > 1) out += fmt::format("{} up to {} neighbors share a box", scoped ? ", and" : ":", chunk_);
    return out;
  }

  const Graph& graph_;
  const std::vector<bool>& drawn_;
  const std::vector<std::uint32_t>& order_;
  const BoxOptions& options_;
  std::vector<Scope> scopes_;
  std::vector<std::uint32_t> scope_of_;                                   // by node
  std::vector<std::vector<std::uint64_t>> signs_;                         // by scope: signatures of the nodes below it
  std::map<std::uint32_t, std::pair<Repetition, std::string>> repeated_;  // by first scope; with the last label
  std::vector<std::uint64_t> type_hash_;                                  // by node
  std::vector<NodeId> shared_;  // leaves with many readers, which keep separate boxes
  std::uint32_t repetitions_ = 0;
  std::size_t chunk_ = 1;
  Boxes result_;
};

}  // namespace

bool Boxes::plain() const {
  return blocks.size() == 1 && std::none_of(boxes.begin(), boxes.end(), [](const Box& box) { return box.folded; });
}

bool Boxes::implied(NodeId from, NodeId to) const {
  const bool copies = original[from] != from && original[to] != to;
  for (std::uint32_t i = block[from]; i != 0; i = blocks[i].around) {
    for (std::uint32_t j = block[to]; j != 0; j = blocks[j].around) {
      if (blocks[i].repetition == blocks[j].repetition) return copies || blocks[i].time != blocks[j].time;
    }
  }
  return false;
}

Boxes make_boxes(const Graph& graph, const std::vector<bool>& drawn, const std::vector<std::uint32_t>& order,
                 const BoxOptions& options) {
  return Boxer(graph, drawn, order, options).make();
}

std::string_view name_in_scope(const Graph& graph, NodeId id) {
  const std::string_view name = graph.name(id);
  const std::string& scope = graph.scope_of(id);
  const bool inside =
      !scope.empty() && name.size() > scope.size() + 1 && name.starts_with(scope) && name[scope.size()] == '/';
  return inside ? name.substr(scope.size() + 1) : name;
}

}  // namespace xgrad::inline v0::dot
