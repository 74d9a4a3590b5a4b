// Products of a matrix and a vector: they read each matrix element once and are limited by memory bandwidth.
// Included by the kernels of products and attention, once per instruction set.
#pragma once

#include <algorithm>

#include <xgrad/ops/kernels/matmul_tile.hpp>

namespace xgrad::inline v0 {
namespace {

// out[i] = x . row i of the matrix, for `rows` <= 4 rows. Each sum uses two vectors, regardless of the number of rows.
template <class T, std::size_t rows>
void dot_rows(Index k, const T* x, const T* matrix, Index stride, T* out, Index out_stride) {
  using B = simd::Batch<T>;
  constexpr Index w = simd::width<T>;
  B sums[rows][2];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < rows; ++r) sums[r][0] = sums[r][1] = B(T(0));
  const T* at[rows];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < rows; ++r) at[r] = matrix + static_cast<Index>(r) * stride;
  Index i = 0;
  for (; i + 2 * w <= k; i += 2 * w) {
    const B x0 = simd::load(x + i), x1 = simd::load(x + i + w);
#pragma GCC unroll 4
    for (std::size_t r = 0; r < rows; ++r) {
      sums[r][0] = simd::fma(x0, simd::load(at[r] + i), sums[r][0]);
      sums[r][1] = simd::fma(x1, simd::load(at[r] + i + w), sums[r][1]);
    }
  }
  for (; i < k; i += w) {
    const Index count = std::min(w, k - i);
    const auto load = [&](const T* p) { return count == w ? simd::load(p) : simd::load_partial(p, count); };
    const B x0 = load(x + i);
#pragma GCC unroll 4
    for (std::size_t r = 0; r < rows; ++r) sums[r][0] = simd::fma(x0, load(at[r] + i), sums[r][0]);
  }
#pragma GCC unroll 4
  for (std::size_t r = 0; r < rows; ++r) {
    out[static_cast<Index>(r) * out_stride] = simd::reduce_add(sums[r][0] + sums[r][1]);
  }
}

// The same for any number of rows.
template <class T>
void dot_all(Index k, const T* x, Index rows, const T* matrix, Index stride, T* out, Index out_stride) {
  for (; rows >= 4; rows -= 4, matrix += 4 * stride, out += 4 * out_stride) {
    dot_rows<T, 4>(k, x, matrix, stride, out, out_stride);
  }
  for (; rows > 0; --rows, matrix += stride, out += out_stride) dot_rows<T, 1>(k, x, matrix, stride, out, out_stride);
}

// Number of columns whose sums stay in the L1 cache while rows are added.
constexpr Index sum_columns = 1024;

// sums[columns] += x[0] * row 0 + x[1] * row 1 + ... for `rows` rows, in order.
template <class T, std::size_t rows>
void add_rows(const T* x, Index x_stride, const T* matrix, Index stride, Index columns, T* sums) {
  using B = simd::Batch<T>;
  constexpr Index w = simd::width<T>;
  B factor[rows];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < rows; ++r) factor[r] = B(x[static_cast<Index>(r) * x_stride]);
  const auto add = [&](Index j, auto load, auto store) {
    B sum = simd::load(sums + j);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < rows; ++r)
      sum = simd::fma(factor[r], load(matrix + static_cast<Index>(r) * stride + j), sum);
    store(sums + j, sum);
  };
  Index j = 0;
  for (; j + w <= columns; j += w)
    add(
        j, [](const T* p) { return simd::load(p); }, [](T* p, B v) { simd::store(p, v); });
  if (const Index rest = columns - j; rest > 0) {
    add(
        j, [&](const T* p) { return simd::load_partial(p, rest); }, [](T* p, B v) { simd::store(p, v); });
  }
}

// c[j] = x . column j of the matrix, for k in blocks of `length`, in the same summation order as tiles.
template <class T>
void add_all(Index k, Index length, const T* x, Index x_stride, const T* matrix, Index stride, Index columns, T* c) {
  constexpr Index w = simd::width<T>;
  alignas(64) T sums[static_cast<std::size_t>(sum_columns + w)];
  for (; columns > 0; columns -= sum_columns, matrix += sum_columns, c += sum_columns) {
    const Index now = std::min(columns, sum_columns);
    for (Index first = 0; first < k; first += length) {
      std::fill_n(sums, now + w, T(0));
      const Index last = std::min(first + length, k);
      Index i = first;
      for (; i + 8 <= last; i += 8) add_rows<T, 8>(x + i * x_stride, x_stride, matrix + i * stride, stride, now, sums);
      for (; i < last; ++i) add_rows<T, 1>(x + i * x_stride, x_stride, matrix + i * stride, stride, now, sums);
      for (Index j = 0; j < now; ++j) c[j] = first == 0 ? sums[j] : c[j] + sums[j];
    }
  }
}

}  // namespace
}  // namespace xgrad::inline v0
