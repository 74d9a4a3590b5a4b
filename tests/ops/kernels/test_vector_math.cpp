// The vector functions of every instruction set are within a few ulp of the exact results over their whole range, and
// keep the special values. Bounds are measured; MESSAGEs show the current worst error.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xgrad/ops/define/registry.hpp>
#include <xgrad/ops/kernels/simd.hpp>

#include "support/emulated.hpp"
#include "support/kernel_test.hpp"
#include "support/vector_functions.hpp"

using namespace xgrad;
using testing::Dice;
using testing::function_sets;
using testing::FunctionSet;
using testing::VectorFunction;

namespace {

using Exact = long double;  // higher precision than any dtype
constexpr double inf = std::numeric_limits<double>::infinity();

// A reference function twice: in double, for floats, and in higher precision, for doubles.
struct Function {
  const char* name;
  double (*in_double)(double);
  Exact (*exact)(Exact);
  double ulps_f32, ulps_f64;  // error bounds in ulp
  // If set: the magnitude of the terms of the result, for results with cancellation.
  Exact (*scale)(Exact) = nullptr;
  template <class T>
  double bound() const {
    return std::is_same_v<T, float> ? ulps_f32 : ulps_f64;
  }
};

template <class T>
T exact_sigmoid(T x) {
  const T e = std::exp(-std::abs(x));
  return (x < 0 ? e : 1) / (1 + e);
}
template <class T>
T exact_rsqrt(T x) {
  return 1 / std::sqrt(x);
}
template <class T>
T exact_lgamma(T x) {
  return std::lgamma(x);
}
// Recurrence and asymptotic series, evaluated further out and at a higher precision than the function under test.
template <class T>
T exact_digamma(T number) {
  Exact x = static_cast<Exact>(number);
  if (x == 0) return std::copysign(std::numeric_limits<T>::infinity(), -number);
  const Exact pi = 3.14159265358979323846264338327950288L;
  Exact sum = 0;
  if (x < 0) {
    if (std::floor(x) == x) return std::numeric_limits<T>::quiet_NaN();
    const Exact part = x - std::nearbyint(x);
    sum = std::abs(part) == 0.5L ? 0 : -pi / std::tan(pi * part);
    x = 1 - x;
  }
  for (; x < 24; x += 1) sum -= 1 / x;
  const Exact bernoulli[] = {3617 / 8160.0L, -1 / 12.0L,  691 / 32760.0L, -1 / 132.0L,
                             1 / 240.0L,     -1 / 252.0L, 1 / 120.0L,     -1 / 12.0L};
  const Exact z = 1 / (x * x);
  Exact series = 0;
  for (const Exact b : bernoulli) series = series * z + b;
  return static_cast<T>(sum + std::log(x) - 1 / (2 * x) + z * series);
}

// Near the roots the terms cancel: below 0 those of the function, at the positive root those of the reference.
Exact digamma_scale(Exact x) {
  if (x < 0) return 1 + std::abs(exact_digamma(1 - x));
  return std::abs(x - 1.4616321L) < 0.01L ? 0.01L : 0;
}

#define XGRAD_EXACT(name) #name, [](double x) { return std::name(x); }, [](Exact x) { return std::name(x); }
#define XGRAD_EXACT_OWN(name) #name, exact_##name < double>, exact_##name < Exact>
const Function functions[] = {
    {XGRAD_EXACT(sqrt), 0.5, 0.5},
    {XGRAD_EXACT_OWN(rsqrt), 1.5, 1.5},
    {XGRAD_EXACT(floor), 0, 0},
    {XGRAD_EXACT(ceil), 0, 0},
    {XGRAD_EXACT(trunc), 0, 0},
    {"round", std::nearbyint, std::nearbyint, 0, 0},
    {XGRAD_EXACT(exp), 1, 1},
    {XGRAD_EXACT(exp2), 1, 1},
    {XGRAD_EXACT(expm1), 1.5, 2},
    {XGRAD_EXACT(log), 1, 1.2},
    {XGRAD_EXACT(log2), 2, 2},
    {XGRAD_EXACT(log10), 2, 2},
    {XGRAD_EXACT(log1p), 1.5, 2},
    {XGRAD_EXACT(sin), 2.5, 2.5},
    {XGRAD_EXACT(cos), 2.5, 2.5},
    {XGRAD_EXACT(tan), 4, 3.5},
    {XGRAD_EXACT(asin), 2.5, 1},
    {XGRAD_EXACT(acos), 1.5, 1},
    {XGRAD_EXACT(atan), 3, 1},
    {XGRAD_EXACT(sinh), 2, 2},
    {XGRAD_EXACT(cosh), 1.5, 1.5},
    {XGRAD_EXACT(tanh), 2.5, 3},
    {XGRAD_EXACT(asinh), 2, 2.5},
    {XGRAD_EXACT(acosh), 2.5, 2.5},
    {XGRAD_EXACT(atanh), 2.5, 2.5},
    {XGRAD_EXACT_OWN(sigmoid), 3, 3},
    {XGRAD_EXACT(cbrt), 0.501, 4},
    {XGRAD_EXACT(erf), 1.5, 1.5},
    {XGRAD_EXACT(erfc), 4, 4},
    {XGRAD_EXACT_OWN(lgamma), 0.501, 5},
    {XGRAD_EXACT_OWN(digamma), 0.501, 2, digamma_scale},
};

template <class T>
std::vector<T> apply(const VectorFunction& f, const std::vector<T>& x, const std::vector<T>& y = {}) {
  std::vector<T> out(x.size());
  f.of<T>()(static_cast<Index>(x.size()), x.data(), y.data(), out.data());
  return out;
}

// The error in ulp of `exact`, or of `scale` if that is larger; inf counts as the first value that overflows.
template <class T>
double ulps(T got, Exact exact, Exact scale = 0) {
  if (std::isnan(got) || std::isnan(exact)) return std::isnan(got) == std::isnan(exact) ? 0 : inf;
  using Limits = std::numeric_limits<T>;
  const Exact top = std::ldexp(Exact(1), Limits::max_exponent);
  const auto limited = [&](Exact x) { return std::clamp(x, -top, top); };
  const Exact size = std::max(std::abs(limited(exact)), std::abs(limited(scale)));
  int exponent = size == 0 ? Limits::min_exponent : std::ilogb(size) + 1;
  exponent = std::clamp(exponent, Limits::min_exponent, Limits::max_exponent);
  const Exact ulp = std::ldexp(Exact(1), exponent - Limits::digits);
  return static_cast<double>(std::abs(limited(static_cast<Exact>(got)) - limited(exact)) / ulp);
}

template <class T>
bool denormal(T x) {
  return x != 0 && std::abs(x) < static_cast<T>(std::numeric_limits<T>::min());
}

// Tests one argument in `thinning`.
const int thinning = testing::emulator() != nullptr ? 4 : 1;

// Arguments of every sign and exponent, more densely where the functions vary.
template <class T>
std::vector<T> arguments() {
  Dice dice(1);
  std::vector<T> out;
  if constexpr (std::is_same_v<T, float>) {
    for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += 16381 * static_cast<std::uint64_t>(thinning))
      out.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  for (int i = 0; i < 40'000 / thinning; ++i) {
    if constexpr (std::is_same_v<T, double>) out.push_back(std::bit_cast<double>(dice.bits()));
    out.push_back(static_cast<T>((dice.chance(0.5) ? 1 : -1) * std::exp2(dice.real(-40, 20))));
    out.push_back(static_cast<T>(dice.real(-10, 10)));
    out.push_back(static_cast<T>(dice.real(-1, 1) * (std::is_same_v<T, float> ? 120 : 760)));
    out.push_back(static_cast<T>(1 + dice.real(-1, 1) * std::exp2(dice.real(-50, 0))));
  }
  return out;
}

// The accepted error at x in ulp. Where the result is denormal, any denormal value and 0 are accepted, since processors
// may flush it.
template <class T>
double error(T got, Exact exact, Exact scale = 0) {
  const Exact normal = std::numeric_limits<T>::min();
  if (std::abs(exact) < normal && std::abs(got) <= normal) return 0;
  return ulps(got, exact, scale);
}

template <class T>
using Limits = std::numeric_limits<T>;

template <class T>
struct Worst {
  double ulps = 0;
  T x = 0, y = 0;
  void meet(double now, T at, T second = 0) {
    if (now > ulps) *this = {now, at, second};
  }
};

}  // namespace

