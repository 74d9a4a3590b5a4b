// Single operations: matrix products, elementwise functions, reductions, broadcasting, and a fused chain.
#include <functional>
#include <string>

#include "../shapes.hpp"
#include "jobs.hpp"

namespace bench {

namespace xg = xgrad;

namespace {

// A function of one input of the given shape.
Job function(const std::string& name, const xg::Shape& shape, const std::function<xg::Value(xg::Value)>& f) {
  return {name, [shape, f](int threads) {
            auto graph = std::make_shared<xg::Graph>();
            const xg::Value y = f(graph->input("x", shape));
            return run_plan(std::move(graph), {y}, threads);
          }};
}

// A tiny product takes less time than starting a plan, so put several into one plan.
int products_in_plan(const Product& p) { return p.flops() < 5e4 ? 8 : 1; }

Job product(const Product& p) {
  const int count = products_in_plan(p);
  const auto prepare = [p, count](int threads) {
    auto graph = std::make_shared<xg::Graph>();
    const xg::Value a = graph->input("a", p.ta ? xg::Shape{p.k, p.m} : xg::Shape{p.m, p.k});
    std::vector<xg::Value> outputs;
    for (int i = 0; i < count; ++i) {
      const xg::Value b = graph->input("b" + std::to_string(i), p.tb ? xg::Shape{p.n, p.k} : xg::Shape{p.k, p.n});
      outputs.push_back(xg::matmul(a, b, p.ta, p.tb));
    }
    Prepared out = run_plan(std::move(graph), outputs, threads);
    // Other workers compute the first product only.
    out.results = [all = out.results] { return std::vector<Digest>{all().front()}; };
    return out;
  };
  return {p.name(), prepare, static_cast<double>(count)};
}

// A large matrix plus a smaller one.
Job add(const std::string& name, const xg::Shape& smaller) {
  return {name, [smaller](int threads) {
            auto graph = std::make_shared<xg::Graph>();
            const xg::Value x = graph->input("x", {large.rows, large.columns});
            return run_plan(graph, {x + graph->input("y", smaller)}, threads);
          }};
}

// Eight operations limited by memory bandwidth.
xg::Value chain_of_eight(xg::Value x) {
  return xg::maximum(xg::relu(xg::abs(x * 1.5 + 0.25) - 0.5) * -0.75 + 0.125, -1.0);
}

}  // namespace

std::vector<Job> product_jobs() {
  std::vector<Job> out;
  for (const Product& p : products) out.push_back(product(p));
  return out;
}

std::vector<Job> operation_jobs() {
  const xg::Shape vector{function_elements};
  const xg::Shape matrix{large.rows, large.columns};
  std::vector<Job> out{
      function("op/exp", vector, xg::exp),
      function("op/tanh", vector, xg::tanh),
      function("op/log", vector, xg::log),
      function("op/sigmoid", vector, xg::sigmoid),
      function("op/relu", vector, xg::relu),
      function("sum/all", matrix, [](xg::Value x) { return xg::sum(x); }),
      function("sum/axis-0", matrix, [](xg::Value x) { return xg::sum(x, {0}); }),
      function("sum/axis-1", matrix, [](xg::Value x) { return xg::sum(x, {1}); }),
      add("add/row", {large.columns}),
      add("add/column", {large.rows, 1}),
      function("chain-of-eight/16M", {chain_elements}, chain_of_eight),
  };
  for (const Matrix& size : softmaxes) {
    out.push_back(
        function("softmax/" + size.name(), {size.rows, size.columns}, [](xg::Value x) { return xg::softmax(x); }));
  }
  return out;
}

}  // namespace bench
