// One step of Adam over all parameters of a network, from given gradients.
#include "../shapes.hpp"
#include "jobs.hpp"

namespace bench {

namespace xg = xgrad;
namespace nn = xgrad::nn;

namespace {

Prepared adam(nn::Model (*make)(bool), int threads) {
  auto graph = std::make_shared<xg::Graph>();
  std::vector<xg::Parameter> weights;
  std::vector<xg::Value> gradients;
  const nn::Model model = with_shared_weights(make(true));
  for (const xg::Parameter& p : model.parameters()) {
    if (!p.trainable()) continue;
    weights.push_back(p);
    gradients.push_back(graph->input("gradient/" + p.name(), p.shape()));
  }
  nn::OptimizerState state(0.001);
  const std::vector<xg::Update> updates = nn::Optimizer(nn::Adam{}).updates(*graph, weights, gradients, state);
  return run_plan(std::move(graph), {}, threads, updates);
}

}  // namespace

std::vector<Job> optimizer_jobs() {
  return {
      {"adam/60K", [](int threads) { return adam(mnist_net, threads); }},
      {"adam/3M", [](int threads) { return adam(wide_net, threads); }},
  };
}

}  // namespace bench
