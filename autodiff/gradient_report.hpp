// What one step does: the numbers of every node and of its gradient, as a table of layers and as colors on the
// picture.
//
//   GradientReport report = gradient_report(loss, {{x, images}, {y, labels}});
//   std::cout << report.str();
//   save_graph(g, "gradients.svg", {.outputs = {loss}, .annotations = report.annotations()});
//   save_graph(g, "layers.svg", {.outputs = {loss}, .depth = 0, .annotations = report.annotations()});
//
// Gradients that vanish or explode on their way down, saturated units and the first NaN are seen at a glance.
// Runs on the interpreter and keeps the numbers of all nodes and gradients at once: give it a few rows. Means and
// deviations are summed in double, whatever the dtype; the same numbers give the same report.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <xgrad/graph/pictures/annotations.hpp>
#include <xgrad/graph/run/interpreter.hpp>

namespace xgrad::inline v0 {

// Of the numbers of a tensor. Mean, deviation, ends and norm are those of the finite ones.
struct NumberStats {
  Index count = 0;  // all of them
  Index nans = 0, infinities = 0, zeros = 0;
  double mean = 0;
  double std = 0;  // of the population: divided by the number of finite ones
  double min = 0, max = 0;
  double norm = 0;  // the root of the sum of squares

  bool finite() const { return nans == 0 && infinities == 0; }
  double zero_share() const { return count == 0 ? 0 : static_cast<double>(zeros) / static_cast<double>(count); }
};

// Throws ValueError if the tensor is empty.
NumberStats number_stats(const Tensor& numbers);

struct NodeReport {
  NodeId node = 0;
  std::string layer;  // its scope
  NumberStats value;
  std::optional<NumberStats> gradient;  // of the loss by it; none where no derivative flows
  // Of an elementwise function of one input with a derivative: how many of its units are saturated, as `saturated` has
  // it: dead relus, and tanhs and sigmoids at their ends.
  Index units = 0, saturated = 0;
  bool operation = true;   // not a leaf
  bool parameter = false;  // one that is trained
};

// Nodes taken together: a scope, or a box of a picture.
struct LayerReport {
  std::string layer;
  NodeId output = 0;  // its last operation that has a gradient, or its last operation
  NumberStats value;  // of the output
  std::optional<NumberStats> gradient;
  Index units = 0, saturated = 0;             // of all its functions
  Index weights = 0;                          // numbers in its parameters that are trained
  double weight_norm = 0, gradient_norm = 0;  // of these, and of their gradients, all together
  Index nans = 0, infinities = 0;             // in all values of operations and all gradients
};

class GradientReport {
 public:
  double loss() const { return loss_; }
  // The forward nodes that the loss needs, in the order of the tape.
  const std::vector<NodeReport>& nodes() const { return *nodes_; }
  // Scopes that have an operation, in the order of their first operation; what stands outside all has no name.
  const std::vector<LayerReport>& layers() const { return layers_; }

  // A table, a line for each layer.
  std::string str() const;
  // For pictures of the graph that was reported on: colors are the norms of the gradients, those of a layer's output
  // where a layer is one box. May outlive the report and the graph.
  Annotations annotations() const;

 private:
  friend GradientReport gradient_report(Value loss, const Feeds& feeds, const RunOptions& options);
  double loss_ = 0;
  std::shared_ptr<const std::vector<NodeReport>> nodes_;
  std::vector<LayerReport> layers_;
};

// Runs forward and backward once. The graph is as before. Throws GraphError or GradientError if the loss is not one
// live floating number, and what `evaluate` throws.
GradientReport gradient_report(Value loss, const Feeds& feeds = {}, const RunOptions& options = {});

}  // namespace xgrad::inline v0
