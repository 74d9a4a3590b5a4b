// The tangent, inverse trigonometric functions, hyperbolic functions, atan2 and hypot.
#include <xgrad/ops/primitives/elementwise/internal/family.hpp>

namespace xgrad::inline v0 {
namespace {

// 1 - x^2 without cancellation near 1.
Value one_minus_square(Value x) { return (1 - x) * (1 + x); }

struct Tan : Unary {
  static constexpr const char* name = "tan";
  static constexpr const char* doc = "Tangent of x in radians.";
  static auto forward(auto x) { return simd::tan(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * (1 + square(r.output())); }
  static std::vector<Sample> samples() { return unary_samples(domain::between(-1.2, 1.2)); }
};

struct Asin : Unary {
  static constexpr const char* name = "asin";
  static constexpr const char* doc =
      "The angle in [-pi / 2, pi / 2] whose sine is x. NaN outside [-1, 1]. The derivative at -1 and 1 is inf.";
  static auto forward(auto x) { return simd::asin(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * rsqrt(one_minus_square(r.input(0))); }
  static std::vector<Sample> samples() { return unary_samples(domain::between(-0.8, 0.8)); }
};

struct Acos : Unary {
  static constexpr const char* name = "acos";
  static constexpr const char* doc =
      "The angle in [0, pi] whose cosine is x. NaN outside [-1, 1]. The derivative at -1 and 1 is -inf.";
  static auto forward(auto x) { return simd::acos(x); }
  static Cotangents vjp(const Vjp& r) { return -(r.cotangent() * rsqrt(one_minus_square(r.input(0)))); }
  static std::vector<Sample> samples() { return unary_samples(domain::between(-0.8, 0.8)); }
};

struct Atan : Unary {
  static constexpr const char* name = "atan";
  static constexpr const char* doc = "The angle in [-pi / 2, pi / 2] whose tangent is x.";
  static auto forward(auto x) { return simd::atan(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() / (1 + square(r.input(0))); }
};

struct Sinh : Unary {
  static constexpr const char* name = "sinh";
  static constexpr const char* doc = "Hyperbolic sine, (exp(x) - exp(-x)) / 2.";
  static auto forward(auto x) { return simd::sinh(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * cosh(r.input(0)); }
};

struct Cosh : Unary {
  static constexpr const char* name = "cosh";
  static constexpr const char* doc = "Hyperbolic cosine, (exp(x) + exp(-x)) / 2.";
  static auto forward(auto x) { return simd::cosh(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * sinh(r.input(0)); }
};

struct Asinh : Unary {
  static constexpr const char* name = "asinh";
  static constexpr const char* doc = "The inverse of sinh.";
  static auto forward(auto x) { return simd::asinh(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() / hypot(r.input(0), 1); }
};

struct Acosh : Unary {
  static constexpr const char* name = "acosh";
  static constexpr const char* doc = "The inverse of cosh, >= 0. NaN below 1. The derivative at 1 is inf.";
  static auto forward(auto x) { return simd::acosh(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * (rsqrt(r.input(0) - 1) * rsqrt(r.input(0) + 1)); }
  static std::vector<Sample> samples() { return unary_samples(domain::between(1.3, 4)); }
};

struct Atanh : Unary {
  static constexpr const char* name = "atanh";
  static constexpr const char* doc = "The inverse of tanh. inf at 1, -inf at -1, NaN outside [-1, 1].";
  static auto forward(auto x) { return simd::atanh(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() / one_minus_square(r.input(0)); }
  static std::vector<Sample> samples() { return unary_samples(domain::between(-0.8, 0.8)); }
};

std::vector<Sample> away_from_the_origin() {
  return binary_samples(domain::away_from({0}), domain::away_from({-0.2, 0, 0.2}));
}

struct Atan2 : Binary {
  static constexpr const char* name = "atan2";
  static constexpr const char* doc = "The angle in [-pi, pi] of the point (b, a). The derivative at the origin is NaN.";
  static auto forward(auto a, auto b) { return simd::atan2(a, b); }
  // b / (a^2 + b^2) and -a / (a^2 + b^2), without squares that overflow.
  static Cotangents vjp(const Vjp& r) {
    const Value length = hypot(r.input(0), r.input(1));
    const Value turn = r.cotangent() / length;
    return {turn * (r.input(1) / length), -(turn * (r.input(0) / length))};
  }
  static std::vector<Sample> samples() { return away_from_the_origin(); }
};

struct Hypot : Binary {
  static constexpr bool commutative = true;
  static constexpr const char* name = "hypot";
  static constexpr const char* doc =
      "sqrt(a^2 + b^2), without overflow of the squares. The derivative at the origin is NaN.";
  static auto forward(auto a, auto b) { return simd::hypot(a, b); }
  static Cotangents vjp(const Vjp& r) {
    const auto side = [&](int i) { return r.cotangent() * (r.input(i) / r.output()); };
    return {side(0), side(1)};
  }
  static std::vector<Sample> samples() { return away_from_the_origin(); }
};

}  // namespace

XGRAD_FAMILY(trigonometric, Tan, Asin, Acos, Atan, Sinh, Cosh, Asinh, Acosh, Atanh, Atan2, Hypot)

}  // namespace xgrad::inline v0
