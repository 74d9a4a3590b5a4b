// The matrix product of every instruction set against three plain loops, at sizes around every block boundary. Results
// are bit-identical for any number of threads, and nothing is written out of bounds.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <xgrad/graph/run/interpreter.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

#include "support/kernel_test.hpp"

using namespace xgrad;
using testing::Dice;
using testing::random_numbers;
using testing::Scratch;
using testing::Tables;
using testing::tables;

namespace {

template <class T>
struct Product {
  Product(Dice& dice, Index m_, Index n_, Index k_, bool ta_, bool tb_, Index gap)
      : m(m_), n(n_), k(k_), ta(ta_), tb(tb_) {
    a_stride = (ta ? m : k) + gap;
    b_stride = (tb ? k : n) + gap;
    c_stride = n + gap;
    a = random_numbers<T>(dice, (ta ? k : m) * a_stride);
    b = random_numbers<T>(dice, (tb ? n : k) * b_stride);
    // Fill the gaps between rows with NaN, to catch reads beyond a row.
    spoil(a, a_stride, a_stride - gap);
    spoil(b, b_stride, b_stride - gap);
  }
  static void spoil(std::vector<T>& x, Index stride, Index used) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (static_cast<Index>(i) % stride >= used) x[i] = std::numeric_limits<T>::quiet_NaN();
    }
  }
  double left(Index i, Index p) const { return a[static_cast<std::size_t>(ta ? p * a_stride + i : i * a_stride + p)]; }
  double right(Index p, Index j) const { return b[static_cast<std::size_t>(tb ? j * b_stride + p : p * b_stride + j)]; }

  static constexpr T canary = T(12345);
  std::vector<T> run(const MatmulKernels& kernels, int threads) const {
    std::vector<T> c(static_cast<std::size_t>(m * c_stride), canary);
    run(kernels, threads, c.data(), nullptr);
    return c;
  }
  void run(const MatmulKernels& kernels, int threads, T* c, const RangeRef* on_rows_ready) const {
    const MatmulArgs sizes{m, n, k, nullptr, nullptr, nullptr, a_stride, b_stride, c_stride, ta, tb, nullptr};
    const PreparedMatmul product = kernels.prepare_matmul(dtype_of<T>, sizes);
    Scratch scratch(product.scratch_bytes);
    product(a.data(), b.data(), c, scratch.get(), Parallel(threads), on_rows_ready);
    CHECK(scratch.intact());
  }

  // The plain loops; also, for each element, the sum of the terms' magnitudes, to which rounding is proportional.
  void reference(std::vector<double>& sums, std::vector<double>& magnitudes) const {
    sums.assign(static_cast<std::size_t>(m * n), 0);
    magnitudes = sums;
    std::size_t at = 0;
    for (Index i = 0; i < m; ++i) {
      for (Index j = 0; j < n; ++j, ++at) {
        for (Index p = 0; p < k; ++p) {
          sums[at] += left(i, p) * right(p, j);
          magnitudes[at] += std::abs(left(i, p) * right(p, j));
        }
      }
    }
  }

  Index m, n, k;
  bool ta, tb;
  Index a_stride, b_stride, c_stride;
  std::vector<T> a, b;
};

