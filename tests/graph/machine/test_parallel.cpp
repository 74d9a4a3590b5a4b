// Every task runs once, for any nesting and any number of concurrent callers; exceptions arrive after all other tasks
// are done and leave the pool usable.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/machine/parallel.hpp>

#include "support/emulated.hpp"

using namespace xgrad;

namespace {

using Counters = std::vector<std::atomic<int>>;

bool each_once(const Counters& counters) {
  for (const auto& c : counters) {
    if (c.load() != 1) return false;
  }
  return true;
}

bool runs_each_once(int threads, Index tasks) {
  Counters counters(static_cast<std::size_t>(tasks));
  Parallel(threads).for_each(tasks, [&](Index i) { ++counters[static_cast<std::size_t>(i)]; });
  return each_once(counters);
}

// Waits until the condition holds; false after a long timeout.
template <class F>
bool eventually(F condition) {
  const auto start = std::chrono::steady_clock::now();
  while (!condition()) {
    if (std::chrono::steady_clock::now() - start > std::chrono::seconds(20)) return false;
    std::this_thread::yield();
  }
  return true;
}

constexpr int refused = -2;

// The default of a new process with XGRAD_THREADS set to `value`; `refused` if it reports an invalid value, -1 if the
// process failed.
int default_of_new_process(const char* value) {
  const char* emulator = testing::emulator();
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string variable = value == nullptr ? "-u XGRAD_THREADS" : fmt::format("XGRAD_THREADS='{}'", value);
  const std::string command = fmt::format("env {} {} '{}' --no-skip --test-case='says its default number of threads'",
                                          variable, emulator == nullptr ? "" : emulator, program);
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return -1;
  std::string output;
  char buffer[256];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) output += buffer;
  pclose(pipe);
  const std::string marker = "default threads: ";
  const auto at = output.find(marker);
  if (output.find("is not a number of threads from 1 to 1024") != std::string::npos) return refused;
  return at == std::string::npos ? -1 : std::atoi(output.c_str() + at + marker.size());
}

}  // namespace

TEST_CASE("says its default number of threads" * doctest::skip()) {  // run in a child process by default_of_new_process
  std::printf("default threads: %d\n", default_threads());
}

TEST_CASE("default_threads: reads XGRAD_THREADS, and throws if it is invalid") {
  const int unset = default_of_new_process(nullptr);
  CHECK(unset >= 1);
  CHECK(default_of_new_process("3") == 3);
  CHECK(default_of_new_process("1") == 1);
  for (const char* nonsense : {"0", "-2", "many", "4abc", "99999999999"}) {
    CAPTURE(nonsense);
    CHECK(default_of_new_process(nonsense) == refused);
  }
  CHECK(default_of_new_process("") == unset);
  CHECK(default_threads() >= 1);
}

