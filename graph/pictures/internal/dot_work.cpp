#include <xgrad/graph/pictures/internal/dot_work.hpp>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>

namespace xgrad::inline v0::dot {

std::vector<int> ranks(const Sketch& sketch) {
  const std::uint32_t n = sketch.nodes;
  std::vector<std::vector<std::size_t>> out(n);
  std::vector<std::size_t> waiting(n, 0);
  std::vector<int> pull(n, 0);  // edges that pull down minus edges that pull up
  for (std::size_t e = 0; e < sketch.edges.size(); ++e) {
    const Sketch::Edge& edge = sketch.edges[e];
    if (edge.from == edge.to || !edge.ranked) continue;
    out[edge.from].push_back(e);
    ++waiting[edge.to];
    pull[edge.from] += edge.weight;
    pull[edge.to] -= edge.weight;
  }
  std::vector<int> rank(n, 0);
  std::vector<std::uint32_t> place(n, n);  // position in `order`
  std::vector<std::uint32_t> order, ready;
  std::uint32_t cut = 0;  // the next node at which a cycle may be broken, in ascending order
  for (std::uint32_t b = 0; b < n; ++b) {
    if (waiting[b] == 0) ready.push_back(b);
  }
  while (order.size() < n) {
    if (ready.empty()) {
      while (place[cut] < n) ++cut;
      ready.push_back(cut);
    }
    const std::uint32_t b = ready.back();
    ready.pop_back();
    place[b] = static_cast<std::uint32_t>(order.size());
    order.push_back(b);
    for (const std::size_t e : out[b]) {
      const Sketch::Edge& edge = sketch.edges[e];
      if (place[edge.to] < n) continue;
      rank[edge.to] = std::max(rank[edge.to], rank[b] + edge.min_length);
      if (--waiting[edge.to] == 0) ready.push_back(edge.to);
    }
  }
  // All nodes are as far up as possible now. Move a node down if that shortens more of its edges than it lengthens.
  for (auto b = order.rbegin(); b != order.rend(); ++b) {
    if (pull[*b] <= 0) continue;
    int lowest = std::numeric_limits<int>::max();
    for (const std::size_t e : out[*b]) {
      const Sketch::Edge& edge = sketch.edges[e];
      if (place[edge.to] > place[*b]) lowest = std::min(lowest, rank[edge.to] - edge.min_length);
    }
    if (lowest != std::numeric_limits<int>::max()) rank[*b] = lowest;
  }
  return rank;
}

std::size_t layout_size(const Sketch& sketch) {
  const std::vector<int> rank = ranks(sketch);
  const bool labeled = std::any_of(sketch.edges.begin(), sketch.edges.end(), [](auto& edge) { return edge.labeled; });
  std::size_t size = sketch.nodes;
  for (const Sketch::Edge& edge : sketch.edges) {
    const auto crossed = static_cast<std::size_t>(std::abs(rank[edge.to] - rank[edge.from])) * (labeled ? 2 : 1);
    size += crossed > 0 ? crossed - 1 : 0;
  }
  return size;
}

bool fits(const Sketch& sketch, const Detail& detail, double effort, bool may_fold) {
  constexpr double careful_size = 3000, quick_size = 6000, readable = 24;
  const auto size = static_cast<double>(layout_size(sketch));
  if (may_fold && !detail.labels && size > readable * std::max(sketch.nodes, 1U)) return false;
  return size <= effort * (detail.careful ? careful_size : quick_size);
}

std::string most(const std::map<std::string, std::size_t>& count) {
  constexpr std::size_t shown = 3;
  std::vector<std::pair<std::size_t, std::string_view>> order;
  for (const auto& [name, n] : count) order.emplace_back(n, name);
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string out;
  for (std::size_t i = 0; i < std::min(order.size(), shown); ++i) {
    out += (i == 0 ? "" : ", ") + std::string(order[i].second);
    if (order[i].first > 1) out += fmt::format(" \xc3\x97{}", order[i].first);
  }
  return order.size() > shown ? out + ", \xe2\x80\xa6" : out;
}

void check_limits(const char* where, double effort, double time_limit) {
  if (!(effort > 0)) throw GraphError(fmt::format("{}: effort must be positive, got {}", where, effort));
  if (!(time_limit > 0)) {
    throw GraphError(fmt::format("{}: time_limit must be positive, got {} seconds", where, time_limit));
  }
}

}  // namespace xgrad::inline v0::dot
