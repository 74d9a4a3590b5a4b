// Scaled dot-product attention and its gradients. Compiled once per instruction set.
//
// Note [Attention by rows]. A task computes blocks of a few rows of the scores, over all keys, in scratch memory that
// fits into the cache, so the matrix of all scores is never in memory. The gradients compute the scores again. Keys and
// values are packed once. Gradients of keys and values are sums over rows: the rows of a head are cut into a
// few groups, whose sums are added in order. Blocks, groups and tasks depend on sizes alone.
//
// With `causal`, a block computes the scores of no key after its last row. An excluded key has weight 0, which changes
// a sum only if it is multiplied by inf or NaN: a head that contains one is computed in full.
#include <algorithm>
#include <cmath>
#include <limits>

#include <xgrad/ops/kernels/kernel_tables.hpp>
#include <xgrad/ops/kernels/matmul_tile.hpp>
#include <xgrad/ops/kernels/matmul_vector.hpp>

namespace xgrad::inline v0 {
namespace {

// Groups of rows are made for at least this many tasks.
constexpr Index least_tasks = 8;
// Tasks share the scratch memory of at most this many lanes, which run in parallel.
constexpr Index most_lanes = 64, tasks_per_lane = 4;
// Products of fewer multiply-adds run on one thread.
constexpr Index parallel_work = 200'000;
// Terms of a sum that a tile adds at once.
constexpr Index chunk = 256;
// A right operand is read in place if its rows have at most this many bytes.
constexpr Index short_row = 256;
// Scores of a block, and limits of its rows. With `causal`, more blocks skip more scores.
constexpr Index block_scores = 1 << 14, least_rows = 24, most_rows = 96;

template <class T>
using B = simd::Batch<T>;
template <class T>
constexpr T lowest = -std::numeric_limits<T>::infinity();

constexpr Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }
// Rounded up to whole cache lines.
constexpr Index lines(Index n) { return ceil_div(n, 16) * 16; }
template <class T>
constexpr Index padded(Index n) {
  return vectors_of<T>(n) * simd::width<T>;
}

struct Range {
  Index first, last;
  Index size() const { return last - first; }
};
// The i-th of `parts` nearly equal ranges.
Range part(Index all, Index parts, Index i) { return {all * i / parts, all * (i + 1) / parts}; }

struct Split {
  Index blocks, groups, lanes;  // row blocks and groups of a head; tasks in all
  explicit Split(const AttentionArgs& a) {
    const Index wanted = block_scores / std::max<Index>(a.keys, 1);
    blocks = ceil_div(a.rows, std::clamp(a.causal ? std::min(wanted, a.rows / 4) : wanted, least_rows, most_rows));
    groups = std::clamp<Index>(ceil_div(least_tasks, std::max<Index>(a.heads, 1)), 1, std::max<Index>(blocks, 1));
    const Index tasks = a.heads * groups;
    lanes = std::min(tasks, std::clamp(tasks / tasks_per_lane, least_tasks, most_lanes));
  }
};

// ---- products

// A right operand [k, n] of products: packed in chunks of its rows, or in place.
template <class T>
struct Right {
  const T* data;
  Index k, n;
  bool in_place = false;

  static bool reads_in_place(Index n) { return n >= simd::width<T> && n * static_cast<Index>(sizeof(T)) <= short_row; }
  static Index elements(Index k, Index n) { return k * padded<T>(n); }
  // The scratch memory for `plain`.
  static Index plain_elements(Index k, Index n) { return reads_in_place(n) ? 0 : elements(k, n); }

  // Packs b [k, n], or [n, k] if `transposed`, into `to`.
  static void pack(const T* b, Index k, Index n, bool transposed, T* to) {
    MatmulArgs args;
    args.b = b;
    args.b_stride = transposed ? k : n;
    args.transpose_b = transposed;
    for (Index at = 0; at < k; at += chunk) {
      const Index length = std::min(chunk, k - at);
      for (Index j = 0; j < n;) {
        const Index columns = next_columns<T>(n - j);
        pack_panel<T>(args, at, length, j, columns, to + at * padded<T>(n) + j * length);
        j += columns;
      }
    }
  }
  // b [k, n], in place or packed into `memory`.
  static Right plain(const T* b, Index k, Index n, T* memory) {
    if (reads_in_place(n)) return {b, k, n, true};
    pack(b, k, n, false, memory);
    return {memory, k, n};
  }

