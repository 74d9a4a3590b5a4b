// Whether any or all elements hold.
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/define.hpp>
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
    out.push_back({"nothing", {{{0, 3}, domain::booleans()}}, reductions::attrs({0}, false)});
    out.push_back({"pairs", {{{40, 2}, domain::booleans()}}, reductions::attrs({1}, false)});
    return out;
  }
  static std::vector<BadSample> bad_samples() {
    return {{"numbers", {Tensor::zeros({3})}, reductions::attrs({0}, false), "it is f32"},
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

Value truth(const char* op, Operand x, const Axes& axes, bool keepdims) {
  return composite(
      x, [&] { return reductions::reduce(op, x.dtype() == boolean ? x : not_equal(x, 0), axes, keepdims); }, op);
}

}  // namespace

void register_truth(OpRegistry& registry) {
  registry.add(define<Any>());
  registry.add(define<All>());
}

Value any(Operand x, const Axes& axes, bool keepdims) { return truth("any", x, axes, keepdims); }
Value all(Operand x, const Axes& axes, bool keepdims) { return truth("all", x, axes, keepdims); }

}  // namespace xgrad::inline v0