template <class T>
void check_product(const Product<T>& product) {
  CAPTURE(product.m);
  CAPTURE(product.n);
  CAPTURE(product.k);
  CAPTURE(product.ta);
  CAPTURE(product.tb);
  std::vector<double> sums, magnitudes;
  product.reference(sums, magnitudes);
  // Each of k products and k sums rounds once; the f64 reference rounds as often.
  const double half_ulp = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;
  const double error = half_ulp * static_cast<double>(product.k + 1) * (std::is_same_v<T, double> ? 2 : 1);
  for (const Tables& t : tables()) {
    CAPTURE(t.isa);
    const std::vector<T> c = product.run(*t.matmul, 1);
    Index wrong = 0, touched = 0;
    for (Index i = 0; i < product.m; ++i) {
      for (Index j = 0; j < product.c_stride; ++j) {
        const double got = c[static_cast<std::size_t>(i * product.c_stride + j)];
        const auto at = static_cast<std::size_t>(i * product.n + j);
        if (j >= product.n)
          touched += got != static_cast<double>(Product<T>::canary) ? 1 : 0;
        else
          wrong += !(std::abs(got - sums[at]) <= error * magnitudes[at]) ? 1 : 0;
      }
    }
    CHECK(wrong == 0);
    CHECK(touched == 0);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("matmul: every instruction set agrees with three plain loops", T, float, double) {
  Dice dice(1);
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      for (const Index s : testing::sizes) check_product(Product<T>(dice, s, s == 257 ? 5 : s, s, ta, tb, 0));
      for (int i = 0; i < 90; ++i) {
        check_product(Product<T>(dice, testing::any_size(dice), testing::any_size(dice), testing::any_size(dice), ta,
                                 tb, dice.chance(0.5) ? 0 : dice.below(9)));
      }
      check_product(Product<T>(dice, 5, 9, 1025, ta, tb, 3));  // several blocks of k of unequal length
    }
  }
}

TEST_CASE_TEMPLATE("matmul: rows in the same cache sets are bit-identical to other rows", T, float, double) {
  Dice dice(8);
  constexpr Index way = 4096 / static_cast<Index>(sizeof(T));
  for (const Index m : {30, 150}) {
    for (const Index k : {way, way - 24}) {
      Product<T> product(dice, m, 300, k, false, false, way - k);
      REQUIRE(product.a_stride == way);
      check_product(product);
      Product<T> apart = product;
      apart.a_stride = way + 3;
      apart.a.assign(static_cast<std::size_t>(m * apart.a_stride), T(0));
      for (Index i = 0; i < m; ++i) std::copy_n(product.a.data() + i * way, k, apart.a.data() + i * apart.a_stride);
      for (const Tables& t : tables()) {
        CAPTURE(t.isa);
        CHECK(product.run(*t.matmul, 1) == apart.run(*t.matmul, 2));
      }
    }
  }
}

