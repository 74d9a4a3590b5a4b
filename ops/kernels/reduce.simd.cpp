// Reductions of [outer, reduce, inner] over the middle axis. Compiled once per instruction set.
//
// Note [Fixed tree]. The reduction order depends on sizes alone. Along the last axis (inner == 1) a row is split into
// blocks of `block` elements; a block is summed in four vectors and then pairwise; blocks are combined pairwise like
// the digits of a binary counter. Over other axes, rows are summed in groups of `group`, and the groups in the same
// way. Pairwise sums of n elements have an error of about log(n) roundings instead of n.
#include <algorithm>

#include <xgrad/ops/kernels/kernel_tables.hpp>
#include <xgrad/ops/kernels/lanes.hpp>
#include <xgrad/ops/kernels/simd.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr Index block = 1024;             // elements of a row that are summed in order
constexpr Index group = 32;               // rows that are summed in order
constexpr Index long_row = 512;           // minimum elements of a row for reduce_long_rows
constexpr Index task_elements = 1 << 16;  // elements read by one task
constexpr Index slab_elements = 1 << 15;  // partial results of column groups that are computed at once
constexpr int levels = 48;                // of the binary counter; enough for any number of blocks

struct Sum {
  static auto combine(auto a, auto b) {
    return simd::wrapping(a, b, [](auto x, auto y) { return x + y; });
  }
  template <class T>
  static constexpr T start = T(0);
};
struct Prod {
  static auto combine(auto a, auto b) {
    return simd::wrapping(a, b, [](auto x, auto y) { return x * y; });
  }
  template <class T>
  static constexpr T start = T(1);
};
// Logical or of bytes that are 0 or 1.
struct Any {
  static std::uint8_t combine(std::uint8_t a, std::uint8_t b) { return a | b; }
  template <class T>
  static constexpr T start = T(0);
};
struct All {
  static std::uint8_t combine(std::uint8_t a, std::uint8_t b) { return a & b; }
  template <class T>
  static constexpr T start = T(1);
};
struct Max {
  static auto combine(auto a, auto b) { return simd::max(a, b); }
  static auto combine_numbers(auto a, auto b) { return simd::max_of_numbers(a, b); }
  template <class T>
  static constexpr T start = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                                  : std::numeric_limits<T>::lowest();
};
struct Min {
  static auto combine(auto a, auto b) { return simd::min(a, b); }
  static auto combine_numbers(auto a, auto b) { return simd::min_of_numbers(a, b); }
  template <class T>
  static constexpr T start = std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity()
                                                                  : std::numeric_limits<T>::max();
};

// Operations that are faster without NaN handling. A block is reduced without it, and again with it if it contains NaN.
template <class Op, class T>
concept HasCheaperWithoutNan = requires(simd::Batch<T> x) {
  Op::combine_numbers(x, x);
};
template <class Op>
struct WithNan : Op {
  static void combine_numbers() = delete;  // hides that of Op
};

// Without NaN handling where that is cheaper.
template <class Op>
struct WithoutNan {
  static auto combine(auto a, auto b) {
    if constexpr (requires { Op::combine_numbers(a, b); })
      return Op::combine_numbers(a, b);
    else
      return Op::combine(a, b);
  }
};

template <class Op, class T>
T combine_all(simd::Batch<T> v) {
  return simd::combine_lanes(v, [](auto a, auto b) { return Op::combine(a, b); });
}

// Reduces n consecutive elements.
template <class Op, class T>
T reduce_block(const T* in, Index n) {
  T out = Op::template start<T>;
  if constexpr (std::is_integral_v<T>) {
    for (Index i = 0; i < n; ++i) out = Op::combine(out, in[i]);
    return out;
  } else {
    using B = simd::Batch<T>;
    constexpr Index w = simd::width<T>;
    const B start(out);
    B sums[4] = {start, start, start, start};
    Index i = 0;
    [[maybe_unused]] auto nan_met = simd::is_nan(start);  // all lanes false
    for (; i + 4 * w <= n; i += 4 * w) {
      B x[4];
      for (int j = 0; j < 4; ++j) x[j] = simd::load(in + i + j * w);
      for (int j = 0; j < 4; ++j) sums[j] = WithoutNan<Op>::combine(sums[j], x[j]);
      if constexpr (HasCheaperWithoutNan<Op, T>)
        nan_met = nan_met || simd::either_nan(x[0], x[1]) || simd::either_nan(x[2], x[3]);
    }
    if constexpr (HasCheaperWithoutNan<Op, T>) {
      if (i > 0 && xsimd::any(nan_met)) return reduce_block<WithNan<Op>>(in, n);
    }
    for (; i + w <= n; i += w) sums[0] = Op::combine(sums[0], simd::load(in + i));
    if (i < n) {
      const B last = simd::keep_first(simd::load_partial(in + i, n - i), n - i, out);
      sums[1] = Op::combine(sums[1], last);
    }
    return combine_all<Op, T>(Op::combine(Op::combine(sums[0], sums[1]), Op::combine(sums[2], sums[3])));
  }
}

