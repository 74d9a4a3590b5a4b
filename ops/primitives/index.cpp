// Gather and scatter. Each operation has a reverse operation, and each is the derivative of the other.
#include <algorithm>
#include <atomic>
#include <cstring>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/internal/wide_sum.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr Index task_elements = 1 << 15;
constexpr Index task_columns = 256;  // columns per task when slices of equal index are summed

// No index is valid on an axis of extent 0. Check here: for an empty result no kernel runs.
void require_elements(const Infer& in, int x, int axis) {
  if (in.shape(x)[axis] == 0 && in.shape(1).elements() > 0)
    in.fail_shape(fmt::format("every index is outside axis {} of extent 0", axis));
}

// Names the function that the user called, which may differ from the operation's. `where` says what the index names,
// for instance "axis 0 of extent 4".
[[noreturn]] void fail_index(const KernelCall& call, Index index, Index position, const std::string& where) {
  const std::string& function = call.attrs->has("function") ? call.attrs->text("function") : call.op->name;
  throw ValueError(fmt::format("{}: index {} at position {} is outside {}", function, index, position, where));
}

int axis_attr(const KernelCall& call) { return static_cast<int>(call.attrs->integer("axis")); }

// Whether n indices are in [0, extent). An index outside sets the sign bit of itself or of extent - 1 - index.
bool all_inside(const std::int64_t* index, Index n, Index extent) {
  const auto last = static_cast<std::uint64_t>(extent) - 1;
  std::uint64_t signs = 0;
  for (Index i = 0; i < n; ++i) {
    const auto place = static_cast<std::uint64_t>(index[i]);
    signs |= place | (last - place);
  }
  return signs >> 63 == 0;
}

// Throws ValueError for the first index (second input) outside [0, extent).
void check_indices(const KernelCall& call, Index extent) {
  const Index n = call.inputs[1].type.shape.elements();
  const auto* index = call.inputs[1].as<std::int64_t>();
  if (all_inside(index, n, extent)) return;
  const auto* bad = std::find_if(index, index + n, [&](std::int64_t i) { return i < 0 || i >= extent; });
  fail_index(call, *bad, bad - index, fmt::format("axis {} of extent {}", axis_attr(call), extent));
}

// Calls task(first, last) in parallel for ranges of [0, rows), once the indices of the range, `row` for each, are known
// to be in [0, extent). Throws ValueError as check_indices.
template <class F>
void for_checked_rows(const KernelCall& call, Index extent, Index rows, Index row, Index size, const F& task) {
  const auto* index = call.inputs[1].as<std::int64_t>();
  std::atomic<bool> inside = true;
  for_stretches(call.parallel, rows, size, [&](Index first, Index last) {
    if (all_inside(index + first * row, (last - first) * row, extent))
      task(first, last);
    else
      inside = false;
  });
  if (!inside) check_indices(call, extent);
}

// ---- gather and scatter_add: one index per slice

Shape gathered_shape(const Shape& x, const Shape& indices, int axis) {
  Shape out;
  for (int i = 0; i < axis; ++i) out.push_back(x[i]);
  for (Index e : indices) out.push_back(e);
  for (int i = axis + 1; i < x.rank(); ++i) out.push_back(x[i]);
  return out;
}

