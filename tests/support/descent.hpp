// A small optimization problem, for tests of optimizers.
#pragma once

#include <cstdint>
#include <vector>

#include <xgrad/engine.hpp>
#include <xgrad/nn/optimizers/optimizer.hpp>

namespace xgrad::testing {

// Minimizes a function with the gradient c (w^3 - w) + 0.3, as in numbers/optimizers.py. `w` holds any number of
// tensors like `start`, which share only the optimizer.
class Descent {
 public:
  explicit Descent(const nn::Optimizer& optimizer, DType dtype = f64, const std::vector<double>& start = {1.7, -0.4},
                   const std::vector<double>& c = {1, 2.5})
      : Descent(optimizer, {start}, {c}, dtype) {}

  Descent(const nn::Optimizer& optimizer, const std::vector<std::vector<double>>& starts,
          const std::vector<std::vector<double>>& c, DType dtype = f64)
      : graph({.dtype = dtype}), state(optimizer.learning_rate()) {
    std::vector<Value> nodes, slopes;
    for (std::size_t i = 0; i < starts.size(); ++i) {
      const auto tensor = [&](const std::vector<double>& numbers) {
        return Tensor::from<double>({static_cast<Index>(numbers.size())}, numbers).cast(dtype);
      };
      weights.emplace_back("w" + std::to_string(i), tensor(starts[i]));
      const Value w = graph.parameter(weights.back());
      const Value scale = graph.constant(tensor(c[i]));
      nodes.push_back(w);
      slopes.push_back(sum(scale * (square(square(w)) / 4 - square(w) / 2) + 0.3 * w));
    }
    Value loss = slopes[0];
    for (std::size_t i = 1; i < slopes.size(); ++i) loss = loss + slopes[i];
    updates = optimizer.updates(graph, weights, gradients(loss, nodes), state);
    plan.emplace(std::vector<Value>{loss}, updates);
    memory.emplace(*plan);
  }

  void step(int threads = 1) { plan->run(*memory, {.threads = threads, .step = steps++}); }
  std::vector<double> values(std::size_t i = 0) const {
    const Tensor now = weights[i].value().cast(f64);
    const auto numbers = now.values<double>();
    return {numbers.begin(), numbers.end()};
  }

  Graph graph;
  nn::OptimizerState state;
  std::vector<Parameter> weights;
  std::vector<Update> updates;
  std::optional<Plan> plan;
  std::optional<Workspace> memory;
  std::uint64_t steps = 0;
};

}  // namespace xgrad::testing