// Reduces `rows` consecutive rows of fewer than four vectors each, in the order of reduce_block but with less overhead.
template <class Op, class T>
void reduce_short_rows(const T* in, Index rows, Index n, T* out) {
  using B = simd::Batch<T>;
  constexpr Index w = simd::width<T>;
  const B start(Op::template start<T>);
  const Index whole = n / w, rest = n % w;
  [[maybe_unused]] auto nan_met = simd::is_nan(start);  // all lanes false
  const auto combine = [&](B sums, B x) {
    if constexpr (HasCheaperWithoutNan<Op, T>) nan_met = nan_met || simd::is_nan(x);
    return WithoutNan<Op>::combine(sums, x);
  };
  for (Index r = 0; r < rows; ++r, in += n) {
    B first = start, second = start;
    for (Index v = 0; v < whole; ++v) first = combine(first, simd::load(in + v * w));
    if (rest > 0) {
      const B last = simd::load_partial(in + whole * w, rest);
      second = combine(second, simd::keep_first(last, rest, Op::template start<T>));
    }
    out[r] = combine_all<WithoutNan<Op>, T>(WithoutNan<Op>::combine(first, second));
  }
  if constexpr (HasCheaperWithoutNan<Op, T>) {
    if (xsimd::any(nan_met)) reduce_short_rows<WithNan<Op>>(in - rows * n, rows, n, out);
  }
}

// Reduces one row; blocks are combined like the digits of a binary counter.
template <class Op, class T>
T reduce_row(const T* in, Index n) {
  if (n <= block) return reduce_block<Op>(in, n);
  T pending[levels];
  Index done = 0;
  const auto take = [&](T sum) {
    int level = 0;
    for (Index bits = done++; bits & 1; bits >>= 1) sum = Op::combine(pending[level++], sum);
    pending[level] = sum;
  };
  for (Index i = 0; i < n; i += block) take(reduce_block<Op>(in + i, std::min(block, n - i)));
  T out{};
  bool any = false;
  for (int level = 0; done >> level; ++level) {
    if (!(done >> level & 1)) continue;
    out = any ? Op::combine(pending[level], out) : pending[level];
    any = true;
  }
  return out;
}

template <class Op, class T>
void reduce_each_row(const T* in, Index rows, Index n, T* out) {
  if constexpr (!std::is_integral_v<T>) {
    if (n < 4 * simd::width<T>) return reduce_short_rows<Op>(in, rows, n, out);
  }
  for (Index r = 0; r < rows; ++r) out[r] = reduce_row<Op>(in + r * n, n);
}

// reduce_rows for long rows: reads a few rows at a time from begin to end, the fastest access order for memory. The
// partial results stay in a cache.
template <class Op, class T>
void reduce_long_rows(const T* in, Index rows, Index stride, Index columns, T* out, bool continues) {
  using B = simd::Batch<T>;
  constexpr Index w = simd::width<T>;
  constexpr Index together = 4;
  for (Index r = 0; r < rows; r += together) {
    const Index now = std::min(together, rows - r);
    const T* row = in + r * stride;
    const auto one = [&](Index j, auto load) {
      B sum = load(row + j);
      if (r > 0 || continues) sum = Op::combine(load(out + j), sum);
      for (Index q = 1; q < now; ++q) sum = Op::combine(sum, load(row + q * stride + j));
      return sum;
    };
    Index j = 0;
    for (; j + w <= columns; j += w) simd::store(out + j, one(j, [](const T* p) { return simd::load(p); }));
    const Index rest = columns - j;
    if (rest > 0) simd::store_partial(out + j, one(j, [&](const T* p) { return simd::load_partial(p, rest); }), rest);
  }
}

