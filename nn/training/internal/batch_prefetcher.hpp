// Gathers the next batch while the current training step runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <span>
#include <thread>

#include <xgrad/nn/training/internal/compiled_step.hpp>

namespace xgrad::inline v0::nn {

// Uses an extra thread if the machine has more processors than the run has threads. Otherwise, or if no thread can be
// created, `finish` gathers the rows with the threads of the run. The gathered values are the same in both cases.
class BatchPrefetcher {
 public:
  // `threads` as in FitOptions.
  explicit BatchPrefetcher(int threads);
  ~BatchPrefetcher();
  BatchPrefetcher(const BatchPrefetcher&) = delete;
  BatchPrefetcher& operator=(const BatchPrefetcher&) = delete;

  // Starts to gather these rows as the next batch of the step. All arguments must live until `finish`.
  void begin(CompiledStep& step, const BatchSource& source, std::span<const Index> rows);
  // Waits for the batch, which the step's next run reads. Rethrows an exception of an image transform.
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