struct Gather : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "gather";
  static constexpr const char* doc =
      "Slices of x along an axis, chosen by indices (i64, any shape), whose axes replace that axis. An index outside "
      "[0, extent) throws ValueError at run time.";
  static Traits traits() { return {.may_throw = true}; }
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in);
    in.require_dtype(1, {i64});
    require_elements(in, 0, axis);
    return {in.dtype(0), gathered_shape(in.shape(0), in.shape(1), axis)};
  }
  template <class T>
  static void run(const KernelCall& call, const Around& a) {
    const auto* index = call.inputs[1].as<std::int64_t>();
    const Index n = call.inputs[1].type.shape.elements();
    for_stretches(call.parallel, a.outer * n, task_elements / a.inner, [&](Index first, Index last) {
      for (Index slice = first; slice < last;) {
        const Index o = slice / n, end = std::min(last, o * n + n);
        const T* from = call.inputs[0].as<T>() + o * a.extent * a.inner;
        T* out = call.output.as<T>() + slice * a.inner;
        const std::int64_t* chosen = index + (slice - o * n);
        if (a.inner == 1) {
          for (Index k = 0; k < end - slice; ++k) out[k] = from[chosen[k]];
        } else {
          for (Index k = 0; k < end - slice; ++k)
            std::memcpy(out + k * a.inner, from + chosen[k] * a.inner, static_cast<std::size_t>(a.inner) * sizeof(T));
        }
        slice = end;
      }
    });
  }
  static void kernel(const KernelCall& call) {
    const Around a = around(call.inputs[0].type.shape, axis_attr(call));
    check_indices(call, a.extent);
    with_element(size_of(call.output.type.dtype), [&](auto bits) { run<decltype(bits)>(call, a); });
  }
  static Value batch(const Batch& b) { return b.batched(1) ? Value{} : batch_along_axes_of(b, {0}); }
  static Cotangents vjp(const Vjp& r) {
    return {apply("scatter_add", {r.cotangent(), r.input(1), r.input(0)}, r.attrs()), Value{}};
  }
  static std::vector<Sample> samples() {
    const Domain rows = domain::integers(0, 3);
    return {zero_second({"rows", {{{4, 3}}, {{6}, rows}}, axis_attrs(0)}),
            zero_second({"columns", {{{2, 4}}, {{3}, rows}}, axis_attrs(1)}),
            zero_second({"one", {{{4}}, {{}, rows}}, axis_attrs(0)}),
            zero_second({"a table of them", {{{4, 2}}, {{2, 3}, rows}}, axis_attrs(0)}),
            zero_second({"of one element", {{{1}}, {{1}, domain::integers(0, 0)}}, axis_attrs(0)}),
            zero_second({"many", {{{3, 4, 9}}, {{5000}, rows}}, axis_attrs(1)}),
            zero_gradient({"none", {{{4, 3}}, {{0}, rows}}, axis_attrs(0)})};
  }
  static std::vector<BadSample> bad_samples() {
    const Attrs rows = axis_attrs(0);
    return {{"index too large",
             {Tensor({4, 3}), Tensor::from<std::int64_t>({2}, {1, 4})},
             rows,
             "index 4 at position 1 is outside axis 0 of extent 4"},
            {"negative index", {Tensor({4, 3}), Tensor::from<std::int64_t>({1}, {-1})}, rows, "index -1"},
            {"index into an empty axis",
             {Tensor({0, 3}), Tensor({1}, i64)},
             rows,
             "every index is outside axis 0 of extent 0"},
            {"indices of f32", {Tensor({4, 3}), Tensor::zeros({2})}, rows, "i64"},
            {"axis", {Tensor::zeros({4}), Tensor({1}, i64)}, axis_attrs(1), "axis 1"}};
  }
};

