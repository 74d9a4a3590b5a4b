#include <xgrad/nn/training/internal/batch_prefetcher.hpp>

#include <new>
#include <system_error>
#include <utility>

#include <xgrad/graph/machine/internal/processors.hpp>
#include <xgrad/graph/machine/parallel.hpp>

namespace xgrad::inline v0::nn {

BatchPrefetcher::BatchPrefetcher(int threads) : threads_(threads > 0 ? threads : default_threads()) {
  if (threads_ >= usable_processors()) return;
  try {
    thread_ = std::thread([this] { worker_loop(); });
  } catch (const std::system_error&) {  // no thread could be created: finish() gathers the rows
  } catch (const std::bad_alloc&) {}
}

BatchPrefetcher::~BatchPrefetcher() {
  if (!thread_.joinable()) return;
  stop_.store(true);
  requested_.fetch_add(1);
  requested_.notify_one();
  thread_.join();
}

void BatchPrefetcher::begin(CompiledStep& step, const BatchSource& source, std::span<const Index> rows) {
  job_ = {&step, source, rows};
  begun_ = true;
  if (!thread_.joinable()) return;
  requested_.fetch_add(1);
  requested_.notify_one();
}

void BatchPrefetcher::finish() {
  if (!begun_) return;
  begun_ = false;
  if (!thread_.joinable()) return job_.step->load(job_.source, job_.rows, threads_);
  const std::uint64_t asked = requested_.load(std::memory_order_relaxed);
  for (std::uint64_t done = done_.load(); done != asked; done = done_.load()) done_.wait(done);
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  job_.step->swap_batch();
}

void BatchPrefetcher::worker_loop() {
  for (std::uint64_t seen = 0;;) {
    requested_.wait(seen);
    seen = requested_.load();
    if (stop_.load()) return;
    try {
      job_.step->load_next(job_.source, job_.rows);
    } catch (...) {
      failure_ = std::current_exception();
    }
    done_.store(seen);
    done_.notify_one();
  }
}

}  // namespace xgrad::inline v0::nn
