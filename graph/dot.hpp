// A graph as a picture, drawn by Graphviz.
//
//   save_graph(g, "net.svg");                                   // also .png, .pdf, .dot and .gv
//   save_graph(g, "loss.png", {.outputs = {loss}, .title = "loss"});
//   save_graph(g, "layers.svg", {.depth = 0});                  // a box for each layer
//   std::cout << to_dot(g);
//
// What one sees: inputs are green ellipses, parameters yellow cylinders, constants grey notes, plain numbers stand
// inside the operation that uses them. Forward nodes are blue and flow one way, backward nodes are orange and flow the
// other way beside them, so that each stands near what it is the derivative of; updates are violet. Scopes are boxes in
// boxes. The text is pure ASCII and the same bytes for the same graph.
//
// Large graphs are drawn as fewer boxes. A scope that is deeper than `depth` becomes one box for its forward part, one
// for its backward part and one for its updates, each saying how many operations it stands for, what comes out and how
// many numbers its parameters have. Neighbours of the same structure, each fed by the one before, are drawn once, with
// "x3" beside their names. A graph of more than `max_nodes` nodes is folded by itself, and the picture says so below
// its title. Writing takes time proportional to the size of the graph.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <xgrad/graph/annotations.hpp>
#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/plan.hpp>

namespace xgrad {

struct DotOptions {
  std::vector<Value> outputs = {};  // only what these need; empty means the whole graph
  std::string title = {};
  std::string rankdir = "TB";  // in which direction forward nodes flow: TB, LR, BT or RL
  bool show_constants = true;  // constant tensors; plain numbers are part of a label and always shown
  bool show_shapes = true;     // on the edges
  bool show_bytes = false;     // on the edges, with the dtype
  bool show_attrs = true;
  // How many levels of scopes are drawn as boxes with their nodes inside; 0: the outermost are one box each. If empty,
  // all, or as many as `max_nodes` allows.
  std::optional<int> depth = std::nullopt;
  bool fold_repeats = true;      // not with annotations, which differ from one to the next
  int max_nodes = 300;           // where `depth` does not say: what dot lays out in a few seconds
  Annotations annotations = {};  // of the nodes: lines below their labels, and colours with a legend below the title
};

// The picture in the DOT language. Throws GraphError if an output is not a live value of this graph, if the direction
// is none of the four, if `depth` or `max_nodes` is negative, or if the limits of the colours have no meaning.
std::string to_dot(const Graph& graph, const DotOptions& options = {});

// Writes the picture to a file, whole or not at all; its extension says the format. Throws GraphError for other
// extensions, and EnvironmentError if the file cannot be written or Graphviz is missing or fails: then the DOT text is
// left beside it with the extension .dot.
void save_graph(const Graph& graph, const std::filesystem::path& path, const DotOptions& options = {});

struct PlanDotOptions {
  std::string title = {};
  // Below: the memory of a workspace, a row for each buffer: where it lies, how large it is, from which step to which
  // it lives. Boxes and edges have the colours of the buffers they write; what is written in place says over what.
  bool show_buffers = false;
  Annotations annotations = {};  // the numbers it is asked for are those of steps
};

// What a plan made of a graph: a box for each step in the order of running, with the operations that run together in
// it; edges carry what goes from step to step through memory. Files as above.
std::string to_dot(const Plan& plan, const PlanDotOptions& options = {});
void save_plan(const Plan& plan, const std::filesystem::path& path, const PlanDotOptions& options = {});

}  // namespace xgrad
