// Gather and scatter. Each operation has a reverse operation, and each is the derivative of the other.
#include <algorithm>
#include <cstring>

#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/define/internal/wide_sum.hpp>
#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/internal/indices.hpp>
#include <xgrad/ops/primitives/internal/joint_uses.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr Index task_elements = 1 << 15;
constexpr Index sum_columns = 256;  // columns of compensated sums that are kept on the stack

// ---- gather and scatter_add: one index per slice

Shape gathered_shape(const Shape& x, const Shape& indices, int axis) {
  Shape out;
  for (int i = 0; i < axis; ++i) out.push_back(x[i]);
  for (Index e : indices) out.push_back(e);
  for (int i = axis + 1; i < x.rank(); ++i) out.push_back(x[i]);
  return out;
}

// Replaces the axes from `axis` on, one for each axis of indices of that rank, by one axis.
Value with_one_axis(Value x, int axis, int rank) {
  return rank == 0 ? expand_dims(x, axis) : rank == 1 ? x : flatten(x, axis, axis + rank - 1);
}

bool is_sparse(const Attrs& attrs) { return attrs.has("sparse") && attrs.flag("sparse"); }

struct Gather : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "gather";
  static constexpr const char* doc =
      "Slices of x along an axis, chosen by indices (i64, any shape), whose axes replace that axis. An index outside "
      "[0, extent) throws ValueError at run time.";
  static Traits traits() { return {.may_throw = true, .joint_vjp = true}; }
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
  // One `scatter_add` for all gathers from a tensor along an axis.
  static Cotangents vjp(const Vjp& joint) {
    Value sum;
    for (const std::vector<Vjp>& uses : grouped(joint.uses(), along_one_axis)) {
      Value slices = uses[0].cotangent(), indices = uses[0].input(1);
      Attrs attrs = uses[0].attrs();
      if (uses.size() > 1) {
        const Index axis = attrs.integer("axis");
        std::vector<Value> all_slices, all_indices;
        for (const Vjp& r : uses) {
          const int rank = r.input(1).shape().rank();
          all_slices.push_back(with_one_axis(r.cotangent(), static_cast<int>(axis), rank));
          all_indices.push_back(with_one_axis(r.input(1), 0, rank));
          if (is_sparse(attrs) && !is_sparse(r.attrs())) attrs.set("sparse", false);
        }
        slices = concat(all_slices, axis);
        indices = concat(all_indices);
      }
      const Value whole = apply("scatter_add", {slices, indices, joint.input(0)}, attrs);
      sum = sum.valid() ? sum + whole : whole;
    }
    return {sum, Value{}};
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
  static Traits traits() { return {.may_throw = true, .supports_epilogue = true, .shape_only = 4}; }
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
  // A counting sort.
  static Meeting sorted(const KernelCall& call, Index extent) {
    const auto* index = call.inputs[1].as<std::int64_t>();
    const Index n = call.inputs[1].type.shape.elements();
    // Shifted by one: the last loop advances each begin to its end.
    Index* const next = static_cast<Index*>(call.scratch) + 1;
    std::fill_n(next - 1, extent + 2, Index{0});
    for (Index i = 0; i < n; ++i) ++next[index[i] + 1];
    for (Index e = 0; e < extent; ++e) next[e + 1] += next[e];
    const Meeting out{next - 1, next + extent + 1};
    for (Index i = 0; i < n; ++i) out.order[next[index[i]]++] = i;
    return out;
  }
  // Adds up slices order[begin] ... order[end - 1] of `inner` elements.
  template <class T>
  static void add_slices(const T* in, const Index* order, Index count, Index inner, T* out) {
    if (count <= few_terms) {
      std::fill_n(out, inner, T(0));
      for (Index i = 0; i < count; ++i) {
        const T* from = in + order[i] * inner;
        for (Index k = 0; k < inner; ++k) out[k] += from[k];
      }
      return;
    }
    WideSum<T> sums[sum_columns];
    for (Index first = 0; first < inner; first += sum_columns) {
      const Index last = std::min(inner, first + sum_columns);
      std::fill_n(sums, last - first, WideSum<T>());
      for (Index i = 0; i < count; ++i) {
        const T* from = in + order[i] * inner;
        for (Index k = first; k < last; ++k) sums[k - first].add(from[k]);
      }
      for (Index k = first; k < last; ++k) out[k] = static_cast<T>(sums[k - first]);
    }
  }
  // Each task computes some slices of the output, or all of an outer slice if each has only one element.
  template <class T>
  static void run(const KernelCall& call, const Around& a) {
    const auto* index = call.inputs[1].as<std::int64_t>();
    const Index n = call.inputs[1].type.shape.elements();
    const bool few = n <= few_terms;
    const Meeting meeting = few ? Meeting{} : sorted(call, a.extent);
    const Index together = a.inner == 1 ? a.extent : 1;
    const Index work = together * a.inner * (1 + n / a.extent);
    for_stretches(call.parallel, a.outer * a.extent / together, task_elements / work, [&](Index first, Index last) {
      first *= together;
      last *= together;
      T* const out = call.output.as<T>();
      if (few) std::fill_n(out + first * a.inner, (last - first) * a.inner, T(0));
      for (Index slice = first; slice < last;) {
        const Index o = slice / a.extent, end = std::min(last, (o + 1) * a.extent);
        const T* in = call.inputs[0].as<T>() + o * n * a.inner;
        for (Index i = 0; few && i < n; ++i) {
          const Index to = o * a.extent + index[i];
          if (to < slice || to >= end) continue;
          for (Index k = 0; k < a.inner; ++k) out[to * a.inner + k] += in[i * a.inner + k];
        }
        for (; !few && slice < end; ++slice) {
          const Index e = slice - o * a.extent;
          add_slices(in, meeting.order + meeting.begin[e], meeting.begin[e + 1] - meeting.begin[e], a.inner,
                     out + slice * a.inner);
        }
        slice = end;
      }
      if (call.on_rows_ready == nullptr) return;
      const Index row = call.output.type.shape.back();
      (*call.on_rows_ready)(first * a.inner / row, last * a.inner / row);
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

// Where the indices are outside the axis, slices are dropped: a plan may update several parameters in place only if no
// kernel throws after the first update.
struct ScatterUpdate : Operation {
  static constexpr int min_inputs = 3, max_inputs = 3;
  static constexpr const char* name = "scatter_update";
  static constexpr const char* doc =
      "The first input, with slices along its first axis replaced by those of the third, at the indices in the second "
      "(i64, any shape). A slice whose index is outside the axis is dropped; of slices of equal index, the last one "
      "counts.";
  static Traits traits() { return {.in_place = true}; }
  static TensorType infer(const Infer& in) {
    in.require_dtype(1, {i64});
    in.require_same_dtype(0, 2);
    if (in.shape(0).rank() == 0) in.fail_shape("a scalar has no slices");
    const Shape expected = gathered_shape(in.shape(0), in.shape(1), 0);
    if (in.shape(2) != expected)
      in.fail_shape(fmt::format("expected slices of shape {}, got {}", expected.str(), in.shape(2).str()));
    return in.type(0);
  }
  static void kernel(const KernelCall& call) {
    const ConstBuffer& x = call.inputs[0];
    const Around a = around(x.type.shape, 0);
    const auto bytes = static_cast<std::size_t>(a.inner) * size_of(x.type.dtype);
    const auto copy = [&](Index to, const void* from, std::size_t size) {
      std::memcpy(at(call.output.data, to * a.inner, x.type.dtype), from, size);
    };
    if (call.output.data != x.data) {
      for_stretches(call.parallel, a.extent, task_elements / a.inner, [&](Index first, Index last) {
        copy(first, at(x.data, first * a.inner, x.type.dtype), static_cast<std::size_t>(last - first) * bytes);
      });
    }
    const auto* index = call.inputs[1].as<std::int64_t>();
    for (Index i = 0; i < call.inputs[1].type.shape.elements(); ++i) {
      if (index[i] >= 0 && index[i] < a.extent)
        copy(index[i], at(call.inputs[2].data, i * a.inner, x.type.dtype), bytes);
    }
  }
  static Cotangents vjp(const Vjp& r) {
    const Value rest = scatter_update(r.cotangent(), r.input(1), zeros_like(r.input(2)));
    return {rest, Value{}, apply("updated_slices", {r.cotangent(), r.input(1)})};
  }
  static std::vector<Sample> samples() {
    const Domain rows = domain::integers(-1, 4);
    return {zero_second({"rows", {{{4, 3}}, {{3}, rows}, {{3, 3}}}}),
            zero_second({"elements", {{{4}}, {{2, 3}, rows}, {{2, 3}}}}),
            zero_gradient({"one element", {{{1}}, {{}, domain::integers(0, 0)}, {{}}}}),
            zero_second({"long rows", {{{4, 2, 700}}, {{9}, rows}, {{9, 2, 700}}}}),
            zero_second({"none", {{{4, 3}}, {{0}, rows}, {{0, 3}}}}),
            zero_gradient({"no rows", {{{0, 3}}, {{2}, rows}, {{2, 3}}}})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"other shape", {Tensor({4, 3}), Tensor({2}, i64), Tensor({3, 3})}, {}, "expected slices of shape [2, 3]"},
            {"scalar", {Tensor(1.0F), Tensor({1}, i64), Tensor::zeros({1})}, {}, "a scalar has no slices"},
            {"two dtypes", {Tensor::zeros({4}), Tensor({1}, i64), Tensor({1}, f64)}, {}, "dtype"},
            {"indices of f32", {Tensor::zeros({4}), Tensor::zeros({1}), Tensor::zeros({1})}, {}, "i64"}};
  }
};

struct UpdatedSlices : Operation {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "updated_slices";
  static constexpr const char* doc =
      "Slices of x along its first axis at indices (i64, any shape); zeros for indices outside the axis and, of equal "
      "indices, for all but the last. Reverse of scatter_update.";
  static TensorType infer(const Infer& in) {
    in.require_dtype(1, {i64});
    if (in.shape(0).rank() == 0) in.fail_shape("a scalar has no slices");
    return {in.dtype(0), gathered_shape(in.shape(0), in.shape(1), 0)};
  }
  // One byte for each slice of x: whether a later index is that of the slice.
  static std::size_t scratch_bytes(std::span<const TensorType> in, const TensorType&, const Attrs&) {
    return static_cast<std::size_t>(in[0].shape[0]);
  }
  static void kernel(const KernelCall& call) {
    const ConstBuffer& x = call.inputs[0];
    const Around a = around(x.type.shape, 0);
    const auto bytes = static_cast<std::size_t>(a.inner) * size_of(x.type.dtype);
    auto* const taken = static_cast<char*>(call.scratch);
    std::fill_n(taken, a.extent, char{0});
    const auto* index = call.inputs[1].as<std::int64_t>();
    for (Index i = call.inputs[1].type.shape.elements(); i-- > 0;) {
      char* const out = at(call.output.data, i * a.inner, x.type.dtype);
      const bool inside = index[i] >= 0 && index[i] < a.extent;
      if (inside && taken[index[i]] == 0) {
        taken[index[i]] = 1;
        std::memcpy(out, at(x.data, index[i] * a.inner, x.type.dtype), bytes);
      } else {
        std::memset(out, 0, bytes);
      }
    }
  }
  static Cotangents vjp(const Vjp& r) {
    return {scatter_update(zeros_like(r.input(0)), r.input(1), r.cotangent()), Value{}};
  }
  static std::vector<Sample> samples() {
    const Domain rows = domain::integers(-1, 4);
    return {zero_second({"rows", {{{4, 3}}, {{9}, rows}}}), zero_second({"elements", {{{4}}, {{2, 3}, rows}}}),
            zero_second({"one element", {{{1}}, {{}, domain::integers(0, 0)}}}),
            zero_gradient({"none", {{{4, 3}}, {{0}, rows}}}), zero_gradient({"no rows", {{{0, 3}}, {{2}, rows}}})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"scalar", {Tensor(1.0F), Tensor({1}, i64)}, {}, "a scalar has no slices"},
            {"indices of f32", {Tensor::zeros({4}), Tensor::zeros({1})}, {}, "i64"}};
  }
};

}  // namespace

void register_index(OpRegistry& registry) {
  add_operations<Gather, ScatterAdd, ScatterUpdate, UpdatedSlices>(registry);
}

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

Value embedding(Operand table, Operand indices, bool sparse) {
  return composite(table, [&] {
    if (table.shape().rank() != 2) {
      throw ShapeError(fmt::format("embedding: the table must be a matrix [rows, columns]\n  {}", table.describe()));
    }
    Attrs attrs = along(table, 0, "gather");
    if (sparse) attrs.set("sparse", true);
    return apply("gather", {table, indices}, attrs);
  });
}

Value scatter_add(Operand x, Operand indices, Operand slices, Index axis) {
  return composite(x, [&] { return x + apply("scatter_add", {slices, indices, x}, along(x, axis, "scatter_add")); });
}

Value scatter_update(Operand x, Operand indices, Operand slices) {
  return composite(x, [&] { return apply("scatter_update", {x, indices, slices}); });
}

UniqueIndices unique_indices(Operand indices) {
  return composite(indices, [&]() -> UniqueIndices {
    if (indices.dtype() != i64 || indices.shape().rank() != 1) {
      throw ShapeError(fmt::format("unique_indices: the indices must be a vector of i64\n  {}", indices.describe()));
    }
    if (indices.shape()[0] == 0) return {indices, indices};
    const Value order = argsort(indices);
    const Value sorted = gather(indices, order);
    const Value before = pad(slice(sorted, 0, 0, -1), 0, 1, 0, -1);
    const Value place = cumsum(cast(not_equal(sorted, before), i64), 0) - 1;
    const Value none = broadcast_like(number_like(indices, -1), indices);
    return {scatter_update(none, place, sorted), scatter_update(none, order, place)};
  });
}

SparseRows sparse_rows(Operand x) {
  return composite(x, [&]() -> SparseRows {
    if (x.node().op != &builtin_op("scatter_add")) return {};
    const Graph& graph = x.graph();
    const Attrs& attrs = graph.attrs(x.id());
    if (attrs.integer("axis") != 0) return {};
    const auto inputs = graph.inputs(x.id());
    const Value indices = x.graph().value(inputs[1]);
    const int rank = indices.shape().rank();
    return {with_one_axis(indices, 0, rank), with_one_axis(x.graph().value(inputs[0]), 0, rank), is_sparse(attrs)};
  });
}

SparseRows merged(const SparseRows& rows) {
  const UniqueIndices unique = unique_indices(rows.indices);
  return {unique.values, apply("scatter_add", {rows.rows, unique.inverse, rows.rows}, axis_attrs(0)), rows.sparse};
}

// ---- samples

std::vector<Composite> index_composites() {
  const Domain rows = domain::integers(0, 3), first = domain::integers(0, 0);
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
      {"gathers of one tensor",
       "Slices at indices of several shapes, and along another axis.",
       [](Inputs x, const Attrs&) {
         const Value others = sum(gather(x[0], x[2]) * gather(x[0], x[3])) + sum(square(gather(x[0], x[3], 1)));
         return square(gather(x[0], x[1])) + others;
       },
       {{"matrix", {{{4, 5}}, {{3, 2}, rows}, {{5}, rows}, {{}, rows}}},
        {"one element", {{{1, 1}}, {{1}, first}, {{2}, first}, {{}, first}}},
        zero_gradient({"none", {{{4, 5}}, {{0}, rows}, {{5}, rows}, {{}, rows}}})}},
      {"unique_indices",
       "The distinct indices, and the place of each.",
       [](Inputs x, const Attrs& a) {
         const UniqueIndices unique = unique_indices(x[0]);
         return a.flag("inverse") ? unique.inverse : unique.values;
       },
       {zero_gradient({"values", {{{41}, domain::integers(0, 9)}}, {{"inverse", false}}}),
        zero_gradient({"inverse", {{{41}, domain::integers(0, 9)}}, {{"inverse", true}}}),
        zero_gradient({"one", {{{1}, rows}}, {{"inverse", false}}}),
        zero_gradient({"none", {{{0}, rows}}, {{"inverse", true}}})},
       {{"matrix", {Tensor({2, 2}, i64)}, {{"inverse", true}}, "unique_indices: the indices must be a vector of i64"},
        {"f32", {Tensor::zeros({2})}, {{"inverse", true}}, "unique_indices: the indices must be a vector of i64"}}},
  };
}

}  // namespace xgrad::inline v0
