// Single operations: matrix products, functions, reductions.
#include <benchmark/benchmark.h>

#include <xgrad/engine.hpp>

namespace xg = xgrad;

namespace {

xg::Tensor numbers(const xg::Shape& shape) {
  xg::Tensor out(shape);
  float x = 0.3F;
  for (float& v : out.mutable_values<float>()) v = x = 3.7F * x * (1 - x);  // in (0, 1), never the same twice
  return out;
}

void run(benchmark::State& state, xg::Graph& g, xg::Value y) {
  const xg::Plan plan({y});
  xg::Workspace memory(plan);
  for (xg::NodeId id = 0; id < g.size(); ++id) {
    if (g.node(id).op->traits.leaf == xg::Leaf::input) memory.feed(g.value(id), numbers(g.node(id).type.shape));
  }
  for (auto _ : state) plan.run(memory, {.threads = 1});
}

void matmul(benchmark::State& state) {
  const xg::Index m = state.range(0), k = state.range(1), n = state.range(2);
  const bool ta = state.range(3) != 0, tb = state.range(4) != 0;
  xg::Graph g;
  const xg::Value a = g.input("a", ta ? xg::Shape{k, m} : xg::Shape{m, k});
  const xg::Value b = g.input("b", tb ? xg::Shape{n, k} : xg::Shape{k, n});
  run(state, g, xg::matmul(a, b, ta, tb));
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * static_cast<double>(m * k * n), benchmark::Counter::kIsIterationInvariantRate);
}

template <xg::Value (*function)(xg::Value)>
void unary(benchmark::State& state) {
  xg::Graph g;
  run(state, g, function(g.input("x", {state.range(0)})));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void sum(benchmark::State& state) {
  xg::Graph g;
  const xg::Axes axes = state.range(0) < 0 ? xg::Axes{} : xg::Axes{state.range(0)};
  run(state, g, xg::sum(g.input("x", {4096, 4096}), axes));
  state.SetBytesProcessed(state.iterations() * 4096 * 4096 * 4);
}

void softmax(benchmark::State& state) {
  xg::Graph g;
  run(state, g, xg::softmax(g.input("x", {state.range(0), state.range(1)})));
}

}  // namespace

BENCHMARK(matmul)
    ->ArgNames({"m", "k", "n", "ta", "tb"})
    ->Args({128, 784, 64, 0, 0})
    ->Args({784, 128, 64, 1, 0})
    ->Args({128, 64, 64, 0, 0})
    ->Args({128, 64, 64, 0, 1})
    ->Args({128, 64, 10, 0, 0})
    ->Args({1, 784, 64, 0, 0})
    ->Args({8, 13, 32, 0, 0})
    ->Args({256, 1024, 1024, 0, 0})
    ->Args({1024, 1024, 1024, 0, 0});
BENCHMARK(unary<xg::exp>)->Arg(1 << 18);
BENCHMARK(unary<xg::tanh>)->Arg(1 << 18);
BENCHMARK(unary<xg::log>)->Arg(1 << 18);
BENCHMARK(unary<xg::sigmoid>)->Arg(1 << 18);
BENCHMARK(unary<xg::relu>)->Arg(1 << 18);
BENCHMARK(sum)->ArgName("axis")->Arg(-1)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);
BENCHMARK(softmax)->Args({128, 10})->Args({4096, 1024})->Unit(benchmark::kMicrosecond);
