// gradient_report: values and gradients of a model in one training step, by layer.
//
//   nn::ModelGradients report = nn::gradient_report(model, few_rows);
//   std::cout << report.str();
//   report.save("gradients.svg");                 // a box for each layer, colored by the norm of its gradient
//   report.save("nodes.svg", {.depth = 9});       // every operation
//
// Uses the training graph, with dropout and batch statistics. The model is not changed.
#pragma once

#include <filesystem>
#include <string>

#include <xgrad/autodiff/gradient_report.hpp>
#include <xgrad/graph/pictures/dot.hpp>
#include <xgrad/nn/training/model.hpp>

namespace xgrad::inline v0::nn {

// The gradients of a model in one training step, and the graph to which they belong.
struct ModelGradients {
  ModelGraph graph;
  GradientReport report;

  // A table with one row per layer.
  std::string str() const { return report.str(); }
  // Saves a diagram like save_graph. Defaults: the nodes of the loss, one box per layer, colored by the report.
  void save(const std::filesystem::path& path, DotOptions options = {}) const;
};

// Computes the report for a few rows. `run.step` is the counter of random operations. Throws GraphError before
// compile(), and like `evaluate` if the rows do not match the model.
ModelGradients gradient_report(const Model& model, const Dataset& few_rows, const RunOptions& run = {});

}  // namespace xgrad::inline v0::nn
