// Gathers the next batch while the step of this one runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <span>
#include <thread>

#include <xgrad/nn/training/internal/compiled_step.hpp>

namespace xgrad::inline v0::nn {

// A thread of its own where the machine has a processor to spare beside those of the run, and may be had; otherwise the
// work is done at once, by the threads of the run. The numbers that a step reads are the same in both cases.
class BatchPrefetcher {
 public:
  // `threads` as in FitOptions.
  explicit BatchPrefetcher(int threads);
  ~BatchPrefetcher();
  BatchPrefetcher(const BatchPrefetcher&) = delete;
  BatchPrefetcher& operator=(const BatchPrefetcher&) = delete;

  // Begins to gather the named rows as the next batch of the step. All must live until `finish`.
  void begin(CompiledStep& step, const BatchSource& source, std::span<const Index> rows);
  // Waits for what was begun: the step's next run reads it. Throws what a transform of the images threw.
  void finish();

 private:
  struct Job {
    CompiledStep* step = nullptr;
    BatchSource source{};
    std::span<const Index> rows;
  };
  void worker_loop();

  int threads_;
  Job job_;
  bool begun_ = false;
  std::atomic<std::uint64_t> requested_{0};
  std::atomic<std::uint64_t> done_{0};
  std::atomic<bool> stop_{false};
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace xgrad::inline v0::nn
