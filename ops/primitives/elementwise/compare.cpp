// Comparisons for equality, and logic.
#include <xgrad/ops/primitives/elementwise/internal/family.hpp>

namespace xgrad::inline v0 {
namespace {

struct Equal : Compare {
  static constexpr bool commutative = true;
  static constexpr const char* name = "equal";
  static constexpr const char* symbol = "==";
  static constexpr const char* doc = "Whether a = b. NaN equals nothing.";
  static auto forward(auto a, auto b) { return a == b; }
};

struct NotEqual : Compare {
  static constexpr bool commutative = true;
  static constexpr const char* name = "not_equal";
  static constexpr const char* symbol = "!=";
  static constexpr const char* doc = "Whether a differs from b. NaN differs from everything.";
  static auto forward(auto a, auto b) { return !(a == b); }  // not !=: see is_nan in simd.hpp
};

template <class Kind>
struct Logic : Kind {
  using dtypes = Booleans;
  static constexpr const char* no_gradient = Compare::no_gradient;
  static std::vector<Sample> samples() { return binary_samples(domain::booleans(), domain::booleans(), true, true); }
};

struct LogicalAnd : Logic<Binary> {
  static constexpr bool commutative = true;
  static constexpr const char* name = "logical_and";
  static constexpr const char* symbol = "&&";
  static constexpr const char* doc = "Logical and.";
  static bool forward(bool a, bool b) { return a & b; }
};

struct LogicalOr : Logic<Binary> {
  static constexpr bool commutative = true;
  static constexpr const char* name = "logical_or";
  static constexpr const char* symbol = "||";
  static constexpr const char* doc = "Logical or.";
  static bool forward(bool a, bool b) { return a | b; }
};

struct LogicalXor : Logic<Binary> {
  static constexpr bool commutative = true;
  static constexpr const char* name = "logical_xor";
  static constexpr const char* symbol = "^";
  static constexpr const char* doc = "Logical exclusive or.";
  static bool forward(bool a, bool b) { return a ^ b; }
};

struct LogicalNot : Logic<Unary> {
  static constexpr const char* name = "logical_not";
  static constexpr const char* symbol = "!";
  static constexpr const char* doc = "Logical not.";
  static bool forward(bool a) { return !a; }
  static std::vector<Sample> samples() { return unary_samples(domain::booleans(), true, true); }
};

}  // namespace

XGRAD_FAMILY(compare, Equal, NotEqual, LogicalAnd, LogicalOr, LogicalXor, LogicalNot)

}  // namespace xgrad::inline v0
