#include <xgrad/graph/parallel.hpp>

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace xgrad {
namespace {

// Set while a thread runs a task of the pool, so that a call from inside runs in place.
thread_local bool inside_task = false;

// How long an idle thread looks for work before it sleeps: longer than the gap between two kernels of a training step,
// short enough not to be noticed otherwise.
constexpr auto patience = std::chrono::microseconds(50);

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// What the threads of one call work on. Lives in the pool, so that a worker that wakes late touches nothing that is gone.
struct Job {
  const TaskRef* task = nullptr;
  Index tasks = 0;
  int helpers = 0;  // workers invited
  std::atomic<Index> next{0};
  std::atomic<int> working{0};  // workers that have not yet finished
  std::mutex error_lock;
  std::exception_ptr error;

  void work() {
    inside_task = true;
    for (Index i = next.fetch_add(1, std::memory_order_relaxed); i < tasks;
         i = next.fetch_add(1, std::memory_order_relaxed)) {
      try {
        (*task)(i);
      } catch (...) {
        const std::lock_guard lock(error_lock);
        if (!error) error = std::current_exception();
      }
    }
    inside_task = false;
  }
};

class Pool {
 public:
  static Pool& instance() {
    static Pool pool;
    return pool;
  }

  ~Pool() {
    stop_.store(true, std::memory_order_relaxed);
    call_.fetch_add(1, std::memory_order_release);
    call_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  // False if the pool is at work for someone else.
  bool run(int threads, Index tasks, const TaskRef& task) {
    const std::unique_lock busy(busy_, std::try_to_lock);
    if (!busy.owns_lock()) return false;
    const int helpers = static_cast<int>(std::min<Index>(threads, tasks)) - 1;
    while (static_cast<int>(workers_.size()) < helpers) {
      const int index = static_cast<int>(workers_.size());
      workers_.emplace_back([this, index, seen = call_.load(std::memory_order_acquire)] { serve(index, seen); });
    }
    job_.task = &task;
    job_.tasks = tasks;
    job_.helpers = helpers;
    job_.error = nullptr;
    job_.next.store(0, std::memory_order_relaxed);
    // Every worker answers every call, invited or not: so none can still be looking at the job when it is reused.
    job_.working.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
    call_.fetch_add(1, std::memory_order_seq_cst);  // ordered with sleepers_: a worker that goes to sleep is seen or sees
    if (sleepers_.load(std::memory_order_seq_cst) > 0) call_.notify_all();
    job_.work();
    for (int spins = 1; job_.working.load(std::memory_order_acquire) > 0; ++spins) {
      if (spins % 4096 == 0) std::this_thread::yield();  // more threads than processors
      else relax();
    }
    if (job_.error) std::rethrow_exception(std::exchange(job_.error, nullptr));
    return true;
  }

 private:
  void serve(int index, std::uint64_t seen) {
    for (;;) {
      seen = next_call(seen);
      if (stop_.load(std::memory_order_relaxed)) return;
      if (index < job_.helpers) job_.work();
      job_.working.fetch_sub(1, std::memory_order_release);
    }
  }

  std::uint64_t next_call(std::uint64_t seen) {
    const auto start = std::chrono::steady_clock::now();
    for (int spins = 1;; ++spins) {
      const std::uint64_t now = call_.load(std::memory_order_acquire);
      if (now != seen) return now;
      relax();
      if (spins % 64 == 0 && std::chrono::steady_clock::now() - start > patience) break;
    }
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    call_.wait(seen, std::memory_order_acquire);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
    return call_.load(std::memory_order_acquire);
  }

  std::mutex busy_;
  Job job_;
  std::atomic<std::uint64_t> call_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> workers_;
};

}  // namespace

void Parallel::for_each(Index tasks, TaskRef task) const {
  if (tasks > 1 && threads_ > 1 && !inside_task && Pool::instance().run(threads_, tasks, task)) return;
  std::exception_ptr error;
  for (Index i = 0; i < tasks; ++i) {
    try {
      task(i);
    } catch (...) {
      if (!error) error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

int default_threads() {
  static const int threads = [] {
    if (const char* wanted = std::getenv("XGRAD_THREADS")) {
      const int n = std::atoi(wanted);
      if (n > 0) return n;
    }
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }();
  return threads;
}

}  // namespace xgrad
