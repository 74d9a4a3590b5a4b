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

// Set while this thread runs a task of the pool; nested calls then run serially.
thread_local bool inside_task = false;

// How long an idle worker spins before it sleeps: longer than the gap between two kernels of a training step, short
// enough not to waste noticeable CPU time.
constexpr auto spin_time = std::chrono::microseconds(300);

// How long after a failed thread creation the pool tries again.
constexpr auto retry_interval = std::chrono::seconds(1);

// A larger XGRAD_THREADS is a typing error.
constexpr int max_threads = 1024;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// The work of one call. It is a member of the pool, so that a worker that wakes late does not access a dead object.
//
// Note [Gate]. A call must not wait for a worker the OS has not scheduled. Workers enter through a gate; the caller
// closes the gate and waits only for those inside. The gate counts the workers invited, entered and still inside.
struct Job {
  static constexpr std::uint64_t inside = 1;            // increment of the count of workers that have not left
  static constexpr std::uint64_t entered = 1ULL << 16;  // increment of the count of workers that entered
  static constexpr std::uint64_t invited = 1ULL << 32;  // increment of the count of workers that may enter
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

// A thread of the pool with its own wake-up counter, so that a call wakes only the workers it invites.
struct Worker {
  alignas(64) std::atomic<std::uint64_t> calls{0};
  std::atomic<bool> asleep{false};
  std::thread thread;

  void ring() {
    calls.fetch_add(1,
                    std::memory_order_seq_cst);  // with `asleep`: a lost wake-up is impossible
    if (asleep.load(std::memory_order_seq_cst)) calls.notify_one();
  }
  std::uint64_t next_call(std::uint64_t seen) {
    const auto start = std::chrono::steady_clock::now();
    for (int spins = 1;; ++spins) {
      const std::uint64_t now = calls.load(std::memory_order_acquire);
      if (now != seen) return now;
      relax();
      if (spins % 64 == 0 && std::chrono::steady_clock::now() - start > spin_time) break;
    }
    asleep.store(true, std::memory_order_seq_cst);
    calls.wait(seen, std::memory_order_seq_cst);
    asleep.store(false, std::memory_order_relaxed);
    return calls.load(std::memory_order_acquire);
  }
};

// The threads and the current call. The pool is never destroyed: `end` joins its threads, and later calls run on the
// calling thread.
class Pool {
 public:
  // The pool of the process; null while the process ends.
  static Pool* instance();

  // Returns false, without running a task, if the pool is busy with another call or has no threads.
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
        std::this_thread::yield();  // there may be more threads than processors
      else
        relax();
    }
    if (job_.error) std::rethrow_exception(std::exchange(job_.error, nullptr));
    return true;
  }

 private:
  void worker_loop(Worker& self) {
    for (std::uint64_t seen = 0;;) {
      seen = self.next_call(seen);
      if (stop_.load(std::memory_order_relaxed)) return;
      if (!job_.enter()) continue;
      set_float_mode(job_.float_mode);  // results must not depend on the thread
      job_.work();
      job_.leave();
    }
  }

  // Number of helper threads, at most `wanted`; fewer if process or memory limits allow no more.
  std::size_t find_helpers(std::size_t wanted) {
    while (workers_.size() < wanted && add_worker()) continue;
    return std::min(wanted, workers_.size());
  }
  bool add_worker() {
    if (refused_ && std::chrono::steady_clock::now() - *refused_ < retry_interval) return false;
    try {
      workers_.reserve(workers_.size() + 1);
      auto worker = std::make_unique<Worker>();
      worker->thread = std::thread([this, self = worker.get()] { worker_loop(*self); });
      workers_.push_back(std::move(worker));
      return true;
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {}
    refused_ = std::chrono::steady_clock::now();
    return false;
  }
  // Ends the threads, unless they work for another thread or for the task that ends the process.
  void end() {
    if (inside_task) return;
    const std::unique_lock busy(busy_, std::try_to_lock);
    if (!busy.owns_lock()) return;
    stop_.store(true, std::memory_order_relaxed);
    for (const auto& worker : workers_) worker->ring();
    for (const auto& worker : workers_) worker->thread.join();
    workers_.clear();
  }

  // Handlers for fork and exit.
  struct Process {
    Process() { pthread_atfork(nullptr, nullptr, forget); }
    ~Process() {
      ended.store(true);
      if (Pool* pool = current.load()) pool->end();
    }
    // In the child of a fork, neither the pool's threads nor the owner of its lock exist: leave the pool and its lock.
    static void forget() {
      Pool* pool = current.exchange(nullptr);
      if (pool == nullptr) return;
      pool->older_ = forgotten;
      forgotten = pool;
    }
  };
  static inline std::atomic<Pool*> current{nullptr};
  static inline std::atomic<bool> ended{false};
  static inline Pool* forgotten = nullptr;  // reachable, so that leak checkers do not report it

  std::mutex busy_;
  Job job_;
  std::atomic<bool> stop_{false};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::optional<std::chrono::steady_clock::time_point> refused_;  // time of the last failed thread creation
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
      if (error != std::errc() || rest != end || n < 1 || n > max_threads) {
        throw UserError(
            fmt::format("XGRAD_THREADS: \"{}\" is not a number of threads from 1 to {}", wanted, max_threads));
      }
      return n;
    }
    return usable_processors();
  }();
  return threads;
}

}  // namespace xgrad::inline v0
