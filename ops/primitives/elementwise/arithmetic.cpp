// Elementwise arithmetic. It is bound by memory bandwidth, so pairs of operations have fused kernels, see Note [Pairs]
// in family.hpp. The vjps do not reduce cotangents of broadcast operands: `gradients` does that for all operations.
#include <xgrad/ops/primitives/elementwise/internal/family.hpp>

namespace xgrad::inline v0 {
namespace {

std::vector<Sample> sum_samples() {
  return with_integers(binary_samples(domain::any(), domain::any(), false, true), twice(domain::integers(-9, 9)));
}

struct Add : Cheap<Binary> {
  using dtypes = FloatsAndIntegers;
  static constexpr bool commutative = true;
  static constexpr const char* name = "add";
  static constexpr const char* symbol = "+";
  static constexpr const char* doc = "a + b.";
  static auto forward(auto a, auto b) {
    return simd::wrapping(a, b, [](auto x, auto y) { return x + y; });
  }
  static Cotangents vjp(const Vjp& r) { return {r.cotangent(), r.cotangent()}; }
  static std::vector<Sample> samples() { return sum_samples(); }
};

struct Sub : Cheap<Binary> {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* name = "sub";
  static constexpr const char* symbol = "-";
  static constexpr const char* doc = "a - b.";
  static auto forward(auto a, auto b) {
    return simd::wrapping(a, b, [](auto x, auto y) { return x - y; });
  }
  static Cotangents vjp(const Vjp& r) { return {r.cotangent(), -r.cotangent()}; }
  static std::vector<Sample> samples() { return sum_samples(); }
};

struct Mul : Cheap<Binary> {
  using dtypes = FloatsAndIntegers;
  static constexpr bool commutative = true;
  static constexpr const char* name = "mul";
  static constexpr const char* symbol = "*";
  static constexpr const char* doc = "a * b.";
  static auto forward(auto a, auto b) {
    return simd::wrapping(a, b, [](auto x, auto y) { return x * y; });
  }
  static Cotangents vjp(const Vjp& r) { return {r.cotangent() * r.input(1), r.cotangent() * r.input(0)}; }
  static std::vector<Sample> samples() {
    return with_integers(binary_samples(domain::any(), domain::any()), twice(domain::integers(-9, 9)));
  }
};

struct Div : Cheap<Binary> {
  static constexpr const char* name = "div";
  static constexpr const char* symbol = "/";
  static constexpr const char* doc = "a / b, as in IEEE 754: x / 0 is inf or NaN.";
  static auto forward(auto a, auto b) { return a / b; }
  static Cotangents vjp(const Vjp& r) {
    const Value by_a = r.cotangent() / r.input(1);
    return {by_a, -(by_a * r.output())};
  }
  static std::vector<Sample> samples() { return binary_samples(domain::any(), domain::positive()); }
};

struct Neg : Cheap<Unary> {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* name = "neg";
  static constexpr const char* symbol = "-";
  static constexpr const char* doc = "-x.";
  static auto forward(auto x) { return simd::neg(x); }
  static std::int64_t forward(std::int64_t x) { return static_cast<std::int64_t>(-static_cast<std::uint64_t>(x)); }
  static Cotangents vjp(const Vjp& r) { return -r.cotangent(); }
  static std::vector<Sample> samples() {
    return with_integers(unary_samples(domain::any(), false, true), {domain::integers(-9, 9)});
  }
};

struct Square : Cheap<Unary> {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* name = "square";
  static constexpr const char* doc = "x * x.";
  static auto forward(auto x) {
    return simd::wrapping(x, x, [](auto a, auto b) { return a * b; });
  }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * (2 * r.input(0)); }
  static std::vector<Sample> samples() {
    return with_integers(unary_samples(domain::any()), {domain::integers(-9, 9)});
  }
};

struct Sqrt : Cheap<Unary> {
  static constexpr const char* name = "sqrt";
  static constexpr const char* doc = "Square root. NaN below 0. The derivative at 0 is inf.";
  static auto forward(auto x) { return simd::sqrt(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * 0.5 / r.output(); }
  static std::vector<Sample> samples() { return unary_samples(domain::positive()); }
};

struct Relu : Cheap<Unary> {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* name = "relu";
  static constexpr const char* doc = "max(x, 0). The derivative at 0 is 0. NaN propagates.";
  template <class V>
  static V forward(V x) {
    const V zero = simd::constant<V>(0);
    return simd::select(x < zero, zero, x);
  }
  static Cotangents vjp(const Vjp& r) { return where(r.output() > 0, r.cotangent(), 0); }
  static std::vector<Sample> samples() {
    return with_integers(unary_samples_with(domain::away_from({0}), domain::positive(), true),
                         {domain::integers(-9, 9)});
  }
};

struct Less : Cheap<Compare> {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* name = "less";
  static constexpr const char* symbol = "<";
  static constexpr const char* doc = "Whether a < b. False where either is NaN.";
  static auto forward(auto a, auto b) { return a < b; }
};

struct LessEqual : Cheap<Compare> {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* name = "less_equal";
  static constexpr const char* symbol = "<=";
  static constexpr const char* doc = "Whether a <= b. False where either is NaN.";
  static auto forward(auto a, auto b) { return a <= b; }
};

struct Where : Cheap<Select> {
  static constexpr const char* name = "where";
  static constexpr const char* doc =
      "a where the condition is true, b elsewhere. The other operand gets derivative 0, even where its elements are "
      "inf or NaN.";
  static auto forward(auto condition, auto a, auto b) { return simd::select(condition, a, b); }
  static Cotangents vjp(const Vjp& r) {
    const Value condition = r.input(0);
    return {Value{}, where(condition, r.cotangent(), 0), where(condition, 0, r.cotangent())};
  }
  static std::vector<Sample> samples() {
    const Domain any = domain::any();
    const Domain mask = domain::booleans();
    return {
        zero_second({"equal shapes", {{{19}, mask}, {{19}, any}, {{19}, any}}}),
        zero_second({"matrices", {{{3, 9}, mask}, {{3, 9}, any}, {{3, 9}, any}}}),
        zero_second({"scalar on the left", {{{3, 5}, mask}, {{}, any}, {{3, 5}, any}}}),
        zero_second({"scalar on the right", {{{3, 5}, mask}, {{3, 5}, any}, {{}, any}}}),
        zero_gradient({"one condition for all", {{{}, mask}, {{17}, any}, {{17}, any}}}),
        zero_gradient({"one element", {{{1}, mask}, {{1}, any}, {{1}, any}}}),
        zero_second({"few elements", {{{5}, mask}, {{5}, any}, {{5}, any}}}),
        zero_second({"a condition per row", {{{4, 1}, mask}, {{4, 6}, any}, {{6}, any}}}),
        zero_gradient({"integers", {{{19}, mask}, {{19}, domain::integers(-9, 9)}, {{19}, domain::integers(-9, 9)}}}),
        zero_gradient({"booleans", {{{3, 9}, mask}, {{3, 9}, mask}, {{}, mask}}}),
        zero_gradient({"empty", {{{0}, mask}, {{0}, any}, {{0}, any}}})};
  }
};

struct Abs : Cheap<Unary> {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* name = "abs";
  static constexpr const char* doc = "|x|. The derivative at 0 is 0.";
  static auto forward(auto x) { return simd::abs(x); }
  static std::int64_t forward(std::int64_t x) { return x < 0 ? Neg::forward(x) : x; }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * sign(r.input(0)); }
  static std::vector<Sample> samples() {
    return with_integers(unary_samples(domain::away_from({0}), false, true), {domain::integers(-9, 9)});
  }
};

// Base of maximum and minimum.
struct Choice : Cheap<Binary> {
  using dtypes = FloatsAndIntegers;
  static constexpr bool commutative = true;
  // The chosen input gets the whole cotangent; at a tie, each input gets half of it.
  static Cotangents vjp(const Vjp& r) {
    const Value tie = equal(r.input(0), r.input(1));
    const Value half = 0.5 * r.cotangent();
    const auto side = [&](int i) { return where(tie, half, where(equal(r.input(i), r.output()), r.cotangent(), 0)); };
    return {side(0), side(1)};
  }
  // Operands that are never nearly equal. The values of b lie on both sides of those of a, so that each operand is
  // chosen somewhere. An operand of few elements may never be chosen and then has a zero gradient.
  static std::vector<Sample> samples() {
    const Domain right{.low = -1.5, .high = 1.5, .avoid = {0}, .distance = 0.6};
    auto out = binary_samples(domain::between(-0.5, 0.5), right, false, true);
    for (Sample& sample : out) {
      if (sample.inputs[0].shape.elements() < 4 || sample.inputs[1].shape.elements() < 4) sample.zero_gradient = true;
    }
    return with_integers(out, twice(domain::integers(-9, 9)));
  }
};

struct Maximum : Choice {
  static constexpr const char* name = "maximum";
  static constexpr const char* doc =
      "The larger of a and b. NaN propagates. A tie gives each operand half the derivative.";
  static auto forward(auto a, auto b) { return simd::max(a, b); }
};

struct Minimum : Choice {
  static constexpr const char* name = "minimum";
  static constexpr const char* doc =
      "The smaller of a and b. NaN propagates. A tie gives each operand half the derivative.";
  static auto forward(auto a, auto b) { return simd::min(a, b); }
};

// Fused pairs that are frequent in training steps: scaling, moving averages, activations and their derivatives.
template <class First>
using BeforeSums = Pairs<Pair<First, Add, 0>, Pair<First, Sub, 0>, Pair<First, Sub, 1>, Pair<First, Mul, 0>>;

}  // namespace

XGRAD_FAMILY(arithmetic, Add, Sub, Mul, Div, Neg, Square, Sqrt, Relu, Abs, Maximum, Minimum, Less, LessEqual, Where)
XGRAD_PAIRS(arithmetic, BeforeSums<Add>, BeforeSums<Sub>, BeforeSums<Mul>, BeforeSums<Div>, BeforeSums<Square>,
            BeforeSums<Relu>, BeforeSums<Abs>,
            Pairs<Pair<Add, Maximum, 0>, Pair<Add, Minimum, 0>, Pair<Sub, Maximum, 0>, Pair<Sub, Minimum, 0>,
                  Pair<Maximum, Minimum, 0>, Pair<Minimum, Maximum, 0>>,
            Pairs<Pair<Sqrt, Add, 0>, Pair<Sub, Square, 0>, Pair<Add, Relu, 0>, Pair<Less, Where, 0>,
                  Pair<LessEqual, Where, 0>>)

}  // namespace xgrad::inline v0
