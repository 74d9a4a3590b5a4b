// gradient_report: what one step of training does to a model's values and gradients, layer by layer.
//
//   nn::ModelGradients report = nn::gradient_report(model, few_rows);
//   std::cout << report.str();
//   report.save("gradients.svg");                 // a box for each layer, colored by the norm of its gradient
//   report.save("nodes.svg", {.depth = 9});       // every operation
//
// Of the model as it is trained, dropout and the statistics of the batch included; nothing changes.
#pragma once

#include <filesystem>
#include <string>

#include <xgrad/autodiff/gradient_report.hpp>
#include <xgrad/graph/pictures/dot.hpp>
#include <xgrad/nn/training/model.hpp>

namespace xgrad::inline v0::nn {

struct ModelGradients {
  ModelGraph graph;
  GradientReport report;

  // A table, a line for each layer.
  std::string str() const { return report.str(); }
  // As save_graph. Where options do not say: what the loss needs, a box for each layer, colors of the report.
  void save(const std::filesystem::path& path, DotOptions options = {}) const;
};

// `run.step` chooses the random numbers. Throws GraphError before compile(), and what `evaluate` throws if the rows do
// not fit.
ModelGradients gradient_report(const Model& model, const Dataset& few_rows, const RunOptions& run = {});

}  // namespace xgrad::inline v0::nn
