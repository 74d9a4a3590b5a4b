// Random numbers are those of Philox4x32-10, have the right distribution, and depend only on seed, stream, step and
// element: not on the instruction set, the number of threads or the number of elements.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/plan/plan.hpp>
#include <xgrad/graph/run/finite.hpp>
#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/ops/kernels/philox.hpp>
#include <xgrad/ops/ops.hpp>

#include "support/kernel_test.hpp"

using namespace xgrad;
using testing::Tables;
using testing::tables;

namespace {

Tensor draw(Kernels::Random kernel, RandomArgs args, DType dtype, Index count, int threads = 1) {
  Tensor out({count}, dtype);
  args.out = out.mutable_raw();
  args.count = count;
  kernel(args, Parallel(threads));
  return out;
}
Tensor draw_f32(Kernels::Random const (&kernel)[dtype_count], const RandomArgs& args, Index count, int threads = 1) {
  return draw(kernel[static_cast<int>(f32)], args, f32, count, threads);
}
Tensor draw_f64(Kernels::Random const (&kernel)[dtype_count], const RandomArgs& args, Index count, int threads = 1) {
  return draw(kernel[static_cast<int>(f64)], args, f64, count, threads);
}

// Reference implementation of the kernels' layout; see Note [Random layout].
std::uint32_t word(const RandomArgs& args, Index element) {
  const Index lane = element % 64;
  const std::uint64_t counter = static_cast<std::uint64_t>(element / 64 * 16 + lane % 16);
  const auto words =
      Philox::generate({static_cast<std::uint32_t>(counter), args.stream, static_cast<std::uint32_t>(args.step),
                        static_cast<std::uint32_t>(args.step >> 32)},
                       static_cast<std::uint32_t>(args.seed), static_cast<std::uint32_t>(args.seed >> 32));
  return words[static_cast<std::size_t>(lane / 16)];
}

struct Moments {
  double mean = 0, variance = 0, skewness = 0, kurtosis = 0;
};
Moments moments(const Tensor& t) {
  const double n = static_cast<double>(t.elements());
  Moments m;
  for (Index i = 0; i < t.elements(); ++i) m.mean += t.at(i) / n;
  for (Index i = 0; i < t.elements(); ++i) {
    const double d = t.at(i) - m.mean;
    m.variance += d * d / n;
    m.skewness += d * d * d / n;
    m.kurtosis += d * d * d * d / n;
  }
  m.skewness /= std::pow(m.variance, 1.5);
  m.kurtosis /= m.variance * m.variance;
  return m;
}

double correlation(const Tensor& t, Index lag) {
  const Moments m = moments(t);
  double out = 0;
  for (Index i = 0; i + lag < t.elements(); ++i) out += (t.at(i) - m.mean) * (t.at(i + lag) - m.mean);
  return out / m.variance / static_cast<double>(t.elements() - lag);
}

constexpr Index many = 1'000'000;
// Five standard deviations of the mean of n values: a correct generator fails once in millions.
double bound(double stddev, Index n = many) { return 5 * stddev / std::sqrt(static_cast<double>(n)); }

}  // namespace

