// Draws a graph as a diagram with Graphviz.
//
//   save_graph(g, "net.svg");                                   // also .png, .pdf, .dot and .gv
//   save_graph(g, "loss.png", {.outputs = {loss}, .title = "loss"});
//   save_graph(g, "layers.svg", {.depth = 0});                  // a box for each layer
//   std::cout << to_dot(g);
//
// Inputs are green ellipses, parameters yellow cylinders, constants gray notes; scalar constants are shown inside the
// operation that uses them. Forward nodes are blue and flow in one direction; backward nodes are orange and flow in the
// other, each placed beside the node it differentiates; updates are violet. Scopes are nested boxes. The text is ASCII
// and identical for equal graphs.
//
// Large graphs are folded. A scope deeper than `depth` becomes one box for its forward nodes, one for its backward
// nodes and one for its updates; each shows its number of operations, its outputs and its parameter count. A chain of
// neighbors of the same structure is drawn once, with "x3" beside the name.
//
// A diagram that would take Graphviz more than about two seconds gets less detail, by an estimate of its work: inputs
// and parameters with distant uses are named inside the operations, edges lose their shapes, and a graph of more than
// `max_nodes` nodes is folded. The diagram says so below its title. Equal graphs give the same text on every machine,
// in time proportional to the size of the graph.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/pictures/annotations.hpp>
#include <xgrad/graph/plan/plan.hpp>

namespace xgrad::inline v0 {

// The content and level of detail of a graph's diagram.
struct DotOptions {
  std::vector<Value> outputs = {};  // draw only what these need; empty: the whole graph
  std::string title = {};
  std::string rankdir = "TB";  // direction of forward nodes: TB, LR, BT or RL
  bool show_constants = true;  // constant tensors; scalar constants are always shown in labels
  bool show_shapes = true;     // on edges, unless Graphviz would take too long
  bool show_bytes = false;     // on edges, with the dtype
  bool show_attrs = true;
  // Number of scope levels drawn as boxes with their nodes inside; 0: one box per outermost scope. If empty: all
  // levels, or as many as `max_nodes` allows.
  std::optional<int> depth = std::nullopt;
  bool fold_repeats = true;  // ignored with annotations, which differ between repeats
  // Folds to about this many boxes unless `depth` is set. If empty: as many as Graphviz lays out in about two seconds,
  // at most 300.
  std::optional<int> max_nodes = std::nullopt;
  Annotations annotations = {};  // lines below node labels; colors with a legend
  double effort = 1;             // Graphviz work relative to the default; below 1 folds beyond the options
  double time_limit = 10;        // seconds for save_graph; infinity for none
};

// Returns the diagram in the DOT language. Throws GraphError if an output is not a live value of this graph, rankdir
// is not one of the four, `depth` or `max_nodes` is negative, `effort` or `time_limit` is not positive, or the color
// limits are invalid.
std::string to_dot(const Graph& graph, const DotOptions& options = {});

// Writes the diagram to a file atomically; the extension selects the format. If Graphviz takes more than half of
// `time_limit`, it is killed and the diagram is drawn with less detail, which it says, regardless of `depth` and
// `max_nodes`. Throws GraphError for an unknown extension, and EnvironmentError if the file cannot be written, or if
// Graphviz is missing, fails or times out on the coarsest diagram: then the DOT text is written next to the file, with
// the extension .dot.
void save_graph(const Graph& graph, const std::filesystem::path& path, const DotOptions& options = {});

// Options of plan diagrams. Plans of more than 300 steps are drawn with several consecutive steps per box; detail is
// reduced as for graphs.
struct PlanDotOptions {
  std::string title = {};
  // Adds a memory map of the workspace: a row per buffer with its offset, size and live range. Boxes and edges have the
  // color of the buffer they write; an in-place step names what it overwrites.
  bool show_buffers = false;
  Annotations annotations = {};  // called with the indices of plan steps instead of node ids
  double effort = 1;             // as in DotOptions
  double time_limit = 10;        // seconds for save_plan
};

// Draws a plan: a box per step in schedule order, with the operations of its fusion group; edges are values that go
// through memory. Throws GraphError as for graphs.
std::string to_dot(const Plan& plan, const PlanDotOptions& options = {});
// Writes the diagram of a plan to a file, as save_graph does for a graph.
void save_plan(const Plan& plan, const std::filesystem::path& path, const PlanDotOptions& options = {});

}  // namespace xgrad::inline v0
