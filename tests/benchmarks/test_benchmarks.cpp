// Benchmark driver: repetitions, statistics, targets and tables. Uses no clock.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "../../benchmarks/driver/page.hpp"
#include "../../benchmarks/driver/peers.hpp"
#include "../../benchmarks/driver/statistics.hpp"
#include "../../benchmarks/driver/tables.hpp"
#include "../../benchmarks/driver/targets.hpp"
#include "../../benchmarks/operations.hpp"
#include "../../benchmarks/worker.hpp"

using namespace bench;

namespace {

Entry entry(const std::string& who, double value) { return {who, {value, value, value}, value}; }

Result result(const std::string& job, double us, const std::string& who, double they) {
  return {job, 1, Unit::nanoseconds, {entry(ours, us), entry(who, they)}};
}

std::string value_of(const Environment& environment, const std::string& name) {
  const auto found = std::find_if(environment.begin(), environment.end(),
                                  [&](const auto& variable) { return variable.first == name; });
  return found == environment.end() ? "not set" : found->second;
}

std::vector<Setting> settings_of(const std::string& peer, const Processor& processor) {
  for (const Peer& p : peers(processor)) {
    if (p.name == peer) return p.settings;
  }
  return {};
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
      result("train/boston", 10, "torch", 500),                  // 50x, target 40x
      result("train/wide", 100, "torch", 80),                    // 0.8x, target 1.15x
      result("sum/all", 100, "hardware", 90),                    // 0.9x, target 0.85x
      result("chain-of-eight/16M", 100, "hardware", 70),         // 0.7x, target 0.8x
      {"plan/mnist", 1, Unit::nanoseconds, {entry(ours, 6e6)}},  // 6 ms, at most 5 ms
      {"matmul/512x512x512", 1, Unit::nanoseconds, {entry(ours, 100), entry("blis", 95), entry("eigen", 85)}},
      {"matmul/8x13x32", 1, Unit::nanoseconds, {entry(ours, 100), entry("blis", 300), entry("eigen", 80)}},
  };
  CHECK(missed_targets(results) ==
        std::vector<std::string>{
            "train/wide, 1 thread: 0.80x compared with torch, target 1.15x",
            "plan/mnist, 1 thread: 6.00 ms, target at most 5.00 ms",
            "chain-of-eight/16M, 1 thread: 0.70x compared with memory bandwidth, target 0.8x",
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
  CHECK(peer_table(results, section_of("train/boston")).rows[0] ==
        std::vector<std::string>{"train/boston", "1", "10.0 ns", "500 ns", "50.0x", "40x", "yes"});
}

TEST_CASE("benchmarks: targets may differ for several threads") {
  CHECK(target_ratio("train/mnist/shuffled", "torch", 1) == 2.2);
  CHECK(target_ratio("train/mnist/shuffled", "torch", 2) == 2.7);
  CHECK_FALSE(target_ratio("train/mnist/shuffled", "hardware", 1));
  CHECK_FALSE(target_ratio("op/exp", "torch", 1));
  // A family's target, unless the job has its own.
  CHECK(target_ratio("conv/28x32-64/5x5/b16", "torch", 1) == 1);
  CHECK(target_ratio("conv/28x128-128/3x3/g32/b16", "torch", 1) == 2.5);
  CHECK(target_ratio("infer/lenet/1", "onnxruntime", 2) == 1);
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
        std::vector<std::string>{"train/wide, 1 thread, torch: median 151 ns, rounds from 100 ns to 1.00 us"});
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

TEST_CASE("benchmarks: peers get the settings of the processor") {
  const Processor old{}, haswell{true, false, false}, zen3{true, false, true}, skylake{true, true, false};
  // The second one of BLIS and libtorch is for AVX-512.
  CHECK(settings_of("torch", old).size() == 1);
  CHECK(settings_of("torch", zen3).size() == 1);
  const std::vector<Setting> torch = settings_of("torch", skylake);
  REQUIRE(torch.size() == 2);
  CHECK(value_of(torch[0].environment, "ATEN_CPU_CAPABILITY") == "avx2");
  CHECK(value_of(torch[1].environment, "ATEN_CPU_CAPABILITY") == "avx512");
  CHECK(torch[1].name == "AVX-512");
  // An inherited value is removed.
  CHECK(value_of(settings_of("blis", zen3).at(0).environment, "BLIS_ARCH_TYPE").empty());
  CHECK(settings_of("blis", zen3).at(0).name.empty());
  REQUIRE(settings_of("blis", skylake).size() == 2);
  CHECK(value_of(settings_of("blis", skylake)[1].environment, "BLIS_ARCH_TYPE") == "0");
  CHECK(settings_of("eigen", skylake).size() == 1);
  // An inherited value is replaced, or removed where the right one is not known.
  CHECK(value_of(environment(skylake, 2), "OPENBLAS_CORETYPE") == "SkylakeX");
  CHECK(value_of(environment(zen3, 2), "OPENBLAS_CORETYPE") == "Zen");
  CHECK(value_of(environment(haswell, 2), "OPENBLAS_CORETYPE") == "Haswell");
  CHECK(value_of(environment(old, 2), "OPENBLAS_CORETYPE").empty());
  CHECK(value_of(environment(old, 2), "OMP_NUM_THREADS") == "2");
}

TEST_CASE("benchmarks: a worker's name of a job has the implementation") {
  CHECK(job_and_implementation("conv/a@channels-last") ==
        std::pair<std::string, std::string>("conv/a", "channels-last"));
  CHECK(job_and_implementation("op/exp") == std::pair<std::string, std::string>("op/exp", ""));
}

TEST_CASE("benchmarks: digests differ for other values, another order and another number of elements") {
  const std::vector<float> x = values(1000);
  const auto of = [](const std::vector<float>& v) { return digest(v.data(), static_cast<std::int64_t>(v.size())); };
  std::vector<float> close = x, wrong = x, swapped = x;
  for (float& v : close) v *= 1 + 1e-6F;
  wrong[500] += 1;
  std::swap(swapped[3], swapped[700]);
  std::vector<float> reversed(x.rbegin(), x.rend()), shorter(x.begin(), x.end() - 1);
  CHECK(equal(of(x), of(close), 1e-4));
  for (const auto& other : {wrong, swapped, reversed, shorter}) CHECK_FALSE(equal(of(x), of(other), 1e-4));
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()};
  CHECK_FALSE(equal(digest(bad, 1), digest(bad, 1), 1));
  CHECK_FALSE(equal(digest(bad + 1, 1), digest(bad + 1, 1), 1));
  const float zeros[] = {0, 0};
  CHECK(equal(digest(zeros, 2), digest(zeros, 2), 1e-4));
  // Of random numbers only the statistics count.
  CHECK(equal(digest_random(x.data(), 1000), digest_random(reversed.data(), 1000), 1e-6));
  CHECK_FALSE(equal(digest_random(x.data(), 1000), digest_random(zeros, 2), 1e-2));
}

TEST_CASE("benchmarks: results of two workers are compared one by one") {
  const std::vector<Digest> us = parse_results("4 0.5 2 1 -1 1");
  REQUIRE(us.size() == 2);
  CHECK(us[1].projection == -1);
  CHECK(difference(us, us, 1e-4).empty());
  CHECK(difference(us, {}, 1e-4).empty());
  CHECK(difference(us, {us[0]}, 1e-4) == "1 results instead of 2");
  CHECK(difference(us, parse_results("4 0.5 2 1 -1 1.5"), 1e-4) ==
        "result 1 has norm 1.5 and projection -1 instead of 1 and -1");
  CHECK(difference({us[0]}, parse_results("5 0.5 2"), 1e-4) == "the result has 5 elements instead of 4");
  CHECK(difference(us, parse_results("4 nan nan 1 -1 1"), 1e-4) ==
        "result 0 has norm nan and projection nan instead of 2 and 0.5");
  CHECK_THROWS_AS(parse_results("4 0.5"), std::runtime_error);
  CHECK_THROWS_AS(parse_results("4 0.5 much"), std::runtime_error);
}

TEST_CASE("benchmarks: a worker answers with the results of the prepared job") {
  CHECK_FALSE(Prepared(Run()).results);
  const Prepared job(Run([](std::int64_t) { return 1.0; }), [] { return std::vector<Digest>{{4, 0.5, 2}}; });
  CHECK(job.results().front().norm == 2);
}

TEST_CASE("benchmarks: inputs have distinct values, and kinds their ranges") {
  const std::vector<float> x = values(1 << 16, 3);
  CHECK(std::set<float>(x.begin(), x.end()).size() == x.size());
  CHECK(*std::min_element(x.begin(), x.end()) > 0);
  CHECK(*std::max_element(x.begin(), x.end()) <= 1);
  CHECK(values(8, 0) != values(8, 1));
  float weights[64], mask[9], rows[6];
  fill(weights, Kind::weight, {4, 8, 2}, 0);
  double squares = 0;
  for (const float w : weights) squares += double{w} * double{w};
  CHECK(squares / 64 == doctest::Approx(1.0 / 32).epsilon(0.3));
  fill(mask, Kind::causal, {3, 3}, 0);
  CHECK(mask[2] < -1e29F);
  CHECK(mask[4] == 0);
  CHECK(mask[6] == 0);
  fill(rows, Kind::one_hot, {2, 3}, 0);
  CHECK(std::vector<float>(rows, rows + 6) == std::vector<float>{1, 0, 0, 0, 1, 0});
  std::int64_t indices[100];
  fill_indices(indices, 100, {Kind::indices, {}, 7}, 0);
  CHECK(*std::max_element(indices, indices + 100) == 6);
  CHECK(*std::min_element(indices, indices + 100) == 0);
}

TEST_CASE("benchmarks: operations have names of their own, and inputs that their passes need") {
  std::set<std::string> names;
  for (const Operation& o : operations()) {
    CAPTURE(o.name());
    CHECK(names.insert(o.name()).second);
    CHECK(o.name().find('@') == std::string::npos);
    CHECK(o.name().find(' ') == std::string::npos);
    const bool some_gradient = std::any_of(o.inputs.begin(), o.inputs.end(), [](const Input& i) { return !i.fixed; });
    CHECK(some_gradient);
  }
  CHECK(names.contains("conv/28x128-128/3x3/depthwise/b16"));
  CHECK(names.contains("conv/32x64-128/3x3/s2/b16"));
  CHECK(names.contains("embedding/10000x128/4096"));
}

TEST_CASE("benchmarks: each job is in one section") {
  CHECK(section_of("train/boston").title == "Networks");
  CHECK(section_of("conv1d/4096x32-64/9/b8").title == "Convolutions and pooling");
  CHECK(section_of("softmax/8192x128/backward").title == "Layers and losses");
  CHECK(section_of("scatter-add-along/2048x512").title == "Moving and ordering elements");
  CHECK(&section_of("add/row") == &sections().back());
  CHECK(&section_of("sorted/1") == &sections().back());
}

TEST_CASE("benchmarks: the fastest setting of a peer and different results are on the page and in the file") {
  Results results;
  results.results = {result("train/wide", 100, "torch", 80), result("conv/a", 100, "torch", 80)};
  results.results[1].entries[1].how = "AVX2, contiguous";
  results.mismatches = {"sort/8, torch: the result has 7 elements instead of 8"};
  CHECK(peer_table(results, section_of("conv/a")).head[4] == "with");
  CHECK(peer_table(results, section_of("conv/a")).rows[0][4] == "AVX2, contiguous");
  CHECK(peer_table(results, section_of("train/wide")).rows[0].size() == 7);
  const Results again = from_json(to_json(results));
  CHECK(again.results[1].entries[1].how == "AVX2, contiguous");
  CHECK(again.mismatches == results.mismatches);
  const std::string text = page(again);
  CHECK(text.find("## Different results") != std::string::npos);
  CHECK(text.find("- sort/8, torch: the result has 7 elements instead of 8\n") != std::string::npos);
  CHECK(text.find("| conv/a | 1 | 100 ns | 80.0 ns | AVX2, contiguous | 0.80x |") != std::string::npos);
  Results merged;
  merge(merged, again);
  CHECK(merged.mismatches == results.mismatches);
  merged.mismatches.clear();
  CHECK(page(merged).find("## Different results") == std::string::npos);
}
