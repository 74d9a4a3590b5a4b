// sum, sum_to (the reverse of broadcasting) and count.
#include <fmt/format.h>

#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/reductions/internal/axes.hpp>

namespace xgrad::inline v0 {
namespace {

struct Summing : reductions::Reduction<&Kernels::sum, &Kernels::block_sum> {
  static void reference(const KernelCall& call) {
    reductions::reference(call, 0, [](auto a, auto b) { return a + b; });
  }
};

struct Sum : Summing {
  static constexpr const char* name = "sum";
  static constexpr const char* doc = "Sum over axes, pairwise; 0 if empty.";
  static Cotangents vjp(const Vjp& r) { return broadcast_like(reductions::keep_axes(r.cotangent(), r), r.input(0)); }
  static std::vector<Sample> samples() {
    auto out = reductions::with_integers(reductions::samples(domain::any(), true), domain::integers(-9, 9));
    out.push_back(zero_gradient({"empty", {{{0, 3}}}, reductions::attrs({0}, false)}));
    return out;
  }
  static std::vector<BadSample> bad_samples() {
    return {
        reductions::bad_axis(),
        reductions::bad_bool(),
        {"axis named twice", {Tensor({2, 3})}, reductions::attrs({1, 1}, false), "[1, 1] are not in ascending order"},
        {"axes in another order", {Tensor({2, 3})}, reductions::attrs({1, 0}, false), "not in ascending order"}};
  }
};

struct Count : Operation {
  static constexpr const char* name = "count";
  static constexpr const char* doc =
      "Number of elements that a reduction over the axes combines, as a scalar of the input's dtype. Only the input's "
      "shape is used.";
  static constexpr const char* no_gradient = "it depends on the shape only";
  static Traits traits() { return {.shape_only = 1}; }
  static TensorType infer(const Infer& in) { return {reductions::infer(in).dtype, {}}; }
  static void kernel(const KernelCall& call) {
    Index n = 1;
    for (const Index axis : call.attrs->ints("axes")) n *= call.inputs[0].type.shape[static_cast<int>(axis)];
    with_number(call.output.type.dtype,
                [&](auto zero) { *call.output.as<decltype(zero)>() = static_cast<decltype(zero)>(n); });
  }
  static std::vector<Sample> samples() {
    return {zero_gradient({"one axis", {{{3, 5}}}, reductions::attrs({1}, false)}),
            zero_gradient({"all axes", {{{3, 5}}}, reductions::attrs({0, 1}, false)}),
            zero_gradient({"one element", {{{1}}}, reductions::attrs({0}, false)}),
            zero_gradient({"empty", {{{3, 0}}}, reductions::attrs({0, 1}, false)}),
            zero_gradient({"integers", {{{3, 5}, domain::integers(-9, 9)}}, reductions::attrs({0}, false)})};
  }
  static std::vector<BadSample> bad_samples() { return {reductions::bad_axis(), reductions::bad_bool()}; }
};

// To a shape that broadcasts to the input.
struct SumToShape : Summing {
  static TensorType infer_to(const Infer& in, const Shape& target) {
    in.require_dtype(0, {f32, f64, i64});
    const auto stretched = broadcast(target, in.shape(0));
    if (!stretched || *stretched != in.shape(0)) {
      in.fail_shape(fmt::format("{} does not broadcast to {}", target.str(), in.shape(0).str()));
    }
    return {in.dtype(0), target};
  }
  // To the same shape with the leading axis in front, extents of 1 filling up.
  static Value batch(const Batch& b) {
    const Value x = batch_input(b, 0);
    const Shape& to = b.output().shape();
    Shape filled{b.size()};
    for (int axis = 1; axis < x.shape().rank() - to.rank(); ++axis) filled.push_back(1);
    for (const Index extent : to) filled.push_back(extent);
    return batch_reshape(b, sum_to(x, filled), to);
  }
};

struct SumTo : SumToShape {
  static constexpr const char* name = "sum_to";
  static constexpr const char* doc =
      "Sums over the axes along which a tensor of the given shape would be broadcast to the input. Reverse of "
      "broadcast_to.";
  static TensorType infer(const Infer& in) { return infer_to(in, Shape(in.attrs().ints("shape"))); }
  static Cotangents vjp(const Vjp& r) { return broadcast_like(r.cotangent(), r.input(0)); }
  static std::vector<Sample> samples() {
    return {zero_second({"to a row", {{{3, 5}}}, {{"shape", Axes{5}}}}),
            zero_second({"to a column", {{{3, 5}}}, {{"shape", Axes{3, 1}}}}),
            zero_second({"to a scalar", {{{3, 5}}}, {{"shape", Axes{}}}}),
            zero_second({"to itself", {{{3, 5}}}, {{"shape", Axes{3, 5}}}}),
            zero_second({"one element", {{{1}}}, {{"shape", Axes{}}}}),
            zero_gradient({"empty", {{{0, 3}}}, {{"shape", Axes{3}}}})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"shape that does not fit", {Tensor({3, 5})}, {{"shape", Axes{4}}}, "does not broadcast"}};
  }
};

struct SumLike : SumToShape {
  static constexpr int min_inputs = 2, max_inputs = 2;
  static constexpr const char* name = "sum_like";
  static constexpr const char* doc = "As sum_to, for the shape of the second input.";
  static Traits traits() { return {.shape_only = 2}; }
  static TensorType infer(const Infer& in) { return infer_to(in, in.shape(1)); }
  static Cotangents vjp(const Vjp& r) { return {broadcast_like(r.cotangent(), r.input(0)), Value{}}; }
  static std::vector<Sample> samples() {
    return {zero_second({"to a row", {{{33, 5}}, {{5}}}}),
            zero_second({"to a column", {{{3, 5}}, {{3, 1}}}}),
            zero_second({"to the middle", {{{2, 3, 4}}, {{3, 1}}}}),
            zero_second({"to a scalar", {{{3, 5}}, {{}}}}),
            zero_second({"one element", {{{1}}, {{}}}}),
            zero_gradient({"empty", {{{0, 3}}, {{3}}}})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"shape that does not fit", {Tensor({3, 5}), Tensor::zeros({4})}, {}, "does not broadcast"}};
  }
};

}  // namespace

void register_sum(OpRegistry& registry) { add_operations<Sum, Count, SumTo, SumLike>(registry); }

Value sum(Operand x, const Axes& axes, bool keepdims) {
  return composite(x, [&] {
    if (x.dtype() != boolean) return reductions::reduce("sum", x, axes, keepdims);
    const Axes all = normalize_axes(axes, x.shape().rank(), "sum");
    auto first = all.end();  // of the last axes that are neighbors
    while (first != all.begin() && (first == all.end() || *(first - 1) + 1 == *first)) --first;
    const bool enough = first == all.begin();
    const Value counts =
        apply("count_true", {x}, reductions::attrs(std::vector<Index>(first, all.end()), keepdims || !enough));
    return enough ? counts : reductions::reduce("sum", counts, all, keepdims);
  });
}
Value count(Operand x, const Axes& axes) { return reductions::reduce("count", x, axes, false); }
Value sum_to(Operand x, const Shape& shape) {
  return composite(x, [&] {
    return shape == x.shape() ? x : apply("sum_to", {x}, {{"shape", std::vector<Index>(shape.begin(), shape.end())}});
  });
}
Value sum_like(Operand x, Operand like) { return apply("sum_like", {x, like}); }

}  // namespace xgrad::inline v0
