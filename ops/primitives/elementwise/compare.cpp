// Comparisons for equality, and logic.
#include <xgrad/ops/primitives/elementwise/internal/family.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr const char* piecewise = "the result is boolean";

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
  static std::vector<Sample> samples() {
    return with_integers(binary_samples(domain::any(), domain::any(), true, true), twice(domain::integers(-2, 2)));
  }
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
  static std::vector<Sample> samples() {
    return with_integers(binary_samples(domain::any(), domain::any(), true, true), twice(domain::integers(-2, 2)));
  }
};

struct LogicalAnd : Binary {
  using dtypes = Booleans;
  static constexpr bool commutative = true;
  static constexpr const char* name = "logical_and";
  static constexpr const char* symbol = "&&";
  static constexpr const char* doc = "Logical and.";
  static constexpr const char* no_gradient = piecewise;
  static bool forward(bool a, bool b) { return a & b; }
  static std::vector<Sample> samples() { return binary_samples(domain::booleans(), domain::booleans(), true, true); }
};

struct LogicalOr : Binary {
  using dtypes = Booleans;
  static constexpr bool commutative = true;
  static constexpr const char* name = "logical_or";
  static constexpr const char* symbol = "||";
  static constexpr const char* doc = "Logical or.";
  static constexpr const char* no_gradient = piecewise;
  static bool forward(bool a, bool b) { return a | b; }
  static std::vector<Sample> samples() { return binary_samples(domain::booleans(), domain::booleans(), true, true); }
};

struct LogicalXor : Binary {
  using dtypes = Booleans;
  static constexpr bool commutative = true;
  static constexpr const char* name = "logical_xor";
  static constexpr const char* symbol = "^";
  static constexpr const char* doc = "Logical exclusive or.";
  static constexpr const char* no_gradient = piecewise;
  static bool forward(bool a, bool b) { return a ^ b; }
  static std::vector<Sample> samples() { return binary_samples(domain::booleans(), domain::booleans(), true, true); }
};

struct LogicalNot : Unary {
  using dtypes = Booleans;
  static constexpr const char* name = "logical_not";
  static constexpr const char* symbol = "!";
  static constexpr const char* doc = "Logical not.";
  static constexpr const char* no_gradient = piecewise;
  static bool forward(bool a) { return !a; }
  static std::vector<Sample> samples() { return unary_samples(domain::booleans(), true, true); }
};

}  // namespace

XGRAD_FAMILY(compare, Equal, NotEqual, LogicalAnd, LogicalOr, LogicalXor, LogicalNot)

}  // namespace xgrad::inline v0
