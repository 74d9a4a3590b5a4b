// Benchmark driver: repetitions, statistics, targets and tables. Uses no clock.
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "../../benchmarks/driver/page.hpp"
#include "../../benchmarks/driver/statistics.hpp"
#include "../../benchmarks/driver/tables.hpp"
#include "../../benchmarks/driver/targets.hpp"
#include "../../benchmarks/worker.hpp"

using namespace bench;

namespace {

Entry entry(const std::string& who, double value) { return {who, {value, value, value}, value}; }

Result result(const std::string& job, double us, const std::string& who, double they) {
  return {job, 1, Unit::nanoseconds, {entry(ours, us), entry(who, they)}};
}

}  // namespace

TEST_CASE("benchmarks: median and geometric mean") {
  CHECK(median({3, 1, 2}) == 2);
  CHECK(median({4, 1, 2, 3}) == 2.5);
  CHECK(median({7}) == 7);
  CHECK(std::isnan(median({})));
  CHECK(geometric_mean({1, 4, 16}) == doctest::Approx(4));
}

TEST_CASE("benchmarks: ratios are taken within rounds") {
  // The machine was ten times slower in the second round and twice in the third. The ratio of medians would be 2.
  CHECK(median_ratio({3, 30, 4}, {1, 10, 2}) == 3);
  CHECK(std::isnan(median_ratio({}, {1})));
}

TEST_CASE("benchmarks: short jobs are repeated within a sample, long ones are measured once") {
  std::int64_t calls = 0, repeated = 0;
  const auto job = [&](double each) {
    calls = repeated = 0;
    return Run([&, each](std::int64_t n) {
      ++calls;
      repeated += n;
      return each * static_cast<double>(n);
    });
  };
  // 1 us each, for 10 ms: samples of 200 repetitions, plus a warm-up.
  const auto many = measure(job(1e3), 1e7);
  CHECK(many.size() == 50);
  CHECK(many.front() == doctest::Approx(1e3));
  CHECK(repeated > 10000);
  CHECK(repeated < 13000);
  // 500 ms: the first repetition is the sample.
  CHECK(measure(job(5e8), 1e7) == std::vector<double>{5e8});
  CHECK(calls == 1);
  // The first repetition of a job of medium length is a warm-up.
  std::int64_t first = 1;
  const Run cold([&](std::int64_t n) { return static_cast<double>(n) * (std::exchange(first, 0) == 1 ? 2e6 : 1e6); });
  for (const double sample : measure(cold, 1e7)) CHECK(sample == 1e6);
}

TEST_CASE("benchmarks: values are formatted with three digits and a unit") {
  CHECK(with_unit(1.234, Unit::nanoseconds) == "1.23 ns");
  CHECK(with_unit(12340, Unit::nanoseconds) == "12.3 us");
  CHECK(with_unit(999.6e3, Unit::nanoseconds) == "1.00 ms");
  CHECK(with_unit(2.5e12, Unit::nanoseconds) == "2500 s");
  CHECK(with_unit(40.0 * 1024 * 1024, Unit::bytes) == "40.0 MiB");
  CHECK(times(2.345) == "2.35x");
  CHECK(times(12.34) == "12.3x");
  CHECK(times(std::numeric_limits<double>::quiet_NaN()) == "-");
}

TEST_CASE("benchmarks: tables are printed as aligned text and as Markdown") {
  const Table table{"Title", {"job", "time"}, {{"a", "1"}, {"longer", "100.5"}}};
  CHECK(table.plain() == "Title\n\n  job      time\n  a           1\n  longer  100.5\n");
  CHECK(table.markdown() == "| job | time |\n|---|--:|\n| a | 1 |\n| longer | 100.5 |\n");
}

