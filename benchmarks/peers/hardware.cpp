// The worker that measures memory bandwidth, the limit of memory-bound operations. Compiled with -march=native.
#include <cstring>
#include <string>
#include <vector>

#include "../shapes.hpp"
#include "../worker.hpp"

namespace {

// Splits [0, count) among the threads, in whole cache lines.
template <class F>
void shared_out(int threads, std::int64_t count, const F& part) {
  const std::int64_t each = (count / threads + 15) / 16 * 16;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int i = 0; i < threads; ++i) {
    const std::int64_t first = std::min(count, i * each);
    part(first, std::min(count, first + each));
  }
}

volatile float sink;  // keeps the compiler from removing reads

// Reads all elements once. Eight independent sums of eight lanes hide the latency of additions.
float read(const float* x, std::int64_t count) {
  using Eight = float __attribute__((vector_size(32)));
  Eight sums[8] = {};
  for (std::int64_t i = 0; i + 64 <= count; i += 64) {
    for (int j = 0; j < 8; ++j) {
      Eight v;
      std::memcpy(&v, x + i + 8 * j, sizeof v);
      sums[j] += v;
    }
  }
  float total = 0;
  for (const Eight& s : sums) {
    for (int j = 0; j < 8; ++j) total += s[j];
  }
  return total;
}

bench::Run read_all(int threads) {
  return bench::timed([threads, x = bench::values(bench::large.rows * bench::large.columns)] {
    shared_out(threads, static_cast<std::int64_t>(x.size()),
               [&](std::int64_t first, std::int64_t end) { sink = read(x.data() + first, end - first); });
  });
}

bench::Run copy_all(int threads) {
  return bench::timed(
      [threads, x = bench::values(bench::chain_elements), y = bench::values(bench::chain_elements)]() mutable {
        shared_out(threads, static_cast<std::int64_t>(x.size()), [&](std::int64_t first, std::int64_t end) {
          std::memcpy(y.data() + first, x.data() + first, static_cast<std::size_t>(end - first) * sizeof(float));
        });
      });
}

}  // namespace

int main(int argc, char** argv) {
  return bench::serve({.about = "one pass over the same memory: reading, or memcpy",
                       .jobs = {{"sum/all", read_all},
                                {"sum/axis-0", read_all},
                                {"sum/axis-1", read_all},
                                {"chain-of-eight/16M", copy_all}}},
                      argc, argv);
}
