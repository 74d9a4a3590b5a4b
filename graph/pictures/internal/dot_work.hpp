// Estimates the work of dot, so that slow diagrams are drawn with less detail.
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

// A diagram reduced to its layout. Edges point in the direction in which dot ranks them, which is against the arrow for
// dir=back.
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

// Estimates the rank that dot assigns to each node. Cycles are broken.
std::vector<int> ranks(const Sketch& sketch);

// Number of layout nodes, including virtual ones.
std::size_t layout_size(const Sketch& sketch);

// Level of detail for the same boxes.
struct Detail {
  bool leaf_edges = true;  // false: inputs and parameters with uses far apart are named in the boxes that use them
  bool labels = true;      // on edges
  bool careful = true;     // false: dot ends its search for fewer crossings and shorter edges early
};
constexpr std::array<Detail, 4> details{{{}, {.leaf_edges = false}, {false, false}, {false, false, false}}};

// Whether dot lays the sketch out in about two seconds times `effort`. If the diagram may be folded, it must also be
// readable: few long edges per box.
bool fits(const Sketch& sketch, const Detail& detail, double effort, bool may_fold = false);

constexpr const char* quick_layout = ", nslimit=2, nslimit1=2, mclimit=0.3";

constexpr int usual_boxes = 300;  // default maximum
constexpr int fewest_boxes = 8;   // minimum of folding

// The most frequent names, such as "add x3, mul".
std::string most(const std::map<std::string, std::size_t>& count);

// Throws GraphError, beginning with `where`, unless both are positive.
void check_limits(const char* where, double effort, double time_limit);

}  // namespace xgrad::inline v0::dot