struct ScatterAdd : Operation {
  static constexpr int min_inputs = 3, max_inputs = 3;
  static constexpr const char* name = "scatter_add";
  static constexpr const char* doc =
      "Adds slices of the first input to zeros shaped like the third, at the indices in the second. Reverse of gather. "
      "Slices of equal index are added in order; sums of many slices are compensated.";
  static Traits traits() { return {.may_throw = true, .shape_only = 4}; }
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in, 2);
    in.require_dtype(0, {f32, f64, i64});
    in.require_dtype(1, {i64});
    const Shape expected = gathered_shape(in.shape(2), in.shape(1), axis);
    if (in.shape(0) != expected)
      in.fail_shape(fmt::format("expected slices of shape {}, got {}", expected.str(), in.shape(0).str()));
    require_elements(in, 2, axis);
    return {in.dtype(0), in.shape(2)};
  }
  static double flops(std::span<const TensorType> in, const TensorType&, const Attrs&) {
    return flops_of(in[0].shape.elements(), in[0].dtype);
  }
  // Positions of slices, sorted by index: those of index i are order[begin[i]] ... order[begin[i + 1] - 1].
  struct Meeting {
    Index* begin;
    Index* order;
  };
  static std::size_t scratch_bytes(std::span<const TensorType> in, const TensorType& out, const Attrs& attrs) {
    const Index n = in[1].shape.elements();
    if (n <= few_terms) return 0;
    return static_cast<std::size_t>(out.shape[static_cast<int>(attrs.integer("axis"))] + 2 + n) * sizeof(Index);
  }
  // Returns whether more than few_terms slices have the same index. If so, sorts the slices into `meeting` (counting
  // sort).
  static bool many_meet(const KernelCall& call, Index extent, Meeting& meeting) {
    const auto* index = call.inputs[1].as<std::int64_t>();
    const Index n = call.inputs[1].type.shape.elements();
    if (n <= few_terms) return false;
    Index* const next =
        static_cast<Index*>(call.scratch) + 1;  // shifted by one: the last loop advances each begin to its end
    std::fill_n(next - 1, extent + 2, Index{0});
    Index most = 0;
    for (Index i = 0; i < n; ++i) most = std::max(most, ++next[index[i] + 1]);
    if (most <= few_terms) return false;
    for (Index e = 0; e < extent; ++e) next[e + 1] += next[e];
    meeting = {next - 1, next + extent + 1};
    for (Index i = 0; i < n; ++i) meeting.order[next[index[i]]++] = i;
    return true;
  }
  // Sums columns [first, last) of the slices of each index. `in` and `out` point to one outer slice.
  template <class T>
  static void sum_meeting(const Meeting& meeting, const Around& a, const T* in, Index first, Index last, T* out) {
    WideSum<T> sums[task_columns];
    for (Index e = 0; e < a.extent; ++e) {
      std::fill_n(sums, last - first, WideSum<T>());
      for (Index i = meeting.begin[e]; i < meeting.begin[e + 1]; ++i) {
        const T* from = in + meeting.order[i] * a.inner;
        for (Index k = first; k < last; ++k) sums[k - first].add(from[k]);
      }
      for (Index k = first; k < last; ++k) out[e * a.inner + k] = static_cast<T>(sums[k - first]);
    }
  }
  // Each task sums some columns of one outer slice, so that no two tasks write the same element.
  template <class T>
  static void run(const KernelCall& call, const Around& a) {
    const auto* index = call.inputs[1].as<std::int64_t>();
    const Index n = call.inputs[1].type.shape.elements();
    Meeting meeting{};
    const bool many = many_meet(call, a.extent, meeting);
    const Index blocks = (a.inner + task_columns - 1) / task_columns;
    const Index tasks = a.outer * blocks;
    for_each_in_stretches(call.parallel, tasks, task_elements / ((n + a.extent) * task_columns), [&](Index task) {
      const Index o = task / blocks;
      const Index first = task % blocks * task_columns;
      const Index last = std::min(a.inner, first + task_columns);
      T* out = call.output.as<T>() + o * a.extent * a.inner;
      const T* in = call.inputs[0].as<T>() + o * n * a.inner;
      if (many) return sum_meeting(meeting, a, in, first, last, out);
      for (Index i = 0; i < a.extent; ++i) std::fill(out + i * a.inner + first, out + i * a.inner + last, T(0));
      for (Index i = 0; i < n; ++i) {
        const T* from = in + i * a.inner;
        T* to = out + index[i] * a.inner;
        for (Index k = first; k < last; ++k) to[k] += from[k];
      }
    });
  }
  static void kernel(const KernelCall& call) {
    const Around a = around(call.output.type.shape, axis_attr(call));
    check_indices(call, a.extent);
    with_number(call.output.type.dtype, [&](auto zero) { run<decltype(zero)>(call, a); });
  }
  static Value batch(const Batch& b) { return b.batched(1) ? Value{} : batch_along_axes_of(b, {0, 2}); }
  static Cotangents vjp(const Vjp& r) {
    return {apply("gather", {r.cotangent(), r.input(1)}, r.attrs()), Value{}, Value{}};
  }
  static std::vector<Sample> samples() {
    const Domain rows = domain::integers(0, 3);
    return {zero_second({"rows", {{{6, 3}}, {{6}, rows}, {{4, 3}}}, axis_attrs(0)}),
            zero_second({"columns", {{{2, 5}}, {{5}, rows}, {{2, 4}}}, axis_attrs(1)}),
            zero_second({"one element", {{{1}}, {{1}, domain::integers(0, 0)}, {{1}}}, axis_attrs(0)}),
            zero_second({"long slices", {{{9, 700}}, {{9}, rows}, {{4, 700}}}, axis_attrs(0)}),
            zero_gradient({"none", {{{0, 3}}, {{0}, rows}, {{4, 3}}}, axis_attrs(0)})};
  }
  static std::vector<BadSample> bad_samples() {
    const Attrs rows = axis_attrs(0);
    return {{"other shape", {Tensor({5, 3}), Tensor({6}, i64), Tensor({4, 3})}, rows, "expected slices"},
            {"index too large",
             {Tensor({1, 3}), Tensor::from<std::int64_t>({1}, {4}), Tensor({4, 3})},
             rows,
             "index 4 at position 0 is outside axis 0 of extent 4"},
            {"empty axis",
             {Tensor({1, 3}), Tensor({1}, i64), Tensor({0, 3})},
             rows,
             "every index is outside axis 0 of extent 0"},
            {"booleans", {Tensor({1}, boolean), Tensor({1}, i64), Tensor({4}, boolean)}, rows, "bool"}};
  }
};

