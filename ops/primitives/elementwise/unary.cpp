// Functions of one tensor, elementwise.
#include <xgrad/ops/primitives/elementwise/internal/family.hpp>

namespace xgrad::inline v0 {
namespace {

struct Sign : Unary {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* name = "sign";
  static constexpr const char* doc = "-1, 0 or 1. NaN propagates.";
  static constexpr const char* no_gradient = "it is piecewise constant";
  template <class V>
  static V forward(V x) {
    const V zero = simd::constant<V>(0);
    const V one = simd::constant<V>(1);
    return simd::select(x > zero, one, simd::select(x < zero, simd::constant<V>(-1), x));
  }
  static std::vector<Sample> samples() {
    return with_integers(unary_samples(domain::away_from({0}), true, true), {domain::integers(-9, 9)});
  }
};

struct Rsqrt : Unary {
  static constexpr const char* name = "rsqrt";
  static constexpr const char* doc = "1 / sqrt(x). inf at 0, NaN below.";
  static auto forward(auto x) { return simd::rsqrt(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * (-0.5 * r.output()) * square(r.output()); }
  static std::vector<Sample> samples() { return unary_samples(domain::positive()); }
};

struct Exp : Unary {
  static constexpr const char* name = "exp";
  static constexpr const char* doc = "e^x.";
  static auto forward(auto x) { return simd::exp(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * r.output(); }
};

struct Log : Unary {
  static constexpr const char* name = "log";
  static constexpr const char* doc = "Natural logarithm. -inf at 0, NaN below.";
  static auto forward(auto x) { return simd::log(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() / r.input(0); }
  static std::vector<Sample> samples() { return unary_samples(domain::positive()); }
};

struct Log1p : Unary {
  static constexpr const char* name = "log1p";
  static constexpr const char* doc = "log(1 + x), exact for small x. -inf at -1, NaN below.";
  static auto forward(auto x) { return simd::log1p(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() / (1 + r.input(0)); }
  static std::vector<Sample> samples() { return unary_samples(domain::between(-0.8, 2)); }
};

struct Expm1 : Unary {
  static constexpr const char* name = "expm1";
  static constexpr const char* doc = "exp(x) - 1, exact for small x.";
  static auto forward(auto x) { return simd::expm1(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * (r.output() + 1); }
};

struct Sin : Unary {
  static constexpr const char* name = "sin";
  static constexpr const char* doc = "Sine of x in radians.";
  static auto forward(auto x) { return simd::sin(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * cos(r.input(0)); }
};

struct Cos : Unary {
  static constexpr const char* name = "cos";
  static constexpr const char* doc = "Cosine of x in radians.";
  static auto forward(auto x) { return simd::cos(x); }
  static Cotangents vjp(const Vjp& r) { return -(r.cotangent() * sin(r.input(0))); }
};

struct Tanh : Unary {
  static constexpr const char* name = "tanh";
  static constexpr const char* doc = "Hyperbolic tangent.";
  static auto forward(auto x) { return simd::tanh(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * (1 - square(r.output())); }
};

struct Sigmoid : Unary {
  static constexpr const char* name = "sigmoid";
  static constexpr const char* doc = "1 / (1 + exp(-x)), without overflow for any x.";
  static auto forward(auto x) { return simd::sigmoid(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * (r.output() * (1 - r.output())); }
};

struct Softplus : Unary {
  static constexpr const char* name = "softplus";
  static constexpr const char* doc = "log(1 + exp(x)), without overflow for any x.";
  template <class V>
  static V forward(V x) {
    return simd::max(x, simd::constant<V>(0)) + simd::log1p(simd::exp(simd::neg(simd::abs(x))));
  }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * sigmoid(r.input(0)); }
  static std::vector<Sample> samples() {
    auto out = unary_samples(domain::any());
    out.push_back(zero_second({"far above", {{{9}, domain::between(20, 60)}}}));
    return out;
  }
};

}  // namespace

XGRAD_FAMILY(unary, Sign, Rsqrt, Exp, Log, Log1p, Expm1, Sin, Cos, Tanh, Sigmoid, Softplus)

}  // namespace xgrad::inline v0
