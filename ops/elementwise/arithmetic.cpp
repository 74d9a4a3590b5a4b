// Arithmetic, elementwise with broadcasting: operations so cheap that the way of their numbers through memory costs
// more than computing them. Pairs of them therefore have kernels of their own; see Note [Pairs] in family.hpp. Summing
// cotangents back over broadcast axes is not done here but in one place for all operations, by `gradients`.
#include <xgrad/ops/elementwise/family.hpp>

namespace xgrad {
namespace {

constexpr const char* piecewise = "a truth value has no derivative";

// Whole numbers wrap around on overflow.
template <class V, class F>
V wrapping(V a, V b, F f) {
  if constexpr (std::is_same_v<V, std::int64_t>) {
    return static_cast<V>(f(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b)));
  } else {
    return f(a, b);
  }
}

struct Add : Cheap<Binary> {
  using dtypes = FloatsAndIntegers;
  static constexpr bool commutative = true;
  static constexpr const char* name = "add";
  static constexpr const char* symbol = "+";
  static constexpr const char* doc = "a + b.";
  template <class V>
  static V forward(V a, V b) {
    return wrapping(a, b, [](auto x, auto y) { return x + y; });
  }
  static Cotangents vjp(const Vjp& r) { return {r.cotangent(), r.cotangent()}; }
  static std::vector<Sample> samples() {
    return with_integers(binary_samples(domain::any(), domain::any(), false, true), twice(domain::integers(-9, 9)));
  }
};

struct Sub : Cheap<Binary> {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* name = "sub";
  static constexpr const char* symbol = "-";
  static constexpr const char* doc = "a - b.";
  template <class V>
  static V forward(V a, V b) {
    return wrapping(a, b, [](auto x, auto y) { return x - y; });
  }
  static Cotangents vjp(const Vjp& r) { return {r.cotangent(), -r.cotangent()}; }
  static std::vector<Sample> samples() {
    return with_integers(binary_samples(domain::any(), domain::any(), false, true), twice(domain::integers(-9, 9)));
  }
};

struct Mul : Cheap<Binary> {
  using dtypes = FloatsAndIntegers;
  static constexpr bool commutative = true;
  static constexpr const char* name = "mul";
  static constexpr const char* symbol = "*";
  static constexpr const char* doc = "a * b.";
  template <class V>
  static V forward(V a, V b) {
    return wrapping(a, b, [](auto x, auto y) { return x * y; });
  }
  static Cotangents vjp(const Vjp& r) { return {r.cotangent() * r.input(1), r.cotangent() * r.input(0)}; }
  static std::vector<Sample> samples() {
    return with_integers(binary_samples(domain::any(), domain::any()), twice(domain::integers(-9, 9)));
  }
};

struct Div : Cheap<Binary> {
  static constexpr const char* name = "div";
  static constexpr const char* symbol = "/";
  static constexpr const char* doc = "a / b as IEEE 754 says: x / 0 is inf or NaN.";
  template <class V>
  static V forward(V a, V b) {
    return a / b;
  }
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
  template <class V>
  static V forward(V x) {
    if constexpr (std::is_same_v<V, std::int64_t>)
      return static_cast<V>(-static_cast<std::uint64_t>(x));
    else
      return simd::neg(x);
  }
  static Cotangents vjp(const Vjp& r) { return -r.cotangent(); }
  static std::vector<Sample> samples() {
    return with_integers(unary_samples(domain::any(), false, true), {domain::integers(-9, 9)});
  }
};

struct Square : Cheap<Unary> {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* name = "square";
  static constexpr const char* doc = "x * x.";
  template <class V>
  static V forward(V x) {
    if constexpr (std::is_same_v<V, std::int64_t>) {
      return static_cast<V>(static_cast<std::uint64_t>(x) * static_cast<std::uint64_t>(x));
    } else {
      return x * x;
    }
  }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * (2 * r.input(0)); }
  static std::vector<Sample> samples() {
    return with_integers(unary_samples(domain::any()), {domain::integers(-9, 9)});
  }
};