// ---- take_along_axis and scatter_along_axis: one index per element

// Throws unless the indices have the extents of x outside the axis.
void check_along(const Infer& in, const Shape& x, const Shape& indices, int axis) {
  bool fits = x.rank() == indices.rank();
  for (int a = 0; fits && a < x.rank(); ++a) fits = a == axis || x[a] == indices[a];
  if (!fits) in.fail_shape(fmt::format("the indices {} do not fit {} outside axis {}", indices.str(), x.str(), axis));
}

struct TakeAlongAxis : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "take_along_axis";
  static constexpr const char* doc =
      "Elements of x chosen by indices (i64) along an axis: for axis 1, out[i, j, k] = x[i, index[i, j, k], k]. An "
      "index outside [0, extent) throws ValueError at run time.";
  static Traits traits() { return {.may_throw = true}; }
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in);
    in.require_dtype(1, {i64});
    check_along(in, in.shape(0), in.shape(1), axis);
    require_elements(in, 0, axis);
    return {in.dtype(0), in.shape(1)};
  }
  template <class T>
  static void run(const KernelCall& call, const Around& from) {
    const auto* index = call.inputs[1].as<std::int64_t>();
    const Index n = call.output.type.shape[axis_attr(call)];
    const Index size = task_elements / from.inner;
    for_checked_rows(call, from.extent, from.outer * n, from.inner, size, [&](Index first, Index last) {
      for (Index row = first; row < last;) {
        const T* x = call.inputs[0].as<T>() + row / n * from.extent * from.inner;
        const Index end = std::min(last, (row / n + 1) * n);
        const std::int64_t* chosen = index + row * from.inner;
        T* out = call.output.as<T>() + row * from.inner;
        if (from.inner == 1) {
          for (Index k = 0; k < end - row; ++k) out[k] = x[chosen[k]];
        } else {
          for (Index r = row; r < end; ++r, out += from.inner, chosen += from.inner) {
            for (Index k = 0; k < from.inner; ++k) out[k] = x[chosen[k] * from.inner + k];
          }
        }
        row = end;
      }
    });
  }
  static void kernel(const KernelCall& call) {
    const Around from = around(call.inputs[0].type.shape, axis_attr(call));
    with_element(size_of(call.output.type.dtype), [&](auto bits) { run<decltype(bits)>(call, from); });
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) {
    return {apply("scatter_along_axis", {r.cotangent(), r.input(1), r.input(0)}, r.attrs()), Value{}};
  }
  static std::vector<Sample> samples() {
    const Domain three = domain::integers(0, 2);
    return {zero_second({"one per row", {{{4, 3}}, {{4, 1}, three}}, axis_attrs(1)}),
            zero_second({"columns", {{{3, 17}}, {{2, 17}, three}}, axis_attrs(0)}),
            zero_second({"middle axis", {{{2, 3, 4}}, {{2, 5, 4}, three}}, axis_attrs(1)}),
            zero_second({"one element", {{{1}}, {{1}, domain::integers(0, 0)}}, axis_attrs(0)}),
            zero_gradient({"none", {{{3, 2}}, {{0, 2}, three}}, axis_attrs(0)})};
  }
  static std::vector<BadSample> bad_samples() {
    const Attrs last = axis_attrs(1);
    return {{"index too large",
             {Tensor({2, 3}), Tensor::from<std::int64_t>({2, 1}, {0, 3})},
             last,
             "index 3 at position 1 is outside axis 1 of extent 3"},
            {"negative index", {Tensor({2, 3}), Tensor::from<std::int64_t>({2, 1}, {-1, 0})}, last, "index -1"},
            {"other extent", {Tensor({2, 3}), Tensor({1, 3}, i64)}, last, "[1, 3] do not fit [2, 3] outside axis 1"},
            {"other rank", {Tensor({2, 3}), Tensor({2}, i64)}, last, "[2] do not fit"},
            {"indices of f32", {Tensor({2, 3}), Tensor({2, 1})}, last, "i64"}};
  }
};

