// Integer quotient and remainder.
#include <xgrad/ops/define/internal/require.hpp>
#include <xgrad/ops/primitives/elementwise/internal/family.hpp>

namespace xgrad::inline v0 {
namespace {

struct Division : Binary {
  using dtypes = FloatsAndIntegers;
  static constexpr bool may_throw = true;
  // Quotients are between 2.1 and 2.9, since the derivative does not exist at integers.
  static std::vector<Sample> samples_with(bool zero_gradient) {
    return with_integers(binary_samples(domain::between(2.3, 2.7), domain::between(0.95, 1.05), zero_gradient, true),
                         {domain::integers(-20, 20), domain::integers(1, 6)});
  }
  static std::vector<BadSample> bad_samples() {
    return {{"a zero", {Tensor({3}, i64), Tensor({3}, i64)}, {}, ": integer division by 0"}};
  }
};

// Integer remainder with the sign of a. b = -1 gives 0 without a division, whose quotient may overflow.
template <class Op>
std::int64_t whole_remainder(std::int64_t a, std::int64_t b) {
  if (b == 0) fail_division_by_zero(Op::name);
  return b == -1 ? 0 : a % b;
}

// Whether both differ from 0 and in sign; the integer b is not 0.
template <class V>
auto other_sign(V a, V b) {
  const V zero = simd::constant<V>(0);
  return (a < zero && b > zero) || (a > zero && b < zero);
}
bool other_sign(std::int64_t a, std::int64_t b) { return a != 0 && (a < 0) != (b < 0); }

struct Fmod : Division {
  static constexpr const char* name = "fmod";
  static constexpr const char* doc =
      "Remainder of a / b with the sign of a, as in C. Where b is 0 the result is NaN; integers throw ValueError. The "
      "derivative with respect to a is 1; with respect to b it is -trunc(a / b), NaN where b is 0.";
  static auto forward(auto a, auto b) { return simd::fmod(a, b); }
  static std::int64_t forward(std::int64_t a, std::int64_t b) { return whole_remainder<Fmod>(a, b); }
  static Cotangents vjp(const Vjp& r) {
    const Value quotient = round((r.input(0) - r.output()) / r.input(1));
    return {r.cotangent(), -(r.cotangent() * quotient)};
  }
  static std::vector<Sample> samples() { return samples_with(false); }
};

struct Remainder : Division {
  static constexpr const char* name = "remainder";
  static constexpr const char* doc =
      "Remainder of a / b with the sign of b, as in Python; a zero remainder has the sign of b, too. Where b is 0 the "
      "result is NaN; integers throw ValueError. The derivative with respect to a is 1, with respect to b -floor(a / "
      "b).";
  template <class V>
  static V forward(V a, V b) {
    const V zero = simd::constant<V>(0);
    const V left = simd::fmod(a, b);
    return simd::select(left == zero, simd::copysign(zero, b), simd::select(other_sign(left, b), left + b, left));
  }
  static std::int64_t forward(std::int64_t a, std::int64_t b) {
    const std::int64_t left = whole_remainder<Remainder>(a, b);
    return other_sign(left, b) ? left + b : left;
  }
  static Cotangents vjp(const Vjp& r) {
    return {r.cotangent(), -(r.cotangent() * floor_divide(r.input(0), r.input(1)))};
  }
  static std::vector<Sample> samples() { return samples_with(false); }
};

struct FloorDivide : Division {
  static constexpr const char* name = "floor_divide";
  static constexpr const char* doc =
      "floor(a / b). Where b is 0 the result is inf or NaN; integers throw ValueError. The quotient of the smallest "
      "i64 and -1 wraps around.";
  static constexpr const char* no_gradient = "it is piecewise constant";
  template <class V>
  static V forward(V a, V b) {
    const V zero = simd::constant<V>(0);
    const V one = simd::constant<V>(1);
    // As in Python: (a - remainder) / b is within rounding of an integer.
    const V left = simd::fmod(a, b);
    const V exact = (a - left) / b;
    const V quotient = simd::select(other_sign(left, b), exact - one, exact);
    const V below = simd::floor(quotient);
    const V nearest = simd::select(quotient - below > simd::constant<V>(0.5), below + one, below);
    const V whole = simd::select(quotient == zero, simd::copysign(zero, a / b), nearest);
    return simd::select(b == zero, a / b, whole);
  }
  static std::int64_t forward(std::int64_t a, std::int64_t b) {
    const std::int64_t left = whole_remainder<FloorDivide>(a, b);
    if (b == -1) return static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(a));
    return a / b - (other_sign(left, b) ? 1 : 0);
  }
  static std::vector<Sample> samples() { return samples_with(true); }
};

}  // namespace

XGRAD_FAMILY(division, Fmod, Remainder, FloorDivide)

}  // namespace xgrad::inline v0
