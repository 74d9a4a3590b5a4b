// Products over axes.
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/ops.hpp>
#include <xgrad/ops/primitives/reductions/internal/axes.hpp>
#include <xgrad/ops/primitives/reductions/internal/cumulative.hpp>

namespace xgrad::inline v0 {
namespace {

struct Prod : reductions::Reduction<&Kernels::prod, &Kernels::block_prod> {
  static constexpr const char* name = "prod";
  static constexpr const char* doc =
      "Product over axes; 1 if empty. The derivative with respect to an element is the product of the others, correct "
      "where elements are 0.";
  static void reference(const KernelCall& call) {
    reductions::reference(call, 1, [](auto a, auto b) { return a * b; });
  }
  // Axis after axis, the last first: the product of the others along it, times that of the products beside it.
  static Cotangents vjp(const Vjp& r) {
    const std::vector<Index>& axes = r.attrs().ints("axes");
    Value part = r.input(0);
    Value out = reductions::keep_axes(r.cotangent(), r);
    for (std::size_t i = axes.size(); i-- > 0;) {
      // Separate statements fix the order of the nodes: C++ does not specify the evaluation order of operands.
      const Value after = reductions::product_of_others(part, axes[i], true);
      const Value before = reductions::product_of_others(part, axes[i], false);
      out = out * (before * after);
      part = prod(part, {axes[i]}, true);
    }
    return out;
  }
  static std::vector<Sample> samples() {
    auto out =
        reductions::with_integers(reductions::samples(domain::between(0.6, 1.5), false), domain::integers(-2, 2));
    for (Sample& sample : out) sample.zero_second = sample.inputs[0].shape.elements() <= 1;
    out.push_back({"signs", {{{3, 4}, domain::away_from({0})}}, reductions::attrs({0, 1}, false)});
    out.push_back(zero_gradient({"empty", {{{0, 3}}}, reductions::attrs({0}, false)}));
    return out;
  }
  static std::vector<BadSample> bad_samples() { return {reductions::bad_axis(), reductions::bad_bool()}; }
};

}  // namespace

void register_product(OpRegistry& registry) { add_operations<Prod>(registry); }

Value prod(Operand x, const Axes& axes, bool keepdims) {
  return composite(x,
                   [&] { return reductions::reduce("prod", x.dtype() == boolean ? cast(x, i64) : x, axes, keepdims); });
}

}  // namespace xgrad::inline v0
