// Rounding to integers.
#include <xgrad/ops/primitives/elementwise/internal/family.hpp>

namespace xgrad::inline v0 {
namespace {

struct Rounding : Unary {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* no_gradient = "it is piecewise constant";
  static std::int64_t forward(std::int64_t x) { return x; }
  static std::vector<Sample> samples() {
    return with_integers(unary_samples(domain::between(-9, 9), true, true), {domain::integers(-9, 9)});
  }
};

struct Floor : Rounding {
  static constexpr const char* name = "floor";
  static constexpr const char* doc = "The largest integer <= x.";
  using Rounding::forward;
  static auto forward(auto x) { return simd::floor(x); }
};

struct Ceil : Rounding {
  static constexpr const char* name = "ceil";
  static constexpr const char* doc = "The smallest integer >= x.";
  using Rounding::forward;
  static auto forward(auto x) { return simd::ceil(x); }
};

struct Round : Rounding {
  static constexpr const char* name = "round";
  static constexpr const char* doc = "Rounds to the nearest integer, half to even.";
  using Rounding::forward;
  static auto forward(auto x) { return simd::round(x); }
};

struct Trunc : Rounding {
  static constexpr const char* name = "trunc";
  static constexpr const char* doc = "Rounds toward zero.";
  using Rounding::forward;
  static auto forward(auto x) { return simd::trunc(x); }
};

}  // namespace

XGRAD_FAMILY(rounding, Floor, Ceil, Round, Trunc)

}  // namespace xgrad::inline v0
