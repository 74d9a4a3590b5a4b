// Parallel: spreads a kernel's work over threads.
#pragma once

#include <xgrad/graph/base/index.hpp>

namespace xgrad::inline v0 {

// A borrowed callable `void(Arguments...)`: like std::function, but it neither owns nor allocates.
template <class... Arguments>
class FunctionRef {
 public:
  template <class F>
  FunctionRef(const F& f)
      : object_(&f), call_([](const void* o, Arguments... arguments) { (*static_cast<const F*>(o))(arguments...); }) {}
  void operator()(Arguments... arguments) const { call_(object_, arguments...); }

 private:
  const void* object_;
  void (*call_)(const void*, Arguments...);
};
using TaskRef = FunctionRef<Index>;
using RangeRef = FunctionRef<Index, Index>;  // for [first, last)

// A number of threads on which a kernel may run.
//
//   parallel.for_each(tasks, [&](Index task) { ... });
//
// The kernel splits its work into tasks by the size of the work alone, never by the number of threads, and each task
// writes its own part of the output. Therefore results are bit-identical for any number of threads.
//
// All threads come from one process-wide pool. Tasks run on the calling thread while the pool is busy with another
// call, inside a task, in destructors of global objects, and where process or memory limits forbid threads. So a
// multithreaded program is never oversubscribed. A child of fork() starts with a new pool.
class Parallel {
 public:
  // `threads` is an upper bound and counts the calling thread; 1 runs all tasks in order on the caller.
  explicit Parallel(int threads = 1) : threads_(threads < 1 ? 1 : threads) {}

  int threads() const { return threads_; }
  // Calls task(0) ... task(tasks - 1), each once, in any order, and returns when all are done. Rethrows the first
  // exception of a task after all others have finished.
  void for_each(Index tasks, TaskRef task) const;

 private:
  int threads_;
};

// Calls task(first, last) in parallel for ranges of [0, count) of at most max(size, 1) elements.
template <class F>
void for_stretches(const Parallel& parallel, Index count, Index size, const F& task) {
  const Index chunk = size < 1 ? 1 : size;
  parallel.for_each((count + chunk - 1) / chunk, [&](Index i) {
    const Index first = i * chunk;
    task(first, first + chunk < count ? first + chunk : count);
  });
}
// Calls f(i) for all i of [0, count), in such ranges.
template <class F>
void for_each_in_stretches(const Parallel& parallel, Index count, Index size, const F& f) {
  for_stretches(parallel, count, size, [&](Index first, Index last) {
    for (Index i = first; i < last; ++i) f(i);
  });
}

// The default number of threads: the environment variable XGRAD_THREADS if set, otherwise the number of processors this
// process may use. Throws UserError if the variable is not an integer from 1 to 1024.
int default_threads();

}  // namespace xgrad::inline v0
