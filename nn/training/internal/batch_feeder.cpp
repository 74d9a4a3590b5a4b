#include <xgrad/nn/training/internal/batch_feeder.hpp>

#include <new>
#include <system_error>
#include <utility>

#include <xgrad/graph/machine/internal/processors.hpp>
#include <xgrad/graph/machine/parallel.hpp>

namespace xgrad::nn {

BatchFeeder::BatchFeeder(int threads) : threads_(threads > 0 ? threads : default_threads()) {
  if (threads_ >= usable_processors()) return;
  try {
    thread_ = std::thread([this] { serve(); });
  } catch (const std::system_error&) {  // the process may have no more threads, or memory: the run's own do the work
  } catch (const std::bad_alloc&) {}
}

BatchFeeder::~BatchFeeder() {
  if (!thread_.joinable()) return;
  stop_.store(true);
  asked_.fetch_add(1);
  asked_.notify_one();
  thread_.join();
}

void BatchFeeder::begin(CompiledStep& step, const BatchSource& source, std::span<const Index> rows) {
  job_ = {&step, source, rows};
  begun_ = true;
  if (!thread_.joinable()) return;
  asked_.fetch_add(1);
  asked_.notify_one();
}

void BatchFeeder::finish() {
  if (!begun_) return;
  begun_ = false;
  if (!thread_.joinable()) return job_.step->load(job_.source, job_.rows, threads_);
  const std::uint64_t asked = asked_.load(std::memory_order_relaxed);
  for (std::uint64_t done = done_.load(); done != asked; done = done_.load()) done_.wait(done);
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  job_.step->take_next();
}

void BatchFeeder::serve() {
  for (std::uint64_t seen = 0;;) {
    asked_.wait(seen);
    seen = asked_.load();
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

}  // namespace xgrad::nn