struct Sqrt : Cheap<Unary> {
  static constexpr const char* name = "sqrt";
  static constexpr const char* doc = "Square root. NaN below 0; the derivative at 0 is inf.";
  template <class V>
  static V forward(V x) {
    return simd::sqrt(x);
  }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * 0.5 / r.output(); }
  static std::vector<Sample> samples() { return unary_samples(domain::positive()); }
};

struct Relu : Cheap<Unary> {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* name = "relu";
  static constexpr const char* doc = "max(x, 0). The derivative at 0 is 0; NaN stays NaN.";
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
  static constexpr const char* no_gradient = piecewise;
  template <class V>
  static auto forward(V a, V b) {
    return a < b;
  }
  static std::vector<Sample> samples() {
    return with_integers(binary_samples(domain::any(), domain::any(), true, true), twice(domain::integers(-2, 2)));
  }
};

struct LessEqual : Cheap<Compare> {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* name = "less_equal";
  static constexpr const char* symbol = "<=";
  static constexpr const char* doc = "Whether a <= b. False where either is NaN.";
  static constexpr const char* no_gradient = piecewise;
  template <class V>
  static auto forward(V a, V b) {
    return a <= b;
  }
  static std::vector<Sample> samples() {
    return with_integers(binary_samples(domain::any(), domain::any(), true, true), twice(domain::integers(-2, 2)));
  }
};

struct Where : Cheap<Select> {
  static constexpr const char* name = "where";
  static constexpr const char* doc =
      "a where the condition holds, else b. A derivative flows to the chosen one alone; the other gets 0, even where "
      "its own "
      "numbers are inf or NaN.";
  template <class M, class V>
  static V forward(M condition, V a, V b) {
    return simd::select(condition, a, b);
  }
  static Cotangents vjp(const Vjp& r) {
    const Value condition = r.input(0);
    return {Value{}, where(condition, r.cotangent(), 0), where(condition, 0, r.cotangent())};
  }
  static std::vector<Sample> samples() {
    const Domain any = domain::any();
    const Domain mask = domain::booleans();
    return {{"equal shapes", {{{19}, mask}, {{19}, any}, {{19}, any}}, {}, 0, false, true},
            {"matrices", {{{3, 9}, mask}, {{3, 9}, any}, {{3, 9}, any}}, {}, 0, false, true},
            {"a number on the left", {{{3, 5}, mask}, {{}, any}, {{3, 5}, any}}, {}, 0, false, true},
            {"a number on the right", {{{3, 5}, mask}, {{3, 5}, any}, {{}, any}}, {}, 0, false, true},
            {"one condition for all", {{{}, mask}, {{17}, any}, {{17}, any}}, {}, 0, true, true},
            {"one element", {{{1}, mask}, {{1}, any}, {{1}, any}}, {}, 0, true, true},
            {"few elements", {{{5}, mask}, {{5}, any}, {{5}, any}}, {}, 0, false, true},
            {"a condition per row", {{{4, 1}, mask}, {{4, 6}, any}, {{6}, any}}, {}, 0, false, true},
            {"integers", {{{19}, mask}, {{19}, domain::integers(-9, 9)}, {{19}, domain::integers(-9, 9)}}, {}, 0, true},
            {"booleans", {{{3, 9}, mask}, {{3, 9}, mask}, {{}, mask}}, {}, 0, true},
            {"nothing", {{{0}, mask}, {{0}, any}, {{0}, any}}, {}, 0, true, true}};
  }
};

// What training steps are full of: scaling and shifting, moving averages, activations and their derivatives.
template <class First>
using BeforeSums = Pairs<Pair<First, Add, 0>, Pair<First, Sub, 0>, Pair<First, Sub, 1>, Pair<First, Mul, 0>>;

}  // namespace

XGRAD_FAMILY(arithmetic, Add, Sub, Mul, Div, Neg, Square, Sqrt, Relu, Less, LessEqual, Where)
XGRAD_PAIRS(arithmetic, BeforeSums<Add>, BeforeSums<Sub>, BeforeSums<Mul>, BeforeSums<Div>, BeforeSums<Square>,
            Pairs<Pair<Sqrt, Add, 0>, Pair<Sub, Square, 0>, Pair<Add, Relu, 0>, Pair<Less, Where, 0>,
                  Pair<LessEqual, Where, 0>>)

}  // namespace xgrad
