// Models where memory runs out: an error of ours that says what it was for, and the model as it was before.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/allocations.hpp"
#include "support/child_process.hpp"
#include "support/small_model.hpp"

using namespace xgrad;
using small_model::silent;
using testing::exit_code_of;

namespace {

const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));

void require(bool condition, const std::string& what) {
  if (!condition) throw std::logic_error(what);
}

nn::Dataset data_of(Index rows) { return {small_model::numbers({rows, 16}), small_model::numbers({rows, 3}, 0.5)}; }

// Weights, moving statistics, random numbers, penalties, a schedule, what an optimizer remembers, and metrics.
nn::Sequential net() {
  return {nn::Dense(32, nn::relu, {.kernel_regularizer = nn::l2(0.01)}), nn::BatchNorm(), nn::Dropout(0.2),
          nn::Dense(3)};
}
nn::CompileOptions options() {
  return {.loss = nn::mean_squared_error,
          .optimizer = {nn::Adam{.learning_rate = nn::exponential_decay(0.01, 10, 0.9)}, {.accumulate = 2}},
          .metrics = {nn::mean_absolute_error, nn::r2}};
}
nn::Model compiled() {
  nn::Model model{net(), {16}, {.seed = 5}};
  model.compile(options());
  return model;
}

// All that a model does, in a few bytes that must be the same wherever it starts from the same state.
std::vector<Tensor> behavior(nn::Model& model, const nn::Dataset& data) {
  model.fit(data, {.batch_size = 24, .epochs = 2, .verbose = silent, .threads = 1});
  std::vector<Tensor> out = small_model::weights(model);
  out.push_back(model.predict(data.x));
  return out;
}

// For the next compile, since a caller that finds no memory for options is no matter of the library.
std::optional<nn::CompileOptions> prepared;

// One allocation that fails.
class Failing {
 public:
  // The n-th from here on, counted from 0.
  void begin(std::size_t n) {
    number_ = allocations() + n;
    fail_allocation_after(static_cast<long>(n));
  }
  // Whether it came so far.
  bool stop() const {
    fail_allocation_after(-1);
    return allocations() > number_;
  }

 private:
  std::size_t number_ = 0;
};

struct Work {
  std::string name;
  std::function<void(nn::Model&, const nn::Dataset&, int threads)> run;
};

const std::vector<Work>& works() {
  static const std::vector<Work> all{
      {"fit",
       [](nn::Model& m, const nn::Dataset& d, int threads) {
         m.fit(d, {.batch_size = 64, .epochs = 2, .validation_split = 0.2, .verbose = silent, .threads = threads});
       }},
      {"fit that watches numbers",
       [](nn::Model& m, const nn::Dataset& d, int threads) {
         m.fit(d, {.batch_size = 64, .verbose = silent, .threads = threads, .check_finite = true});
       }},
      {"train_on_batch", [](nn::Model& m, const nn::Dataset& d, int threads) { m.train_on_batch(d, threads); }},
      {"evaluate", [](nn::Model& m, const nn::Dataset& d, int threads) { m.evaluate(d, {.threads = threads}); }},
      {"predict", [](nn::Model& m, const nn::Dataset& d, int threads) { m.predict(d.x, {.threads = threads}); }},
      {"compile", [](nn::Model& m, const nn::Dataset&, int) { m.compile(std::move(*prepared)); }},
      {"str", [](nn::Model& m, const nn::Dataset&, int) { (void)m.str(); }},
      {"training_graph", [](nn::Model& m, const nn::Dataset&, int) { (void)m.training_graph(64); }}};
  return all;
}

// Runs f between begin and stop; true if it failed for want of memory. Throws std::logic_error unless it fails in the
// right way.
bool out_of_memory(const std::string& name, const std::function<void()>& begin, const std::function<void()>& f,
                   const std::function<void()>& stop) {
  std::optional<std::string> message;
  std::string wrong;
  try {
    begin();
    f();
    stop();
  } catch (const OutOfMemoryError& error) {
    stop();
    message = error.message();
  } catch (const std::exception& error) {
    stop();
    wrong = error.what();
  }
  require(wrong.empty(), name + ": " + wrong);
  if (message) require(message->find("out of memory ") != std::string::npos, name + ": " + *message);
  return message.has_value();
}

// Does the work on a fresh model, and if it fails requires that it changed nothing.
bool fails(const Work& work, const nn::Dataset& data, int threads, const std::vector<Tensor>& expected,
           const std::function<void()>& begin, const std::function<void()>& stop) {
  nn::Model model = compiled();
  prepared = options();
  const bool failed = out_of_memory(
      work.name, begin, [&] { work.run(model, data, threads); }, stop);
  if (failed) require(small_model::same(behavior(model, data), expected), work.name + ": the model has changed");
  return failed;
}

}  // namespace

