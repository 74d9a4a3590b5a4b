// Functions of one tensor, elementwise.
#include <xgrad/ops/elementwise/family.hpp>

namespace xgrad {
namespace {

struct Neg : Unary {
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
  static std::vector<Sample> samples() { return unary_samples(domain::any(), false, true); }
};

struct Abs : Unary {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* name = "abs";
  static constexpr const char* doc = "|x|. The derivative is sign(x), so 0 at 0.";
  template <class V>
  static V forward(V x) {
    if constexpr (std::is_same_v<V, std::int64_t>)
      return x < 0 ? Neg::forward(x) : x;
    else
      return simd::abs(x);
  }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * sign(r.input(0)); }
  static std::vector<Sample> samples() { return unary_samples(domain::away_from({0}), false, true); }
};

struct Sign : Unary {
  using dtypes = FloatsAndIntegers;
  static constexpr const char* name = "sign";
  static constexpr const char* doc = "-1, 0 or 1. NaN stays NaN.";
  static constexpr const char* no_gradient = "it is constant wherever it is smooth";
  template <class V>
  static V forward(V x) {
    const V zero = simd::constant<V>(0);
    const V one = simd::constant<V>(1);
    return simd::select(x > zero, one, simd::select(x < zero, simd::constant<V>(-1), x));
  }
  static std::vector<Sample> samples() { return unary_samples(domain::away_from({0}), true, true); }
};

struct Square : Unary {
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
  static std::vector<Sample> samples() { return unary_samples(domain::any()); }
};

struct Sqrt : Unary {
  static constexpr const char* name = "sqrt";
  static constexpr const char* doc = "Square root. NaN below 0; the derivative at 0 is inf.";
  template <class V>
  static V forward(V x) {
    return simd::sqrt(x);
  }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * 0.5 / r.output(); }
  static std::vector<Sample> samples() { return unary_samples(domain::positive()); }
};

struct Rsqrt : Unary {
  static constexpr const char* name = "rsqrt";
  static constexpr const char* doc = "1 / sqrt(x). inf at 0, NaN below.";
  template <class V>
  static V forward(V x) {
    return simd::rsqrt(x);
  }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * (-0.5 * r.output()) * square(r.output()); }
  static std::vector<Sample> samples() { return unary_samples(domain::positive()); }
};

struct Exp : Unary {
  static constexpr const char* name = "exp";
  static constexpr const char* doc = "e to the power x.";
  template <class V>
  static V forward(V x) {
    return simd::exp(x);
  }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * r.output(); }
  static std::vector<Sample> samples() { return unary_samples(domain::any()); }
};

struct Log : Unary {
  static constexpr const char* name = "log";
  static constexpr const char* doc = "Natural logarithm. -inf at 0, NaN below.";
  template <class V>
  static V forward(V x) {
    return simd::log(x);
  }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() / r.input(0); }
  static std::vector<Sample> samples() { return unary_samples(domain::positive()); }
};

struct Log1p : Unary {
  static constexpr const char* name = "log1p";
  static constexpr const char* doc = "log(1 + x), exact for small x. -inf at -1, NaN below.";
  template <class V>
  static V forward(V x) {
    return simd::log1p(x);
  }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() / (1 + r.input(0)); }
  static std::vector<Sample> samples() { return unary_samples(domain::between(-0.8, 2)); }
};

struct Expm1 : Unary {
  static constexpr const char* name = "expm1";
  static constexpr const char* doc = "exp(x) - 1, exact for small x.";
  template <class V>
  static V forward(V x) {
    return simd::expm1(x);
  }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * (r.output() + 1); }
  static std::vector<Sample> samples() { return unary_samples(domain::any()); }
};

struct Sin : Unary {
  static constexpr const char* name = "sin";
  static constexpr const char* doc = "Sine of x in radians.";
  template <class V>
  static V forward(V x) {
    return simd::sin(x);
  }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * cos(r.input(0)); }
  static std::vector<Sample> samples() { return unary_samples(domain::any()); }
};

struct Cos : Unary {
  static constexpr const char* name = "cos";
  static constexpr const char* doc = "Cosine of x in radians.";
  template <class V>
  static V forward(V x) {
    return simd::cos(x);
  }
  static Cotangents vjp(const Vjp& r) { return -(r.cotangent() * sin(r.input(0))); }
  static std::vector<Sample> samples() { return unary_samples(domain::any()); }
};

struct Tanh : Unary {
  static constexpr const char* name = "tanh";
  static constexpr const char* doc = "Hyperbolic tangent.";
  template <class V>
  static V forward(V x) {
    return simd::tanh(x);
  }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * (1 - square(r.output())); }
  static std::vector<Sample> samples() { return unary_samples(domain::any()); }
};

struct Sigmoid : Unary {
  static constexpr const char* name = "sigmoid";
  static constexpr const char* doc = "1 / (1 + exp(-x)), without overflow for any x.";
  template <class V>
  static V forward(V x) {
    return simd::sigmoid(x);
  }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * (r.output() * (1 - r.output())); }
  static std::vector<Sample> samples() { return unary_samples(domain::any()); }
};

struct Relu : Unary {
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
    auto out = unary_samples(domain::away_from({0}), false, true);
    for (Sample& sample : out) {  // a single number must be one that has a derivative
      if (sample.inputs[0].shape.elements() == 1) sample.inputs[0].domain = domain::positive();
    }
    return out;
  }
};

}  // namespace

XGRAD_FAMILY(unary, Neg, Abs, Sign, Square, Sqrt, Rsqrt, Exp, Log, Log1p, Expm1, Sin, Cos, Tanh, Sigmoid, Relu)

}  // namespace xgrad
