// Reductions of every instruction set against plain loops, at sizes around every block boundary. Results are
// bit-identical for any number of threads, and nothing is written out of bounds.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/ops/ops.hpp>

#include "support/kernel_test.hpp"

using namespace xgrad;
using testing::Dice;
using testing::random_numbers;
using testing::Scratch;
using testing::Tables;
using testing::tables;

namespace {

enum class How { sum, max, min };

template <class T>
std::vector<T> reduce(const Tables& t, How how, const std::vector<T>& in, Index outer, Index n, Index inner,
                      int threads) {
  std::vector<T> out(static_cast<std::size_t>(outer * inner) + 8, T(77));
  const auto& row = how == How::sum ? t.reduce->sum : how == How::max ? t.reduce->max : t.reduce->min;
  Scratch scratch(t.reduce->reduce_scratch(dtype_of<T>, outer, n, inner));
  row[static_cast<int>(dtype_of<T>)]({in.data(), out.data(), outer, n, inner}, scratch.get(), Parallel(threads));
  CHECK(scratch.intact());
  CHECK(std::all_of(out.end() - 8, out.end(), [](T x) { return x == T(77); }));
  out.resize(out.size() - 8);
  return out;
}

template <class T>
void check_reductions(const std::vector<T>& in, Index outer, Index n, Index inner) {
  CAPTURE(outer);
  CAPTURE(n);
  CAPTURE(inner);
  // At most 128 terms in sequence, then a tree: see Note [Fixed tree].
  const double roundings = static_cast<double>(std::min<Index>(n, 128)) + 2 * std::log2(static_cast<double>(n + 1));
  for (const Tables& t : tables()) {
    CAPTURE(t.isa);
    const auto sums = reduce(t, How::sum, in, outer, n, inner, 1);
    const auto largest = reduce(t, How::max, in, outer, n, inner, 1);
    const auto smallest = reduce(t, How::min, in, outer, n, inner, 1);
    Index wrong = 0;
    for (Index i = 0; i < outer * inner; ++i) {
      const T* first = n > 0 ? in.data() + i / inner * n * inner + i % inner : nullptr;
      const auto at = static_cast<std::size_t>(i);
      long double sum = 0, magnitude = 0;
      T high = n > 0 ? *first : largest[at];
      T low = n > 0 ? *first : smallest[at];
      for (Index r = 0; r < n; ++r) {
        const T x = first[r * inner];
        sum += x;
        magnitude += std::abs(static_cast<long double>(x));
        if (x > high || x != x) high = x;
        if (x < low || x != x) low = x;
      }
      const double ulp = std::is_integral_v<T> ? 0 : static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;
      const bool nan = sum != sum;
      const long double off = std::abs(static_cast<long double>(sums[at]) - sum);
      wrong += nan ? sums[at] == sums[at] : !(off <= ulp * roundings * static_cast<double>(magnitude));
      wrong += nan ? largest[at] == largest[at] : largest[at] != high;
      wrong += nan ? smallest[at] == smallest[at] : smallest[at] != low;
    }
    CHECK(wrong == 0);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("reductions: outer, middle and inner axes agree with plain loops", T, float, double, std::int64_t) {
  Dice dice(5);
  for (const Index n :
       {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97, 127, 1023, 1024, 1025, 4100}) {
    for (const Index inner : {0, 1, 2, 3, 4, 7, 8, 9, 15, 17, 33, 70}) {
      for (const Index outer : {1, 3}) check_reductions(random_numbers<T>(dice, outer * n * inner), outer, n, inner);
    }
  }
  check_reductions(random_numbers<T>(dice, 200'001), 1, 200'001, 1);  // a row of several tasks
  check_reductions(random_numbers<T>(dice, 3 * 70'000), 3, 70'000, 1);
  check_reductions(random_numbers<T>(dice, 300 * 1001), 1, 300, 1001);
  check_reductions(random_numbers<T>(dice, 300 * 100 * 40), 300, 100, 40);  // more slabs than are reduced at once
}

TEST_CASE_TEMPLATE("reductions: a NaN reaches only its own result", T, float, double) {
  Dice dice(6);
  for (int round = 0; round < 300; ++round) {
    const Index outer = dice.between(1, 4);
    const Index n = std::max<Index>(1, testing::any_size(dice));
    const Index inner = std::max<Index>(1, testing::any_size(dice) / 4);
    auto in = random_numbers<T>(dice, outer * n * inner);
    const auto anywhere = [&] { return static_cast<std::size_t>(dice.below(static_cast<Index>(in.size()))); };
    in[anywhere()] = std::numeric_limits<T>::quiet_NaN();
    in[anywhere()] = -std::numeric_limits<T>::quiet_NaN();
    check_reductions(in, outer, n, inner);
  }
}

TEST_CASE_TEMPLATE("reductions: infinities are ordered and summed", T, float, double) {
  constexpr T inf = std::numeric_limits<T>::infinity();
  for (const Tables& t : tables()) {
    CAPTURE(t.isa);
    for (const How how : {How::sum, How::max, How::min}) {
      CHECK(reduce(t, how, std::vector<T>(37, -inf), 1, 37, 1, 1)[0] == -inf);
      CHECK(reduce(t, how, std::vector<T>(37, inf), 1, 37, 1, 1)[0] == inf);
    }
  }
}

TEST_CASE_TEMPLATE("reductions: bit-identical on any number of threads", T, float, double) {
  Dice dice(7);
  const Index shapes[][3] = {{1, 300'001, 1}, {1000, 300, 1}, {1, 1000, 300},
                             {300, 100, 40},  {5, 3, 20'000}, {2, 70'000, 3}};
  for (const auto& shape : shapes) {
    const auto in = random_numbers<T>(dice, shape[0] * shape[1] * shape[2]);
    for (const Tables& t : tables()) {
      for (const How how : {How::sum, How::max, How::min}) {
        const auto one = reduce(t, how, in, shape[0], shape[1], shape[2], 1);
        for (const int threads : {2, 3, 4, 8}) {
          const auto more = reduce(t, how, in, shape[0], shape[1], shape[2], threads);
          CHECK(std::memcmp(more.data(), one.data(), one.size() * sizeof(T)) == 0);
        }
      }
    }
  }
}

TEST_CASE("reductions: a sum of a million floats has an error of a few ulp") {
  constexpr Index n = 1'000'000;
  for (const double low : {0.0, -1.0}) {
    Dice dice(8);
    std::vector<float> in(n);
    double exact = 0;
    for (float& x : in) {
      x = static_cast<float>(dice.real(low, 1));
      exact += static_cast<double>(x);
    }
    for (const Tables& t : tables()) {
      CAPTURE(t.isa);
      const double row = reduce(t, How::sum, in, 1, n, 1, 1)[0];
      const double column = reduce(t, How::sum, reduce(t, How::sum, in, 1, n / 8, 8, 1), 1, 8, 1, 1)[0];
      const double scale = low < 0 ? 1000 : exact;  // values of both signs: their sum is about sqrt(n)
      MESSAGE(t.isa << ": off by " << (row - exact) / scale << " along a row, " << (column - exact) / scale
                    << " along columns");
      CHECK(std::abs(row - exact) < 2e-7 * scale);
      CHECK(std::abs(column - exact) < 2e-7 * scale);
    }
  }
}

TEST_CASE_TEMPLATE("argmax: returns the first maximum, or the first NaN", T, float, double, std::int64_t) {
  Dice dice(9);
  for (int trial = 0; trial < 200; ++trial) {
    const Shape shape{dice.between(1, 5), dice.between(1, 40), dice.between(1, 9)};
    const int axis = static_cast<int>(dice.below(3));
    auto in = random_numbers<T>(dice, shape.elements());
    for (T& x : in) {  // few distinct values, so that there are ties
      x = static_cast<T>(static_cast<Index>(x * 3) % 3);
      if constexpr (!std::is_integral_v<T>) {
        if (dice.chance(0.02)) x = std::numeric_limits<T>::quiet_NaN();
      }
    }
    Graph g;
    const Value x = g.input("x", shape, dtype_of<T>);
    const Tensor got = evaluate(argmax(x, axis), {{x, Tensor::from<T>(shape, std::span<const T>(in))}});
    const Index inner = axis == 2 ? 1 : axis == 1 ? shape[2] : shape[1] * shape[2];
    const Index n = shape[axis];
    for (Index i = 0; i < got.elements(); ++i) {
      const T* first = n > 0 ? in.data() + i / inner * n * inner + i % inner : nullptr;
      Index best = 0;
      for (Index r = 1; r < n; ++r) {
        const T old = first[best * inner], now = first[r * inner];
        if (old == old && (now > old || now != now)) best = r;
      }
      REQUIRE(got.at(i) == static_cast<double>(best));
    }
  }
}

TEST_CASE_TEMPLATE("reductions: products agree with plain loops on every instruction set", T, float, double,
                   std::int64_t) {
  Dice dice(10);
  for (const Index n : {0, 1, 2, 7, 8, 33, 65, 1025, 70'000}) {
    for (const Index inner : {1, 3, 17}) {
      std::vector<T> in(static_cast<std::size_t>(2 * n * inner));
      for (T& x : in) {
        if constexpr (std::is_integral_v<T>)
          x = dice.between(-3, 3) * 2 + 1;  // odd, so that integer products never become 0
        else
          x = static_cast<T>((dice.chance(0.5) ? 1 : -1) * (1 + dice.real(-1, 1) / 1024));
      }
      CAPTURE(n);
      CAPTURE(inner);
      for (const Tables& t : tables()) {
        CAPTURE(t.isa);
        for (const int threads : {1, 4}) {
          std::vector<T> out(static_cast<std::size_t>(2 * inner));
          Scratch scratch(t.reduce->reduce_scratch(dtype_of<T>, 2, n, inner));
          t.reduce->prod[static_cast<int>(dtype_of<T>)]({in.data(), out.data(), 2, n, inner}, scratch.get(),
                                                        Parallel(threads));
          Index wrong = 0;
          for (Index i = 0; i < 2 * inner; ++i) {
            const T* first = n > 0 ? in.data() + i / inner * n * inner + i % inner : nullptr;
            const T got = out[static_cast<std::size_t>(i)];
            if constexpr (std::is_integral_v<T>) {
              std::uint64_t product = 1;
              for (Index r = 0; r < n; ++r) product *= static_cast<std::uint64_t>(first[r * inner]);
              wrong += got != static_cast<T>(product);
            } else {
              long double product = 1;
              for (Index r = 0; r < n; ++r) product *= static_cast<long double>(first[r * inner]);
              const double ulp = static_cast<double>(std::numeric_limits<T>::epsilon());
              wrong += !(std::abs(static_cast<long double>(got) / product - 1) <= ulp * static_cast<double>(n + 1));
            }
          }
          CHECK(wrong == 0);
        }
      }
    }
  }
}

TEST_CASE("reductions: any and all agree with plain loops on every instruction set") {
  Dice dice(11);
  for (int round = 0; round < 400; ++round) {
    const Index outer = dice.between(1, 3), n = testing::any_size(dice),
                inner = dice.one_of(std::vector<Index>{1, 2, 19});
    const double chance = dice.one_of(std::vector<double>{0.001, 0.5, 0.999});
    Tensor in({outer * n * inner}, boolean);
    for (auto& x : in.mutable_values<bool>()) x = dice.chance(chance);
    for (const Tables& t : tables()) {
      for (const bool all : {false, true}) {
        Tensor out({outer * inner}, boolean);
        Scratch scratch(t.reduce->reduce_scratch(boolean, outer, n, inner));
        const auto kernel = (all ? t.reduce->all : t.reduce->any)[static_cast<int>(boolean)];
        kernel({in.raw(), out.mutable_raw(), outer, n, inner}, scratch.get(), Parallel(2));
        for (Index i = 0; i < outer * inner; ++i) {
          Index count = 0;
          for (Index r = 0; r < n; ++r) count += in.at((i / inner * n + r) * inner + i % inner) != 0 ? 1 : 0;
          REQUIRE(out.values<bool>()[static_cast<std::size_t>(i)] == (all ? count == n : count > 0));
        }
      }
    }
  }
}

TEST_CASE("cumulative ops: agree with plain loops, and are bit-identical on any number of threads") {
  for (const Shape& shape : {Shape{300, 1001}, Shape{70'000, 3}, Shape{200'000}, Shape{5, 40, 700}}) {
    Graph g;
    const Value x = g.input("x", shape);
    Dice dice(12);
    Tensor numbers(shape);
    for (float& v : numbers.mutable_values<float>()) v = static_cast<float>(dice.real(-1, 1));
    for (int axis = 0; axis < shape.rank(); ++axis) {
      CAPTURE(shape.str());
      CAPTURE(axis);
      const std::vector<Value> all{cumsum(x, axis),         cumsum(x, axis, true), cumprod(x, axis),
                                   linear_scan(x, x, axis), argmax(x, axis),       argmin(x, axis)};
      const auto one = evaluate(all, {{x, numbers}}, {.threads = 1});
      for (const int threads : {2, 3, 8}) {
        const auto more = evaluate(all, {{x, numbers}}, {.threads = threads});
        for (std::size_t k = 0; k < all.size(); ++k) CHECK(bitwise_equal(one[k], more[k]));
      }
      const Index n = shape[axis], stride = shape.strides()[static_cast<std::size_t>(axis)];
      const auto in = numbers.values<float>();
      Index wrong = 0;
      for (Index line = 0; line < shape.elements() / n; ++line) {
        const Index first = line / stride * stride * n + line % stride;
        double sum = 0, product = 1, scan = 0;
        for (Index k = 0; k < n; ++k) {
          const auto at = static_cast<std::size_t>(first + k * stride);
          const auto v = static_cast<double>(in[at]);
          sum += v;
          product *= v;
          scan = v * scan + v;
          wrong += one[0].values<float>()[at] != static_cast<float>(sum);
          wrong +=
              std::abs(static_cast<double>(one[2].values<float>()[at]) - product) > 1e-37 + 1e-6 * std::abs(product);
          wrong += one[3].values<float>()[at] != static_cast<float>(scan);
        }
        const auto total = static_cast<float>(sum);
        wrong += std::abs(one[1].values<float>()[static_cast<std::size_t>(first)] - total) > 1e-3F;
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("reductions: negative axes count from the end, invalid ones throw and are named") {
  Graph g;
  const Value x = g.input("x", {2, 3, 4});
  CHECK(sum(x, {-1}) == sum(x, {2}));
  CHECK(prod(x, {0, -1}) == prod(x, {2, 0}));
  CHECK(max(x, {-2}, true) == max(x, {1}, true));
  CHECK(sum(x) == sum(x, {0, 1, 2}));
  CHECK(any(x, {-3}) == any(x, {0}));
  CHECK(argmin(x, -1) == argmin(x, 2));
  CHECK(cumsum(x, -1) == cumsum(x, 2));
  CHECK(cumprod(x, -3, true) == cumprod(x, 0, true));
  CHECK(var(x, {-1}).shape() == Shape{2, 3});
  CHECK(norm(x, 2, {0, -1}, true).shape() == Shape{1, 3, 1});
  CHECK_THROWS_WITH(sum(x, {3}), doctest::Contains("sum: axis 3 is out of range for a tensor of rank 3"));
  CHECK_THROWS_WITH(prod(x, {0, -3}), doctest::Contains("prod: axis 0 is named twice"));
  CHECK_THROWS_WITH(cumsum(x, -4), doctest::Contains("cumsum: axis -4 is out of range"));
  CHECK_THROWS_WITH(argmax(x, 3), doctest::Contains("argmax: axis 3 is out of range"));
  CHECK_THROWS_WITH(var(x, {5}), doctest::Contains("var: axis 5 is out of range"));
  CHECK_THROWS_WITH(norm(x, 3, {5}), doctest::Contains("norm: axis 5 is out of range"));
  CHECK_THROWS_WITH(stddev(x, {5}), doctest::Contains("axis 5 is out of range"));
}
