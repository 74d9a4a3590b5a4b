// Steps of whole models: what a row of data costs in training and in use.
#include <benchmark/benchmark.h>

#include <xgrad/xgrad.hpp>

namespace xg = xgrad;
namespace nn = xgrad::nn;

namespace {

nn::Model deep_net() {
  nn::Model model{
      nn::Sequential{nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dense(64, nn::relu), nn::BatchNorm(),
                     nn::Dense(64, nn::relu), nn::BatchNorm(), nn::Dropout(0.2), nn::Dense(10, nn::softmax)},
      {784}};
  model.compile({.loss = nn::categorical_crossentropy, .optimizer = nn::Adam{}, .metrics = {nn::accuracy}});
  return model;
}

nn::Model wide_net() {
  nn::Model model{nn::Sequential{nn::Dense(1024, nn::relu), nn::Dense(1024, nn::relu), nn::Dense(1024, nn::relu),
                                 nn::Dense(10, nn::softmax)},
                  {784}};
  model.compile({.loss = nn::categorical_crossentropy, .optimizer = nn::Adam{}});
  return model;
}

nn::Model boston_net() {
  nn::Model model{nn::Sequential{nn::Dense(32, nn::relu), nn::BatchNorm(), nn::Dense(16, nn::relu), nn::BatchNorm(),
                                 nn::Dropout(0.2), nn::Dense(1)},
                  {13}};
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::Adam{}});
  return model;
}

// The training step of `make()` on `rows` rows, state.range(0) threads.
void train(benchmark::State& state, nn::Model (*make)(), xg::Index rows) {
  nn::Model model = make();
  nn::ModelGraph g = model.training_graph(rows);
  const xg::Plan plan({g.loss}, g.updates);
  xg::Workspace memory(plan);
  memory.feed(g.input, nn::uniform(0, 1)(g.input.shape(), xg::f32, 1));
  memory.feed(g.target, nn::uniform(0, 1)(g.target.shape(), xg::f32, 2));
  std::uint64_t step = 0;
  for (auto _ : state) plan.run(memory, {.threads = static_cast<int>(state.range(0)), .step = ++step});
  state.SetItemsProcessed(state.iterations() * rows);
  state.counters["arena_KiB"] = static_cast<double>(plan.peak_bytes()) / 1024;
  state.counters["steps"] = plan.steps();
}

void use(benchmark::State& state, nn::Model (*make)(), xg::Index rows) {
  nn::Model model = make();
  nn::ModelGraph g = model.inference_graph(rows);
  const xg::Plan plan({g.prediction});
  xg::Workspace memory(plan);
  memory.feed(g.input, nn::uniform(0, 1)(g.input.shape(), xg::f32, 1));
  for (auto _ : state) plan.run(memory, {.threads = static_cast<int>(state.range(0))});
  state.SetItemsProcessed(state.iterations() * rows);
}

}  // namespace

BENCHMARK_CAPTURE(train, deep_net_128, deep_net, 128)
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(train, wide_net_256, wide_net, 256)
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(train, boston_net_8, boston_net, 8)
    ->ArgName("threads")
    ->Arg(1)
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(use, deep_net_1, deep_net, 1)
    ->ArgName("threads")
    ->Arg(1)
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(use, deep_net_128, deep_net, 128)
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(use, deep_net_1024, deep_net, 1024)
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();