TEST_CASE("philox: known answers of Random123") {
  CHECK(Philox::generate({0, 0, 0, 0}, 0, 0) == Philox::Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr std::uint32_t ones = 0xffffffff;
  CHECK(Philox::generate({ones, ones, ones, ones}, ones, ones) ==
        Philox::Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(Philox::generate({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0) ==
        Philox::Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("random: kernels of every instruction set draw Philox's words") {
  const RandomArgs args{.seed = 0x0123456789abcdef, .step = 0xfedcba9876543210, .stream = 0xdeadbeef};
  for (const Tables& t : tables()) {
    CAPTURE(t.isa);
    const Tensor u = draw_f64(t.random->uniform, args, 70'000);
    const Tensor b =
        draw_f32(t.random->bernoulli, {.seed = args.seed, .step = args.step, .stream = args.stream, .a = 0.3}, 70'000);
    bool same = true;
    for (Index i = 0; i < u.elements(); ++i) {
      const double expected = static_cast<double>(word(args, i) >> 8) * 0x1p-24;
      same = same && u.at(i) == expected && b.at(i) == (expected < std::floor(0.3 * 0x1p24) * 0x1p-24 ? 1 : 0);
    }
    CHECK(same);
  }
}

TEST_CASE("random: uniform and Bernoulli are bit-identical on every instruction set, normal nearly so") {
  const RandomArgs args{.seed = 42, .step = 7, .stream = 3, .a = -0.3, .b = 1.7};
  const auto all = tables();
  for (const Tables& t : all) {
    CAPTURE(t.isa);
    for (const Index n : {1, 63, 64, 65, 4096, 100'003}) {
      CHECK(bitwise_equal(draw_f32(t.random->uniform, args, n), draw_f32(all[0].random->uniform, args, n)));
      CHECK(bitwise_equal(draw_f64(t.random->uniform, args, n), draw_f64(all[0].random->uniform, args, n)));
      const RandomArgs p{.seed = 42, .step = 7, .stream = 3, .a = 0.7};
      CHECK(bitwise_equal(draw_f32(t.random->bernoulli, p, n), draw_f32(all[0].random->bernoulli, p, n)));
      const Tensor mask = draw(t.random->bernoulli[static_cast<int>(boolean)], p, boolean, n);
      CHECK(bitwise_equal(mask.cast(f64), draw_f64(t.random->bernoulli, p, n)));
      const Tensor a = draw_f32(t.random->normal, args, n);
      const Tensor b = draw_f64(all[0].random->normal, args, n);
      double max_error = 0;
      for (Index i = 0; i < n; ++i) max_error = std::max(max_error, std::abs(a.at(i) - b.at(i)));
      CHECK(max_error < 1e-5);
    }
  }
}

TEST_CASE("random: an element does not depend on the number of elements or threads") {
  const RandomArgs args{.seed = 1, .step = 2, .stream = 3, .a = 0.25, .b = 2};
  for (const Tables& t : tables()) {
    CAPTURE(t.isa);
    for (const auto kernel : {&RandomKernels::uniform, &RandomKernels::normal, &RandomKernels::bernoulli}) {
      const Tensor whole = draw_f32(t.random->*kernel, args, 200'001);
      for (const int threads : {2, 3, 4, 8}) {
        CHECK(bitwise_equal(draw_f32(t.random->*kernel, args, 200'001, threads), whole));
      }
      for (const Index n : {0, 1, 5, 31, 32, 33, 64, 100, 65'537}) {
        CHECK(bitwise_equal(draw_f32(t.random->*kernel, args, n), whole.rows(0, n)));
      }
    }
  }
}

TEST_CASE("random: seed, step and stream each change all values, also by their upper halves") {
  const RandomArgs base{.seed = 5, .step = 6, .stream = 7};
  std::vector<RandomArgs> variants(5, base);
  variants[0].seed += 1;
  variants[1].seed += 1ULL << 32;
  variants[2].step += 1;
  variants[3].step += 1ULL << 32;
  variants[4].stream += 1;
  constexpr Index n = 10'000;
  const Tensor first = draw_f64(tables()[0].random->uniform, base, n);
  for (std::size_t i = 0; i < variants.size(); ++i) {
    CAPTURE(i);
    const Tensor variant = draw_f64(tables()[0].random->uniform, variants[i], n);
    Index equal = 0;
    double covariance = 0;
    for (Index k = 0; k < n; ++k) {
      equal += first.at(k) == variant.at(k) ? 1 : 0;
      covariance += (first.at(k) - 0.5) * (variant.at(k) - 0.5) * 12 / static_cast<double>(n);
    }
    CHECK(equal <= 2);
    CHECK(std::abs(covariance) < bound(1, n));
  }
}

TEST_CASE("random: uniform values are uniform") {
  for (const Tables& t : tables()) {
    CAPTURE(t.isa);
    const Tensor u = draw_f32(t.random->uniform, {.seed = 11, .stream = 1}, many);
    const Moments m = moments(u);
    CHECK(std::abs(m.mean - 0.5) < bound(std::sqrt(1 / 12.0)));
    CHECK(std::abs(m.variance - 1 / 12.0) < bound(std::sqrt(1 / 180.0)));
    for (const Index lag : {1, 16, 32, 64}) CHECK(std::abs(correlation(u, lag)) < bound(1));
    std::vector<double> bins(256);
    double low = 1, high = 0;
    for (const float x : u.values<float>()) {
      bins[static_cast<std::size_t>(x * 256)] += 1;
      low = std::min<double>(low, x);
      high = std::max<double>(high, x);
    }
    CHECK(low >= 0);
    CHECK(high < 1);
    CHECK(low < 2e-5);  // fails by chance once in e^20
    CHECK(high > 1 - 2e-5);
    double chi = 0;
    const double expected = static_cast<double>(many) / 256;
    for (const double count : bins) chi += (count - expected) * (count - expected) / expected;
    CHECK(std::abs(chi - 255) < 5 * std::sqrt(2 * 255.0));
    const Tensor wide = draw_f64(t.random->uniform, {.seed = 11, .stream = 2, .a = -3, .b = 5}, many);
    CHECK(std::abs(moments(wide).mean - 1) < bound(8 * std::sqrt(1 / 12.0)));
  }
}

TEST_CASE("random: normal values are normal, tails included") {
  for (const Tables& t : tables()) {
    for (const DType dtype : {f32, f64}) {
      CAPTURE(t.isa);
      CAPTURE(name_of(dtype));
      const auto kernel = t.random->normal[static_cast<int>(dtype)];
      const Tensor z = draw(kernel, {.seed = 13, .stream = 1, .a = 0, .b = 1}, dtype, many);
      const Moments m = moments(z);
      CHECK(std::abs(m.mean) < bound(1));
      CHECK(std::abs(m.variance - 1) < bound(std::sqrt(2.0)));
      CHECK(std::abs(m.skewness) < bound(std::sqrt(6.0)));
      CHECK(std::abs(m.kurtosis - 3) < bound(std::sqrt(24.0)));
      // Box-Muller makes two values, 32 apart, from one radius and one angle.
      for (const Index lag : {1, 16, 32, 64}) CHECK(std::abs(correlation(z, lag)) < bound(1));
      for (const double x : {-4.0, -3.0, -2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0}) {
        CAPTURE(x);
        Index above = 0;
        for (Index i = 0; i < many; ++i) above += z.at(i) > x ? 1 : 0;
        const double p = 0.5 * std::erfc(x / std::sqrt(2.0));
        CHECK(std::abs(static_cast<double>(above) / static_cast<double>(many) - p) < bound(std::sqrt(p * (1 - p))));
      }
      const Moments moved = moments(draw(kernel, {.seed = 13, .stream = 2, .a = -2, .b = 3}, dtype, many));
      CHECK(std::abs(moved.mean + 2) < bound(3));
      CHECK(std::abs(moved.variance - 9) < bound(9 * std::sqrt(2.0)));
    }
  }
}

TEST_CASE("random: Bernoulli values have the right mean, exactly so for p = 0 and 1") {
  for (const Tables& t : tables()) {
    CAPTURE(t.isa);
    for (const double p : {0.0, 0.001, 0.25, 0.5, 0.9, 1.0}) {
      CAPTURE(p);
      const Tensor b = draw_f32(t.random->bernoulli, {.seed = 17, .stream = 1, .a = p}, many);
      Index ones = 0, zeros = 0;
      for (const float x : b.values<float>()) {
        ones += x == 1 ? 1 : 0;
        zeros += x == 0 ? 1 : 0;
      }
      CHECK(ones + zeros == many);
      CHECK(std::abs(static_cast<double>(ones) / static_cast<double>(many) - p) <=
            bound(std::sqrt(p * (1 - p))) + 0x1p-24);
    }
  }
}

TEST_CASE("random: nodes of one graph differ, equal graphs of one seed agree") {
  const auto three = [](std::uint64_t seed, std::uint64_t step, int threads) {
    Graph g({.seed = seed});
    const Value a = random_uniform(g, {1000}, f32);
    const Value b = random_uniform(g, {1000}, f32);
    return evaluate({a, b, bernoulli_like(a, 0.5)}, {}, {.threads = threads, .step = step});
  };
  const auto base = three(3, 4, 1);
  CHECK_FALSE(bitwise_equal(base[0], base[1]));
  const auto repeated = three(3, 4, 4);
  const auto later = three(3, 5, 1);
  const auto other = three(4, 4, 1);
  for (std::size_t i = 0; i < base.size(); ++i) {
    CHECK(bitwise_equal(base[i], repeated[i]));
    CHECK_FALSE(bitwise_equal(base[i], later[i]));
    CHECK_FALSE(bitwise_equal(base[i], other[i]));
  }
}

namespace {

// Values that read random nodes of every kind for a batch of `rows`: drawn per row, per part of a row, and shared.
struct RowNoise {
  Graph g{{.seed = 31}};
  Value x, mask, noise, places, shared, sum;

  explicit RowNoise(Index rows) {
    x = g.input("x", {rows, 70});
    mask = bernoulli_like(x, 0.5);
    noise = normal_like(x);
    places = uniform_like(reshape(x, {-1, 10}), -1, 1);
    shared = random_normal(g, {70}, f32);
    for (const Value v : {mask, noise, places}) g.set_row_elements(v, 70);
    sum = (noise + shared) * mask + reshape(places, {-1, 70}) * x;
  }
  std::vector<Value> outputs() const { return {sum, mask, noise, reshape(places, {-1, 70})}; }
};

}  // namespace

TEST_CASE("random: values of a row do not depend on the split into runs, in plans and the interpreter") {
  const Tensor numbers = evaluate(normal_like(RowNoise(23).x), {}, {.step = 77});
  RowNoise whole(23);
  const std::vector<Tensor> expected = evaluate(whole.outputs(), {{whole.x, numbers}}, {.step = 5});
  REQUIRE_FALSE(bitwise_equal(expected[2].rows(0, 1), expected[2].rows(1, 1)));
  for (const Index rows : {1, 4, 23}) {
    for (Index first = 0; first < 23; first += rows) {
      const Index count = std::min(rows, 23 - first);
      RowNoise part(count);
      const Feeds feeds{{part.x, numbers.rows(first, count)}};
      const auto check = [&](const std::vector<Tensor>& got) {
        for (std::size_t i = 0; i < got.size(); ++i) CHECK(bitwise_equal(got[i], expected[i].rows(first, count)));
      };
      check(evaluate(part.outputs(), feeds, {.step = 5, .first_row = first}));
      for (const bool fuse : {true, false}) {
        for (const int threads : {1, 3}) {
          check(
              Plan(part.outputs(), {}, {.fuse = fuse}).run(feeds, {.threads = threads, .step = 5, .first_row = first}));
        }
      }
      // The same plan for another number of rows.
      check(Plan(whole.outputs(), {}, {.shapes = {{whole.x, part.x.shape()}}})
                .run({{whole.x, feeds[0].value}}, {.step = 5, .first_row = first}));
    }
  }
  CHECK(bitwise_equal(evaluate(whole.shared), evaluate(whole.shared, {}, {.first_row = 9})));
}

TEST_CASE("random: each row gets a different permutation") {
  Graph g({.seed = 7});
  const Value order = random_permutation(g, 33);
  g.set_row_elements(order, 33);
  std::set<std::vector<std::int64_t>> seen;
  for (Index row = 0; row < 20; ++row) {
    const Tensor t = evaluate(order, {}, {.first_row = row});
    CHECK(bitwise_equal(t, Plan({order}).run(Feeds{}, {.first_row = row})[0]));
    std::vector<std::int64_t> places(t.values<std::int64_t>().begin(), t.values<std::int64_t>().end());
    seen.insert(places);
    std::sort(places.begin(), places.end());
    for (std::int64_t i = 0; i < 33; ++i) CHECK(places[static_cast<std::size_t>(i)] == i);
  }
  CHECK(seen.size() == 20);
}

TEST_CASE("random: check_finite replays a run with the random values of its rows") {
  Graph g({.seed = 7});
  const Value x = g.input("x", {1});
  const Value u = uniform_like(x);
  g.set_row_elements(u, 1);
  const auto drawn = [&](Index row) { return evaluate(u, {{x, Tensor::zeros({1})}}, {.first_row = row}).at(0); };
  Index row = 1;
  while (drawn(row) >= drawn(0)) ++row;
  const Plan plan({sqrt(u - (drawn(row) + drawn(0)) / 2)});
  Workspace memory(plan);
  memory.feed(x, Tensor::zeros({1}));
  plan.run(memory, {.step = 0, .check_finite = true});
  CHECK_THROWS_AS(plan.run(memory, {.step = 0, .first_row = row, .check_finite = true}), NonFiniteError);
}

TEST_CASE("random: set_row_elements and first_row reject invalid arguments") {
  Graph g;
  const Value x = g.input("x", {4, 2});
  const Value noise = normal_like(x);
  CHECK_THROWS_WITH_AS(g.set_row_elements(x + 1, 2), doctest::Contains("not of a random operation"), GraphError);
  CHECK_THROWS_WITH_AS(g.set_row_elements(noise, -1), doctest::Contains("elements = -1, expected 0 or more"),
                       GraphError);
  g.set_row_elements(noise, 2);
  CHECK(g.row_elements(noise.id()) == 2);
  CHECK(g.row_elements(x.id()) == 0);
  const Feeds feeds{{x, Tensor({4, 2})}};
  CHECK_THROWS_WITH_AS(evaluate(noise, feeds, {.first_row = -3}), doctest::Contains("first_row = -3"), UserError);
  CHECK_THROWS_WITH_AS(Plan({noise}).run(feeds, {.first_row = -3}), doctest::Contains("first_row = -3"), UserError);
  g.rewind(noise.id());
  CHECK(g.row_elements(normal_like(x).id()) == 0);  // reuses the id of the discarded node
}

TEST_CASE("random_truncated_normal: bounds too far in a tail throw") {
  Graph g;
  CHECK_THROWS_WITH_AS(random_truncated_normal(g, {3}, f64, 0, 1, 40, 50),
                       doctest::Contains("the interval from 40 to 50 standard deviations has almost no probability"),
                       UserError);
  CHECK_THROWS_AS(random_truncated_normal(g, {3}, f64, 0, 1, -INFINITY, -5), UserError);
  const Tensor far = evaluate(random_truncated_normal(g, {1000}, f32, 0, 1, 3.5, INFINITY));
  const Tensor near = evaluate(random_truncated_normal(g, {1000}, f32, 0, 1, 1, 1.001));
  for (Index i = 0; i < 1000; ++i) {
    CHECK(far.at(i) >= 3.5F);
    CHECK(far.at(i) < 6);
    CHECK(std::abs(near.at(i) - 1.0005) <= 0.0005 + 1e-6);
  }
}

TEST_CASE("random_truncated_normal: values are normal within the bounds") {
  struct Truncation {
    double mean, stddev, low, high;
  };
  const auto below = [](double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); };
  for (const DType d : {f32, f64}) {
    for (const Truncation c : {Truncation{0, 1, -2, 2}, Truncation{3, 0.5, -1, 2.5}, Truncation{0, 1, 1, 3}}) {
      CAPTURE(name_of(d));
      CAPTURE(c.low);
      Graph g({.seed = 19});
      const Tensor x = evaluate(random_truncated_normal(g, {many}, d, c.mean, c.stddev, c.low, c.high));
      const double mass = below(c.high) - below(c.low);
      double smallest = 1e9, largest = -1e9, total = 0;
      std::vector<double> counts(4);
      for (Index i = 0; i < many; ++i) {
        const double z = (x.at(i) - c.mean) / c.stddev;
        smallest = std::min(smallest, z);
        largest = std::max(largest, z);
        total += z;
        for (std::size_t k = 0; k < 4; ++k) {
          if (z < c.low + (static_cast<double>(k) + 0.5) / 4 * (c.high - c.low)) counts[k] += 1;
        }
      }
      CHECK(smallest >= c.low - 1e-6);
      CHECK(largest <= c.high + 1e-6);
      for (std::size_t k = 0; k < 4; ++k) {
        const double p = (below(c.low + (static_cast<double>(k) + 0.5) / 4 * (c.high - c.low)) - below(c.low)) / mass;
        CHECK(std::abs(counts[k] / static_cast<double>(many) - p) < bound(std::sqrt(p * (1 - p))) + 1e-6);
      }
      // The mean of a truncated normal variable: Burkardt, "The truncated normal distribution", 2014.
      const auto density = [](double z) { return std::exp(-z * z / 2) / std::sqrt(6.283185307179586); };
      CHECK(std::abs(total / static_cast<double>(many) - (density(c.low) - density(c.high)) / mass) < bound(1));
    }
  }
}

TEST_CASE("random_permutation: the swaps of Fisher and Yates, of two random numbers per counter") {
  Graph g({.seed = 23});
  for (const Index n : {1, 2, 3, 63, 64, 65, 66, 128, 129, 1000, 70'001}) {
    const Value order = random_permutation(g, n);
    const auto stream = static_cast<std::uint32_t>(g.attrs(order.id()).integer("stream"));
    std::vector<std::int64_t> expected(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<std::int64_t>(i);
    for (std::size_t i = expected.size() - 1, drawn = 0; i > 0; --i, ++drawn) {
      const auto words = Philox::generate({static_cast<std::uint32_t>(drawn / 2), stream, 5, 0}, 23, 0);
      const std::uint64_t random = std::uint64_t{words[drawn % 2 * 2]} << 32 | words[drawn % 2 * 2 + 1];
      __extension__ using Wide = unsigned __int128;
      std::swap(expected[i], expected[static_cast<std::size_t>(static_cast<Wide>(random) * (i + 1) >> 64)]);
    }
    const Tensor t = evaluate(order, {}, {.step = 5});
    CAPTURE(n);
    CHECK(std::equal(expected.begin(), expected.end(), t.values<std::int64_t>().begin()));
  }
}

TEST_CASE("random_permutation: every order is equally likely") {
  Graph g({.seed = 23});
  const Value order = random_permutation(g, 4);
  constexpr int draws = 24'000;
  std::vector<double> counts(256);
  for (std::uint64_t step = 0; step < draws; ++step) {
    const Tensor t = evaluate(order, {}, {.threads = 1, .step = step});
    std::size_t code = 0;
    for (const auto i : t.values<std::int64_t>()) code = code * 4 + static_cast<std::size_t>(i);
    counts[code] += 1;
  }
  double chi = 0;
  int orders = 0;
  for (const double count : counts) {
    if (count == 0) continue;
    ++orders;
    chi += (count - 1000) * (count - 1000) / 1000;
  }
  CHECK(orders == 24);
  CHECK(std::abs(chi - 23) < 5 * std::sqrt(2 * 23.0));

  const Tensor large = evaluate(random_permutation(g, 10'001));
  std::vector<std::int64_t> sorted(large.values<std::int64_t>().begin(), large.values<std::int64_t>().end());
  Index in_place = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) in_place += sorted[i] == static_cast<std::int64_t>(i) ? 1 : 0;
  CHECK(in_place < 10);  // one on average
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < sorted.size(); ++i) REQUIRE(sorted[i] == static_cast<std::int64_t>(i));

  const Value x = g.constant(Tensor::from<float>({3, 2}, {1, 2, 3, 4, 5, 6}));
  const Tensor rows = evaluate(permutation(x));
  for (Index r = 0; r < 3; ++r) CHECK(rows.at(2 * r + 1) == rows.at(2 * r) + 1);
  CHECK(evaluate(sum(g.constant(rows))).item() == 21);
}

TEST_CASE("bernoulli, dropout_mask: a probability per element, masks of mean 1") {
  Graph g({.seed = 29});
  const Value p = g.constant(Tensor::from<float>({5}, {0, 1, 0.25F, 2, -1}));
  const Tensor drawn = evaluate(sum(bernoulli(broadcast_to(p, {200'000, 5})), {0}));
  CHECK(drawn.at(0) == 0);
  CHECK(drawn.at(1) == 200'000);
  CHECK(std::abs(drawn.at(2) / 200'000 - 0.25) < bound(std::sqrt(0.25 * 0.75), 200'000));
  CHECK(drawn.at(3) == 200'000);
  CHECK(drawn.at(4) == 0);
  const Value like = g.constant(Tensor::zeros({many}));
  const Tensor mask = evaluate(dropout_mask(like, 0.2));
  for (const float m : mask.values<float>()) REQUIRE((m == 0 || m == 1.25F));
  CHECK(std::abs(moments(mask).mean - 1) < bound(0.5));
  CHECK(evaluate(sum(dropout_mask(like, 0))).item() == many);
  CHECK(evaluate(sum(dropout_mask(like, 1))).item() == 0);
}

TEST_CASE("random: _like operations follow the shape of their input in a plan of another batch size") {
  Graph g({.seed = 31});
  const Value x = g.input("x", {4, 3});
  const Plan plan({uniform_like(x), normal_like(x), truncated_normal_like(x), permutation(x)}, {},
                  {.shapes = {{x, {9, 3}}}});
  for (const Tensor& t : plan.run({{x, Tensor({9, 3})}})) CHECK(t.shape() == Shape{9, 3});
}
