// argsort, and sort and topk built on it.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// Unsigned integers that sort as the elements do: -0 equals +0, and NaN is the largest.
std::uint32_t sort_key(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x + 0.0F);  // -0 + 0 is +0
  const std::uint32_t key = bits ^ (bits >> 31 != 0 ? ~0U : 1U << 31);
  return x != x ? ~0U : key;
}
std::uint64_t sort_key(double x) {
  const auto bits = std::bit_cast<std::uint64_t>(x + 0.0);
  const std::uint64_t key = bits ^ (bits >> 63 != 0 ? ~std::uint64_t{0} : std::uint64_t{1} << 63);
  return x != x ? ~std::uint64_t{0} : key;
}
std::uint64_t sort_key(std::int64_t x) { return static_cast<std::uint64_t>(x) ^ (std::uint64_t{1} << 63); }
std::uint32_t sort_key(bool x) { return x ? 1 : 0; }

// Key and position of an element. All entries of a row differ, so that every way to sort them is stable.
template <class Key>
struct Entry {
  Key key, position;
  friend bool operator<(const Entry& a, const Entry& b) {
    return a.key < b.key || (a.key == b.key && a.position < b.position);
  }
};

using Counts = std::array<Index, 256>;  // by byte

// Sorts `n` entries, whose positions ascend, by the bytes of their keys, least significant byte first. Returns where
// the result is: `entries` or `other`. Parts of a long list are sorted in parallel, into places that depend on the
// counts of all parts.
template <class Key>
Entry<Key>* sort_by_bytes(Entry<Key>* entries, Entry<Key>* other, Index n, const Parallel& parallel) {
  constexpr std::size_t bytes = sizeof(Key);
  constexpr Index least_part = 1 << 16, most_parts = 8;
  const Index parts = std::clamp<Index>(n / least_part, 1, most_parts);
  std::array<std::array<Counts, bytes>, most_parts> counts;
  const auto for_part = [&](Index part, const auto& f) {
    for (Index i = n * part / parts; i < n * (part + 1) / parts; ++i) f(entries[i]);
  };
  parallel.for_each(parts, [&](Index part) {
    auto& mine = counts[static_cast<std::size_t>(part)];
    mine = {};
    for_part(part, [&](const Entry<Key>& e) {
      for (std::size_t b = 0; b < bytes; ++b) ++mine[b][e.key >> (8 * b) & 255U];
    });
  });
  bool moved = false;
  for (std::size_t b = 0; b < bytes; ++b) {
    const auto byte_of = [b](const Entry<Key>& e) { return static_cast<std::size_t>(e.key >> (8 * b) & 255U); };
    Index same = 0;
    for (Index part = 0; part < parts; ++part) same += counts[static_cast<std::size_t>(part)][b][byte_of(entries[0])];
    if (same == n) continue;
    if (moved && parts > 1) {  // the parts have other entries than when they were counted
      parallel.for_each(parts, [&](Index part) {
        Counts& mine = counts[static_cast<std::size_t>(part)][b];
        mine = {};
        for_part(part, [&](const Entry<Key>& e) { ++mine[byte_of(e)]; });
      });
    }
    Index before = 0;
    for (std::size_t byte = 0; byte < 256; ++byte) {
      for (Index part = 0; part < parts; ++part)
        before += std::exchange(counts[static_cast<std::size_t>(part)][b][byte], before);
    }
    parallel.for_each(parts, [&](Index part) {
      Counts& next = counts[static_cast<std::size_t>(part)][b];
      for_part(part, [&](const Entry<Key>& e) { other[next[byte_of(e)]++] = e; });
    });
    std::swap(entries, other);
    moved = true;
  }
  return entries;
}

