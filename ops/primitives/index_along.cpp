// take_along_axis and scatter_along_axis, the reverse of each other, and one_hot.
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
constexpr Index checked_elements = 1 << 11;  // whose indices stay in the L1 cache between their check and their use

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
  static Traits traits() { return {.may_throw = true, .joint_vjp = true}; }
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
    const Index size = checked_elements / from.inner;
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
  // One `scatter_along_axis` for all uses of a tensor along an axis.
  static Cotangents vjp(const Vjp& joint) {
    Value sum;
    for (const std::vector<Vjp>& uses : grouped(joint.uses(), along_one_axis)) {
      const Attrs& attrs = uses[0].attrs();
      std::vector<Value> elements, indices;
      for (const Vjp& r : uses) {
        elements.push_back(r.cotangent());
        indices.push_back(r.input(1));
      }
      const auto joined = [&](const std::vector<Value>& parts) {
        return parts.size() == 1 ? parts[0] : concat(parts, attrs.integer("axis"));
      };
      const Value whole = apply("scatter_along_axis", {joined(elements), joined(indices), joint.input(0)}, attrs);
      sum = sum.valid() ? sum + whole : whole;
    }
    return {sum, Value{}};
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
  static Traits traits() { return {.may_throw = true, .supports_epilogue = true, .shape_only = 4}; }
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
      if (call.on_rows_ready == nullptr) return;
      const Index rows = size / call.output.type.shape.back();
      (*call.on_rows_ready)(first * rows, last * rows);
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

void register_index_along(OpRegistry& registry) { add_operations<TakeAlongAxis, ScatterAlongAxis, OneHot>(registry); }

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

std::vector<Composite> index_along_composites() {
  const Domain rows = domain::integers(0, 3), first = domain::integers(0, 0);
  return {
      {"take_along_axis of the last axis",
       "One element of each row.",
       [](Inputs x, const Attrs&) { return take_along_axis(x[0], x[1], -1); },
       {zero_second({"rows", {{{3, 4}}, {{3, 2}, rows}}})}},
      {"take_along_axis of one tensor",
       "Two selections along an axis, and one along the other.",
       [](Inputs x, const Attrs&) {
         return square(take_along_axis(x[0], x[1], 1)) +
                sum(take_along_axis(x[0], x[2], 1) * take_along_axis(x[0], x[3], 0));
       },
       {{"matrix", {{{4, 4}}, {{4, 3}, rows}, {{4, 4}, rows}, {{4, 4}, rows}}},
        {"one element", {{{1, 1}}, {{1, 1}, first}, {{1, 1}, first}, {{1, 1}, first}}},
        zero_gradient({"none", {{{4, 4}}, {{4, 0}, rows}, {{4, 4}, rows}, {{4, 4}, rows}}})}},
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