  // The first columns, at least `count`, after which a panel ends.
  Index whole_panels(Index count) const {
    const Index end = ceil_div(count, panel_columns<T>) * panel_columns<T>;
    return n - end < simd::width<T> ? n : end;
  }
};

template <class T>
struct Left {
  const T* data;
  Index stride;
  bool transposed = false;  // stored as [k, m]
};

// c[m, n] (+)= a[m, k] b[k, n], where b may have more rows, and more columns from the end of a panel on.
template <class T>
void multiply(Index m, Index n, Index k, const Left<T>& a, const Right<T>& b, T* c, Index c_stride, bool add) {
  if (m == 0) return;
  if (k == 0 && !add) {
    for (Index i = 0; i < m; ++i) std::fill_n(c + i * c_stride, n, T(0));
  }
  const Rows<T> tiles(m, a.transposed, a.transposed ? 1 : a.stride, 0, c_stride);
  for (Index at = 0; at < k; at += chunk) {
    const Index length = std::min(chunk, k - at), packed_length = std::min(chunk, b.k - at);
    const T* left = a.data + at * (a.transposed ? a.stride : 1);
    const T* right = b.data + at * (b.in_place ? b.n : padded<T>(b.n));
    TileArgs layout{length, a.stride, 0, c_stride, 0, 0, 0, at == 0 && !add};
    for (Index j = 0; j < n; j += layout.columns) {
      layout.columns = next_columns<T>(b.n - j);
      const Index vectors = vectors_of<T>(layout.columns);
      layout.b_stride = b.in_place ? b.n : vectors * simd::width<T>;
      layout.b_last = (b.in_place ? layout.columns : layout.b_stride) - simd::width<T>;
      tiles.run(layout, vectors, left, right + (b.in_place ? j : j * packed_length), c + j);
    }
  }
}

template <class T>
bool all_finite(const T* x, Index n) {
  constexpr Index w = simd::width<T>;
  const B<T> zero(T(0));
  B<T> sums[4] = {zero, zero, zero, zero};
  Index i = 0;
  for (; i + 4 * w <= n; i += 4 * w) {
    for (Index v = 0; v < 4; ++v) sums[v] = simd::fma(simd::load(x + i + v * w), zero, sums[v]);
  }
  for (; i < n; i += w) {
    sums[0] = simd::fma(i + w <= n ? simd::load(x + i) : simd::load_partial(x + i, n - i), zero, sums[0]);
  }
  return simd::reduce_add((sums[0] + sums[1]) + (sums[2] + sums[3])) == T(0);
}

// ---- rows of scores

template <class T>
T largest_lane(B<T> v) {
  alignas(64) T x[B<T>::size];
  v.store_aligned(x);
  return *std::max_element(x, x + B<T>::size);
}

// The bools [j, count) as a mask of the lanes, at most a vector.
template <class T>
simd::Mask<T> kept(const std::uint8_t* keep, Index j, Index count) {
  if (count - j >= simd::width<T>) return simd::load_mask<T>(keep + j);
  std::uint8_t some[16] = {};
  std::copy_n(keep + j, count - j, some);
  return simd::load_mask<T>(some);
}

// The scores of one row. `computed` scores are products of the query with keys, of which the mask and causality exclude
// some.
template <class T>
struct ScoreRow {
  static constexpr Index w = simd::width<T>;
  T* scores;
  Index computed, count;  // the keys from `count` on are excluded
  const T* add = nullptr;
  const std::uint8_t* keep = nullptr;

