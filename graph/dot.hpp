// A graph as a picture, drawn by Graphviz.
//
//   save_graph(g, "net.svg");                                   // also .png, .pdf, .dot and .gv
//   save_graph(g, "loss.png", {.outputs = {loss}, .title = "loss"});
//   std::cout << to_dot(g);
//
// What one sees: inputs are green ellipses, parameters yellow cylinders, constants grey notes, plain numbers stand
// inside the operation that uses them. Forward nodes are blue and flow one way, backward nodes are orange and flow the
// other way beside them, so that each stands near what it is the derivative of; updates are violet. Scopes are boxes in
// boxes. The text is pure ASCII and the same bytes for the same graph.
#pragma once

#include <filesystem>
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
  bool show_attrs = true;
  Annotations annotations = {};  // of the nodes: lines below their labels, and colours with a legend below the title
};

// The picture in the DOT language. Throws GraphError if an output is not a live value of this graph or the direction is
// none of the four, or if the limits of the colours have no meaning.
std::string to_dot(const Graph& graph, const DotOptions& options = {});

// Writes the picture to a file, whole or not at all; its extension says the format. Throws GraphError for other
// extensions, and EnvironmentError if the file cannot be written or Graphviz is missing or fails: then the DOT text is
// left beside it with the extension .dot.
void save_graph(const Graph& graph, const std::filesystem::path& path, const DotOptions& options = {});

// What a plan made of a graph: a box for each step in the order of running, with the operations that run together in
// it; edges carry what goes from step to step through memory. Files as above.
std::string to_dot(const Plan& plan);
void save_plan(const Plan& plan, const std::filesystem::path& path);

}  // namespace xgrad
