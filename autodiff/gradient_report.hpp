// Reports the values and gradients of every node for one step, as a table of layers and as colors of a diagram.
//
//   GradientReport report = gradient_report(loss, {{x, images}, {y, labels}});
//   std::cout << report.str();
//   save_graph(g, "gradients.svg", {.outputs = {loss}, .annotations = report.annotations()});
//   save_graph(g, "layers.svg", {.outputs = {loss}, .depth = 0, .annotations = report.annotations()});
//
// The report shows vanishing and exploding gradients, saturated units and the first NaN. It runs on the interpreter and
// keeps the values of all nodes and gradients at once, so give it a small batch. Means and standard deviations are
// computed in f64; equal inputs give equal reports.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <xgrad/graph/pictures/annotations.hpp>
#include <xgrad/graph/run/interpreter.hpp>

namespace xgrad::inline v0 {

// Statistics of a tensor. Mean, standard deviation, range and norm are those of the finite elements.
struct TensorStats {
  Index count = 0;  // all elements
  Index nans = 0, infinities = 0, zeros = 0;
  double mean = 0;
  double std = 0;  // population standard deviation
  double min = 0, max = 0;
  double norm = 0;  // L2 norm

  bool finite() const { return nans == 0 && infinities == 0; }
  double zero_share() const { return count == 0 ? 0 : static_cast<double>(zeros) / static_cast<double>(count); }
};

// Returns the statistics of a tensor. Throws ValueError if it is empty.
TensorStats tensor_stats(const Tensor& numbers);

// Value and gradient of one node.
struct NodeReport {
  NodeId node = 0;
  std::string layer;  // the node's scope
  TensorStats value;
  std::optional<TensorStats> gradient;  // derivative of the loss with respect to it; empty without a gradient path
  // For an elementwise function of one input with a derivative: the number of its elements, and of those that are
  // saturated (see `saturated`), such as dead relus.
  Index units = 0, saturated = 0;
  bool operation = true;   // not a leaf
  bool parameter = false;  // a trained parameter
};

// Totals over several nodes: those of a scope, or of a box of a diagram.
struct LayerReport {
  std::string layer;
  NodeId output = 0;  // last operation with a gradient, or else the last operation
  TensorStats value;  // statistics of the output
  std::optional<TensorStats> gradient;
  Index units = 0, saturated = 0;             // sums over the nodes
  Index weights = 0;                          // number of elements of the trained parameters
  double weight_norm = 0, gradient_norm = 0;  // L2 norm of these elements, and of their gradients
  Index nans = 0, infinities = 0;             // sums over values and gradients of operations
};

// The values and gradients of all nodes in one step.
class GradientReport {
 public:
  double loss() const { return loss_; }
  // Forward nodes that the loss needs, in tape order.
  const std::vector<NodeReport>& nodes() const { return *nodes_; }
  // Scopes that contain an operation, in the order of their first operation; the name is empty outside all scopes.
  const std::vector<LayerReport>& layers() const { return layers_; }

  // A table with a line per layer.
  std::string str() const;
  // Annotations for diagrams of the same graph. Colors show gradient norms; a folded layer has that of its output. The
  // annotations may outlive the report and the graph.
  Annotations annotations() const;

 private:
  friend GradientReport gradient_report(Value loss, const Feeds& feeds, const RunOptions& options);
  double loss_ = 0;
  std::shared_ptr<const std::vector<NodeReport>> nodes_;
  std::vector<LayerReport> layers_;
};

// Runs forward and backward once. Leaves the graph unchanged. Throws GraphError or GradientError if the loss is not a
// live floating-point scalar, and the errors of `evaluate`.
GradientReport gradient_report(Value loss, const Feeds& feeds = {}, const RunOptions& options = {});

}  // namespace xgrad::inline v0