TEST_CASE_TEMPLATE("vector math: unary functions are accurate over their whole range", T, float, double) {
  const bool single = std::is_same_v<T, float>;
  const std::vector<T> x = arguments<T>();
  std::vector<Exact> exact(x.size());
  for (const Function& f : functions) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      if constexpr (std::is_same_v<T, float>)
        exact[i] = f.in_double(static_cast<double>(x[i]));
      else
        exact[i] = f.exact(static_cast<Exact>(x[i]));
    }
    for (const FunctionSet& set : function_sets()) {
      const std::vector<T> y = apply<T>(set.find(f.name), x);
      Worst<T> worst;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const Exact scale = f.scale != nullptr && !single ? f.scale(static_cast<Exact>(x[i])) : 0;
        worst.meet(error(y[i], exact[i], scale), x[i]);
      }
      MESSAGE(fmt::format("{} {} {}: {:.2f} ulp at {}", f.name, set.isa, name_of(dtype_of<T>), worst.ulps, worst.x));
      CAPTURE(std::string(f.name));
      CAPTURE(set.isa);
      CHECK(worst.ulps <= f.bound<T>());
    }
  }
}

// 0, infinities and NaN as in C (annex F), for each function and in all lanes; and errors of a few ulp at the ends of
// ranges and domains.
TEST_CASE_TEMPLATE("vector math: unary functions keep the special values", T, float, double) {
  using Limits = std::numeric_limits<T>;
  std::vector<T> x = {0,
                      1,
                      2,
                      3,
                      10,
                      Limits::infinity(),
                      Limits::quiet_NaN(),
                      Limits::max(),
                      Limits::min(),
                      Limits::denorm_min(),
                      std::nextafter(Limits::min(), T(0)),
                      Limits::epsilon()};
  for (const double at :
       {0.25,  0.5,   1.0,   1.5,    2.5,    4.0,    8.0,    88.0,      104.0,     127.0,      128.0,
        149.0, 709.0, 745.0, 1022.0, 1024.0, 1074.0, 8192.0, 1048576.0, 8388608.0, 16777216.0, 4503599627370496.0}) {
    x.insert(x.end(), {static_cast<T>(at), std::nextafter(static_cast<T>(at), T(0)),
                       std::nextafter(static_cast<T>(at), Limits::max())});
  }
  const std::size_t positive = x.size();
  for (std::size_t i = 0; i < positive; ++i) x.push_back(-x[i]);
  for (const FunctionSet& set : function_sets()) {
    for (const Function& f : functions) {
      const VectorFunction& vector = set.find(f.name);
      for (const T a : x) {
        const Exact exact = f.exact(static_cast<Exact>(a));
        const Exact scale = f.scale != nullptr ? f.scale(static_cast<Exact>(a)) : 0;
        CAPTURE(set.isa);
        CAPTURE(std::string(f.name));
        CAPTURE(a);
        for (const std::size_t n : {1U, 19U}) {  // a partial vector, and full vectors with a tail
          const std::vector<T> y = apply<T>(vector, std::vector<T>(n, a));
          CAPTURE(y[0]);
          CHECK(std::memcmp(&y.front(), &y.back(), sizeof(T)) == 0);
          if (std::isnan(exact))
            CHECK(std::isnan(y[0]));
          else
            CHECK((error(y[0], exact, scale) <= f.bound<T>() &&
                   (exact != 0 || std::signbit(y[0]) == std::signbit(exact))));
          // Functions with f(x) ~ x near 0 return x exactly for tiny x.
          if (std::abs(a) <= Limits::min() && exact != 0 &&
              std::abs(exact - static_cast<Exact>(a)) < std::abs(exact / 1000))
            CHECK(static_cast<Exact>(y[0]) == static_cast<Exact>(a));
        }
      }
    }
  }
}

