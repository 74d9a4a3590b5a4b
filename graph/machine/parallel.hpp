// Parallel: how a kernel spreads its work over threads.
//
//   parallel.for_each(tasks, [&](Index task) { ... });
//
// The kernel cuts its work into tasks by the size of the work alone, never by the number of threads, and each task
// writes its own part of the output; so results are the same bits for any number of threads. All threads come from
// one pool for the whole process. When the pool is already at work for someone else, tasks simply run on the calling
// thread: a program with threads of its own is never oversubscribed, and calls from inside a task are safe. The same
// holds for threads that a limit of processes or memory forbids, and in the destructors of global objects. A child of
// fork() begins with a pool of its own.
#pragma once

#include <xgrad/graph/base/index.hpp>

namespace xgrad::inline v0 {

// A borrowed callable `void(Index)`: like std::function, but it neither owns nor allocates.
class TaskRef {
 public:
  template <class F>
  TaskRef(const F& f) : object_(&f), call_([](const void* o, Index i) { (*static_cast<const F*>(o))(i); }) {}
  void operator()(Index i) const { call_(object_, i); }

 private:
  const void* object_;
  void (*call_)(const void*, Index);
};

// The same for a range: a borrowed callable `void(Index first, Index last)`, where `last` is one past the end.
class RangeRef {
 public:
  template <class F>
  RangeRef(const F& f)
      : object_(&f), call_([](const void* o, Index first, Index last) { (*static_cast<const F*>(o))(first, last); }) {}
  void operator()(Index first, Index last) const { call_(object_, first, last); }

 private:
  const void* object_;
  void (*call_)(const void*, Index, Index);
};

class Parallel {
 public:
  // `threads` is an upper bound and counts the calling thread; 1 runs everything in order on the caller.
  explicit Parallel(int threads = 1) : threads_(threads < 1 ? 1 : threads) {}

  int threads() const { return threads_; }
  // Calls task(0) ... task(tasks - 1), each once, in any order, and returns when all are done. The first exception
  // a task throws is rethrown here after the others have finished.
  void for_each(Index tasks, TaskRef task) const;

 private:
  int threads_;
};

// The number of threads used unless a run asks for another: that of the environment variable XGRAD_THREADS if it is
// set, otherwise the number of processors this process may use. Throws UserError if the variable holds no number from 1
// to 1024.
int default_threads();

}  // namespace xgrad::inline v0