struct ScatterAlongAxis : Operation {
  static constexpr int min_inputs = 3, max_inputs = 3;
  static constexpr const char* name = "scatter_along_axis";
  static constexpr const char* doc =
      "Adds elements of the first input to zeros shaped like the third, at the indices in the second along an axis. "
      "Reverse of take_along_axis. Elements of equal index are added in order; sums of many elements are compensated.";
  static Traits traits() { return {.may_throw = true, .shape_only = 4}; }
  static TensorType infer(const Infer& in) {
    const int axis = axis_of(in, 2);
    in.require_dtype(0, {f32, f64, i64});
    in.require_dtype(1, {i64});
    check_along(in, in.shape(2), in.shape(1), axis);
    if (in.shape(0) != in.shape(1))
      in.fail_shape(fmt::format("elements {} and their indices {} differ", in.shape(0).str(), in.shape(1).str()));
    require_elements(in, 2, axis);
    return {in.dtype(0), in.shape(2)};
  }
  static double flops(std::span<const TensorType> in, const TensorType&, const Attrs&) {
    return flops_of(in[0].shape.elements(), in[0].dtype);
  }
  static std::size_t scratch_bytes(std::span<const TensorType> in, const TensorType& out, const Attrs& attrs) {
    const auto axis = static_cast<int>(attrs.integer("axis"));
    const Around to = around(out.shape, axis);
    const bool none = in[1].shape[axis] <= few_terms || to.extent * to.inner <= sums_on_stack;
    return none ? 0 : static_cast<std::size_t>(out.shape.elements()) * sizeof(WideSum<double>);
  }
  static constexpr Index sums_on_stack = 1024;
  // Adds n rows of `inner` elements to the sums, or to the output, at their indices.
  template <class T, class Add>
  static void add_rows(const T* in, const std::int64_t* index, Index n, Index inner, const Add& add) {
    if (inner == 1) {
      for (Index i = 0; i < n; ++i) add(index[i], in[i]);
      return;
    }
    for (Index row = 0; row < n; ++row, in += inner, index += inner) {
      for (Index k = 0; k < inner; ++k) add(index[k] * inner + k, in[k]);
    }
  }
  template <class T>
  static void run(const KernelCall& call) {
    const Around to = around(call.output.type.shape, axis_attr(call));
    const Index n = call.inputs[1].type.shape[axis_attr(call)];
    const Index size = to.extent * to.inner, row = n * to.inner;
    for_checked_rows(call, to.extent, to.outer, row, task_elements / (size + row), [&](Index first, Index last) {
      WideSum<T> short_sums[sums_on_stack];
      for (Index o = first; o < last; ++o) {
        T* out = call.output.as<T>() + o * size;
        const T* in = call.inputs[0].as<T>() + o * row;
        const auto* index = call.inputs[1].as<std::int64_t>() + o * row;
        if (n <= few_terms) {
          std::fill_n(out, size, T(0));
          add_rows(in, index, n, to.inner, [out](Index place, T x) { out[place] += x; });
          continue;
        }
        auto* sums = size <= sums_on_stack ? short_sums : static_cast<WideSum<T>*>(call.scratch) + o * size;
        std::fill_n(sums, size, WideSum<T>());
        add_rows(in, index, n, to.inner, [sums](Index place, T x) { sums[place].add(x); });
        for (Index i = 0; i < size; ++i) out[i] = static_cast<T>(sums[i]);
      }
    });
  }
  static void kernel(const KernelCall& call) {
    with_number(call.output.type.dtype, [&](auto zero) { run<decltype(zero)>(call); });
  }
  static constexpr auto batch = batch_along_axes;
  static Cotangents vjp(const Vjp& r) {
    return {apply("take_along_axis", {r.cotangent(), r.input(1)}, r.attrs()), Value{}, Value{}};
  }
  static std::vector<Sample> samples() {
    const Domain three = domain::integers(0, 2);
    return {zero_second({"one per row", {{{4, 1}}, {{4, 1}, three}, {{4, 3}}}, axis_attrs(1)}),
            zero_second({"repeated indices", {{{5, 9}}, {{5, 9}, three}, {{3, 9}}}, axis_attrs(0)}),
            zero_second({"one element", {{{1}}, {{1}, domain::integers(0, 0)}, {{1}}}, axis_attrs(0)}),
            zero_second({"many rows", {{{300, 50}}, {{300, 50}, three}, {{300, 3}}}, axis_attrs(1)}),
            zero_gradient({"none", {{{2, 0}}, {{2, 0}, three}, {{2, 3}}}, axis_attrs(1)})};
  }
  static std::vector<BadSample> bad_samples() {
    const Attrs last = axis_attrs(1);
    return {{"index too large",
             {Tensor({1, 1}), Tensor::from<std::int64_t>({1, 1}, {3}), Tensor({1, 3})},
             last,
             "index 3 at position 0 is outside axis 1 of extent 3"},
            {"elements without an index", {Tensor({2, 2}), Tensor({2, 1}, i64), Tensor({2, 3})}, last, "differ"},
            {"other extent", {Tensor({1, 1}), Tensor({1, 1}, i64), Tensor({2, 3})}, last, "do not fit"}};
  }
};

