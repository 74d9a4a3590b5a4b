// A graph as a picture, drawn by Graphviz.
//
//   save_graph(g, "net.svg");                                   // also .png, .pdf, .dot and .gv
//   save_graph(g, "loss.png", {.outputs = {loss}, .title = "loss"});
//   save_graph(g, "layers.svg", {.depth = 0});                  // a box for each layer
//   std::cout << to_dot(g);
//
// What one sees: inputs are green ellipses, parameters yellow cylinders, constants gray notes, plain numbers stand
// inside the operation that uses them. Forward nodes are blue and flow one way, backward nodes are orange and flow the
// other way beside them, so that each stands near what it is the derivative of; updates are violet. Scopes are boxes in
// boxes. The text is pure ASCII and the same bytes for the same graph.
//
// Large graphs are drawn as fewer boxes. A scope that is deeper than `depth` becomes one box for its forward part, one
// for its backward part and one for its updates, each saying how many operations it stands for, what comes out and how
// many numbers its parameters have. Neighbors of the same structure, each fed by the one before, are drawn once, with
// "x3" beside their names.
//
// A diagram that would take Graphviz more than about two seconds gets less detail, by an estimate of its work: inputs
// and parameters with uses far apart are named inside these operations, edges lose their shapes, and a graph of more
// than `max_nodes` nodes is folded. The diagram says so below its title. The same graph gives the same text on every
// machine, in time proportional to the size of the graph.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/pictures/annotations.hpp>
#include <xgrad/graph/plan/plan.hpp>

namespace xgrad::inline v0 {

struct DotOptions {
  std::vector<Value> outputs = {};  // only what these need; empty means the whole graph
  std::string title = {};
  std::string rankdir = "TB";  // in which direction forward nodes flow: TB, LR, BT or RL
  bool show_constants = true;  // constant tensors; plain numbers are part of a label and always shown
  bool show_shapes = true;     // on the edges, unless that takes Graphviz too long
  bool show_bytes = false;     // on the edges, with the dtype
  bool show_attrs = true;
  // How many levels of scopes are drawn as boxes with their nodes inside; 0: the outermost are one box each. If empty,
  // all, or as many as `max_nodes` allows.
  std::optional<int> depth = std::nullopt;
  bool fold_repeats = true;  // not with annotations, which differ from one to the next
  // Folds to at most about this many boxes, where `depth` does not say. If empty, as many as Graphviz lays out in a
  // second or two, and at most 300.
  std::optional<int> max_nodes = std::nullopt;
  Annotations annotations = {};  // of the nodes: lines below their labels, and colors with a legend below the title
  double effort = 1;       // work for Graphviz, as a multiple of the usual; less than 1 folds whatever was asked for
  double time_limit = 10;  // seconds for save_graph; infinity for none
};

// The picture in the DOT language. Throws GraphError if an output is not a live value of this graph, if the direction
// is none of the four, if `depth` or `max_nodes` is negative, if `effort` or `time_limit` is not positive, or if the
// limits of the colors have no meaning.
std::string to_dot(const Graph& graph, const DotOptions& options = {});

// Writes the picture to a file, whole or not at all; its extension says the format. If Graphviz takes more than half of
// `time_limit` it is killed and gets a diagram of less detail, which says so, whatever `depth` and `max_nodes` are.
// Throws GraphError for other extensions, and EnvironmentError if the file cannot be written, Graphviz is missing or
// fails, or even the coarsest diagram takes too long: then the DOT text is left beside it with the extension .dot.
void save_graph(const Graph& graph, const std::filesystem::path& path, const DotOptions& options = {});

// A plan of more than 300 steps is drawn as boxes of several steps that follow each other. Less detail as for graphs.
struct PlanDotOptions {
  std::string title = {};
  // Below: the memory of a workspace, a row for each buffer: where it lies, how large it is, from which step to which
  // it lives. Boxes and edges have the colors of the buffers they write; what is written in place says over what.
  bool show_buffers = false;
  Annotations annotations = {};  // the numbers it is asked for are those of steps
  double effort = 1;             // as in DotOptions
  double time_limit = 10;        // seconds for save_plan
};

// What a plan made of a graph: a box for each step in the order of running, with the operations that run together in
// it; edges carry what goes from step to step through memory. Files as above.
std::string to_dot(const Plan& plan, const PlanDotOptions& options = {});
void save_plan(const Plan& plan, const std::filesystem::path& path, const PlanDotOptions& options = {});

}  // namespace xgrad::inline v0
