// The estimate of Graphviz' work for a diagram.
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/pictures/internal/dot_work.hpp>

using namespace xgrad;

namespace {

dot::Sketch chain_sketch(std::uint32_t nodes) {
  dot::Sketch out;
  out.nodes = nodes;
  for (std::uint32_t i = 1; i < nodes; ++i) out.edges.push_back({i - 1, i});
  return out;
}

}  // namespace

TEST_CASE("dot work: counts a virtual node per crossed rank, and twice the ranks with labels") {
  CHECK(dot::layout_size(chain_sketch(10)) == 10);
  dot::Sketch sketch = chain_sketch(10);
  sketch.edges.push_back({0, 9});
  CHECK(dot::layout_size(sketch) == 10 + 8);
  sketch.edges[3].labeled = true;
  CHECK(dot::layout_size(sketch) == 10 + 9 * 1 + 17);
  sketch.edges[3].labeled = false;
  sketch.nodes = 12;  // two sources: one next to its only consumer, one far from its second
  sketch.edges.push_back({10, 9});
  sketch.edges.push_back({11, 3});
  sketch.edges.push_back({11, 9});
  CHECK(dot::layout_size(sketch) == 12 + 8 + 0 + 6);
  const std::vector<int> rank = dot::ranks(sketch);
  CHECK(rank[9] - rank[10] == 1);
  CHECK(rank[3] - rank[11] == 1);
}

TEST_CASE("dot work: breaks cycles") {
  dot::Sketch sketch = chain_sketch(6);
  sketch.edges.push_back({5, 0});
  sketch.edges.push_back({2, 2});
  CHECK(dot::layout_size(sketch) == 6 + 4);
}
