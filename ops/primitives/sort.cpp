// argsort, and sort and topk built on it.
#include <algorithm>
#include <cmath>
#include <numeric>

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

// Whether x sorts before y. NaN counts as largest.
template <class T>
bool before(T x, T y, bool descending) {
  const bool less = x < y || (y != y && x == x);
  const bool more = y < x || (x != x && y == y);
  return descending ? more : less;
}

struct Argsort : Operation {
  static constexpr const char* name = "argsort";
  static constexpr const char* doc =
      "The positions (i64) that sort the last axis, ascending or descending. The sort is stable, and NaN counts as "
      "largest.";
  static constexpr const char* no_gradient = "a position has no derivative";
  static TensorType infer(const Infer& in) {
    if (in.shape(0).rank() == 0) in.fail_shape("a scalar has no axis to sort");
    static_cast<void>(in.attrs().flag("descending"));
    return {i64, in.shape(0)};
  }
  // Counts n log2(n) comparisons per row, as merge sort.
  static double flops(std::span<const TensorType> in, const TensorType& out, const Attrs&) {
    const Index n = out.shape.back();
    return n == 0 ? 0 : flops_of(out.shape.elements(), in[0].dtype, std::ceil(std::log2(static_cast<double>(n))));
  }
  template <class T>
  static void run(const KernelCall& call, bool descending) {
    const Index n = call.output.type.shape.back();
    for_stretches(call.parallel, call.output.type.shape.elements() / n, (1 << 12) / n, [&](Index first, Index last) {
      for (Index row = first; row < last; ++row) {
        const T* x = call.inputs[0].as<T>() + row * n;
        auto* out = call.output.as<std::int64_t>() + row * n;
        std::iota(out, out + n, std::int64_t{0});
        // The position breaks ties: std::sort allocates no memory and becomes stable.
        std::sort(out, out + n, [&](std::int64_t a, std::int64_t b) {
          return before(x[a], x[b], descending) || (a < b && !before(x[b], x[a], descending));
        });
      }
    });
  }
  static void kernel(const KernelCall& call) {
    const bool descending = call.attrs->flag("descending");
    with_dtype(call.inputs[0].type.dtype, [&](auto zero) { run<decltype(zero)>(call, descending); });
  }
  // The rank of an element is the number of elements that sort before it.
  static void reference(const KernelCall& call) {
    const Index n = call.output.type.shape.back();
    with_dtype(call.inputs[0].type.dtype, [&](auto zero) {
      const auto* x = call.inputs[0].as<decltype(zero)>();
      for (Index i = 0; i < call.output.type.shape.elements(); ++i) {
        const Index row = i / n * n;
        Index place = 0;
        for (Index j = row; j < row + n; ++j) {
          const bool sooner = call.attrs->flag("descending") ? x[j] > x[i] : x[j] < x[i];
          place += sooner || (x[j] == x[i] && j < i) ? 1 : 0;
        }
        call.output.as<std::int64_t>()[row + place] = i - row;
      }
    });
  }
  static std::vector<Sample> samples() {
    const auto make = [](const char* label, Shape shape, Domain domain, bool descending) {
      return zero_gradient({label, {{shape, domain}}, {{"descending", descending}}});
    };
    const Domain reals = domain::distinct();
    return {make("row", {9}, reals, false),
            make("row, descending", {9}, reals, true),
            make("rows", {3, 17}, reals, false),
            make("many rows", {40, 500}, reals, true),
            make("ties", {2, 33}, domain::integers(0, 3), false),
            make("ties, descending", {2, 33}, domain::integers(0, 3), true),
            make("truth values", {20}, domain::booleans(), false),
            make("one element", {1}, reals, false),
            make("no elements", {2, 0}, reals, false)};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"scalar", {Tensor(1.0F)}, {{"descending", false}}, "a scalar has no axis"}};
  }
};

// Permutation that swaps `axis` with the last axis; it is its own inverse.
std::vector<Index> exchanged(int rank, int axis) {
  std::vector<Index> order(static_cast<std::size_t>(rank));
  std::iota(order.begin(), order.end(), Index{0});
  std::swap(order[static_cast<std::size_t>(axis)], order.back());
  return order;
}

Value positions(const char* where, Value x, Index axis, bool descending) {
  const Attrs attrs{{"descending", descending}};
  const int rank = x.shape().rank();
  if (rank == 0) throw ShapeError(fmt::format("{}: a scalar has no axis to sort\n  {}", where, x.describe()));
  const int along = axis_index(axis, rank, where);
  if (along == rank - 1) return apply("argsort", {x}, attrs);
  const Axes order = exchanged(rank, along);
  return transpose(apply("argsort", {transpose(x, order)}, attrs), order);
}

// Indices from argsort are always valid.
Value chosen(Value x, Value indices, Index axis) {
  const int along = axis_index(axis, x.shape().rank(), "take_along_axis");
  return apply("take_along_axis", {x, indices}, {{"axis", Index{along}}});
}

}  // namespace

void register_sort(OpRegistry& registry) { registry.add(define<Argsort>()); }

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
    const Value indices = slice(positions("topk", x, along, largest), along, 0, k);
    return {chosen(x, indices, along), indices};
  });
}

// ---- samples

std::vector<Composite> sort_composites() {
  return {
      {"sort",
       "Sorts the elements along an axis.",
       [](Inputs x, const Attrs& a) { return sort(x[0], a.integer("axis"), a.flag("descending")); },
       {zero_second({"last axis", {{{3, 9}, domain::distinct()}}, {{"axis", Index{-1}}, {"descending", false}}}),
        zero_second(
            {"first axis, descending", {{{7, 2}, domain::distinct()}}, {{"axis", Index{0}}, {"descending", true}}}),
        zero_second({"one element", {{{1}}}, {{"axis", Index{0}}, {"descending", false}}}),
        zero_gradient({"nothing", {{{3, 0}}}, {{"axis", Index{1}}, {"descending", false}}})},
       {{"scalar", {Tensor(1.0F)}, {{"axis", Index{0}}, {"descending", false}}, "sort: a scalar has no axis"},
        {"axis", {Tensor::zeros({2})}, {{"axis", Index{1}}, {"descending", false}}, "sort: axis 1"}}},
      {"topk",
       "The k largest elements along an axis, sorted.",
       [](Inputs x, const Attrs& a) { return topk(x[0], a.integer("n"), a.integer("axis")).values; },
       {zero_second({"last axis", {{{3, 9}, domain::distinct()}}, count_attrs(4, -1)}),
        zero_second({"middle axis", {{{2, 5, 3}, domain::distinct()}}, count_attrs(2, 1)}),
        zero_second({"one element", {{{1}}}, count_attrs(1, 0)}), zero_gradient({"none", {{{3}}}, count_attrs(0, 0)}),
        zero_gradient({"of nothing", {{{0, 3}}}, count_attrs(2, 1)})},
       {{"too many", {Tensor({2, 3})}, count_attrs(4, -1), "topk: k must be in [0, 3], the extent of axis 1, got 4"},
        {"negative", {Tensor::zeros({3})}, count_attrs(-1, 0), "got -1"},
        {"scalar", {Tensor(1.0F)}, count_attrs(0, 0), "topk: a scalar"}}},
  };
}

}  // namespace xgrad::inline v0