TEST_CASE("benchmarks: missed targets and slower jobs are listed") {
  Results results;
  results.results = {
      result("train/boston", 10, "torch", 500),                  // 50x of 40x
      result("train/wide", 100, "torch", 80),                    // 0.8x of 1.15x: slower
      result("sum/all", 100, "hardware", 90),                    // 0.9 of 0.85
      result("chain-of-eight/16M", 100, "hardware", 70),         // 0.7 of 0.8
      {"plan/mnist", 1, Unit::nanoseconds, {entry(ours, 6e6)}},  // 6 ms of 5 ms
      {"matmul/512x512x512", 1, Unit::nanoseconds, {entry(ours, 100), entry("blis", 95), entry("eigen", 85)}},
      {"matmul/8x13x32", 1, Unit::nanoseconds, {entry(ours, 100), entry("blis", 300), entry("eigen", 80)}},
  };
  CHECK(missed_targets(results) == std::vector<std::string>{
                                       "train/wide, 1 thread: 0.80x of torch, target 1.15x",
                                       "plan/mnist, 1 thread: 6.00 ms, target at most 5.00 ms",
                                       "chain-of-eight/16M, 1 thread: 0.70x of hardware, target 0.8x",
                                       "matmul/8x13x32, 1 thread: 80% of the best library, target 90%",
                                       "matmul/512x512x512, 1 thread: 85% of the best library, target 90%",
                                   });
  // The memory bandwidth of the machine is a limit, not a peer.
  CHECK(slower_jobs(results) == std::vector<std::string>{
                                    "train/wide, 1 thread: torch takes 80% of xgrad's time",
                                    "matmul/512x512x512, 1 thread: eigen takes 85% of xgrad's time",
                                    "matmul/8x13x32, 1 thread: eigen takes 80% of xgrad's time",
                                });
  CHECK(fraction_of_best(results.results[6]) == doctest::Approx(0.8));
  CHECK(std::isnan(fraction_of_best(results.results[4])));
  CHECK(product_means(results).rows[0] == std::vector<std::string>{"blis", "1", "1.69x", "yes"});
  CHECK(product_means(results).rows[1] == std::vector<std::string>{"eigen", "1", "0.82x", "no"});
  CHECK(peer_table(results).rows[0] ==
        std::vector<std::string>{"train/boston", "1", "10.0 ns", "500 ns", "50.0x", "40x", "yes"});
}

TEST_CASE("benchmarks: targets may differ for several threads") {
  CHECK(target_ratio("train/mnist/shuffled", "torch", 1) == 2.2);
  CHECK(target_ratio("train/mnist/shuffled", "torch", 2) == 2.7);
  CHECK_FALSE(target_ratio("train/mnist/shuffled", "hardware", 1));
  CHECK_FALSE(target_ratio("op/exp", "torch", 1));
}

TEST_CASE("benchmarks: the per-node table has a column per chain length") {
  Results results;
  for (const auto& [job, cost] : {std::pair{"nodes/run/1000", 3.0}, {"nodes/run/10", 2.0}, {"nodes/plan/10", 1.0}}) {
    results.results.push_back({job, 1, Unit::nanoseconds, {entry(ours, cost)}});
  }
  const Table table = node_table(results);
  CHECK(table.head == std::vector<std::string>{"chain", "10", "1000"});
  CHECK(table.rows == std::vector<std::vector<std::string>>{{"plan", "1.00 ns", "-"}, {"run", "2.00 ns", "3.00 ns"}});
}

TEST_CASE("benchmarks: noisy measurements are listed") {
  Results results;
  results.results = {result("train/wide", 100, "torch", 80)};
  CHECK(noisy_results(results).empty());
  results.results[0].entries[1].rounds = {100, 200, 149,
                                          100, 151, 1000};  // the median is exactly 1.5 times the minimum
  CHECK(noisy_results(results).empty());
  results.results[0].entries[1].rounds.push_back(151);
  CHECK(noisy_results(results) ==
        std::vector<std::string>{"train/wide, 1 thread, torch: median 151 ns of rounds from 100 ns to 1.00 us"});
  CHECK(page(results).find("## Noisy measurements") != std::string::npos);
}

TEST_CASE("benchmarks: merge keeps the later result of a job") {
  Results a, b;
  a.results = {result("train/wide", 1, "torch", 2), result("train/boston", 1, "torch", 2)};
  b.results = {result("train/wide", 1, "torch", 5), result("sum/all", 1, "torch", 2)};
  a.command = "first";
  b.command = "second";
  a.notes = {"same"};
  b.notes = {"same", "other"};
  merge(a, b);
  CHECK(a.results.size() == 3);
  CHECK(a.find("train/wide", 1)->ratio("torch") == 5);
  CHECK(a.find("train/boston", 1)->ratio("torch") == 2);
  CHECK(a.find("train/boston", 2) == nullptr);
  CHECK(a.notes == std::vector<std::string>{"same", "other"});
  CHECK(a.command == "first\nsecond");
}

TEST_CASE("benchmarks: the page has the command, the machine and slower jobs") {
  Results results;
  results.command = "./dev bench --quick";
  results.processor = "some processor";
  results.workers = {{"torch", "libtorch 1.2.3"}};
  results.results = {result("train/wide", 100, "torch", 80)};
  const std::string text = page(results);
  for (const char* part : {"\n./dev bench --quick\n", "| processor | some processor |", "| torch | libtorch 1.2.3 |",
                           "| train/wide | 1 | 100 ns | 80.0 ns | 0.80x | 1.15x | no |",
                           "- train/wide, 1 thread: torch takes 80% of xgrad's time"}) {
    CAPTURE(part);
    CHECK(text.find(part) != std::string::npos);
  }
  // Sections without measurements are omitted.
  CHECK(text.find("## Matrix multiplication") == std::string::npos);
}