// Rounding must not exceed the range that other functions rely on: asin(sin(x)) exists, log(sigmoid(x)) is at most 0.
TEST_CASE_TEMPLATE("vector math: bounded functions stay within their bounds", T, float, double) {
  struct Bounds {
    const char* name;
    T low, high;
  };
  const std::vector<T> x = arguments<T>();
  for (const FunctionSet& set : function_sets()) {
    for (const Bounds& f : {Bounds{"sin", -1, 1}, Bounds{"cos", -1, 1}, Bounds{"tanh", -1, 1}, Bounds{"sigmoid", 0, 1},
                            Bounds{"erf", -1, 1}, Bounds{"erfc", 0, 2}, Bounds{"expm1", -1, Limits<T>::infinity()},
                            Bounds{"cosh", 1, Limits<T>::infinity()}}) {
      std::size_t outside = 0;
      for (const T y : apply<T>(set.find(f.name), x)) outside += y < f.low || y > f.high ? 1 : 0;
      CAPTURE(set.isa);
      CAPTURE(std::string(f.name));
      CHECK(outside == 0);
    }
  }
}

TEST_CASE("vector math: digamma at points with known values") {
  const double gamma = 0.57721566490153286061;
  const double pi = 3.14159265358979323846;
  CHECK(simd::digamma(1.0) == doctest::Approx(-gamma).epsilon(1e-15));
  CHECK(simd::digamma(0.5) == doctest::Approx(-gamma - 2 * std::log(2)).epsilon(1e-15));
  CHECK(simd::digamma(0.25) == doctest::Approx(-gamma - pi / 2 - 3 * std::log(2)).epsilon(1e-15));
  CHECK(simd::digamma(-0.5) == doctest::Approx(2 - gamma - 2 * std::log(2)).epsilon(1e-14));
  CHECK(simd::digamma(5.0) == doctest::Approx(25.0 / 12 - gamma).epsilon(1e-15));
  CHECK(simd::digamma(1.4616321449683622) == doctest::Approx(-9.241265521729427e-17).epsilon(1e-14));
  CHECK(simd::digamma(1.4616) == doctest::Approx(-3.110625123034165e-05).epsilon(1e-15));
}

