#include <xgrad/nn/training/gradient_report.hpp>

#include <utility>

namespace xgrad::inline v0::nn {

ModelGradients gradient_report(const Model& model, const Dataset& few_rows, const RunOptions& run) {
  ModelGraph graph = model.training_graph(few_rows.size(), !few_rows.weights.empty());
  GradientReport report = xgrad::gradient_report(graph.loss, graph.feeds(few_rows), run);
  return {std::move(graph), std::move(report)};
}

void ModelGradients::save(const std::filesystem::path& path, DotOptions options) const {
  if (options.outputs.empty()) options.outputs = {graph.loss};
  if (!options.depth) options.depth = 0;
  if (!options.annotations) options.annotations = report.annotations();
  save_graph(*graph.graph, path, options);
}

}  // namespace xgrad::inline v0::nn
