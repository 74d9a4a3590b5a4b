// Functions of two tensors, elementwise with broadcasting.
#include <xgrad/ops/primitives/elementwise/internal/family.hpp>

namespace xgrad::inline v0 {
namespace {

struct Pow : Binary {
  static constexpr const char* name = "pow";
  static constexpr const char* doc =
      "a^b; pow(x, 0) is 1 for every x. The derivative with respect to a is b pow(a, b - 1), and 0 where b = 0; with "
      "respect to b it is pow(a, b) log(a), and 0 where a = 0 and b >= 0. NaN for negative a and fractional b.";
  static auto forward(auto a, auto b) { return simd::pow(a, b); }
  static Cotangents vjp(const Vjp& r) {
    const Value a = r.input(0);
    const Value b = r.input(1);
    // For b = 0 and tiny a, 0 * pow(a, -1) and higher derivatives would be NaN: use exponent 0 there. `small` is chosen
    // so that small^4 is a normal number.
    const double small = a.dtype() == f32 ? 1e-9 : 1e-76;
    const Value vanishes = logical_and(equal(b, 0), logical_not(abs(a) > small));
    const Value by_a = b * pow(a, where(vanishes, 0, b - 1));
    // Use log(1) where the factor is 0: 0 * log(0) is NaN.
    const Value by_b = r.output() * log(where(logical_and(equal(a, 0), b >= 0), 1, a));
    return {r.cotangent() * by_a, r.cotangent() * by_b};
  }
  static std::vector<Sample> samples() { return binary_samples(domain::positive(), domain::any()); }
};

}  // namespace

XGRAD_FAMILY(binary, Pow)

}  // namespace xgrad::inline v0
