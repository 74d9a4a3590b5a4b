#include <xgrad/nn/training/check.hpp>

#include <vector>

#include <fmt/format.h>

#include <xgrad/nn/data/random.hpp>

namespace xgrad::inline v0::nn {
namespace {

constexpr Index default_rows = 3;

// Random targets: class indices if the loss takes them, otherwise rows of probabilities, which are valid for every
// loss.
Tensor random_targets(const ModelGraph& model, std::uint64_t seed) {
  HostRandom random(seed, 1);
  Tensor out(model.target.type());
  if (out.dtype() == i64) {
    const auto classes = static_cast<std::uint64_t>(model.prediction.shape().back());
    for (auto& label : out.mutable_values<std::int64_t>()) label = static_cast<Index>(random.below(classes));
    return out;
  }
  const Index row = out.shape().rank() == 0 ? 1 : out.shape().back();
  std::vector<double> numbers(static_cast<std::size_t>(out.elements()));
  for (std::size_t first = 0; first < numbers.size(); first += static_cast<std::size_t>(row)) {
    double total = 0;
    for (std::size_t i = first; i < first + static_cast<std::size_t>(row); ++i)
      total += numbers[i] = random.between(0.1, 1);
    if (row == 1) continue;
    for (std::size_t i = first; i < first + static_cast<std::size_t>(row); ++i) numbers[i] /= total;
  }
  return Tensor::from<double>(out.shape(), numbers).cast(out.dtype());
}

}  // namespace

CheckTable check_table(const Model& model, const Dataset& few_rows, const CheckOptions& options) {
  const bool has_data = few_rows.size() > 0;
  const Index rows = has_data ? few_rows.size() : default_rows;
  ModelGraph graph = model.inference_graph(rows);
  const bool compiled = graph.loss.valid();
  if (compiled) graph = model.training_graph(rows, !few_rows.weights.empty());
  Dataset fed = few_rows;
  // Use index 0, because random indices may be out of range.
  if (has_data)
    fed.x = few_rows.x.cast(graph.input.dtype());
  else if (graph.input.dtype() == i64)
    fed.x = Tensor(graph.input.type());
  if (compiled && !has_data) fed.y = random_targets(graph, options.seed);
  const Value y = compiled ? graph.loss.named("loss") : graph.prediction.named("prediction");
  std::vector<Value> weights;
  for (const Parameter& p : compiled ? graph.trained : graph.graph->trainable_parameters()) {
    weights.push_back(graph.graph->parameter(p));
  }
  CheckTable table = check_graph(y, weights, graph.feeds(fed), options);
  table.title = fmt::format("{} of {} rows, in f64", compiled ? "the loss" : "the prediction", rows);
  return table;
}

bool check(const Model& model, const Dataset& few_rows, const CheckOptions& options) {
  const CheckTable table = check_table(model, few_rows, options);
  fmt::print("{}", table.str());
  return table.passed();
}

}  // namespace xgrad::inline v0::nn