TEST_CASE("out of memory: whichever allocation fails, models say what it was for and stay as they were") {
  for (const Work& work : works()) {
    CAPTURE(work.name);
    const int code = exit_code_of(
        [&] {
          const nn::Dataset data = data_of(100);
          nn::Model fresh = compiled();
          const std::vector<Tensor> expected = behavior(fresh, data);
          int failures = 0;
          for (std::size_t n = 0;; n += 1 + n / 16) {
            Failing failing;
            bool reached = false;
            const bool failed = fails(
                work, data, 2, expected, [&] { failing.begin(n); }, [&] { reached = failing.stop(); });
            failures += failed ? 1 : 0;
            if (!reached) break;
          }
          require(failures > 10, work.name + ": only " + std::to_string(failures) + " failures");
        },
        300);
    CHECK(code == 0);
  }
}

TEST_CASE("out of memory: whichever allocation fails, a model can be made afterwards of the same layers") {
  const int code = exit_code_of(
      [&] {
        const nn::Dataset data = data_of(100);
        nn::Model fresh = compiled();
        const std::vector<Tensor> expected = behavior(fresh, data);
        for (std::size_t n = 0;; n += 1 + n / 16) {
          const nn::AnyModule layers = net();
          std::optional<nn::Model> made;
          nn::AnyModule given = layers;
          Failing failing;
          bool reached = false;
          out_of_memory(
              "Model", [&] { failing.begin(n); },
              [&] { made.emplace(std::move(given), Shape{16}, nn::ModelOptions{.seed = 5}); },
              [&] { reached = failing.stop(); });
          nn::Model model{layers, {16}, {.seed = 5}};
          model.compile(options());
          require(small_model::same(behavior(model, data), expected), "Model: other weights");
          if (!reached) break;
        }
      },
      300);
  CHECK(code == 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which need address space of their own
namespace {

void set_limit(rlim_t bytes) {
  rlimit limit{};
  require(getrlimit(RLIMIT_AS, &limit) == 0, "getrlimit");
  limit.rlim_cur = std::min(bytes, limit.rlim_max);
  require(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit");
}
void lift_limit() { set_limit(RLIM_INFINITY); }

// Leaves so many bytes to the process, beside those it has, which are all taken.
void leave_memory(std::size_t left) {
  volatile char stack[1 << 19];  // which would not be allowed to grow
  for (std::size_t i = 0; i < sizeof(stack); i += 1024) stack[i] = 0;
  const auto in_use = [] {
    std::size_t pages = 0;
    FILE* file = std::fopen("/proc/self/statm", "r");
    require(file != nullptr && std::fscanf(file, "%zu", &pages) == 1, "statm");
    std::fclose(file);
    return pages * page;
  };
  set_limit(in_use());
  for (std::size_t hole = std::size_t{1} << 22; hole >= std::size_t{1} << 13; hole /= 4) {
    while (void* taken = std::malloc(hole)) *static_cast<volatile char*>(taken) = 0;
  }
  set_limit(in_use() + left);
}

}  // namespace

TEST_CASE("out of memory: under a limit of the process models say so and stay as they were, with threads too") {
  const nn::Dataset data = data_of(50'000);
  for (const Work& work : works()) {
    for (const int threads : {1, 4}) {
      CAPTURE(work.name);
      CAPTURE(threads);
      int failures = 0;
      for (std::size_t left = 0; left <= std::size_t{16} << 20; left = left == 0 ? 16 * page : 4 * left) {
        CAPTURE(left);
        const int code = exit_code_of([&] {
          const nn::Dataset few = data.slice(0, 100);
          nn::Model fresh = compiled();
          const std::vector<Tensor> expected = behavior(fresh, few);
          nn::Model model = compiled();
          prepared = options();
          const bool failed = out_of_memory(
              work.name, [&] { leave_memory(left); }, [&] { work.run(model, data, threads); }, [] { lift_limit(); });
          if (failed) require(small_model::same(behavior(model, few), expected), "the model has changed");
          if (failed) _exit(7);
        });
        CHECK((code == 0 || code == 7));
        failures += code == 7 ? 1 : 0;
      }
      if (work.name == "fit" || work.name == "predict" || work.name == "evaluate") CHECK(failures > 0);
    }
  }
}

TEST_CASE("out of memory: a model too large for the process is refused with the bytes of its weights") {
  const int code = exit_code_of([] {
    leave_memory(std::size_t{64} << 20);
    try {
      const nn::Model model{nn::Dense(1 << 14), {1 << 14}};
    } catch (const OutOfMemoryError& error) {
      require(error.message().find("out of memory for 2147483648 bytes") != std::string::npos, error.message());
      _exit(7);
    }
  });
  CHECK(code == 7);
}
#endif
