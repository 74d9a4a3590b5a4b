// The same jobs under Google Benchmark, without peers: for optimizing a single job, and for profilers.
#include <benchmark/benchmark.h>

#include "jobs.hpp"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const std::vector<bench::Job> jobs = bench::all_jobs();
  for (const bench::Job& job : jobs) {
    benchmark::RegisterBenchmark(job.name.c_str(),
                                 [&job](benchmark::State& state) {
                                   const bench::Run run = job.prepare(static_cast<int>(state.range(0))).run;
                                   for (auto _ : state) state.SetIterationTime(run(1) * 1e-9);
                                   state.SetItemsProcessed(static_cast<std::int64_t>(job.per) * state.iterations());
                                 })
        ->ArgName("threads")
        ->Arg(1)
        ->Arg(2)
        ->Unit(benchmark::kMicrosecond)
        ->UseManualTime();
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
