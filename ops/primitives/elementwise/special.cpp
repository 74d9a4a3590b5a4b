// The error function, its complement and inverse; the logarithm of the gamma function and its derivative.
#include <xgrad/ops/primitives/elementwise/internal/family.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr double two_by_root_pi = 1.128379167095512573896;

struct Erf : Unary {
  static constexpr const char* name = "erf";
  static constexpr const char* doc = "2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.";
  static auto forward(auto x) { return simd::erf(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * (two_by_root_pi * exp(-square(r.input(0)))); }
};

struct Erfc : Unary {
  static constexpr const char* name = "erfc";
  static constexpr const char* doc = "1 - erf(x), exact where erf is near 1.";
  static auto forward(auto x) { return simd::erfc(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * (-two_by_root_pi * exp(-square(r.input(0)))); }
};

struct Erfinv : Unary {
  static constexpr const char* name = "erfinv";
  static constexpr const char* doc = "The inverse of erf. inf at 1, -inf at -1, NaN outside [-1, 1].";
  static auto forward(auto x) { return simd::erfinv(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * (1 / two_by_root_pi * exp(square(r.output()))); }
  static std::vector<Sample> samples() { return unary_samples(domain::between(-0.9, 0.9)); }
};

// A domain that avoids the poles at 0 and negative integers.
Domain between_poles() { return {.low = -2.6, .high = 4, .avoid = {-3, -2, -1, 0}, .distance = 0.3}; }

struct Lgamma : Unary {
  static constexpr const char* name = "lgamma";
  static constexpr const char* doc = "log |gamma(x)|. inf at 0 and at negative integers. The derivative is digamma(x).";
  static auto forward(auto x) { return simd::lgamma(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * digamma(r.input(0)); }
  static std::vector<Sample> samples() { return unary_samples(between_poles()); }
};

struct Digamma : Unary {
  static constexpr const char* name = "digamma";
  static constexpr const char* doc =
      "The derivative of lgamma. -inf at 0, inf at -0, NaN at negative integers. Its derivative is polygamma(1, x).";
  static auto forward(auto x) { return simd::digamma(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * polygamma(1, r.input(0)); }
  static std::vector<Sample> samples() { return unary_samples(between_poles()); }
};

}  // namespace

XGRAD_FAMILY(special, Erf, Erfc, Erfinv, Lgamma, Digamma)

}  // namespace xgrad::inline v0