  // Replaces the scores, up to a whole vector, by their softmax after scaling and masking.
  void weights(T scale) const {
    B<T> largest(lowest<T>);
    for (Index j = 0; j < computed; j += w) {
      const Index here = count - j;
      B<T> s = simd::load(scores + j) * B<T>(scale);
      if (add != nullptr && here > 0) s = s + (here >= w ? simd::load(add + j) : simd::load_partial(add + j, here));
      if (keep != nullptr && here > 0) s = simd::select(kept<T>(keep, j, count), s, B<T>(lowest<T>));
      if (here < w) s = simd::keep_first(s, std::max<Index>(here, 0), lowest<T>);
      simd::store(scores + j, s);
      largest = simd::max_of_numbers(s, largest);
    }
    const B<T> top(largest_lane<T>(largest));
    B<T> sum(T(0));
    for (Index j = 0; j < computed; j += w) {
      B<T> e = simd::exp(simd::load(scores + j) - top);
      if (computed - j < w) e = simd::keep_first(e, computed - j, T(0));
      simd::store(scores + j, e);
      sum = sum + e;
    }
    const B<T> factor(T(1) / simd::reduce_add(sum));
    for (Index j = 0; j < computed; j += w) simd::store(scores + j, simd::load(scores + j) * factor);
  }

  // Replaces the weights' cotangents by those of the products:
  //   weight * (cotangent - sum(weight * cotangent)) * scale.
  // With dropout, `factors` multiply the weights and their cotangents.
  void gradients(T scale, T* cotangents, const T* factors) const {
    B<T> dots(T(0));
    for (Index j = 0; j < computed; j += w) {
      B<T> c = simd::load(cotangents + j);
      if (computed - j < w) c = simd::keep_first(c, computed - j, T(0));
      if (factors != nullptr) c = c * simd::load(factors + j);
      simd::store(cotangents + j, c);
      dots = simd::fma(simd::load(scores + j), c, dots);
    }
    const B<T> dot(simd::reduce_add(dots));
    for (Index j = 0; j < computed; j += w) {
      const B<T> weight = simd::load(scores + j);
      B<T> s = weight * (simd::load(cotangents + j) - dot) * B<T>(scale);
      if (keep != nullptr && j < count) s = simd::select(kept<T>(keep, j, count), s, B<T>(T(0)));
      if (count - j < w) s = simd::keep_first(s, std::max<Index>(count - j, 0), T(0));
      simd::store(cotangents + j, s);
      if (factors != nullptr) simd::store(scores + j, weight * simd::load(factors + j));
    }
  }
};

// ---- tasks

template <class T>
struct Attention {
  const AttentionArgs& a;
  Split split{a};
  // Rows of scores are not a multiple of 4096 bytes apart, which would map them to the same sets of the L1 cache.
  Index stride = padded<T>(a.keys) + simd::width<T>;
  Index block_rows = split.blocks == 0 ? 0 : ceil_div(a.rows, split.blocks);

  Index query_size() const { return a.heads * a.rows * a.depth; }
  Index key_size() const { return a.heads * a.keys * a.depth; }
  Index value_size() const { return a.heads * a.keys * a.value_depth; }
  Index head_sums() const { return a.keys * (a.depth + a.value_depth); }

  // Right operands of a head, which its groups share.
  struct Operands {
    Right<T> keys, values, key_rows;  // key_rows: for gradients only
  };
  // A single row reads keys and values once, so that they are not packed.
  bool single_row(bool gradient) const { return a.rows == 1 && !gradient; }
  Index operand_elements(bool gradient) const {
    if (single_row(gradient)) return 0;
    const Index keys = lines(Right<T>::elements(a.depth, a.keys));
    if (!gradient) return keys + lines(Right<T>::plain_elements(a.keys, a.value_depth));
    return keys + lines(Right<T>::elements(a.value_depth, a.keys)) + lines(Right<T>::plain_elements(a.keys, a.depth));
  }
  Operands operands(Index head, T* memory) const {
    T* const second = memory + lines(Right<T>::elements(a.depth, a.keys));
    Right<T>::pack(key(head), a.depth, a.keys, true, memory);
    const Right<T> keys{memory, a.depth, a.keys};
    if (a.cotangent == nullptr) return {keys, Right<T>::plain(value(head), a.keys, a.value_depth, second), {}};
    T* const third = second + lines(Right<T>::elements(a.value_depth, a.keys));
    Right<T>::pack(value(head), a.value_depth, a.keys, true, second);
    return {keys, {second, a.value_depth, a.keys}, Right<T>::plain(key(head), a.keys, a.depth, third)};
  }

