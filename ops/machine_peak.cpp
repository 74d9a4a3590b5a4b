#include <xgrad/ops/machine_peak.hpp>

#include <algorithm>
#include <chrono>
#include <limits>

#include <xgrad/graph/flops.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// Runs are short and the best one counts, so that other processes do not distort the result.
constexpr Index matrix = 384;
constexpr Index cached = Index{16} << 10, uncached = Index{8} << 20;  // elements per array
constexpr double seconds_each = 0.05;
constexpr int least_runs = 8;

// Shortest time of one run, in seconds. All inputs are filled with 0.5.
double shortest(Graph& graph, Value output, int threads) {
  const Plan plan({output});
  Workspace memory(plan);
  for (const char* name : {"a", "b"}) {
    const Value input = graph.find_input(name);
    memory.feed(input, Tensor::full(input.shape(), 0.5));
  }
  using Clock = std::chrono::steady_clock;
  double best = std::numeric_limits<double>::infinity();
  double total = 0;
  for (int run = 0; run < least_runs || total < seconds_each; ++run) {
    const auto start = Clock::now();
    plan.run(memory, {.threads = threads});
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::min(best, seconds);
    total += seconds;
  }
  return best;
}

double product_speed(DType dtype, int threads) {
  Graph g({.dtype = dtype});
  const Value c = matmul(g.input("a", {matrix, matrix}), g.input("b", {matrix, matrix}));
  return flops({c}) / shortest(g, c, threads);
}

double stream_speed(Index elements, int threads) {
  Graph g;
  const Value c = g.input("a", {elements}) + 2 * g.input("b", {elements});
  return 3 * static_cast<double>(c.type().bytes()) / shortest(g, c, threads);
}

}  // namespace

MachinePeak measure_peak(int threads) {
  if (threads <= 0) threads = default_threads();
  return {threads, product_speed(f32, threads), product_speed(f64, threads), stream_speed(cached, threads),
          stream_speed(uncached, threads)};
}

}  // namespace xgrad::inline v0
