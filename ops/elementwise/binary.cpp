// Functions of two tensors, elementwise with broadcasting.
#include <xgrad/ops/elementwise/family.hpp>

namespace xgrad {
namespace {

struct Pow : Binary {
  static constexpr const char* name = "pow";
  static constexpr const char* doc =
      "a to the power b; pow(x, 0) is 1 for every x. The derivative by a is b pow(a, b - 1), and 0 where b is 0; by b "
      "it is pow(a, b) log(a), and 0 where a is 0 and b is not negative. NaN for a negative a and a fractional b.";
  template <class V>
  static V forward(V a, V b) {
    return simd::pow(a, b);
  }
  static Cotangents vjp(const Vjp& r) {
    const Value a = r.input(0);
    const Value b = r.input(1);
    const Value by_a = where(equal(b, 0), 0, b * pow(a, b - 1));
    // The logarithm is taken of 1 where it would not be used, so that no inf or NaN arises that a factor 0 cannot undo.
    const Value by_b = r.output() * log(where(logical_and(equal(a, 0), b >= 0), 1, a));
    return {r.cotangent() * by_a, r.cotangent() * by_b};
  }
  static std::vector<Sample> samples() { return binary_samples(domain::positive(), domain::any()); }
};

// The derivative of the larger or smaller of two: 1 to the chosen one, half to each at a tie.
Cotangents to_chosen(const Vjp& r) {
  const Value tie = equal(r.input(0), r.input(1));
  const Value half = 0.5 * r.cotangent();
  const auto side = [&](int i) { return where(tie, half, where(equal(r.input(i), r.output()), r.cotangent(), 0)); };
  return {side(0), side(1)};
}

// Numbers that keep their distance although each side wins somewhere: the right ones surround the left ones. Where one
// side is a single number it may win or lose everywhere.
std::vector<Sample> choice_samples() {
  const Domain right{.low = -1.5, .high = 1.5, .avoid = {0}, .distance = 0.6};
  auto out = binary_samples(domain::between(-0.5, 0.5), right, false, true);
  for (Sample& sample : out) {
    if (sample.inputs[0].shape.elements() < 4 || sample.inputs[1].shape.elements() < 4) sample.zero_gradient = true;
  }
  return with_integers(out, twice(domain::integers(-9, 9)));
}

struct Maximum : Binary {
  using dtypes = FloatsAndIntegers;
  static constexpr bool commutative = true;
  static constexpr const char* name = "maximum";
  static constexpr const char* doc = "The larger of a and b; NaN wins. At a tie each gets half the derivative.";
  template <class V>
  static V forward(V a, V b) {
    return simd::max(a, b);
  }
  static Cotangents vjp(const Vjp& r) { return to_chosen(r); }
  static std::vector<Sample> samples() { return choice_samples(); }
};

struct Minimum : Binary {
  using dtypes = FloatsAndIntegers;
  static constexpr bool commutative = true;
  static constexpr const char* name = "minimum";
  static constexpr const char* doc = "The smaller of a and b; NaN wins. At a tie each gets half the derivative.";
  template <class V>
  static V forward(V a, V b) {
    return simd::min(a, b);
  }
  static Cotangents vjp(const Vjp& r) { return to_chosen(r); }
  static std::vector<Sample> samples() { return choice_samples(); }
};

}  // namespace

XGRAD_FAMILY(binary, Pow, Maximum, Minimum)

}  // namespace xgrad