struct OneHot : Operation {
  static constexpr const char* name = "one_hot";
  static constexpr const char* doc =
      "One-hot encoding along a new last axis of extent `classes`. An index outside [0, classes) throws ValueError at "
      "run time.";
  static constexpr const char* no_gradient = "an index has no derivative";
  static Traits traits() { return {.may_throw = true}; }
  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {i64});
    if (in.attrs().integer("classes") < 1)
      in.fail_shape(fmt::format("classes must be at least 1, got {}", in.attrs().integer("classes")));
    Shape out = in.shape(0);
    out.push_back(in.attrs().integer("classes"));
    return {in.attrs().dtype("dtype"), out};
  }
  static void kernel(const KernelCall& call) {
    const Index classes = call.attrs->integer("classes");
    const auto* index = call.inputs[0].as<std::int64_t>();
    std::memset(call.output.data, 0, call.output.type.bytes());
    with_dtype(call.output.type.dtype, [&](auto one) {
      one = 1;
      for (Index i = 0; i < call.inputs[0].type.shape.elements(); ++i) {
        if (index[i] < 0 || index[i] >= classes) fail_index(call, index[i], i, fmt::format("the {} classes", classes));
        call.output.as<decltype(one)>()[i * classes + index[i]] = one;
      }
    });
  }
  static std::vector<Sample> samples() {
    const Domain labels = domain::integers(0, 4);
    return {zero_gradient({"labels", {{{7}, labels}}, {{"classes", Index{5}}, {"dtype", f32}}}),
            zero_gradient({"one label", {{{}, labels}}, {{"classes", Index{5}}, {"dtype", f32}}}),
            zero_gradient({"more labels", {{{3, 9}, labels}}, {{"classes", Index{5}}, {"dtype", f32}}}),
            zero_gradient({"one class", {{{1}, domain::integers(0, 0)}}, {{"classes", Index{1}}, {"dtype", f64}}}),
            zero_gradient({"integers", {{{2, 3}, labels}}, {{"classes", Index{9}}, {"dtype", i64}}}),
            zero_gradient({"no label", {{{0}, labels}}, {{"classes", Index{5}}, {"dtype", boolean}}})};
  }
  static std::vector<BadSample> bad_samples() {
    const Attrs attrs{{"classes", Index{3}}, {"dtype", f32}};
    return {{"label too large",
             {Tensor::from<std::int64_t>({2}, {0, 3})},
             attrs,
             "index 3 at position 1 is outside the 3 classes"},
            {"labels of f32", {Tensor::zeros({2})}, attrs, "i64"},
            {"no classes",
             {Tensor({2}, i64)},
             {{"classes", Index{0}}, {"dtype", f32}},
             "classes must be at least 1, got 0"}};
  }
};

}  // namespace