// The first `k` of the sorted entries of n elements, where entry(i) is the entry of element i and may_precede(i, j) is
// false if element i cannot come before element j. `kept` has room for kept_entries(k). Most elements are only compared
// with the last of the best k so far, a block at a time.
Index kept_entries(Index k) { return 2 * k + 64; }
template <class Key, class MakeEntry, class MayPrecede>
void select_first(Index n, Index k, Entry<Key>* kept, MakeEntry entry, MayPrecede may_precede) {
  constexpr Index block = 32;
  Index size = 0;
  bool full = false;  // kept[k - 1] is the last of the best k so far
  const auto keep_best = [&] {
    std::nth_element(kept, kept + k - 1, kept + size);
    size = k;
  };
  for (Index first = 0; first < n; first += block) {
    const Index last = std::min(n, first + block);
    if (full) {
      const auto worst = static_cast<Index>(kept[k - 1].position);
      int some = 0;
      for (Index i = first; i < last; ++i) some |= may_precede(i, worst) ? 1 : 0;
      if (some == 0) continue;
    }
    for (Index i = first; i < last; ++i) {
      const Entry<Key> next = entry(i);
      if (full && !(next < kept[k - 1])) continue;
      kept[size++] = next;
      if (size < kept_entries(k)) continue;
      keep_best();
      full = true;
    }
  }
  if (size > k) keep_best();
  std::sort(kept, kept + k);
}

struct Argsort : Operation {
  static constexpr const char* name = "argsort";
  static constexpr const char* doc =
      "The positions (i64) that sort the last axis, ascending or descending: the first `k` of them, or all if k is -1. "
      "The sort is stable, and NaN counts as largest.";
  static constexpr const char* no_gradient = "a position has no derivative";
  static TensorType infer(const Infer& in) {
    if (in.shape(0).rank() == 0) in.fail_shape("a scalar has no axis to sort");
    static_cast<void>(in.attrs().flag("descending"));
    Shape out = in.shape(0);
    const Index k = in.attrs().integer("k");
    if (k < -1 || k > out.back()) in.fail_shape(fmt::format("k must be in [0, {}] or -1, got {}", out.back(), k));
    if (k >= 0) out.set(out.rank() - 1, k);
    return {i64, out};
  }
  // Counts n log2(k) comparisons per row, where k is n for a whole sort.
  static double flops(std::span<const TensorType> in, const TensorType& out, const Attrs&) {
    const Index k = out.shape.back();
    return k == 0 ? 0 : flops_of(in[0].shape.elements(), in[0].dtype, std::ceil(std::log2(static_cast<double>(k))));
  }