TEST_CASE("vector math: digamma is within 4 ulp near its roots") {
  // Computed by recurrence, asymptotic series and reflection with 113 bits.
  const std::vector<std::pair<double, Exact>> known{
      {-0.5040830082644554, 7.289763902976895050749e-17L}, {-0.504, 0.0007420716047053968513313L},
      {-1.5734984731623904, 1.564978848183845345525e-16L}, {-2.6107208684441447, -1.072027593641000205573e-15L},
      {-5.6600000000000001, 0.09206466846819168561464L},   {-9.7026725400018634, 4.939256869086382197372e-15L},
      {-9.7100000000000009, -0.1131023860430352704515L},   {-23.752317139999999, 0.0009156053786193132837095L},
      {1.4616321449683622, -9.241265521729427342284e-17L}};
  for (const auto& point : known) {
    const double x = point.first;
    CAPTURE(x);
    CHECK(ulps(simd::digamma(x), point.second) <= 4);
  }
}

TEST_CASE_TEMPLATE("vector math: binary functions are accurate over their whole range", T, float, double) {
  struct Function2 {
    const char* name;
    Exact (*exact)(Exact, Exact);
    double ulps;
  };
  const Function2 all[] = {
      {"pow", std::pow, 1},   {"atan2", std::atan2, 3},       {"hypot", std::hypot, 1},
      {"fmod", std::fmod, 0}, {"copysign", std::copysign, 0},
  };
  Dice dice(2);
  const bool single = std::is_same_v<T, float>;
  std::vector<T> a, b;
  const auto add = [&](double x, double y) {
    a.push_back(static_cast<T>(x));
    b.push_back(static_cast<T>(y));
  };
  for (int i = 0; i < 30'000 / thinning; ++i) {
    add(dice.real(0.1, 10), dice.real(-3, 3));
    add(std::exp2(dice.real(-30, 30)), dice.real(-4, 4));
    add(std::exp2(dice.real(-2, 2)), dice.real(-50, 50));
    add(dice.real(-10, 10), std::floor(dice.real(-10, 11)));
    add(std::exp2(dice.real(-1, 1) * (single ? 125 : 1000)), dice.real(-1, 1));
    add(dice.real(-1, 1) * std::exp2(dice.real(-1, 1) * (single ? 126 : 1022)),
        dice.real(-1, 1) * std::exp2(dice.real(-1, 1) * (single ? 126 : 1022)));
    add(1 + dice.real(-1, 1) * std::exp2(dice.real(-24, 0)), dice.real(-1, 1) * std::exp2(dice.real(0, 30)));
  }
  using Limits = std::numeric_limits<T>;
  for (const T x : {T(0), T(0.5), T(1), T(2), T(3), T(2.5), Limits::max(), Limits::min(), Limits::denorm_min(),
                    Limits::infinity(), Limits::quiet_NaN()}) {
    for (const T y : {T(0), T(0.5), T(1), T(2), T(3), T(2.5), Limits::max(), Limits::min(), Limits::denorm_min(),
                      Limits::infinity(), Limits::quiet_NaN()}) {
      for (const T signed_x : {x, -x}) {
        a.insert(a.end(), {signed_x, signed_x});
        b.insert(b.end(), {y, -y});
      }
    }
  }
  std::vector<Exact> exact(a.size());
  for (const Function2& f : all) {
    for (std::size_t i = 0; i < a.size(); ++i) exact[i] = f.exact(static_cast<Exact>(a[i]), static_cast<Exact>(b[i]));
    for (const FunctionSet& set : function_sets()) {
      const std::vector<T> y = apply(set.find(f.name), a, b);
      Worst<T> worst;
      std::size_t wrong_signs = 0;
      for (std::size_t i = 0; i < a.size(); ++i) {
        worst.meet(error(y[i], exact[i]), a[i], b[i]);
        if (exact[i] == 0 && std::signbit(exact[i]) != std::signbit(y[i])) ++wrong_signs;
      }
      MESSAGE(fmt::format("{} {} {}: {:.2f} ulp at {}, {}", f.name, set.isa, name_of(dtype_of<T>), worst.ulps, worst.x,
                          worst.y));
      CAPTURE(std::string(f.name));
      CAPTURE(set.isa);
      CHECK(worst.ulps <= f.ulps);
      CHECK(wrong_signs == 0);
    }
  }
}

