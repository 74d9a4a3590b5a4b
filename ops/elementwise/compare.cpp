// Comparisons, logic and the choice between two values by a condition.
#include <xgrad/ops/elementwise/family.hpp>

namespace xgrad {
namespace {

constexpr const char* piecewise = "a truth value has no derivative";

struct Equal : Compare {
  static constexpr bool commutative = true;
  static constexpr const char* name = "equal";
  static constexpr const char* symbol = "==";
  static constexpr const char* doc = "Whether a = b. NaN equals nothing.";
  static constexpr const char* no_gradient = piecewise;
  template <class V>
  static auto forward(V a, V b) {
    return a == b;
  }
  static std::vector<Sample> samples() { return binary_samples(domain::any(), domain::any(), true, true); }
};

struct NotEqual : Compare {
  static constexpr bool commutative = true;
  static constexpr const char* name = "not_equal";
  static constexpr const char* symbol = "!=";
  static constexpr const char* doc = "Whether a differs from b. NaN differs from everything.";
  static constexpr const char* no_gradient = piecewise;
  template <class V>
  static auto forward(V a, V b) {
    return !(a == b);
  }  // not !=: see is_nan in simd.hpp
  static std::vector<Sample> samples() { return binary_samples(domain::any(), domain::any(), true, true); }
};

struct Less : Compare {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* name = "less";
  static constexpr const char* symbol = "<";
  static constexpr const char* doc = "Whether a < b. False where either is NaN.";
  static constexpr const char* no_gradient = piecewise;
  template <class V>
  static auto forward(V a, V b) {
    return a < b;
  }
  static std::vector<Sample> samples() { return binary_samples(domain::any(), domain::any(), true, true); }
};

struct LessEqual : Compare {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* name = "less_equal";
  static constexpr const char* symbol = "<=";
  static constexpr const char* doc = "Whether a <= b. False where either is NaN.";
  static constexpr const char* no_gradient = piecewise;
  template <class V>
  static auto forward(V a, V b) {
    return a <= b;
  }
  static std::vector<Sample> samples() { return binary_samples(domain::any(), domain::any(), true, true); }
};

struct LogicalAnd : Binary {
  using dtypes = Booleans;
  static constexpr bool commutative = true;
  static constexpr const char* name = "logical_and";
  static constexpr const char* symbol = "&&";
  static constexpr const char* doc = "Whether both hold.";
  static constexpr const char* no_gradient = piecewise;
  static bool forward(bool a, bool b) { return a & b; }
  static std::vector<Sample> samples() { return binary_samples(domain::booleans(), domain::booleans(), true, true); }
};

struct LogicalOr : Binary {
  using dtypes = Booleans;
  static constexpr bool commutative = true;
  static constexpr const char* name = "logical_or";
  static constexpr const char* symbol = "||";
  static constexpr const char* doc = "Whether at least one holds.";
  static constexpr const char* no_gradient = piecewise;
  static bool forward(bool a, bool b) { return a | b; }
  static std::vector<Sample> samples() { return binary_samples(domain::booleans(), domain::booleans(), true, true); }
};

struct LogicalNot : Unary {
  using dtypes = Booleans;
  static constexpr const char* name = "logical_not";
  static constexpr const char* symbol = "!";
  static constexpr const char* doc = "Whether it does not hold.";
  static constexpr const char* no_gradient = piecewise;
  static bool forward(bool a) { return !a; }
  static std::vector<Sample> samples() { return unary_samples(domain::booleans(), true, true); }
};

struct Where : Select {
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
            {"nothing", {{{0}, mask}, {{0}, any}, {{0}, any}}, {}, 0, true, true}};
  }
};

}  // namespace

XGRAD_FAMILY(compare, Equal, NotEqual, Less, LessEqual, LogicalAnd, LogicalOr, LogicalNot, Where)

}  // namespace xgrad
