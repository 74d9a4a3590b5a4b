// Powers and logarithms of other bases than e, and the cube root.
#include <xgrad/ops/primitives/elementwise/internal/family.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr double log_2 = 0.693147180559945309417;
constexpr double log_10 = 2.302585092994045684018;

struct Exp2 : Unary {
  static constexpr const char* name = "exp2";
  static constexpr const char* doc = "2^x.";
  static auto forward(auto x) { return simd::exp2(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() * (log_2 * r.output()); }
};

struct Log2 : Unary {
  static constexpr const char* name = "log2";
  static constexpr const char* doc = "Logarithm to the base 2. -inf at 0, NaN below.";
  static auto forward(auto x) { return simd::log2(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() / (log_2 * r.input(0)); }
  static std::vector<Sample> samples() { return unary_samples(domain::positive()); }
};

struct Log10 : Unary {
  static constexpr const char* name = "log10";
  static constexpr const char* doc = "Logarithm to the base 10. -inf at 0, NaN below.";
  static auto forward(auto x) { return simd::log10(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() / (log_10 * r.input(0)); }
  static std::vector<Sample> samples() { return unary_samples(domain::positive()); }
};

struct Cbrt : Unary {
  static constexpr const char* name = "cbrt";
  static constexpr const char* doc = "Cube root, also of negative values. The derivative at 0 is inf.";
  static auto forward(auto x) { return simd::cbrt(x); }
  static Cotangents vjp(const Vjp& r) { return r.cotangent() / (3 * square(r.output())); }
  static std::vector<Sample> samples() { return unary_samples(domain::away_from({-0.15, -0.05, 0.05, 0.15})); }
};

}  // namespace

XGRAD_FAMILY(exponential, Exp2, Log2, Log10, Cbrt)

}  // namespace xgrad::inline v0
