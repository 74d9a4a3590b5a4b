// Engine overhead: building graphs, gradients and plans, and running long chains of tiny operations. Times are per
// node, so that linear costs show as equal values for all lengths.
#include <array>

#include "jobs.hpp"

namespace bench {

namespace xg = xgrad;

namespace {

constexpr std::array<std::int64_t, 5> lengths{10, 100, 1000, 10000, 100000};

// Keeps the compiler from removing unused results.
volatile std::int64_t sink;

xg::Value chain(xg::Graph& g, std::int64_t length) {
  xg::Value y = g.input("x", {8});
  for (std::int64_t i = 0; i < length; ++i) y = sin(y);
  return y;
}

Run build_graph(std::int64_t length) {
  return timed([length] {
    xg::Graph g;
    sink = chain(g, length).id();
  });
}

Run differentiate(std::int64_t length) {
  return timed([length] {
    xg::Graph g;
    const xg::Value y = chain(g, length);
    sink = xg::gradients(sum(y), g.find_input("x")).id();
  });
}

Run build_plan(std::int64_t length) {
  const auto graph = std::make_shared<xg::Graph>();
  const xg::Value y = chain(*graph, length);
  return timed([graph, y] { sink = xg::Plan({y}).steps(); });
}

Prepared run_chain(std::int64_t length, int threads) {
  auto graph = std::make_shared<xg::Graph>();
  const xg::Value y = chain(*graph, length);
  return run_plan(std::move(graph), {y}, threads);
}

// Builds the training graph of a model, or plans it.
Run build_training_graph(xg::nn::Model model, xg::Index rows) {
  const auto net = std::make_shared<xg::nn::Model>(std::move(model));
  return timed([net, rows] { sink = static_cast<std::int64_t>(net->training_graph(rows).graph->size()); });
}
Run plan_training(const xg::nn::Model& model, xg::Index rows) {
  const auto net = std::make_shared<xg::nn::ModelGraph>(model.training_graph(rows));
  return timed([net] { sink = xg::Plan({net->loss}, net->updates).steps(); });
}

}  // namespace

std::vector<Job> planning_jobs() {
  std::vector<Job> out{
      {"plan/mnist", [](int) { return plan_training(mnist_net(), 128); }},
      {"plan/transformer-12", [](int) { return plan_training(transformer(12), 16); }},
      {"graph/transformer-12", [](int) { return build_training_graph(transformer(12), 16); }},
  };
  for (const std::int64_t n : lengths) {
    const std::string length = std::to_string(n);
    const auto nodes = static_cast<double>(n);
    out.push_back({"nodes/graph/" + length, [n](int) { return build_graph(n); }, nodes});
    out.push_back({"nodes/gradients/" + length, [n](int) { return differentiate(n); }, nodes});
    out.push_back({"nodes/plan/" + length, [n](int) { return build_plan(n); }, nodes});
    out.push_back({"nodes/run/" + length, [n](int threads) { return run_chain(n, threads); }, nodes});
  }
  return out;
}

}  // namespace bench