void register_index(OpRegistry& registry) {
  add_operations<Gather, ScatterAdd, TakeAlongAxis, ScatterAlongAxis, OneHot>(registry);
}

namespace {

// Adds the attribute "function", by which a kernel names the called function in errors, if that name differs from the
// operation's.
Attrs with_function(Attrs attrs, const char* op) {
  const std::string function = SourceLocationScope::function_or(op);
  if (function != op) attrs.set("function", function);
  return attrs;
}

Attrs along(Value x, Index axis, const char* op) {
  return with_function({{"axis", Index{axis_index(axis, x.shape().rank(), op)}}}, op);
}

}  // namespace

Value gather(Operand x, Operand indices, Index axis) {
  return composite(x, [&] { return apply("gather", {x, indices}, along(x, axis, "gather")); });
}

Value index_select(Operand x, Operand indices, Index axis) {
  return composite(x, [&] {
    if (indices.shape().rank() != 1) {
      throw ShapeError(fmt::format("index_select: the indices must be a vector\n  {}", indices.describe()));
    }
    return gather(x, indices, axis);
  });
}

Value embedding(Operand table, Operand indices) {
  return composite(table, [&] {
    if (table.shape().rank() != 2) {
      throw ShapeError(fmt::format("embedding: the table must be a matrix [rows, columns]\n  {}", table.describe()));
    }
    return gather(table, indices, 0);
  });
}

Value scatter_add(Operand x, Operand indices, Operand slices, Index axis) {
  return composite(x, [&] { return x + apply("scatter_add", {slices, indices, x}, along(x, axis, "scatter_add")); });
}

Value take_along_axis(Operand x, Operand indices, Index axis) {
  return composite(x, [&] { return apply("take_along_axis", {x, indices}, along(x, axis, "take_along_axis")); });
}