// out[columns] = the reduction of `rows` rows, `stride` apart, from first to last; or, if it `continues`, of out and
// then these rows.
template <class Op, class T>
void reduce_rows(const T* in, Index rows, Index stride, Index columns, T* out, bool continues = false) {
  Index j = 0;
  if constexpr (!std::is_integral_v<T>) {
    using B = simd::Batch<T>;
    constexpr Index w = simd::width<T>;
    if (columns >= long_row && columns <= 16 * long_row)
      return reduce_long_rows<Op>(in, rows, stride, columns, out, continues);
    const auto start = [&](Index at, auto load) {
      const B first = load(in + at);
      return continues ? Op::combine(load(out + at), first) : first;
    };
    for (; j + 4 * w <= columns; j += 4 * w) {
      B sums[4];
      for (int v = 0; v < 4; ++v) sums[v] = start(j + v * w, [](const T* p) { return simd::load(p); });
      for (Index r = 1; r < rows; ++r) {
        for (int v = 0; v < 4; ++v) sums[v] = Op::combine(sums[v], simd::load(in + r * stride + j + v * w));
      }
      for (int v = 0; v < 4; ++v) simd::store(out + j + v * w, sums[v]);
    }
    for (; j < columns; j += w) {
      const Index n = std::min(w, columns - j);
      const auto load = [&](const T* p) { return n == w ? simd::load(p) : simd::load_partial(p, n); };
      B sum = start(j, load);
      for (Index r = 1; r < rows; ++r) sum = Op::combine(sum, load(in + r * stride + j));
      if (n == w)
        simd::store(out + j, sum);
      else
        simd::store_partial(out + j, sum, n);
    }
  }
  for (; j < columns; ++j) {
    T sum = continues ? Op::combine(out[j], in[j]) : in[j];
    for (Index r = 1; r < rows; ++r) sum = Op::combine(sum, in[r * stride + j]);
    out[j] = sum;
  }
}

template <class Op, class T>
void combine_into(T* into, const T* other, Index n) {
  if constexpr (std::is_integral_v<T>) {
    for (Index i = 0; i < n; ++i) into[i] = Op::combine(into[i], other[i]);
  } else {
    constexpr Index w = simd::width<T>;
    Index i = 0;
    for (; i + w <= n; i += w) simd::store(into + i, Op::combine(simd::load(into + i), simd::load(other + i)));
    if (i < n) {
      simd::store_partial(
          into + i, Op::combine(simd::load_partial(into + i, n - i), simd::load_partial(other + i, n - i)), n - i);
    }
  }
}

Index groups_of(Index rows) { return (rows + group - 1) / group; }
// Slabs [reduce, inner] whose partial results are in scratch memory at the same time.
Index slabs_together(Index outer, Index groups, Index inner) {
  return std::clamp<Index>(slab_elements / std::max<Index>(1, groups * inner), 1, std::max<Index>(1, outer));
}

// Combines the partial results of row groups, side by side in `partial`, pairwise into the first.
template <class Op, class T>
void combine_groups(T* partial, Index groups, Index columns) {
  for (Index distance = 1; distance < groups; distance *= 2) {
    for (Index g = 0; g + distance < groups; g += 2 * distance) {
      combine_into<Op>(partial + g * columns, partial + (g + distance) * columns, columns);
    }
  }
}