TEST_CASE_TEMPLATE("matmul: infinities and NaNs reach only the elements that depend on them", T, float, double) {
  Dice dice(2);
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      Product<T> product(dice, 13, 21, 10, ta, tb, 0);
      product.a[static_cast<std::size_t>(ta ? 3 * 13 + 4 : 4 * 10 + 3)] = std::numeric_limits<T>::infinity();
      product.b[static_cast<std::size_t>(tb ? 20 * 10 + 7 : 7 * 21 + 20)] = std::numeric_limits<T>::quiet_NaN();
      for (const Tables& t : tables()) {
        CAPTURE(t.isa);
        const auto c = product.run(*t.matmul, 1);
        for (Index i = 0; i < 13; ++i) {
          for (Index j = 0; j < 21; ++j) {
            const T x = c[static_cast<std::size_t>(i * 21 + j)];
            CHECK(std::isnan(x) == (j == 20));
            CHECK(std::isinf(x) == (i == 4 && j != 20));
          }
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("matmul: bit-identical on any number of threads", T, float, double) {
  Dice dice(3);
  const Index shapes[][3] = {{257, 129, 127}, {64, 64, 64},   {1, 257, 1000},
                             {1000, 3, 100},  {7, 1025, 300}, {100, 100, 21}};
  for (const auto& shape : shapes) {
    for (const bool ta : {false, true}) {
      const Product<T> product(dice, shape[0], shape[1], shape[2], ta, !ta, 0);
      for (const Tables& t : tables()) {
        CAPTURE(t.isa);
        const auto one = product.run(*t.matmul, 1);
        for (const int threads : {2, 3, 4, 8}) {
          CHECK(std::memcmp(product.run(*t.matmul, threads).data(), one.data(), one.size() * sizeof(T)) == 0);
        }
      }
    }
  }
}

namespace {

// A fused epilogue: compares the rows it is given with the product alone, then overwrites them with NaN, to catch a
// kernel that accesses them later.
template <class T>
struct Epilogue {
  static constexpr T spoilt = T(54321);
  Epilogue(const T* expected_, T* c_, Index rows, Index columns_, Index stride_)
      : expected(expected_), c(c_), columns(columns_), stride(stride_), calls(static_cast<std::size_t>(rows)) {}
  void operator()(Index first, Index last) const {
    for (Index row = first; row < last; ++row) {
      calls[static_cast<std::size_t>(row)].fetch_add(1);
      const auto bytes = static_cast<std::size_t>(columns) * sizeof(T);
      if (std::memcmp(c + row * stride, expected + row * stride, bytes) != 0) ++unfinished;
      std::fill_n(c + row * stride, columns, spoilt);
    }
    const std::lock_guard lock(mutex);
    ranges.emplace_back(first, last);
  }
  // Checks the state after the kernel has returned; returns the ranges in order.
  std::vector<std::pair<Index, Index>> check() {
    CHECK(unfinished == 0);
    CHECK(std::all_of(calls.begin(), calls.end(), [](const auto& n) { return n == 1; }));
    Index alive = 0;
    for (std::size_t row = 0; row < calls.size(); ++row) {
      const T* at = c + static_cast<Index>(row) * stride;
      alive += std::count_if(at, at + columns, [](T x) { return x != spoilt; });
    }
    CHECK(alive == 0);
    std::sort(ranges.begin(), ranges.end());
    return ranges;
  }

  const T* expected;
  T* c;
  Index columns, stride;
  mutable std::vector<std::atomic<int>> calls;
  mutable std::atomic<int> unfinished{0};
  mutable std::mutex mutex;
  mutable std::vector<std::pair<Index, Index>> ranges;
};

}  // namespace

TEST_CASE_TEMPLATE("matmul: each row is reported once, when it is final", T, float, double) {
  Dice dice(5);
  const Index shapes[][3] = {{0, 4, 3},      {4, 0, 3},       {4, 3, 0},      {1, 1, 1},
                             {1, 300, 200},  {5, 64, 700},    {12, 100, 30},  {13, 10, 8},
                             {64, 64, 64},   {300, 10, 900},  {128, 64, 784}, {784, 64, 128},
                             {97, 1030, 40}, {7, 1500, 1100}, {1500, 7, 300}, {260, 270, 1030}};
  for (const auto& shape : shapes) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        const Product<T> product(dice, shape[0], shape[1], shape[2], ta, tb, dice.below(3));
        CAPTURE(product.m);
        CAPTURE(product.n);
        CAPTURE(product.k);
        CAPTURE(ta);
        CAPTURE(tb);
        for (const Tables& t : tables()) {
          CAPTURE(t.isa);
          const auto expected = product.run(*t.matmul, 1);
          std::vector<std::pair<Index, Index>> ranges;
          for (const int threads : {1, 2, 3, 8}) {
            CAPTURE(threads);
            std::vector<T> c = expected;
            std::fill(c.begin(), c.end(), product.canary);
            Epilogue<T> epilogue(expected.data(), c.data(), product.m, product.n, product.c_stride);
            const RangeRef on_rows_ready = epilogue;
            product.run(*t.matmul, threads, c.data(), &on_rows_ready);
            const auto now = epilogue.check();
            if (threads == 1) ranges = now;
            CHECK(now == ranges);
          }
        }
      }
    }
  }
}

