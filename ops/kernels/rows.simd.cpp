// Functions of rows: standardization, softmax, and log-probabilities of labels. Compiled once per instruction set.
//
// Each function reads its row several times; rows that fit into a cache are read from memory once. A sum adds four
// vectors per block of 1024 elements and then the blocks, so its order depends on the length of the row alone.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <xgrad/ops/kernels/lanes.hpp>
#include <xgrad/ops/kernels/row_functions.hpp>

namespace xgrad::inline v0 {
namespace {

template <class T>
using B = simd::Batch<T>;

constexpr Index block = 1024;

// Calls f(i, load, store) for each vector of n elements; `load` fills a partial vector with zeros.
template <class T, class F>
void each_vector(Index n, F f) {
  constexpr Index w = simd::width<T>;
  Index i = 0;
  for (; i + w <= n; i += w) {
    f(
        i, [](const T* p) { return simd::load(p); }, [](T* p, B<T> v) { simd::store(p, v); });
  }
  const Index rest = n - i;
  if (rest == 0) return;
  f(
      i, [&](const T* p) { return simd::load_partial(p, rest); },
      [&](T* p, B<T> v) { simd::store_partial(p, v, rest); });
}

// Combines term(i, load), an array of k vectors that belong to the elements from i on, over n elements. Lanes behind
// the last element count as `start`. Fast while `combine` is, since four terms are in flight.
template <class T, std::size_t k, class Term, class Combine>
std::array<T, k> fold(Index n, T start, Term term, Combine combine) {
  constexpr Index w = simd::width<T>;
  std::array<B<T>, k> total;
  total.fill(B<T>(start));
  for (Index first = 0; first < n; first += block) {
    const Index last = std::min(n, first + block);
    std::array<B<T>, k> part[4];
    for (auto& p : part) p.fill(B<T>(start));
    const auto load = [](const T* p) { return simd::load(p); };
    Index i = first;
    for (; i + 4 * w <= last; i += 4 * w) {
      for (int v = 0; v < 4; ++v) {
        const auto now = term(i + v * w, load);
        for (std::size_t j = 0; j < k; ++j) part[v][j] = combine(part[v][j], now[j]);
      }
    }
    for (int v = 0; i + w <= last; i += w, ++v) {
      const auto now = term(i, load);
      for (std::size_t j = 0; j < k; ++j) part[v][j] = combine(part[v][j], now[j]);
    }
    if (const Index rest = last - i; rest > 0) {
      const auto now = term(i, [&](const T* p) { return simd::load_partial(p, rest); });
      for (std::size_t j = 0; j < k; ++j) part[3][j] = combine(part[3][j], simd::keep_first(now[j], rest, start));
    }
    for (std::size_t j = 0; j < k; ++j) {
      const B<T> sum = combine(combine(part[0][j], part[1][j]), combine(part[2][j], part[3][j]));
      total[j] = first == 0 ? sum : combine(total[j], sum);
    }
  }
  std::array<T, k> out;
  for (std::size_t j = 0; j < k; ++j) out[j] = simd::combine_lanes(total[j], combine);
  return out;
}
template <class T, std::size_t k, class Term>
std::array<T, k> sums(Index n, Term term) {
  return fold<T, k>(n, T(0), term, [](B<T> a, B<T> b) { return a + b; });
}
// NaN if any element is.
template <class T, class Term>
T largest(Index n, Term term) {
  const auto larger = [](B<T> a, B<T> b) { return simd::max(a, b); };
  const auto one = [&](Index i, auto load) { return std::array{term(i, load)}; };
  return fold<T, 1>(n, -std::numeric_limits<T>::infinity(), one, larger)[0];
}

// ---- standardization: (x - mean) / sqrt(variance + epsilon)

// y = (factor x - mean) scale. The factor is 1 unless squares of finite elements could overflow; see
// reductions::shrinking.
template <class T>
struct Standard {
  T factor = 1, mean = 0, scale = 1;
};

template <class T, class At>
T mean_of(Index n, At at) {
  return sums<T, 1>(n, [&](Index i, auto load) { return std::array{at(i, load)}; })[0] / static_cast<T>(n);
}
template <class T, class At>
T variance_of(Index n, T mean, At at) {
  const B<T> center(mean);
  const auto square = [&](Index i, auto load) {
    const B<T> d = at(i, load) - center;
    return std::array{d * d};
  };
  return sums<T, 1>(n, square)[0] / static_cast<T>(n);
}

// `mean` and `variance` are those of the elements, without a factor.
template <class T>
Standard<T> standard_of(const T* x, Index n, T epsilon, T mean, T variance) {
  constexpr T large = sizeof(T) == 4 ? T(1e15) : T(1e150);
  constexpr T least = sizeof(T) == 4 ? T(1e-30) : T(1e-300);
  const Standard<T> plain{1, mean, simd::rsqrt(variance + epsilon)};
  if (std::abs(mean) < large / 2 && variance < large / static_cast<T>(n) * large / 4) return plain;  // none is large
  const T size = largest<T>(n, [x](Index i, auto load) { return simd::abs(load(x + i)); });
  if (!(size > large && size < std::numeric_limits<T>::infinity())) return plain;
  const T factor = 1 / (size * T(0x1p-20));
  const B<T> f(factor);
  const auto at = [&](Index i, auto load) { return load(x + i) * f; };
  const T center = mean_of<T>(n, at);
  // A positive floor, so that equal elements give 0 and not NaN.
  return {factor, center, simd::rsqrt(variance_of<T>(n, center, at) + std::max(epsilon * (factor * factor), least))};
}

// Calls f(first, count) for groups of rows. A sum over one row waits for its lanes to be combined; a loop over the rows
// of a group computes those of the others meanwhile. A group fits into the L1 cache.
constexpr Index most_rows = 16;
template <class F>
void for_groups(Index rows, Index n, F f) {
  const Index some = std::clamp<Index>(4096 / n, 1, most_rows);
  for (Index first = 0; first < rows; first += some) f(first, std::min(some, rows - first));
}
// Requests the elements that the next group reads.
template <class T>
void prefetch(const T* next) {
  __builtin_prefetch(next);
}

template <class T>
void standards_of(const T* x, Index rows, Index n, T epsilon, Standard<T>* out) {
  T mean[most_rows], variance[most_rows];
  const auto at = [&](Index r) { return [row = x + r * n](Index i, auto load) { return load(row + i); }; };
  for (Index r = 0; r < rows; ++r) mean[r] = mean_of<T>(n, at(r));
  for (Index r = 0; r < rows; ++r) variance[r] = variance_of<T>(n, mean[r], at(r));
  for (Index r = 0; r < rows; ++r) out[r] = standard_of(x + r * n, n, epsilon, mean[r], variance[r]);
}

template <class T>
void standardize(const void* from, double epsilon, Index rows, Index n, void* to) {
  for_groups(rows, n, [&](Index first, Index count) {
    const T* x = static_cast<const T*>(from) + first * n;
    T* y = static_cast<T*>(to) + first * n;
    Standard<T> of[most_rows];
    standards_of(x, count, n, static_cast<T>(epsilon), of);
    for (Index r = 0; r < count; ++r) {
      const B<T> factor(of[r].factor), mean(of[r].mean), scale(of[r].scale);
      each_vector<T>(n, [&](Index j, auto load, auto save) {
        const Index i = r * n + j;
        prefetch(x + count * n + i);
        save(y + i, (load(x + i) * factor - mean) * scale);
      });
    }
  });
}

// With y = standardize(x): (g - mean(g) - y mean(g y)) scale factor.
template <class T>
void standardize_gradient(const void* from, const void* slopes, double epsilon, Index rows, Index n, void* to) {
  for_groups(rows, n, [&](Index first, Index count) {
    const T* x = static_cast<const T*>(from) + first * n;
    const T* g = static_cast<const T*>(slopes) + first * n;
    T* dx = static_cast<T*>(to) + first * n;
    Standard<T> of[most_rows];
    std::array<T, 2> means[most_rows];
    standards_of(x, count, n, static_cast<T>(epsilon), of);
    for (Index r = 0; r < count; ++r) {
      const B<T> factor(of[r].factor), mean(of[r].mean), scale(of[r].scale);
      means[r] = sums<T, 2>(n, [&](Index j, auto load) {
        const B<T> slope = load(g + r * n + j);
        return std::array{slope, slope * ((load(x + r * n + j) * factor - mean) * scale)};
      });
    }
    for (Index r = 0; r < count; ++r) {
      const B<T> factor(of[r].factor), mean(of[r].mean), scale(of[r].scale), outer(of[r].scale * of[r].factor);
      const B<T> of_mean(means[r][0] / static_cast<T>(n)), of_scale(means[r][1] / static_cast<T>(n));
      each_vector<T>(n, [&](Index j, auto load, auto save) {
        const Index i = r * n + j;
        prefetch(x + count * n + i);
        const B<T> y = (load(x + i) * factor - mean) * scale;
        save(dx + i, (load(g + i) - of_mean - y * of_scale) * outer);
      });
    }
  });
}

// ---- softmax

// out = exp(x - max) of each row, and the sum of it.
template <class T>
void exponentials(const T* x, Index rows, Index n, T* out, T* sum) {
  T top[most_rows];
  for (Index r = 0; r < rows; ++r) {
    top[r] = largest<T>(n, [row = x + r * n](Index i, auto load) { return load(row + i); });
  }
  for (Index r = 0; r < rows; ++r) {
    const B<T> above(top[r]);
    each_vector<T>(
        n, [&](Index j, auto load, auto save) { save(out + r * n + j, simd::exp(load(x + r * n + j) - above)); });
  }
  for (Index r = 0; r < rows; ++r) {
    sum[r] = sums<T, 1>(n, [row = out + r * n](Index i, auto load) { return std::array{load(row + i)}; })[0];
  }
}

template <class T>
void softmax(const void* from, Index rows, Index n, void* to) {
  for_groups(rows, n, [&](Index first, Index count) {
    const T* x = static_cast<const T*>(from) + first * n;
    T* y = static_cast<T*>(to) + first * n;
    T sum[most_rows];
    exponentials(x, count, n, y, sum);
    for (Index r = 0; r < count; ++r) {
      const B<T> each(1 / sum[r]);
      each_vector<T>(n, [&](Index j, auto load, auto save) {
        const Index i = r * n + j;
        prefetch(x + count * n + i);
        save(y + i, load(y + i) * each);
      });
    }
  });
}

// y (g - sum(g y)).
template <class T>
void softmax_gradient(const void* of, const void* slopes, Index rows, Index n, void* to) {
  for_groups(rows, n, [&](Index first, Index count) {
    const T* y = static_cast<const T*>(of) + first * n;
    const T* g = static_cast<const T*>(slopes) + first * n;
    T* dx = static_cast<T*>(to) + first * n;
    T sum[most_rows];
    for (Index r = 0; r < count; ++r) {
      sum[r] =
          sums<T, 1>(n, [&](Index j, auto load) { return std::array{load(y + r * n + j) * load(g + r * n + j)}; })[0];
    }
    for (Index r = 0; r < count; ++r) {
      const B<T> mean(sum[r]);
      each_vector<T>(n, [&](Index j, auto load, auto save) {
        const Index i = r * n + j;
        prefetch(y + count * n + i);
        save(dx + i, load(y + i) * (load(g + i) - mean));
      });
    }
  });
}

// ---- log-probabilities of labels

template <class T>
void label_log_probability(const void* logits, const std::int64_t* labels, Index rows, Index n, void* out) {
  const T* x = static_cast<const T*>(logits);
  for (Index r = 0; r < rows; ++r, x += n) {
    const T top = largest<T>(n, [x](Index i, auto load) { return load(x + i); });
    const B<T> above(top);
    const T total = sums<T, 1>(n, [&](Index i, auto load) { return std::array{simd::exp(load(x + i) - above)}; })[0];
    static_cast<T*>(out)[r] = (x[labels[r]] - top) - simd::log(B<T>(total)).get(0);
  }
}

template <class T>
void label_gradient(const void* logits, const std::int64_t* labels, const void* scale, Index rows, Index n, void* out) {
  for (Index r = 0; r < rows; ++r) {
    const T of_row = static_cast<const T*>(scale)[r];
    T* dx = static_cast<T*>(out) + r * n;
    T total;
    exponentials(static_cast<const T*>(logits) + r * n, 1, n, dx, &total);
    const B<T> each(-of_row / total);
    each_vector<T>(n, [&](Index i, auto load, auto save) { save(dx + i, load(dx + i) * each); });
    dx[labels[r]] += of_row;
  }
}

}  // namespace

namespace XGRAD_ISA {
const RowFunctions row_functions = {
    {standardize<float>, standardize<double>, nullptr, nullptr},
    {standardize_gradient<float>, standardize_gradient<double>, nullptr, nullptr},
    {softmax<float>, softmax<double>, nullptr, nullptr},
    {softmax_gradient<float>, softmax_gradient<double>, nullptr, nullptr},
    {label_log_probability<float>, label_log_probability<double>, nullptr, nullptr},
    {label_gradient<float>, label_gradient<double>, nullptr, nullptr},
};
}  // namespace XGRAD_ISA
}  // namespace xgrad::inline v0
