// Whether any or all elements are true, and how many.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/reductions/internal/axes.hpp>

namespace xgrad::inline v0 {
namespace {

struct Truth : Operation {
  static constexpr const char* no_gradient = "the result is boolean";
  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {boolean});
    return {boolean, reductions::shape_of(in)};
  }
  static constexpr auto scratch_bytes = reductions::scratch_bytes;
  static std::vector<Sample> samples() {
    auto out = reductions::samples(domain::booleans(), true);
    out.push_back({"empty", {{{0, 3}, domain::booleans()}}, reductions::attrs({0}, false)});
    out.push_back({"pairs", {{{40, 2}, domain::booleans()}}, reductions::attrs({1}, false)});
    return out;
  }
  static std::vector<BadSample> bad_samples() {
    return {{"f32", {Tensor::zeros({3})}, reductions::attrs({0}, false), "it is f32"},
            {"axis out of range", {Tensor({2, 3}, boolean)}, reductions::attrs({2}, false), "axis 2"}};
  }
};

struct Any : Truth {
  static constexpr const char* name = "any";
  static constexpr const char* doc = "Whether any element over the axes is true; false if empty.";
  static void kernel(const KernelCall& call) { reductions::run(call, kernels().any); }
  static void reference(const KernelCall& call) {
    reductions::reference_of<bool>(call, false, [](bool a, bool b) { return a || b; });
  }
};

struct All : Truth {
  static constexpr const char* name = "all";
  static constexpr const char* doc = "Whether all elements over the axes are true; true if empty.";
  static void kernel(const KernelCall& call) { reductions::run(call, kernels().all); }
  static void reference(const KernelCall& call) {
    reductions::reference_of<bool>(call, true, [](bool a, bool b) { return a && b; });
  }
};

// The number of ones among n bytes that are 0 or 1. Eight are added at once, for as long as no byte can overflow.
Index count_ones(const std::uint8_t* x, Index n) {
  constexpr Index words = 255;
  constexpr std::uint64_t even_bytes = 0x00FF00FF00FF00FF;
  Index out = 0, i = 0;
  while (n - i >= 8) {
    const Index last = i + std::min(words, (n - i) / 8) * 8;
    std::uint64_t sums = 0;
    for (; i < last; i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, x + i, sizeof word);
      sums += word;
    }
    out += static_cast<Index>(((sums & even_bytes) + (sums >> 8 & even_bytes)) * 0x0001000100010001 >> 48);
  }
  for (; i < n; ++i) out += x[i];
  return out;
}

struct CountTrue : Truth {
  static constexpr const char* name = "count_true";
  static constexpr const char* doc = "Number (i64) of true elements over neighboring axes. `sum` of booleans uses it.";
  static constexpr const char* no_gradient = "the input is boolean";
  static TensorType infer(const Infer& in) {
    TensorType out = Truth::infer(in);
    const auto& axes = in.attrs().ints("axes");
    for (std::size_t i = 1; i < axes.size(); ++i) {
      if (axes[i] != axes[i - 1] + 1) in.fail_shape("the axes must be neighbors");
    }
    return {i64, out.shape};
  }
  static std::size_t scratch_bytes(std::span<const TensorType>, const TensorType&, const Attrs&) { return 0; }
  static void kernel(const KernelCall& call) {
    constexpr Index task_elements = 1 << 16;
    const auto& axes = call.attrs->ints("axes");
    const Shape& shape = call.inputs[0].type.shape;
    Around a;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      Index& part = axes.empty() || axis < axes[0] ? a.outer : axis <= axes.back() ? a.extent : a.inner;
      part *= shape[axis];
    }
    const auto* in = call.inputs[0].as<std::uint8_t>();
    auto* out = call.output.as<std::int64_t>();
    std::fill_n(out, call.output.type.shape.elements(), 0);
    if (a.extent == 0) return;
    if (a.inner == 1) {  // rows, in parts whose counts are added in any order
      const Index parts = (a.extent + task_elements - 1) / task_elements;
      for_stretches(call.parallel, a.outer * parts, task_elements / a.extent, [&](Index first, Index last) {
        for (Index task = first; task < last; ++task) {
          const Index row = task / parts, from = task % parts * task_elements;
          const Index ones = count_ones(in + row * a.extent + from, std::min(task_elements, a.extent - from));
          std::atomic_ref<std::int64_t>(out[row]).fetch_add(ones, std::memory_order_relaxed);
        }
      });
      return;
    }
    const Index width = std::min(a.inner, std::max<Index>(64, task_elements / a.extent));
    const Index blocks = (a.inner + width - 1) / width;
    call.parallel.for_each(a.outer * blocks, [&](Index task) {
      const Index o = task / blocks, first = task % blocks * width, last = std::min(a.inner, first + width);
      for (Index i = 0; i < a.extent; ++i) {
        const std::uint8_t* row = in + (o * a.extent + i) * a.inner;
        for (Index k = first; k < last; ++k) out[o * a.inner + k] += row[k];
      }
    });
  }
  static void reference(const KernelCall& call) {
    const Shape& from = call.inputs[0].type.shape;
    std::fill_n(call.output.as<std::int64_t>(), call.output.type.shape.elements(), 0);
    const auto& axes = call.attrs->ints("axes");
    Index inner = 1, counted = 1;
    for (int axis = 0; axis < from.rank(); ++axis) {
      if (!axes.empty() && axis > axes.back()) inner *= from[axis];
      if (std::find(axes.begin(), axes.end(), axis) != axes.end()) counted *= from[axis];
    }
    for (Index i = 0; i < from.elements(); ++i)
      call.output.as<std::int64_t>()[i / (inner * counted) * inner + i % inner] += call.inputs[0].as<bool>()[i] ? 1 : 0;
  }
  static constexpr auto batch = batch_along_axes;
  static std::vector<Sample> samples() {
    std::vector<Sample> out;
    const auto add = [&](const char* label, Shape shape, Axes axes, bool keepdims = false) {
      out.push_back(zero_gradient({label, {{shape, domain::booleans()}}, reductions::attrs(axes, keepdims)}));
    };
    add("row", {9}, {0});
    add("rows", {3, 17}, {1});
    add("columns", {40, 70}, {0}, true);
    add("middle axes", {2, 3, 4, 5}, {1, 2});
    add("many", {3, 70000}, {1});
    add("long rows", {2, 5000}, {0, 1});
    add("no axes", {2, 3}, {});
    add("empty", {0, 3}, {0});
    return out;
  }
  static std::vector<BadSample> bad_samples() {
    auto out = Truth::bad_samples();
    out.push_back({"axes apart", {Tensor({2, 3, 4}, boolean)}, reductions::attrs({0, 2}, false), "must be neighbors"});
    return out;
  }
};

Value truth(const char* op, Operand x, const Axes& axes, bool keepdims) {
  return composite(
      x, [&] { return reductions::reduce(op, x.dtype() == boolean ? x : not_equal(x, 0), axes, keepdims); }, op);
}

}  // namespace

void register_truth(OpRegistry& registry) { add_operations<Any, All, CountTrue>(registry); }

Value any(Operand x, const Axes& axes, bool keepdims) { return truth("any", x, axes, keepdims); }
Value all(Operand x, const Axes& axes, bool keepdims) { return truth("all", x, axes, keepdims); }

}  // namespace xgrad::inline v0