TEST_CASE("matmul: the rows of a batch are reported as those of one matrix") {
  Dice dice(6);
  const OpDef& op = builtin_op("matmul");
  REQUIRE(op.traits.supports_epilogue);
  struct Case {
    Shape a, b;
    bool ta, tb;
  };
  const Case cases[] = {{{9, 30}, {30, 20}, false, false},          {{6, 9, 30}, {6, 30, 20}, false, false},
                        {{6, 30, 9}, {6, 20, 30}, true, true},      {{6, 9, 30}, {20, 30}, false, true},
                        {{6, 30, 9}, {30, 20}, true, false},        {{3, 1, 9, 4}, {2, 4, 7}, false, false},
                        {{40, 64, 70}, {40, 70, 64}, false, false}, {{3, 200, 300}, {3, 300, 90}, false, false},
                        {{0, 4, 5}, {5, 6}, false, false},          {{2, 4, 0}, {2, 0, 6}, false, false}};
  for (const Case& of : cases) {
    const Attrs attrs{{"transpose_a", of.ta}, {"transpose_b", of.tb}};
    const auto na = random_numbers<float>(dice, of.a.elements());
    const auto nb = random_numbers<float>(dice, of.b.elements());
    const std::vector<TensorType> types = {{f32, of.a}, {f32, of.b}};
    const TensorType out = op.infer(Infer(op, types, attrs));
    CAPTURE(out.shape.str());
    const std::vector<ConstBuffer> inputs = {{na.data(), types[0]}, {nb.data(), types[1]}};
    const auto prepared = op.prepare(types, out, attrs);
    const auto run = [&](float* c, int threads, const RangeRef* on_rows_ready, bool use_prepared = true) {
      Scratch scratch(op.scratch_bytes(types, out, attrs));
      KernelCall call;
      call.op = &op;
      call.inputs = inputs;
      call.output = {c, out};
      call.attrs = &attrs;
      call.scratch = scratch.get();
      call.parallel = Parallel(threads);
      call.on_rows_ready = on_rows_ready;
      if (use_prepared) call.prepared = prepared.get();
      op.kernel(call);
      CHECK(scratch.intact());
    };
    std::vector<float> expected(static_cast<std::size_t>(out.shape.elements()));
    run(expected.data(), 1, nullptr);
    std::vector<float> unprepared(expected.size());
    run(unprepared.data(), 1, nullptr, false);
    CHECK(unprepared == expected);
    std::vector<std::pair<Index, Index>> ranges;
    for (const int threads : {1, 2, 3, 8}) {
      CAPTURE(threads);
      std::vector<float> c(expected.size());
      const Index columns = out.shape[out.shape.rank() - 1];
      Epilogue<float> epilogue(expected.data(), c.data(), out.shape.elements() / columns, columns, columns);
      const RangeRef on_rows_ready = epilogue;
      run(c.data(), threads, &on_rows_ready);
      const auto now = epilogue.check();
      if (threads == 1) ranges = now;
      CHECK(now == ranges);
    }
  }
}

TEST_CASE("matmul: batch axes broadcast") {
  Dice dice(4);
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      Graph g({.dtype = f64});
      const Value a = g.input("a", ta ? Shape{3, 1, 6, 5} : Shape{3, 1, 5, 6});
      const Value b = g.input("b", tb ? Shape{2, 7, 6} : Shape{2, 6, 7});
      const auto na = random_numbers<double>(dice, 90);
      const auto nb = random_numbers<double>(dice, 84);
      const Tensor c = evaluate(matmul(a, b, ta, tb), {{a, Tensor::from<double>(a.shape(), std::span(na))},
                                                       {b, Tensor::from<double>(b.shape(), std::span(nb))}});
      REQUIRE(c.shape() == Shape{3, 2, 5, 7});
      for (Index at = 0; at < c.elements(); ++at) {
        const Index j = at % 7, i = at / 7 % 5, y = at / 35 % 2, x = at / 70;
        double sum = 0;
        for (Index k = 0; k < 6; ++k) {
          sum += na[static_cast<std::size_t>(x * 30 + (ta ? k * 5 + i : i * 6 + k))] *
                 nb[static_cast<std::size_t>(y * 42 + (tb ? j * 6 + k : k * 7 + j))];
        }
        CHECK(std::abs(c.at(at) - sum) < 1e-14);
      }
    }
  }
}