  // Elements of a lane's other memory.
  Index lane_elements(bool gradient) const {
    const Index rows = block_rows, factors = a.dropout > 0 ? lines(stride) : 0;
    if (!gradient) return lines(rows * stride) + factors;
    return 2 * lines(rows * stride) + factors + lines(Right<T>::plain_elements(rows, a.depth)) +
           lines(Right<T>::plain_elements(rows, a.value_depth));
  }
  Index operand_slots() const { return split.groups > 1 ? a.heads : split.lanes; }
  Index sums_elements() const { return a.heads * (split.groups - 1) * head_sums(); }

  struct Memory {
    T* next;
    T* take(Index n) {
      T* const out = next;
      next += lines(n);
      return out;
    }
  };

  const T* query(Index head) const { return static_cast<const T*>(a.query) + head * a.rows * a.depth; }
  const T* key(Index head) const { return static_cast<const T*>(a.key) + head * a.keys * a.depth; }
  const T* value(Index head) const { return static_cast<const T*>(a.value) + head * a.keys * a.value_depth; }
  const T* cotangent(Index head) const { return static_cast<const T*>(a.cotangent) + head * a.rows * a.value_depth; }

  // Whether blocks may skip the keys after their last row. Their weights are 0, but 0 times infinity or NaN is NaN.
  bool may_skip(Index head) const {
    return a.causal && all_finite(value(head), a.keys * a.value_depth) &&
           (a.cotangent == nullptr ||
            (all_finite(query(head), a.rows * a.depth) && all_finite(key(head), a.keys * a.depth) &&
             all_finite(cotangent(head), a.rows * a.value_depth)));
  }

  Index mask_offset(Index head) const {
    Index out = 0;
    for (int axis = a.batch.rank() - 1; axis >= 0; --axis) {
      out += head % a.batch[axis] * a.mask_batch[static_cast<std::size_t>(axis)];
      head /= a.batch[axis];
    }
    return out;
  }
  ScoreRow<T> score_row(Index head, Index row, T* scores, Index computed) const {
    ScoreRow<T> out{scores, computed, a.causal ? std::min(computed, row + 1) : computed};
    const Index at = a.mask == nullptr ? 0 : mask_offset(head) + row * a.mask_row;
    if (a.mask != nullptr && a.keep_mask) out.keep = static_cast<const std::uint8_t*>(a.mask) + at;
    if (a.mask != nullptr && !a.keep_mask) out.add = static_cast<const T*>(a.mask) + at;
    return out;
  }
  // The factors of dropout for the first `count` weights of a row; null without dropout.
  const T* factors(Index head, Index row, Index count, T* to) const {
    if (a.seeds == nullptr) return nullptr;
    const DType dtype = sizeof(T) == 4 ? DType::f32 : DType::f64;
    kernels().bernoulli[static_cast<std::size_t>(dtype)](
        dropout_args(a.seeds + 2 * head, a.dropout, row * a.keys, count, to), Parallel(1));
    const T factor = static_cast<T>(1 / (1 - a.dropout));
    for (Index j = 0; j < count; ++j) to[j] *= factor;
    std::fill(to + count, to + padded<T>(count), T(0));
    return to;
  }

  // Calls run(rows, computed keys) for the row blocks of a group.
  template <class F>
  void each_block(Index head, Index group, const Right<T>& keys, const F& run) const {
    const bool skip = may_skip(head);
    const Range blocks = part(split.blocks, split.groups, group);
    for (Index i = blocks.first; i < blocks.last; ++i) {
      const Range rows = part(a.rows, split.blocks, i);
      run(rows, skip ? keys.whole_panels(std::min(rows.last, a.keys)) : a.keys);
    }
  }

