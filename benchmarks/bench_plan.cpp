// Building graphs and plans, and running long chains of tiny steps: the cost of the engine itself.
#include <benchmark/benchmark.h>

#include <xgrad/engine.hpp>

namespace xg = xgrad;

namespace {

xg::Value chain(xg::Graph& g, std::int64_t length) {
  xg::Value y = g.input("x", {8});
  for (std::int64_t i = 0; i < length; ++i) y = sin(y);
  return y;
}

void build_graph(benchmark::State& state) {
  for (auto _ : state) {
    xg::Graph g;
    benchmark::DoNotOptimize(chain(g, state.range(0)));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void differentiate(benchmark::State& state) {
  for (auto _ : state) {
    xg::Graph g;
    const xg::Value y = chain(g, state.range(0));
    benchmark::DoNotOptimize(xg::gradients(sum(y), g.find_input("x")));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void build_plan(benchmark::State& state) {
  xg::Graph g;
  const xg::Value y = chain(g, state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(xg::Plan({y}));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void run_plan(benchmark::State& state) {
  xg::Graph g;
  const xg::Value y = chain(g, state.range(0));
  const xg::Plan plan({y});
  xg::Workspace memory(plan);
  memory.feed("x", xg::Tensor({8}));
  for (auto _ : state) plan.run(memory, {.threads = 1});
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

}  // namespace

BENCHMARK(build_graph)->RangeMultiplier(10)->Range(10, 100000)->Unit(benchmark::kMicrosecond);
BENCHMARK(differentiate)->RangeMultiplier(10)->Range(10, 100000)->Unit(benchmark::kMicrosecond);
BENCHMARK(build_plan)->RangeMultiplier(10)->Range(10, 100000)->Unit(benchmark::kMicrosecond);
BENCHMARK(run_plan)->RangeMultiplier(10)->Range(10, 100000)->Unit(benchmark::kMicrosecond);
