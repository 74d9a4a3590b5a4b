// Rounding to integers.
#include <xgrad/ops/primitives/elementwise/internal/family.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr const char* constant_pieces = "it is piecewise constant";

struct Rounding : Unary {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* no_gradient = constant_pieces;
  static std::vector<Sample> samples() {
    return with_integers(unary_samples(domain::between(-9, 9), true, true), {domain::integers(-9, 9)});
  }
};

struct Floor : Rounding {
  static constexpr const char* name = "floor";
  static constexpr const char* doc = "The largest integer <= x.";
  template <class V>
  static V forward(V x) {
    if constexpr (std::is_same_v<V, std::int64_t>)
      return x;
    else
      return simd::floor(x);
  }
};

struct Ceil : Rounding {
  static constexpr const char* name = "ceil";
  static constexpr const char* doc = "The smallest integer >= x.";
  template <class V>
  static V forward(V x) {
    if constexpr (std::is_same_v<V, std::int64_t>)
      return x;
    else
      return simd::ceil(x);
  }
};

struct Round : Rounding {
  static constexpr const char* name = "round";
  static constexpr const char* doc = "Rounds to the nearest integer, half to even.";
  template <class V>
  static V forward(V x) {
    if constexpr (std::is_same_v<V, std::int64_t>)
      return x;
    else
      return simd::round(x);
  }
};

struct Trunc : Rounding {
  static constexpr const char* name = "trunc";
  static constexpr const char* doc = "Rounds toward zero.";
  template <class V>
  static V forward(V x) {
    if constexpr (std::is_same_v<V, std::int64_t>)
      return x;
    else
      return simd::trunc(x);
  }
};

}  // namespace

XGRAD_FAMILY(rounding, Floor, Ceil, Round, Trunc)

}  // namespace xgrad::inline v0
