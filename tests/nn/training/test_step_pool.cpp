// The plans and workspaces that a model keeps: shared, and bounded for any batch sizes.
#include <algorithm>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/nn/training/internal/step_pool.hpp>
#include <xgrad/xgrad.hpp>

#include "support/small_model.hpp"

using namespace xgrad;
using namespace small_model;
using nn::StepPool;

namespace {

// A pool of plans that double rows of `width` elements. Counts the plans that are made.
struct Doubling {
  explicit Doubling(Index width = 4) : width_(width) {}
  StepPool::Lease acquire(Index rows) {
    const nn::StepKey key{nn::Mode::predict, rows, false};
    return pool.acquire(key, [&] {
      ++made;
      nn::ModelGraph g;
      g.graph = std::make_unique<Graph>();
      g.input = g.graph->input("x", {rows, width_});
      g.prediction = 2 * g.input;
      return std::shared_ptr<const nn::StepPlan>(new nn::StepPlan(key, std::move(g)));
    });
  }
  StepPool pool;
  int made = 0;

 private:
  Index width_;
};

}  // namespace

TEST_CASE("step pool: a free step is reused, steps in use share a plan") {
  Doubling d;
  const nn::CompiledStep* first = nullptr;
  {
    const StepPool::Lease a = d.acquire(3), b = d.acquire(3), other = d.acquire(4);
    CHECK(a.get() != b.get());
    CHECK(&a->plan() == &b->plan());
    CHECK(&a->plan() != &other->plan());
    CHECK(a->rows() == 3);
    CHECK(d.pool.steps() == 0);
    first = a.get();
  }
  CHECK(d.pool.steps() == 3);
  const StepPool::Lease reused = d.acquire(3), third = d.acquire(3), fourth = d.acquire(3);
  CHECK(std::max({reused.get() == first, third.get() == first}));
  CHECK(d.pool.steps() == 1);
  CHECK(d.made == 2);
}

TEST_CASE("step pool: keeps the most recently used sizes") {
  Doubling d;
  for (Index rows = 1; rows <= 1200; ++rows) d.acquire(rows);
  CHECK(d.pool.steps() == StepPool::max_steps);
  CHECK(d.made == 1200);
  for (Index rows = 1200 - static_cast<Index>(StepPool::max_steps) + 1; rows <= 1200; ++rows) d.acquire(rows);
  CHECK(d.made == 1200);
  d.acquire(1);
  CHECK(d.made == 1201);
  CHECK(d.pool.steps() == StepPool::max_steps);
  std::size_t bytes = 0;
  for (Index rows = 1138; rows <= 1200; ++rows) bytes += d.acquire(rows)->bytes();
  bytes += d.acquire(1)->bytes();
  CHECK(d.pool.bytes() == bytes);
  d.pool.clear();
  CHECK(d.pool.steps() == 0);
  CHECK(d.pool.bytes() == 0);
}

TEST_CASE("step pool: keeps few large workspaces") {
  Doubling d(Index{1} << 18);  // input and output are 1 MiB per row
  for (Index rows = 1; rows <= 3; ++rows) d.acquire(rows);
  CHECK(d.pool.steps() == 3);
  for (Index rows = 4; rows <= 40; ++rows) d.acquire(rows);
  CHECK(d.pool.steps() == std::min<std::size_t>(StepPool::always_kept(), 40));
  std::size_t one = 0;
  {  // many at once, then none
    std::vector<StepPool::Lease> held;
    for (Index k = 0; k < 100; ++k) held.push_back(d.acquire(1));
    one = held[0]->bytes();
  }
  CHECK(d.pool.bytes() <= std::max(StepPool::max_bytes, std::min(StepPool::always_kept(), StepPool::max_steps) * one));
}

TEST_CASE("model: kept memory is bounded for any batch sizes") {
  nn::Model model = line();
  const nn::Dataset all{numbers({1200, 2}), numbers({1200, 1}, 1)};
  const nn::ModelGraph g = model.training_graph(1200);
  // The factor 2 is for the second input buffer of fit. All 1200 plans below would be 600 times the largest.
  const std::size_t bound = StepPool::max_steps * 2 * Plan({g.loss}, g.updates).peak_bytes();
  const auto for_each_size = [&](auto call) {
    for (Index rows = 1; rows <= 1200; rows += 4) {
      call(all.slice(0, rows));
      CHECK(model.kept_bytes() <= bound);
    }
  };
  for_each_size([&](const nn::Dataset& d) { model.train_on_batch(d, 1); });
  for_each_size([&](const nn::Dataset& d) { model.evaluate(d, {.batch_size = 1200, .threads = 1}); });
  for_each_size([&](const nn::Dataset& d) { model.predict(d.x, {.batch_size = 1200, .threads = 1}); });
  for_each_size([&](const nn::Dataset& d) { model.fit(d, {.batch_size = 700, .verbose = silent, .threads = 1}); });
  CHECK(model.kept_bytes() > 0);
  model.compile({.loss = nn::mean_squared_error, .optimizer = nn::SGD{}});
  CHECK(model.kept_bytes() == 0);
}