  // Rows are sorted by tasks, each with memory for two lists of entries.
  static constexpr Index most_tasks = 32;
  static constexpr Index task_elements = 1 << 15;
  static constexpr Index short_row = 128;  // rows that std::sort sorts faster than sort_by_bytes
  static bool selects(Index n, Index k) { return k < n / 4; }
  static Index entries_of(Index n, Index k) { return selects(n, k) ? kept_entries(k) : 2 * n; }
  static bool has_short_entries(DType dtype, Index n) {
    return size_of(dtype) <= 4 && n <= std::numeric_limits<std::uint32_t>::max();
  }
  static Index tasks_of(Index rows) { return std::min(rows, most_tasks); }
  static std::size_t scratch_bytes(std::span<const TensorType> in, const TensorType& out, const Attrs&) {
    const Index n = in[0].shape.back(), k = out.shape.back();
    if (k == 0) return 0;
    const std::size_t size =
        has_short_entries(in[0].dtype, n) ? sizeof(Entry<std::uint32_t>) : sizeof(Entry<std::uint64_t>);
    return static_cast<std::size_t>(tasks_of(out.shape.elements() / k) * entries_of(n, k)) * size;
  }
  template <class T, class Key>
  static void sort_row(const T* x, Index n, bool descending, Index k, Entry<Key>* entries, std::int64_t* out,
                       const Parallel& parallel) {
    const auto entry = [&](Index i) {
      const auto key = static_cast<Key>(sort_key(x[i]));
      return Entry<Key>{descending ? static_cast<Key>(~key) : key, static_cast<Key>(i)};
    };
    if (selects(n, k)) {
      if (descending)
        select_first(n, k, entries, entry, [x](Index i, Index j) { return !(x[i] <= x[j]); });
      else
        select_first(n, k, entries, entry, [x](Index i, Index j) { return !(x[i] >= x[j]); });
    } else {
      for_each_in_stretches(parallel, n, task_elements, [&](Index i) { entries[i] = entry(i); });
      if (n <= short_row)
        std::sort(entries, entries + n);
      else
        entries = sort_by_bytes(entries, entries + n, n, parallel);
    }
    for_each_in_stretches(parallel, k, task_elements,
                          [&](Index i) { out[i] = static_cast<std::int64_t>(entries[i].position); });
  }
  template <class T, class Key>
  static void run(const KernelCall& call) {
    const bool descending = call.attrs->flag("descending");
    const Index n = call.inputs[0].type.shape.back(), k = call.output.type.shape.back();
    const Index rows = call.output.type.shape.elements() / k, tasks = tasks_of(rows);
    call.parallel.for_each(tasks, [&](Index task) {
      Entry<Key>* entries = static_cast<Entry<Key>*>(call.scratch) + task * entries_of(n, k);
      for (Index row = rows * task / tasks; row < rows * (task + 1) / tasks; ++row)
        sort_row(call.inputs[0].as<T>() + row * n, n, descending, k, entries, call.output.as<std::int64_t>() + row * k,
                 call.parallel);
    });
  }
  static void kernel(const KernelCall& call) {
    with_dtype(call.inputs[0].type.dtype, [&](auto zero) {
      using T = decltype(zero);
      if (has_short_entries(call.inputs[0].type.dtype, call.inputs[0].type.shape.back()))
        run<T, std::uint32_t>(call);
      else
        run<T, std::uint64_t>(call);
    });
  }
  // The rank of an element is the number of elements that sort before it.
  static void reference(const KernelCall& call) {
    const Index n = call.inputs[0].type.shape.back(), k = call.output.type.shape.back();
    with_dtype(call.inputs[0].type.dtype, [&](auto zero) {
      const auto* x = call.inputs[0].as<decltype(zero)>();
      for (Index i = 0; i < call.inputs[0].type.shape.elements(); ++i) {
        const Index row = i / n * n;
        Index place = 0;
        for (Index j = row; j < row + n; ++j) {
          const bool sooner = call.attrs->flag("descending") ? x[j] > x[i] : x[j] < x[i];
          place += sooner || (x[j] == x[i] && j < i) ? 1 : 0;
        }
        if (place < k) call.output.as<std::int64_t>()[i / n * k + place] = i - row;
      }
    });
  }
  static std::vector<Sample> samples() {
    const auto make = [](const char* label, Shape shape, Domain domain, bool descending, Index k = -1) {
      return zero_gradient({label, {{shape, domain}}, {{"descending", descending}, {"k", k}}});
    };
    const Domain reals = domain::distinct();
    return {make("row", {9}, reals, false),
            make("row, descending", {9}, reals, true),
            make("rows", {3, 17}, reals, false),
            make("many rows", {40, 500}, reals, true),
            make("ties", {2, 33}, domain::integers(0, 3), false),
            make("ties, descending", {2, 33}, domain::integers(0, 3), true),
            make("booleans", {20}, domain::booleans(), false),
            make("one element", {1}, reals, false),
            make("no elements", {2, 0}, reals, false),
            make("the first of many", {3, 700}, reals, true, 5),
            make("the first of many ties", {2, 500}, domain::integers(0, 3), false, 40),
            make("half of a row", {3, 17}, reals, true, 9),
            make("none", {3, 4}, reals, true, 0)};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"scalar", {Tensor(1.0F)}, {{"descending", false}, {"k", Index{-1}}}, "a scalar has no axis"},
            {"more than there are",
             {Tensor({2, 3})},
             {{"descending", false}, {"k", Index{4}}},
             "k must be in [0, 3] or -1, got 4"}};
  }
};

// Permutation that swaps `axis` with the last axis; it is its own inverse.
std::vector<Index> exchanged(int rank, int axis) {
  std::vector<Index> order(static_cast<std::size_t>(rank));
  std::iota(order.begin(), order.end(), Index{0});
  std::swap(order[static_cast<std::size_t>(axis)], order.back());
  return order;
}