  void forward_row(Index head, Memory memory) const {
    T* const scores = memory.take(stride);
    dot_all<T>(a.depth, query(head), a.keys, key(head), a.depth, scores, 1);
    score_row(head, 0, scores, a.keys).weights(static_cast<T>(a.scale));
    if (a.seeds != nullptr) {
      const T* by = factors(head, 0, a.keys, memory.take(stride));
      for (Index j = 0; j < a.keys; ++j) scores[j] *= by[j];
    }
    T* const out = static_cast<T*>(a.out) + head * a.value_depth;
    if (a.keys == 0) std::fill_n(out, a.value_depth, T(0));
    add_all<T>(a.keys, chunk, scores, 1, value(head), a.value_depth, a.value_depth, out);
  }

  void forward(Index head, Index group, const Operands& of, Memory memory) const {
    T* const scores = memory.take(block_rows * stride);
    T* const drawn = a.seeds == nullptr ? nullptr : memory.take(stride);
    each_block(head, group, of.keys, [&](Range rows, Index computed) {
      multiply<T>(rows.size(), computed, a.depth, {query(head) + rows.first * a.depth, a.depth}, of.keys, scores,
                  stride, false);
      for (Index row = rows.first; row < rows.last; ++row) {
        T* const here = scores + (row - rows.first) * stride;
        score_row(head, row, here, computed).weights(static_cast<T>(a.scale));
        if (const T* by = factors(head, row, computed, drawn); by != nullptr) {
          for (Index j = 0; j < computed; ++j) here[j] *= by[j];
        }
      }
      T* const out = static_cast<T*>(a.out) + (head * a.rows + rows.first) * a.value_depth;
      multiply<T>(rows.size(), a.value_depth, computed, {scores, stride}, of.values, out, a.value_depth, false);
    });
  }

  // sums += left^T right for the first `summed` keys, and = for those up to `computed`.
  static void add_rows(Index computed, Index summed, const Left<T>& left, const Right<T>& right, T* sums) {
    multiply<T>(summed, right.n, right.k, left, right, sums, right.n, true);
    multiply<T>(computed - summed, right.n, right.k, {left.data + summed, left.stride, true}, right,
                sums + summed * right.n, right.n, false);
  }

  // Writes the rows' query gradients, and the sums of the group to `of_key` and `of_value`.
  void backward(Index head, Index group, T* of_key, T* of_value, const Operands& of, Memory memory) const {
    T* const scores = memory.take(block_rows * stride);
    T* const cotangents = memory.take(block_rows * stride);
    T* const query_panels = memory.take(Right<T>::plain_elements(block_rows, a.depth));
    T* const cotangent_panels = memory.take(Right<T>::plain_elements(block_rows, a.value_depth));
    T* const drawn = a.seeds == nullptr ? nullptr : memory.take(stride);
    Index summed = 0;  // keys whose sums have begun
    each_block(head, group, of.keys, [&](Range rows, Index computed) {
      const Index m = rows.size();
      const T* const q = query(head) + rows.first * a.depth;
      const T* const c = cotangent(head) + rows.first * a.value_depth;
      multiply<T>(m, computed, a.depth, {q, a.depth}, of.keys, scores, stride, false);
      multiply<T>(m, computed, a.value_depth, {c, a.value_depth}, of.values, cotangents, stride, false);
      for (Index i = 0; i < m; ++i) {
        const ScoreRow<T> row = score_row(head, rows.first + i, scores + i * stride, computed);
        row.weights(static_cast<T>(a.scale));
        row.gradients(static_cast<T>(a.scale), cotangents + i * stride, factors(head, rows.first + i, computed, drawn));
      }
      add_rows(computed, summed, {scores, stride, true}, Right<T>::plain(c, m, a.value_depth, cotangent_panels),
               of_value);
      add_rows(computed, summed, {cotangents, stride, true}, Right<T>::plain(q, m, a.depth, query_panels), of_key);
      summed = computed;
      T* const of_query = static_cast<T*>(a.out) + (head * a.rows + rows.first) * a.depth;
      multiply<T>(m, a.depth, computed, {cotangents, stride}, of.key_rows, of_query, a.depth, false);
    });
    std::fill(of_key + summed * a.depth, of_key + a.keys * a.depth, T(0));
    std::fill(of_value + summed * a.value_depth, of_value + a.keys * a.value_depth, T(0));
  }

