// What distinguishes two graphs, as text and as a picture.
//
//   std::cout << diff(before, after).str();
//   save_diff(before, after, "change.svg");
//
// Nodes are matched first where all that they are computed from is the same, then by what is known of their operands,
// by name, and by operation and scope, in the order of the tapes. A node whose operands were matched and which is
// otherwise the same counts as the same, whatever changed before it. Takes time proportional to the size of the graphs.
// Streams of random nodes are not compared; parameters are compared by name and type.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

struct GraphDiff {
  struct Pair {
    NodeId before = 0, after = 0;
    std::vector<std::string> changes{};  // such as `shape: f32[3] -> f32[4]`; empty if they are the same
  };
  std::vector<Pair> pairs;           // in the order of the second graph
  std::vector<NodeId> removed;       // of the first graph
  std::vector<NodeId> added;         // of the second
  std::vector<std::string> updates;  // what is updated otherwise

  bool empty() const;
  // A line of counts, then a line for each node that is not the same: `-` removed, `+` added, `~` changed with what
  // changed below it.
  std::string str() const { return text; }

  std::string text;
};

GraphDiff diff(const Graph& before, const Graph& after);

struct DiffDotOptions {
  std::string title = {};
  // Of larger diagrams, nodes that are the same and have no neighbor that is not are left out, then more of both graphs
  // from their ends on; the diagram says how many.
  int max_nodes = 300;
  double effort = 1;       // as in DotOptions
  double time_limit = 10;  // seconds for save_diff
};

// Both graphs in one picture: green what was added, red what was removed, yellow what changed, and gray what is the
// same. Throws and writes files as to_dot and save_graph.
std::string diff_to_dot(const Graph& before, const Graph& after, const DiffDotOptions& options = {});
void save_diff(const Graph& before, const Graph& after, const std::filesystem::path& path,
               const DiffDotOptions& options = {});

}  // namespace xgrad::inline v0
