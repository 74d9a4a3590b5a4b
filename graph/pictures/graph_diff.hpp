// Compares two graphs, as text and as a diagram.
//
//   std::cout << diff(before, after).str();
//   save_diff(before, after, "change.svg");
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// The difference of two graphs, as pairs of matched nodes and lists of unmatched ones.
struct GraphDiff {
  struct Pair {
    NodeId before = 0, after = 0;
    std::vector<std::string> changes{};  // such as `shape: f32[3] -> f32[4]`; empty if unchanged
  };
  std::vector<Pair> pairs;           // in the order of the second graph
  std::vector<NodeId> removed;       // of the first graph
  std::vector<NodeId> added;         // of the second
  std::vector<std::string> updates;  // changed updates, one line each

  bool empty() const;
  // A line of counts, then a line per changed node: `-` removed, `+` added, `~` changed, with its changes below.
  std::string str() const { return text; }

  std::string text;
};

// Compares two graphs. Nodes are matched first by equal ancestry, then by matched operands, by name, and by operation
// and scope, in tape order. A node counts as unchanged if its operands are matched and its own properties are equal,
// whatever changed before it. Random streams are not compared; parameters are compared by name and type. Takes time
// proportional to the size of the graphs.
GraphDiff diff(const Graph& before, const Graph& after);

// The size of a diagram that compares two graphs.
struct DiffDotOptions {
  std::string title = {};
  // In larger diagrams, unchanged nodes without a changed neighbor are left out first, then nodes at the ends of both
  // graphs; the diagram shows how many.
  int max_nodes = 300;
  double effort = 1;       // as in DotOptions
  double time_limit = 10;  // seconds for save_diff
};

// Draws both graphs in one diagram: added nodes green, removed red, changed yellow, unchanged gray. Throws as to_dot
// and save_graph do.
std::string diff_to_dot(const Graph& before, const Graph& after, const DiffDotOptions& options = {});
// Writes the diagram to a file, as save_graph does.
void save_diff(const Graph& before, const Graph& after, const std::filesystem::path& path,
               const DiffDotOptions& options = {});

}  // namespace xgrad::inline v0