Value scatter_add_along_axis(Operand x, Operand indices, Operand elements, Index axis) {
  return composite(x, [&] {
    return x + apply("scatter_along_axis", {elements, indices, x}, along(x, axis, "scatter_along_axis"));
  });
}

Value one_hot(Operand indices, Index classes, DType dtype) {
  return composite(indices, [&] {
    return apply("one_hot", {indices}, with_function({{"classes", classes}, {"dtype", dtype}}, "one_hot"));
  });
}

// ---- samples

std::vector<Composite> index_composites() {
  const Domain rows = domain::integers(0, 3);
  return {
      {"index_select",
       "gather by a vector of indices.",
       [](Inputs x, const Attrs& a) { return index_select(x[0], x[1], a.integer("axis")); },
       {zero_second({"negative axis", {{{2, 4}}, {{3}, rows}}, axis_attrs(-1)}),
        zero_second({"longer rows", {{{4, 17}}, {{3}, rows}}, axis_attrs(0)}),
        zero_second({"one element", {{{1}}, {{1}, domain::integers(0, 0)}}, axis_attrs(0)}),
        zero_gradient({"none", {{{4}}, {{0}, rows}}, axis_attrs(0)})},
       {{"a table",
         {Tensor::zeros({4}), Tensor({2, 2}, i64)},
         axis_attrs(0),
         "index_select: the indices must be a vector"}}},
      {"embedding",
       "Rows of a table, chosen by indices.",
       [](Inputs x, const Attrs&) { return embedding(x[0], x[1]); },
       {zero_second({"sentences", {{{4, 3}}, {{2, 5}, rows}}}),
        zero_second({"one word", {{{1, 1}}, {{1}, domain::integers(0, 0)}}}),
        zero_gradient({"no words", {{{4, 3}}, {{2, 0}, rows}}})},
       {{"vector", {Tensor::zeros({4}), Tensor({2}, i64)}, {}, "embedding: the table must be a matrix"},
        {"unknown word", {Tensor({4, 3}), Tensor::from<std::int64_t>({1}, {4})}, {}, "index 4 at position 0"}}},
      {"scatter_add to a tensor",
       "Adds slices at the indices to a tensor.",
       [](Inputs x, const Attrs& a) { return scatter_add(x[0], x[1], x[2], a.integer("axis")); },
       {zero_second({"rows", {{{4, 3}}, {{6}, rows}, {{6, 3}}}, axis_attrs(0)}),
        zero_second({"negative axis", {{{2, 4}}, {{3}, rows}, {{2, 3}}}, axis_attrs(-1)})},
       {{"slices", {Tensor({4, 3}), Tensor({2}, i64), Tensor({3, 3})}, axis_attrs(0), "scatter_add: expected slices"}}},
      {"take_along_axis of the last axis",
       "One element of each row.",
       [](Inputs x, const Attrs&) { return take_along_axis(x[0], x[1], -1); },
       {zero_second({"rows", {{{3, 4}}, {{3, 2}, rows}}})}},
      {"scatter_add_along_axis",
       "Adds elements at the indices along an axis.",
       [](Inputs x, const Attrs& a) { return scatter_add_along_axis(x[0], x[1], x[2], a.integer("axis")); },
       {zero_second({"rows", {{{3, 4}}, {{3, 5}, rows}, {{3, 5}}}, axis_attrs(-1)}),
        zero_second({"longer rows", {{{4, 17}}, {{2, 17}, rows}, {{2, 17}}}, axis_attrs(0)}),
        zero_second({"one element", {{{1}}, {{1}, domain::integers(0, 0)}, {{1}}}, axis_attrs(0)}),
        zero_second({"none", {{{3, 4}}, {{3, 0}, rows}, {{3, 0}}}, axis_attrs(1)})},
       {{"axis",
         {Tensor::zeros({4}), Tensor({1}, i64), Tensor::zeros({1})},
         axis_attrs(1),
         "scatter_add_along_axis: axis 1"}}},
  };
}

}  // namespace xgrad::inline v0