  void run(T* scratch, const Parallel& parallel) const {
    const bool gradient = a.cotangent != nullptr;
    const Index tasks = a.heads * split.groups, lane_size = lane_elements(gradient);
    const Index work = a.heads * a.rows * a.keys * (a.depth + a.value_depth);
    const Parallel threads = work > parallel_work ? parallel : Parallel(1);
    T* const of_key = static_cast<T*>(a.out) + query_size();
    T* const of_value = of_key + key_size();
    const Index operand_size = operand_elements(gradient);
    T* const lanes = scratch + operand_slots() * operand_size;
    T* const sums = lanes + split.lanes * lane_size;  // of the groups but the first, by head
    const auto sum_of = [&](Index head, Index group) {
      return sums + (head * (split.groups - 1) + group - 1) * head_sums();
    };
    Operands shared[least_tasks];
    if (split.groups > 1) {
      threads.for_each(a.heads, [&](Index head) { shared[head] = operands(head, scratch + head * operand_size); });
    }
    threads.for_each(split.lanes, [&](Index lane) {
      const Range mine = part(tasks, split.lanes, lane);
      for (Index task = mine.first; task < mine.last; ++task) {
        const Index head = task / split.groups, group = task % split.groups;
        const Memory memory{lanes + lane * lane_size};
        if (single_row(gradient)) {
          forward_row(head, memory);
          continue;
        }
        const Operands of = split.groups > 1 ? shared[head] : operands(head, scratch + lane * operand_size);
        if (!gradient) {
          forward(head, group, of, memory);
          continue;
        }
        T* const k = group == 0 ? of_key + head * a.keys * a.depth : sum_of(head, group);
        T* const v = group == 0 ? of_value + head * a.keys * a.value_depth : k + a.keys * a.depth;
        backward(head, group, k, v, of, memory);
      }
    });
    if (!gradient || split.groups == 1) return;
    threads.for_each(a.heads, [&](Index head) {
      for (Index group = 1; group < split.groups; ++group) {
        const T* const from = sum_of(head, group);
        T* const k = of_key + head * a.keys * a.depth;
        T* const v = of_value + head * a.keys * a.value_depth;
        for (Index i = 0; i < a.keys * a.depth; ++i) k[i] += from[i];
        for (Index i = 0; i < a.keys * a.value_depth; ++i) v[i] += from[a.keys * a.depth + i];
      }
    });
  }

  std::size_t scratch_bytes(bool gradient) const {
    const Index sums = gradient ? sums_elements() : 0;
    return static_cast<std::size_t>(operand_slots() * operand_elements(gradient) +
                                    split.lanes * lane_elements(gradient) + sums) *
           sizeof(T);
  }
};

template <class T>
void attend(const AttentionArgs& args, void* scratch, const Parallel& parallel) {
  Attention<T>{args}.run(static_cast<T*>(scratch), parallel);
}
std::size_t scratch_of(DType dtype, const AttentionArgs& sizes, bool gradient) {
  return dtype == DType::f32 ? Attention<float>{sizes}.scratch_bytes(gradient)
                             : Attention<double>{sizes}.scratch_bytes(gradient);
}

}  // namespace

namespace XGRAD_ISA {
extern const AttentionKernels attention_kernels;
const AttentionKernels attention_kernels = {{attend<float>, attend<double>, nullptr, nullptr}, scratch_of};
}  // namespace XGRAD_ISA
}  // namespace xgrad::inline v0
