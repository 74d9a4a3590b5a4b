#include <xgrad/graph/machine/parallel.hpp>

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/machine/internal/float_mode.hpp>
#include <xgrad/graph/machine/internal/processors.hpp>

namespace xgrad::inline v0 {
namespace {

// Set while a thread runs a task of the pool, so that a call from inside runs in place.
thread_local bool inside_task = false;

// How long an idle thread looks for work before it sleeps: longer than the gap between two kernels of a training step,
// short enough not to be noticed otherwise.
constexpr auto patience = std::chrono::microseconds(300);

// How long after the system refused a thread the pool asks for one again.
constexpr auto retry = std::chrono::seconds(1);

// More than this in XGRAD_THREADS can only be a slip.
constexpr int most_threads = 1024;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// What the threads of one call work on. Lives in the pool, so that a worker that wakes late touches nothing that is
// gone.
//
// Note [Gate]. Workers are invited, not awaited: one that the machine has given no time yet must not hold up the call.
// So each passes a gate before it looks at the job. The gate is open while there is work, lets in as many as were
// invited, and counts those inside; the call shuts it and then waits for these alone.
struct Job {
  static constexpr std::uint64_t inside = 1;            // unit of the count of workers that have not left
  static constexpr std::uint64_t entered = 1ULL << 16;  // unit of the count of workers that came in
  static constexpr std::uint64_t invited = 1ULL << 32;  // unit of the count of workers that may come in
  static constexpr std::uint64_t open = 1ULL << 48;

  const TaskRef* task = nullptr;
  Index tasks = 0;
  std::uint64_t float_mode = 0;
  std::atomic<std::uint64_t> gate{0};
  std::atomic<Index> next{0};
  std::mutex error_lock;
  std::exception_ptr error;

  bool enter() {
    std::uint64_t now = gate.load(std::memory_order_relaxed);
    do {
      if ((now & open) == 0 || now / entered % entered >= now / invited % entered) return false;
    } while (
        !gate.compare_exchange_weak(now, now + entered + inside, std::memory_order_acquire, std::memory_order_relaxed));
    return true;
  }
  void leave() { gate.fetch_sub(inside, std::memory_order_release); }

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

// A thread of the pool and the bell by which it is called: its own, so that a call disturbs none but those invited.
struct Worker {
  alignas(64) std::atomic<std::uint64_t> calls{0};
  std::atomic<bool> asleep{false};
  std::thread thread;

  void ring() {
    calls.fetch_add(1,
                    std::memory_order_seq_cst);  // ordered with `asleep`: a worker that goes to sleep is seen or sees
    if (asleep.load(std::memory_order_seq_cst)) calls.notify_one();
  }
  std::uint64_t next_call(std::uint64_t seen) {
    const auto start = std::chrono::steady_clock::now();
    for (int spins = 1;; ++spins) {
      const std::uint64_t now = calls.load(std::memory_order_acquire);
      if (now != seen) return now;
      relax();
      if (spins % 64 == 0 && std::chrono::steady_clock::now() - start > patience) break;
    }
    asleep.store(true, std::memory_order_seq_cst);
    calls.wait(seen, std::memory_order_seq_cst);
    asleep.store(false, std::memory_order_relaxed);
    return calls.load(std::memory_order_acquire);
  }
};

// Threads that are never destroyed but ended, see `end`: whoever still calls them then does the work itself.
class Pool {
 public:
  // Null once the process is ending.
  static Pool* instance();

  // False if there is nobody to share the work with: the pool is at work for someone else, or may have no thread.
  bool run(int threads, Index tasks, const TaskRef& task) {
    const std::unique_lock busy(busy_, std::try_to_lock);
    if (!busy.owns_lock() || stop_.load(std::memory_order_relaxed)) return false;
    const std::size_t helpers = find_helpers(static_cast<std::size_t>(std::min<Index>(threads, tasks)) - 1);
    if (helpers == 0) return false;
    job_.task = &task;
    job_.tasks = tasks;
    job_.float_mode = float_mode();
    job_.error = nullptr;
    job_.next.store(0, std::memory_order_relaxed);
    job_.gate.store(Job::open + helpers * Job::invited, std::memory_order_release);
    for (std::size_t i = 0; i < helpers; ++i) workers_[i]->ring();
    job_.work();
    job_.gate.fetch_and(~Job::open, std::memory_order_relaxed);
    for (int spins = 1; job_.gate.load(std::memory_order_acquire) % Job::entered > 0; ++spins) {
      if (spins % 256 == 0)
        std::this_thread::yield();  // more threads than processors
      else
        relax();
    }
    if (job_.error) std::rethrow_exception(std::exchange(job_.error, nullptr));
    return true;
  }

