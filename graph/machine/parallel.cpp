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
#include <deque>
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

// Note [Shares]. Thread t of T starts with the tasks [n t / T, n (t + 1) / T) of n. Task i makes the i-th part of a
// result, so the same rows meet the same core, and its private caches, in all kernels of a step and in all steps. A
// thread whose share is done takes tasks from the ends of other shares, so that none waits for a slow thread.
class alignas(64) Share {
 public:
  static constexpr Index most = 0xffff'ffff;  // tasks of a call

  void set(Index first, Index last) { range_.store(pack(first, last), std::memory_order_relaxed); }
  // The owner takes from the front, the others from the back. Returns -1 if the share is empty.
  Index take_first() {
    return take([](Index first, Index last) { return std::pair(first, pack(first + 1, last)); });
  }
  Index take_last() {
    return take([](Index first, Index last) { return std::pair(last - 1, pack(first, last - 1)); });
  }

 private:
  static std::uint64_t pack(Index first, Index last) {
    return static_cast<std::uint64_t>(first) << 32 | static_cast<std::uint64_t>(last);
  }
  template <class F>
  Index take(F next) {
    for (std::uint64_t now = range_.load(std::memory_order_relaxed);;) {
      const auto first = static_cast<Index>(now >> 32), last = static_cast<Index>(now & most);
      if (first == last) return -1;
      const auto [task, rest] = next(first, last);
      if (range_.compare_exchange_weak(now, rest, std::memory_order_relaxed)) return task;
    }
  }

  std::atomic<std::uint64_t> range_{0};
};

// The work of one call. It is a member of the pool, so that a worker that wakes late does not access a dead object.
//
// Note [Gate]. A call must not wait for a worker the OS has not scheduled. Workers enter through a gate; the caller
// closes the gate and waits only for those inside. Seats are fixed: the caller has seat 0, the i-th worker seat i. A
// call has as many seats as threads, and the gate admits only their workers.
class Job {
 public:
  // Only while the gate is closed and nobody is inside.
  void add_seats(std::size_t count) { shares_.resize(std::max(shares_.size(), count)); }
  void open(std::size_t seats, Index tasks, const TaskRef& task) {
    task_ = &task;
    float_mode_ = float_mode();
    error_ = nullptr;
    const auto all = static_cast<Index>(seats);
    for (Index seat = 0; seat < all; ++seat)
      shares_[static_cast<std::size_t>(seat)].set(tasks * seat / all, tasks * (seat + 1) / all);
    gate_.store(is_open | seats * one_seat, std::memory_order_release);
  }
  bool enter(std::size_t seat) {
    std::uint64_t now = gate_.load(std::memory_order_relaxed);
    do {
      if ((now & is_open) == 0 || seat >= now % is_open / one_seat) return false;
    } while (!gate_.compare_exchange_weak(now, now + inside, std::memory_order_acquire, std::memory_order_relaxed));
    set_float_mode(float_mode_);  // results must not depend on the thread
    return true;
  }
  void leave() { gate_.fetch_sub(inside, std::memory_order_release); }
  // Waits until nobody is inside, and rethrows the exception of a task.
  void close() {
    gate_.fetch_and(~is_open, std::memory_order_relaxed);
    for (int spins = 1; gate_.load(std::memory_order_acquire) % one_seat > 0; ++spins) {
      if (spins % 256 == 0)
        std::this_thread::yield();  // there may be more threads than processors
      else
        relax();
    }
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }
  void work(std::size_t seat) {
    const std::size_t seats = gate_.load(std::memory_order_relaxed) % is_open / one_seat;
    inside_task = true;
    for (Index i; (i = shares_[seat].take_first()) >= 0;) run(i);
    for (std::size_t distance = 1; distance < seats; ++distance) {
      Share& other = shares_[(seat + distance) % seats];
      for (Index i; (i = other.take_last()) >= 0;) run(i);
    }
    inside_task = false;
  }

 private:
  static constexpr std::uint64_t inside = 1;             // of workers that have entered and not left
  static constexpr std::uint64_t one_seat = 1ULL << 16;  // of threads of the call
  static constexpr std::uint64_t is_open = 1ULL << 32;

  void run(Index i) {
    try {
      (*task_)(i);
    } catch (...) {
      const std::lock_guard lock(error_lock_);
      if (!error_) error_ = std::current_exception();
    }
  }

  const TaskRef* task_ = nullptr;
  std::uint64_t float_mode_ = 0;
  std::atomic<std::uint64_t> gate_{0};
  std::deque<Share> shares_;  // by seat
  std::mutex error_lock_;
  std::exception_ptr error_;
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
    if (!busy.owns_lock() || stop_.load(std::memory_order_relaxed) || tasks > Share::most) return false;
    const Index seats = std::min<Index>({threads, max_threads, tasks});
    const std::size_t helpers = find_helpers(static_cast<std::size_t>(seats) - 1);
    if (helpers == 0) return false;
    job_.open(helpers + 1, tasks, task);
    for (std::size_t i = 0; i < helpers; ++i) workers_[i]->ring();
    job_.work(0);
    job_.close();
    return true;
  }

 private:
  void worker_loop(Worker& self, std::size_t seat) {
    for (std::uint64_t seen = 0;;) {
      seen = self.next_call(seen);
      if (stop_.load(std::memory_order_relaxed)) return;
      if (!job_.enter(seat)) continue;
      job_.work(seat);
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
      const std::size_t seat = workers_.size() + 1;
      job_.add_seats(seat + 1);
      worker->thread = std::thread([this, self = worker.get(), seat] { worker_loop(*self, seat); });
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
