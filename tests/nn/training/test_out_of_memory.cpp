// Models when memory runs out: OutOfMemoryError says what the memory was for, and the model is unchanged.
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
#include "support/sanitizers.hpp"
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

// With weights, moving statistics, dropout, penalties, a schedule, optimizer state and metrics.
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

// Results of fit and predict. They are bit-identical for models in the same state.
std::vector<Tensor> behavior(nn::Model& model, const nn::Dataset& data) {
  model.fit(data, {.batch_size = 24, .epochs = 2, .verbose = silent, .threads = 1});
  std::vector<Tensor> out = small_model::weights(model);
  out.push_back(model.predict(data.x));
  return out;
}

// For the next compile(): made in advance, since failing to allocate options is the caller's error.
std::optional<nn::CompileOptions> prepared;

// Makes one allocation fail.
class Failing {
 public:
  // Fails the n-th allocation from here on, counted from 0.
  void begin(std::size_t n) {
    number_ = allocations() + n;
    fail_allocation_after(static_cast<long>(n));
  }
  // Whether that allocation was reached.
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
      {"fit with check_finite",
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

// Runs f between begin and stop; returns whether it threw OutOfMemoryError. Throws std::logic_error if f threw any
// other exception.
bool out_of_memory(const std::string& name, const std::function<void()>& begin, const std::function<void()>& f,
                   const std::function<void()>& stop) {
  std::optional<std::string> message;
  std::string other_error;
  try {
    begin();
    f();
    stop();
  } catch (const OutOfMemoryError& error) {
    stop();
    message = error.message();
  } catch (const std::exception& error) {
    stop();
    other_error = error.what();
  }
  require(other_error.empty(), name + ": " + other_error);
  if (message) require(message->find("out of memory ") != std::string::npos, name + ": " + *message);
  return message.has_value();
}

// Runs `work` on a fresh model. If it fails, requires that the model is unchanged.
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

TEST_CASE("out of memory: any failing allocation throws OutOfMemoryError and leaves the model unchanged") {
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

TEST_CASE("out of memory: layers stay usable after any failing allocation in the Model constructor") {
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
          require(small_model::same(behavior(model, data), expected), "Model: the weights differ");
          if (!reached) break;
        }
      },
      300);
  CHECK(code == 0);
}

#if !ADDRESS_SANITIZER && !THREAD_SANITIZER  // the sanitizers need more address space
namespace {

void set_limit(rlim_t bytes) {
  rlimit limit{};
  require(getrlimit(RLIMIT_AS, &limit) == 0, "getrlimit");
  limit.rlim_cur = std::min(bytes, limit.rlim_max);
  require(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit");
}
void lift_limit() { set_limit(RLIM_INFINITY); }

// Fills the memory that the process has, then raises its limit by `left` bytes.
void leave_memory(std::size_t left) {
  volatile char stack[1 << 19];  // touches the stack, which could not grow later
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

TEST_CASE("out of memory: under a process limit models throw and stay unchanged, with threads too") {
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

TEST_CASE("out of memory: a model that is too large throws with the bytes of its weights") {
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