TEST_CASE_TEMPLATE("vector math: fma rounds once on every instruction set that has it", T, float, double) {
  // (1 + e)^2 = 1 + 2 e + e^2, of which a rounded product loses the last term.
  const T e = std::ldexp(T(1), -(std::numeric_limits<T>::digits + 1) / 2);
  for (const testing::FunctionSet& set : testing::function_sets()) {
    CAPTURE(set.isa);
    const std::vector<T> x(37, 1 + e);
    std::vector<T> error(x.size());
    set.find("product_error").of<T>()(static_cast<Index>(x.size()), x.data(), x.data(), error.data());
    for (const T found : error) CHECK(found == (set.isa == "sse2" ? T(0) : e * e));
  }
}

// xsimd selects the code path of sine and cosine by the largest lane; results here must not depend on other lanes.
TEST_CASE_TEMPLATE("vector math: a result does not depend on neighboring lanes", T, float, double) {
  testing::Dice dice(17);
  std::vector<T> x(1000);
  std::vector<T> y(x.size());
  for (std::vector<T>* numbers : {&x, &y}) {
    for (T& v : *numbers) v = static_cast<T>(dice.real(-1, 1) * std::exp2(dice.real(-20, 20)));
  }
  for (const FunctionSet& set : function_sets()) {
    for (const auto& all : {set.of_one, set.of_two}) {
      for (const VectorFunction& f : all) {
        CAPTURE(set.isa);
        CAPTURE(std::string(f.name));
        const std::vector<T> together = apply(f, x, y);
        std::vector<T> alone(x.size());
        for (std::size_t i = 0; i < x.size(); ++i) f.of<T>()(1, &x[i], &y[i], &alone[i]);
        CHECK(std::memcmp(together.data(), alone.data(), x.size() * sizeof(T)) == 0);
      }
    }
  }
  for (const auto& op : builtin_ops().all()) {
    if (!op->traits.elementwise || op->max_inputs != 1 || op->block[static_cast<std::size_t>(dtype_of<T>)] == nullptr)
      continue;
    CAPTURE(op->name);
    const BlockKernel kernel = op->block[static_cast<std::size_t>(dtype_of<T>)];
    const bool repeats[] = {false};
    std::vector<T> together(x.size()), alone(x.size());
    const void* in = x.data();
    kernel(static_cast<Index>(x.size()), &in, repeats, together.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      in = &x[i];
      kernel(1, &in, repeats, &alone[i]);
    }
    CHECK(std::memcmp(together.data(), alone.data(), x.size() * sizeof(T)) == 0);
  }
}