Value positions(const char* where, Value x, Index axis, bool descending, Index k = -1) {
  const Attrs attrs{{"descending", descending}, {"k", k}};
  const int rank = x.shape().rank();
  if (rank == 0) throw ShapeError(fmt::format("{}: a scalar has no axis to sort\n  {}", where, x.describe()));
  const int along = axis_index(axis, rank, where);
  if (along == rank - 1) return apply("argsort", {x}, attrs);
  const Axes order = exchanged(rank, along);
  return transpose(apply("argsort", {transpose(x, order)}, attrs), order);
}

// The elements of x at indices from argsort, which are always valid.
Value chosen(Value x, Value indices, Index axis) {
  const int along = axis_index(axis, x.shape().rank(), "take_along_axis");
  return apply("take_along_axis", {x, indices}, axis_attrs(along));
}

}  // namespace

void register_sort(OpRegistry& registry) { add_operations<Argsort>(registry); }

Value argsort(Operand x, Index axis, bool descending) {
  return composite(x, [&] { return positions("argsort", x, axis, descending); });
}

Value sort(Operand x, Index axis, bool descending) {
  return composite(x, [&] { return chosen(x, positions("sort", x, axis, descending), axis); });
}

TopK topk(Operand x, Index k, Index axis, bool largest) {
  return composite(x, [&]() -> TopK {
    const int rank = x.shape().rank();
    if (rank == 0) throw ShapeError(fmt::format("topk: a scalar has no axis\n  {}", x.describe()));
    const int along = axis_index(axis, rank, "topk");
    if (k < 0 || k > x.shape()[along]) {
      throw ShapeError(fmt::format("topk: k must be in [0, {}], the extent of axis {}, got {}\n  {}", x.shape()[along],
                                   along, k, x.describe()));
    }
    const Value indices = positions("topk", x, along, largest, k);
    return {chosen(x, indices, along), indices};
  });
}

// ---- samples

namespace {

Attrs sort_attrs(Index axis, bool descending) { return {{"axis", axis}, {"descending", descending}}; }

}  // namespace

std::vector<Composite> sort_composites() {
  return {
      {"sort",
       "Sorts the elements along an axis.",
       [](Inputs x, const Attrs& a) { return sort(x[0], a.integer("axis"), a.flag("descending")); },
       {zero_second({"last axis", {{{3, 9}, domain::distinct()}}, sort_attrs(-1, false)}),
        zero_second({"first axis, descending", {{{7, 2}, domain::distinct()}}, sort_attrs(0, true)}),
        zero_second({"one element", {{{1}}}, sort_attrs(0, false)}),
        zero_gradient({"empty", {{{3, 0}}}, sort_attrs(1, false)})},
       {{"scalar", {Tensor(1.0F)}, sort_attrs(0, false), "sort: a scalar has no axis"},
        {"axis", {Tensor::zeros({2})}, sort_attrs(1, false), "sort: axis 1"}}},
      {"topk",
       "The k largest elements along an axis, sorted.",
       [](Inputs x, const Attrs& a) { return topk(x[0], a.integer("n"), a.integer("axis")).values; },
       {zero_second({"last axis", {{{3, 9}, domain::distinct()}}, count_attrs(4, -1)}),
        zero_second({"middle axis", {{{2, 5, 3}, domain::distinct()}}, count_attrs(2, 1)}),
        zero_second({"one element", {{{1}}}, count_attrs(1, 0)}), zero_gradient({"none", {{{3}}}, count_attrs(0, 0)}),
        zero_gradient({"empty", {{{0, 3}}}, count_attrs(2, 1)})},
       {{"too many", {Tensor({2, 3})}, count_attrs(4, -1), "topk: k must be in [0, 3], the extent of axis 1, got 4"},
        {"negative", {Tensor::zeros({3})}, count_attrs(-1, 0), "got -1"},
        {"scalar", {Tensor(1.0F)}, count_attrs(0, 0), "topk: a scalar"}}},
  };
}

}  // namespace xgrad::inline v0
