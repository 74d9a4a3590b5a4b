// How much work a diagram is for dot, so that what takes minutes is drawn with less detail.
//
// Note [The work of dot]. dot puts boxes in ranks and adds a virtual node wherever an edge crosses a rank; a label on
// any edge doubles the ranks. Its time grows with the square of the nodes of both kinds: about 1.5e-7 s for each
// (Graphviz 2.43 on a processor of 3 GHz), a tenth of it with `quick_layout`. Unrolled nets with shared weights have
// few boxes and many virtual nodes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace xgrad::inline v0::dot {

// A diagram without its looks. Edges go from rank to rank as dot sees them, which for those drawn with dir=back is
// against their arrow.
struct Sketch {
  struct Edge {
    std::uint32_t from = 0, to = 0;
    int min_length = 1;  // in ranks
    bool labeled = false;
    bool ranked = true;  // false with constraint=false
    int weight = 1;
  };
  std::uint32_t nodes = 0;
  std::vector<Edge> edges;
};

// An estimate of the rank that dot gives to each node. Cycles are cut.
std::vector<int> ranks(const Sketch& sketch);

// The nodes of the layout, virtual ones included.
std::size_t layout_size(const Sketch& sketch);

// What is drawn of the same boxes.
struct Detail {
  bool leaf_edges = true;  // false: inputs and parameters with uses far apart are named in the boxes that use them
  bool labels = true;      // on edges
  bool careful = true;     // false: dot ends its search for fewer crossings and shorter edges early
};
constexpr std::array<Detail, 4> details{{{}, {.leaf_edges = false}, {false, false}, {false, false, false}}};

// Whether dot lays it out in one or two seconds, or `effort` times the work that it does in them. A diagram that may
// have fewer boxes must also be readable: few long edges for each box.
bool fits(const Sketch& sketch, const Detail& detail, double effort, bool may_fold = false);

constexpr const char* quick_layout = ", nslimit=2, nslimit1=2, mclimit=0.3";

constexpr int usual_boxes = 300;  // at most, where options do not say
constexpr int fewest_boxes = 8;   // no diagram is folded into fewer

// The names that are counted most, such as "add x3, mul".
std::string most(const std::map<std::string, std::size_t>& count);

// Throws GraphError, beginning with `where`, unless both are positive.
void check_limits(const char* where, double effort, double time_limit);

}  // namespace xgrad::inline v0::dot