template <class Op, class T>
void reduce(const ReduceArgs& args, void* scratch, const Parallel& parallel) {
  const T* in = static_cast<const T*>(args.in);
  T* out = static_cast<T*>(args.out);
  if (args.outer == 0 || args.inner == 0) return;
  if (args.reduce == 0) {
    std::fill_n(out, args.outer * args.inner, Op::template start<T>);
    return;
  }
  if (args.inner == 1) {
    if (args.outer > 1 || args.reduce <= task_elements) {
      for_stretches(parallel, args.outer, task_elements / args.reduce, [&](Index first, Index last) {
        reduce_each_row<Op>(in + first * args.reduce, last - first, args.reduce, out + first);
      });
      return;
    }
    // One long row: reduce sections of it as separate rows, then combine these.
    T* partial = static_cast<T*>(scratch);
    const Index sections = (args.reduce + task_elements - 1) / task_elements;
    for_stretches(parallel, args.reduce, task_elements, [&](Index first, Index last) {
      partial[first / task_elements] = reduce_row<Op>(in + first, last - first);
    });
    out[0] = reduce_row<Op>(partial, sections);
    return;
  }
  const Index groups = groups_of(args.reduce);
  if (groups == 1) {
    for_each_in_stretches(parallel, args.outer, task_elements / (args.reduce * args.inner), [&](Index o) {
      reduce_rows<Op>(in + o * args.reduce * args.inner, args.reduce, args.inner, args.inner, out + o * args.inner);
    });
    return;
  }
  // Groups of several slabs at once, so that short slabs keep all threads busy.
  T* partial = static_cast<T*>(scratch);
  const Index together = slabs_together(args.outer, groups, args.inner);
  for (Index first = 0; first < args.outer; first += together) {
    const Index now = std::min(together, args.outer - first);
    for_each_in_stretches(parallel, now * groups, task_elements / (group * args.inner), [&](Index i) {
      const Index o = first + i / groups, row = i % groups * group;
      reduce_rows<Op>(in + (o * args.reduce + row) * args.inner, std::min(group, args.reduce - row), args.inner,
                      args.inner, partial + i * args.inner);
    });
    for_each_in_stretches(parallel, now, task_elements / (groups * args.inner), [&](Index i) {
      combine_groups<Op>(partial + i * groups * args.inner, groups, args.inner);
      std::copy_n(partial + i * groups * args.inner, args.inner, out + (first + i) * args.inner);
    });
  }
}

// Kernels for block programs, see BlockReduction.

template <class Op, class T>
void block_rows(const void* in, Index rows, Index n, void* out) {
  reduce_each_row<Op>(static_cast<const T*>(in), rows, n, static_cast<T*>(out));
}

template <class Op, class T>
void block_columns(const void* data, Index rows, Index n, void* result, bool first) {
  reduce_rows<Op>(static_cast<const T*>(data), rows, n, n, static_cast<T*>(result), !first);
}

template <class Op, class T>
void block_join(void* partial, Index groups, Index n) {
  combine_groups<Op>(static_cast<T*>(partial), groups, n);
}

template <class Op>
constexpr BlockReductions block_reductions() {
  BlockReductions out{};
  out[static_cast<std::size_t>(f32)] = {block_rows<Op, float>, block_columns<Op, float>, block_join<Op, float>, group};
  out[static_cast<std::size_t>(f64)] = {block_rows<Op, double>, block_columns<Op, double>, block_join<Op, double>,
                                        group};
  return out;
}

std::size_t reduce_scratch(DType dtype, Index outer, Index reduce_extent, Index inner) {
  if (inner == 1) {
    const Index sections = outer == 1 ? (reduce_extent + task_elements - 1) / task_elements : 0;
    return static_cast<std::size_t>(sections > 1 ? sections : 0) * size_of(dtype);
  }
  const Index groups = groups_of(reduce_extent);
  return groups > 1 ? static_cast<std::size_t>(slabs_together(outer, groups, inner) * groups * inner) * size_of(dtype)
                    : 0;
}

}  // namespace

namespace XGRAD_ISA {
const ReduceKernels reduce_kernels = {
    {reduce<Sum, float>, reduce<Sum, double>, reduce<Sum, std::int64_t>, nullptr},
    {reduce<Prod, float>, reduce<Prod, double>, reduce<Prod, std::int64_t>, nullptr},
    {reduce<Max, float>, reduce<Max, double>, reduce<Max, std::int64_t>, nullptr},
    {reduce<Min, float>, reduce<Min, double>, reduce<Min, std::int64_t>, nullptr},
    {nullptr, nullptr, nullptr, reduce<Any, std::uint8_t>},
    {nullptr, nullptr, nullptr, reduce<All, std::uint8_t>},
    reduce_scratch,
    block_reductions<Sum>(),
    block_reductions<Prod>(),
    block_reductions<Max>(),
    block_reductions<Min>(),
};
}  // namespace XGRAD_ISA
}  // namespace xgrad::inline v0