TEST_CASE("parallel: each task runs once, for any number of tasks and threads") {
  for (const int threads : {-1, 0, 1, 2, 3, 4, 8, 16}) {
    for (const Index tasks : {0, 1, 2, 3, 4, 7, 8, 9, 100, 10'000}) {
      CAPTURE(threads);
      CAPTURE(tasks);
      CHECK(runs_each_once(threads, tasks));
    }
  }
  CHECK(Parallel(0).threads() == 1);
  CHECK(Parallel(-3).threads() == 1);
  CHECK(Parallel(5).threads() == 5);
}

TEST_CASE("parallel: zero tasks call nothing") {
  for (const int threads : {1, 4}) {
    Parallel(threads).for_each(0, [](Index) { FAIL("called"); });
  }
}

TEST_CASE("parallel: one thread runs the tasks in order on the caller") {
  std::vector<Index> order;
  bool elsewhere = false;
  const auto here = std::this_thread::get_id();
  Parallel(1).for_each(100, [&](Index i) {
    order.push_back(i);
    elsewhere = elsewhere || std::this_thread::get_id() != here;
  });
  CHECK_FALSE(elsewhere);
  REQUIRE(order.size() == 100);
  for (Index i = 0; i < 100; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("parallel: as many tasks as threads run concurrently") {
  for (const int threads : {2, 3, 4}) {
    std::atomic<int> arrived{0};
    std::atomic<int> met{0};
    Parallel(threads).for_each(threads, [&](Index) {
      ++arrived;
      if (eventually([&] { return arrived.load() == threads; })) ++met;
    });
    CHECK(met.load() == threads);
  }
}

TEST_CASE("parallel: a thread starts with the same tasks in every call") {
  for (const int threads : {2, 3, 4}) {
    const Index tasks = 5 * threads + 1;
    std::vector<std::thread::id> first(static_cast<std::size_t>(threads));
    for (int repeat = 0; repeat < 20; ++repeat) {
      std::vector<std::thread::id> ran(static_cast<std::size_t>(tasks));
      std::atomic<int> arrived{0};
      thread_local bool waited = false;
      Parallel(threads).for_each(tasks, [&](Index i) {
        ran[static_cast<std::size_t>(i)] = std::this_thread::get_id();
        if (std::exchange(waited, true)) return;
        ++arrived;  // no thread takes another's tasks before all have begun
        eventually([&] { return arrived.load() == threads; });
      });
      REQUIRE(arrived.load() == threads);
      CHECK(ran[0] == std::this_thread::get_id());
      for (int t = 0; t < threads; ++t) {
        const std::thread::id id = ran[static_cast<std::size_t>(tasks * t / threads)];
        if (repeat == 0) first[static_cast<std::size_t>(t)] = id;
        CHECK(first[static_cast<std::size_t>(t)] == id);
      }
      Parallel(threads).for_each(threads, [&](Index) {  // each thread one task
        waited = false;
        --arrived;
        eventually([&] { return arrived.load() == 0; });
      });
    }
  }
}

TEST_CASE("parallel: the tasks of a slow thread are taken by the others") {
  for (const int threads : {2, 3, 4}) {
    const Index tasks = 10 * threads;
    for (const Index slow : {Index{0}, tasks / threads, tasks - 1}) {  // a first task of a thread, or the last of all
      std::atomic<Index> done{0};
      bool rest_done = false;
      Parallel(threads).for_each(tasks, [&](Index i) {
        if (i == slow) rest_done = eventually([&] { return done.load() == tasks - 1; });
        ++done;
      });
      CHECK(rest_done);
    }
  }
}

TEST_CASE("parallel: uses at most the given number of threads") {
  REQUIRE(runs_each_once(8, 1000));  // the pool has seven threads from here on
  for (const int threads : {2, 3, 5}) {
    std::set<std::thread::id> seen;
    std::mutex lock;
    for (int repeat = 0; repeat < 20; ++repeat) {
      seen.clear();
      Parallel(threads).for_each(200, [&](Index) {
        const std::lock_guard guard(lock);
        seen.insert(std::this_thread::get_id());
      });
      CHECK(static_cast<int>(seen.size()) <= threads);
    }
  }
}

TEST_CASE("parallel: an exception is rethrown after all other tasks, and the pool stays usable") {
  for (const int threads : {1, 2, 3, 4, 8}) {
    for (int repeat = 0; repeat < 50; ++repeat) {
      CAPTURE(threads);
      Counters counters(100);
      bool thrown = false;
      try {
        Parallel(threads).for_each(100, [&](Index i) {
          ++counters[static_cast<std::size_t>(i)];
          if (i == 17) throw ValueError("task 17");
        });
      } catch (const ValueError& error) {
        thrown = std::string(error.what()) == "task 17";
      }
      CHECK(thrown);
      CHECK(each_once(counters));
      CHECK(runs_each_once(threads, 100));
    }
  }
}

TEST_CASE("parallel: one exception is rethrown if every task throws") {
  for (const int threads : {1, 4}) {
    Counters counters(64);
    const auto call = [&] {
      Parallel(threads).for_each(64, [&](Index i) {
        ++counters[static_cast<std::size_t>(i)];
        throw i;
      });
    };
    CHECK_THROWS_AS(call(), Index);
    CHECK(each_once(counters));
  }
  CHECK(runs_each_once(4, 64));
}

TEST_CASE("parallel: nested calls work to any depth, including exceptions") {
  for (const int threads : {1, 2, 4, 8}) {
    CAPTURE(threads);
    const Parallel parallel(threads);
    Counters counters(8 * 9 * 10);
    parallel.for_each(8, [&](Index i) {
      parallel.for_each(9, [&](Index j) {
        parallel.for_each(10, [&](Index k) { ++counters[static_cast<std::size_t>((i * 9 + j) * 10 + k)]; });
      });
    });
    CHECK(each_once(counters));

    std::atomic<int> caught{0};
    parallel.for_each(8, [&](Index) {
      try {
        parallel.for_each(5, [](Index j) {
          if (j == 2) throw std::runtime_error("inside");
        });
      } catch (const std::runtime_error&) {
        ++caught;
      }
    });
    CHECK(caught.load() == 8);
    CHECK_THROWS_AS(parallel.for_each(8, [&](Index) { parallel.for_each(3, [](Index) { throw 1; }); }), int);
    CHECK(runs_each_once(threads, 100));
  }
}

TEST_CASE("parallel: many user threads may call concurrently, some with throwing tasks") {
  constexpr std::size_t users = 8;
  std::vector<std::thread> threads;
  Counters right(users);
  for (std::size_t u = 0; u < users; ++u) {
    threads.emplace_back([&right, u] {
      bool all = true;
      for (int repeat = 0; repeat < 300; ++repeat) {
        const int asked = 1 + repeat % 5;
        if (u % 2 == 0) {
          all = all && runs_each_once(asked, 1 + repeat % 70);
          continue;
        }
        Counters counters(40);
        bool thrown = false;
        try {
          Parallel(asked).for_each(40, [&](Index i) {
            ++counters[static_cast<std::size_t>(i)];
            if (i == repeat % 40) throw repeat;
          });
        } catch (int number) {
          thrown = number == repeat;  // the exception of this caller, not of another
        }
        all = all && thrown && each_once(counters);
      }
      right[u] = all ? 1 : 0;
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(each_once(right));
  CHECK(runs_each_once(4, 1000));
}

TEST_CASE("parallel: a call runs on the calling thread while the pool is busy") {
  std::atomic<bool> started{false};
  std::atomic<bool> finish{false};
  std::thread other([&] {
    Parallel(2).for_each(2, [&](Index) {
      started = true;
      eventually([&] { return finish.load(); });
    });
  });
  REQUIRE(eventually([&] { return started.load(); }));
  const auto here = std::this_thread::get_id();
  std::atomic<int> at_home{0};
  Parallel(4).for_each(100, [&](Index) {
    if (std::this_thread::get_id() == here) ++at_home;
  });
  finish = true;
  other.join();
  CHECK(at_home.load() == 100);
}

TEST_CASE("parallel: sleeping threads wake up") {
  for (int repeat = 0; repeat < 30; ++repeat) {
    std::this_thread::sleep_for(std::chrono::microseconds(repeat * 20));  // around the spin time
    CHECK(runs_each_once(4, 50));
  }
}

TEST_CASE("parallel: a thousand small calls lose no task") {
  std::atomic<Index> sum{0};
  for (int repeat = 0; repeat < 1000; ++repeat) {
    Parallel(2 + repeat % 3).for_each(4, [&](Index i) { sum += i + 1; });
  }
  CHECK(sum.load() == 10'000);
}