 private:
  void serve(Worker& self) {
    for (std::uint64_t seen = 0;;) {
      seen = self.next_call(seen);
      if (stop_.load(std::memory_order_relaxed)) return;
      if (!job_.enter()) continue;
      set_float_mode(job_.float_mode);  // as on the thread that called, or results would depend on who computes them
      job_.work();
      job_.leave();
    }
  }

  // How many threads there are to help, `wanted` at most: fewer where limits of processes or memory allow no more.
  std::size_t find_helpers(std::size_t wanted) {
    while (workers_.size() < wanted && add_worker()) continue;
    return std::min(wanted, workers_.size());
  }
  bool add_worker() {
    if (refused_ && std::chrono::steady_clock::now() - *refused_ < retry) return false;
    try {
      workers_.reserve(workers_.size() + 1);
      auto worker = std::make_unique<Worker>();
      worker->thread = std::thread([this, self = worker.get()] { serve(*self); });
      workers_.push_back(std::move(worker));
      return true;
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {}
    refused_ = std::chrono::steady_clock::now();
    return false;
  }
  // Ends the threads, unless they are at work: for another thread, or for the very task that ends the process.
  void end() {
    if (inside_task) return;
    const std::unique_lock busy(busy_, std::try_to_lock);
    if (!busy.owns_lock()) return;
    stop_.store(true, std::memory_order_relaxed);
    for (const auto& worker : workers_) worker->ring();
    for (const auto& worker : workers_) worker->thread.join();
    workers_.clear();
  }

  // What happens to the process.
  struct Process {
    Process() { pthread_atfork(nullptr, nullptr, forget); }
    ~Process() {
      ended.store(true);
      if (Pool* pool = current.load()) pool->end();
    }
    // In the child of a fork, where the pool's threads are not, nor whoever held its lock.
    static void forget() {
      Pool* pool = current.exchange(nullptr);
      if (pool == nullptr) return;
      pool->older_ = forgotten;
      forgotten = pool;
    }
  };
  static inline std::atomic<Pool*> current{nullptr};
  static inline std::atomic<bool> ended{false};
  static inline Pool* forgotten = nullptr;  // kept for leak checkers

  std::mutex busy_;
  Job job_;
  std::atomic<bool> stop_{false};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::optional<std::chrono::steady_clock::time_point> refused_;  // when no thread was to be had
  Pool* older_ = nullptr;
};

Pool* Pool::instance() {
  if (ended.load(std::memory_order_relaxed)) return nullptr;
  Pool* pool = current.load(std::memory_order_acquire);
  if (pool != nullptr) return pool;
  static const Process process;
  auto made = std::make_unique<Pool>();
  return current.compare_exchange_strong(pool, made.get()) ? made.release() : pool;
}

}  // namespace

void Parallel::for_each(Index tasks, TaskRef task) const {
  if (tasks > 1 && threads_ > 1 && !inside_task) {
    if (Pool* pool = Pool::instance(); pool != nullptr && pool->run(threads_, tasks, task)) return;
  }
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

int usable_processors() {
  static const int processors = [] {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }();
  return processors;
}

int default_threads() {
  static const int threads = [] {
    const char* wanted = std::getenv("XGRAD_THREADS");
    if (wanted != nullptr && *wanted != '\0') {
      int n = 0;
      const char* end = wanted + std::strlen(wanted);
      const auto [rest, error] = std::from_chars(wanted, end, n);
      if (error != std::errc() || rest != end || n < 1 || n > most_threads) {
        throw UserError(
            fmt::format("XGRAD_THREADS: \"{}\" is not a number of threads from 1 to {}", wanted, most_threads));
      }
      return n;
    }
    return usable_processors();
  }();
  return threads;
}

}  // namespace xgrad::inline v0
