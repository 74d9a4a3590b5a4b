// Process-level conditions: fork, exit, no more threads, no more memory. Each in its own child process.
#include <cfenv>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/ops/ops.hpp>

#include "support/child_process.hpp"
#include "support/sanitizers.hpp"

using namespace xgrad;
using testing::exit_code_of;
using testing::limit_memory;

namespace {

constexpr Index many = Index{1} << 18;  // elements: enough for several tasks

// The mean of exp(0), computed with `threads` threads.
double mean_of_ones(int threads) {
  Graph g;
  const Value x = g.input("x", {many});
  return Plan({mean(exp(x))}).run({{x, Tensor::zeros({many})}}, {.threads = threads})[0].item();
}

void require(bool condition) {
  if (!condition) throw std::logic_error("requirement failed");
}

// A global object whose destructor runs graphs, after the destructors of the library's statics.
struct RunsInDestructor {
  bool armed = false;
  std::unique_ptr<Graph> graph = std::make_unique<Graph>();
  std::unique_ptr<Plan> plan;
  Value x;
  ~RunsInDestructor() {
    if (!armed) return;
    const bool same = mean_of_ones(4) == 1 && plan->run({{x, Tensor::zeros({many})}}, {.threads = 4})[0].item() == 1;
    _exit(same ? 17 : 18);
  }
} late;

}  // namespace

#if THREAD_SANITIZER
TEST_CASE("process: not under the thread sanitizer") {
  MESSAGE("skipped: the thread sanitizer does not follow threads that the child of a fork starts");
}
#else
TEST_CASE("process: a forked child can exit, compute, and use more threads than its parent") {
  CHECK(mean_of_ones(2) == 1);
  CHECK(exit_code_of([] { std::exit(0); }) == 0);
  for (const int threads : {1, 2, 4, 8}) {
    CAPTURE(threads);
    const auto compute = [&] { require(mean_of_ones(threads) == 1); };
    CHECK(exit_code_of(compute) == 0);
    CHECK(exit_code_of([&] {
            compute();
            std::exit(0);
          }) == 0);
  }
  CHECK(exit_code_of(
            [] { require(exit_code_of([] { require(mean_of_ones(3) == 1); }) == 0 && mean_of_ones(2) == 1); }) == 0);
  CHECK(mean_of_ones(4) == 1);
}

TEST_CASE("process: destructors of global objects can build and run graphs") {
  const int code = exit_code_of([] {
    late.x = late.graph->input("x", {many});
    late.plan = std::make_unique<Plan>(std::vector<Value>{mean(exp(late.x))});
    require(mean_of_ones(4) == 1);
    late.armed = true;
    std::exit(0);
  });
  CHECK(code == 17);
}

TEST_CASE("process: a task can call exit") {
  const int code = exit_code_of([] {
    Parallel(4).for_each(64, [](Index i) {
      if (i == 40) std::exit(5);
    });
  });
  CHECK(code == 5);
}

TEST_CASE("process: if no thread can be created, the calling thread does the work") {
  CHECK(exit_code_of([] {
          (void)setuid(65534);  // RLIMIT_NPROC does not apply to root
          const rlimit limit{1, 1};
          require(setrlimit(RLIMIT_NPROC, &limit) == 0);
          for (const int threads : {1, 2, 8}) require(mean_of_ones(threads) == 1);
        }) == 0);
}

#if !ADDRESS_SANITIZER  // the sanitizer needs more address space
TEST_CASE("process: OutOfMemoryError says what the memory was for") {
  struct Case {
    std::string name, message;
    std::size_t limit;
    std::function<void()> work;
  };
  constexpr std::size_t small_limit = std::size_t{64} << 20;
  constexpr std::size_t unlimited = 0;
  constexpr Index large = Index{64} << 20;  // elements of 256 MiB
  const std::vector<Case> cases{
      {"a tensor", "tensor: out of memory for 268435456 bytes", small_limit, [] { Tensor t = Tensor::zeros({large}); }},
      {"a copy", "tensor: out of memory for 268435456 bytes", small_limit,
       [] {
         static const float number = 0;
         (void)Tensor::borrow(&number, {large}).clone();
       }},
      {"a workspace", "workspace: out of memory for 2684", small_limit,
       [] {
         Graph g;
         const Plan plan({sum(g.input("x", {large}))});
         const Workspace memory(plan);
       }},
      {"the interpreter", "tensor: out of memory for 268435456 bytes", small_limit,
       [] {
         Graph g;
         (void)evaluate(broadcast_to(g.constant(1.0), {large}));
       }},
      {"building", "out of memory for another node in a graph of ", small_limit,
       [] {
         Graph g;
         Value x = g.input("x", {});
         for (;;) x = x + 1.0;
       }},
      {"planning", "plan: out of memory for 1 outputs and 0 updates", unlimited,
       [] {
         Graph g;
         Value x = g.input("x", {});
         for (int i = 0; i < 300'000; ++i) x = sin(x);
         limit_memory(std::size_t{4} << 20);
         const Plan plan({x});
       }},
      {"derivatives", "out of memory", unlimited,
       [] {
         Graph g;
         const Value x = g.input("x", {});
         Value y = x;
         for (int i = 0; i < 300'000; ++i) y = sin(y);
         limit_memory(std::size_t{4} << 20);
         (void)gradients(y, x);
       }},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const int code = exit_code_of([&] {
      if (c.limit != unlimited) limit_memory(c.limit);
      try {
        c.work();
      } catch (const OutOfMemoryError& error) {
        const bool matches = error.message().find(c.message) != std::string::npos;
        if (!matches) std::fprintf(stderr, "%s: %s\n", c.name.c_str(), error.what());
        std::_Exit(matches ? 7 : 8);
      }
    });
    CHECK(code == 7);
  }
}
#endif
#endif
