// The vector functions of every instruction set are within a few units in the last place of the mathematical ones, from
// the smallest numbers to the largest, and keep the special values. Bounds are measured; MESSAGEs show the present
// worst.
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

#include <xgrad/ops/registry.hpp>

#include "kernel_test.hpp"

using namespace xgrad;
using testing::Dice;
using testing::Tables;
using testing::tables;

namespace {

using Exact = long double;  // libm's functions at a higher precision than any dtype has
constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

struct Function {
  std::string name;
  Exact (*exact)(Exact);
  double ulps;  // accepted wherever argument and result are neither denormal nor beyond `low` and `high`
  double low_f32 = -inf, high_f32 = inf;
  double low_f64 = -inf, high_f64 = inf;
};

Exact exact_sigmoid(Exact x) {
  const Exact e = std::exp(-std::abs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

// Note [Early overflow]. exp gives inf a little before the result is too large for the dtype, and 0 instead of denormal
// numbers; expm1 and sigmoid are made of it.
const Function functions[] = {
    {"exp", std::exp, 2, -87.3, 88.37, -708.3, 709.43},
    {"expm1", std::expm1, 2.5, -inf, 88.37, -inf, 709.43},
    {"log", std::log, 1},
    {"log1p", std::log1p, 1},
    {"sin", std::sin, 3},
    {"cos", std::cos, 3},
    {"tanh", std::tanh, 2},
    {"sigmoid", exact_sigmoid, 3, -87.3, inf, -708.3, inf},
    {"sqrt", std::sqrt, 0.5},
    {"rsqrt", [](Exact x) { return 1 / std::sqrt(x); }, 2},
};

// The operation's kernel in another table than the active one.
BlockKernel kernel_of(const std::string& name, const Tables& t, DType dtype) {
  const OpDef& op = *builtin_ops().find(name);
  const Tables mine = tables()[static_cast<std::size_t>(active_isa())];
  const bool unary = op.max_inputs == 1;
  const BlockKernels* all = unary ? mine.unary : mine.binary;
  std::size_t at = 0;
  while (all[at] != op.block) ++at;
  return (unary ? t.unary : t.binary)[at][static_cast<std::size_t>(dtype)];
}

template <class T>
std::vector<T> apply(BlockKernel kernel, const std::vector<T>& x, const std::vector<T>& y = {}) {
  std::vector<T> out(x.size());
  const void* in[] = {x.data(), y.data()};
  const bool scalar[] = {false, false};
  kernel(static_cast<Index>(x.size()), in, scalar, out.data());
  return out;
}

// How many units in the last place of `exact` lie between the two; inf counts as the first number that is too large.
template <class T>
double ulps(T got, Exact exact) {
  if (std::isnan(got) || std::isnan(exact)) return std::isnan(got) == std::isnan(exact) ? 0 : inf;
  using Limits = std::numeric_limits<T>;
  const Exact top = std::ldexp(Exact(1), Limits::max_exponent);
  const auto limited = [&](Exact x) { return std::clamp(x, -top, top); };
  int exponent = exact == 0 ? Limits::min_exponent : std::ilogb(limited(exact)) + 1;
  exponent = std::clamp(exponent, Limits::min_exponent, Limits::max_exponent);
  const Exact unit = std::ldexp(Exact(1), exponent - Limits::digits);
  return static_cast<double>(std::abs(limited(static_cast<Exact>(got)) - limited(exact)) / unit);
}

template <class T>
bool denormal(T x) {
  return x != 0 && std::abs(x) < static_cast<T>(std::numeric_limits<T>::min());
}

// Every sign and exponent, and more densely where the functions bend.
template <class T>
std::vector<T> arguments() {
  Dice dice(1);
  std::vector<T> out;
  for (int i = 0; i < 150'000; ++i) {
    if constexpr (std::is_same_v<T, float>)
      out.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(dice.bits())));
    else
      out.push_back(std::bit_cast<double>(dice.bits()));
    out.push_back(static_cast<T>((dice.chance(0.5) ? 1 : -1) * std::exp2(dice.real(-40, 20))));
    out.push_back(static_cast<T>(dice.real(-10, 10)));
    out.push_back(static_cast<T>(dice.real(-1, 1) * (std::is_same_v<T, float> ? 120 : 760)));
    out.push_back(static_cast<T>(1 + dice.real(-1, 1) * std::exp2(dice.real(-50, 0))));
  }
  return out;
}

template <class T>
struct Worst {
  double ulps = 0;
  T x = 0, y = 0;
  void meet(double now, T at, T second = 0) {
    if (now > ulps) *this = {now, at, second};
  }
};

}  // namespace

TEST_CASE_TEMPLATE("functions of one number are accurate wherever the result is an ordinary number", T, float, double) {
  const std::vector<T> x = arguments<T>();
  const bool single = std::is_same_v<T, float>;
  for (const Function& f : functions) {
    std::vector<Exact> exact;
    for (const T a : x) exact.push_back(f.exact(static_cast<Exact>(a)));
    const double low = single ? f.low_f32 : f.low_f64;
    const double high = single ? f.high_f32 : f.high_f64;
    for (const Tables& t : tables()) {
      const std::vector<T> y = apply(kernel_of(f.name, t, dtype_of<T>), x);
      Worst<T> ordinary;
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (denormal(x[i]) || denormal(static_cast<T>(exact[i])) || x[i] < low || x[i] > high) continue;
        ordinary.meet(ulps(y[i], exact[i]), x[i]);
      }
      MESSAGE(
          fmt::format("{} {} {}: {:.2f} ulp at {}", f.name, t.isa, name_of(dtype_of<T>), ordinary.ulps, ordinary.x));
      CAPTURE(f.name);
      CAPTURE(t.isa);
      CHECK(ordinary.ulps <= f.ulps);
    }
  }
}

TEST_CASE_TEMPLATE("beyond its range exp overflows to inf and fades to 0, early but never wrongly", T, float, double) {
  const bool single = std::is_same_v<T, float>;
  const T largest = static_cast<T>(single ? 88.723 : 709.783);
  const T smallest = static_cast<T>(single ? -87.68 : -708.4);
  for (const Tables& t : tables()) {
    CAPTURE(t.isa);
    const auto exp = kernel_of("exp", t, dtype_of<T>);
    const auto sigmoid = kernel_of("sigmoid", t, dtype_of<T>);
    for (int i = 0; i <= 1000; ++i) {
      const T over = largest + static_cast<T>(i * i);
      const T under = smallest - static_cast<T>(i * i);
      REQUIRE(apply<T>(exp, {over})[0] == inf);
      REQUIRE(apply<T>(exp, {under})[0] >= 0);
      REQUIRE(apply<T>(exp, {under})[0] < std::numeric_limits<T>::min());
      REQUIRE(apply<T>(sigmoid, {over})[0] == 1);
      REQUIRE(apply<T>(sigmoid, {under})[0] < std::numeric_limits<T>::min());
    }
  }
}

TEST_CASE_TEMPLATE("functions of one number keep the special values", T, float, double) {
  const T tiny = std::numeric_limits<T>::denorm_min();
  struct Special {
    std::string name;
    double x, y;
  };
  const Special table[] = {
      {"exp", 0, 1},
      {"exp", inf, inf},
      {"exp", -inf, 0},
      {"exp", not_a_number, not_a_number},
      {"expm1", 0, 0},
      {"expm1", inf, inf},
      {"expm1", -inf, -1},
      {"expm1", not_a_number, not_a_number},
      {"log", 0, -inf},
      {"log", -0.0, -inf},
      {"log", 1, 0},
      {"log", inf, inf},
      {"log", -1, not_a_number},
      {"log", -inf, not_a_number},
      {"log", not_a_number, not_a_number},
      {"log1p", 0, 0},
      {"log1p", -1, -inf},
      {"log1p", inf, inf},
      {"log1p", -2, not_a_number},
      {"log1p", not_a_number, not_a_number},
      {"sin", 0, 0},
      {"sin", -0.0, -0.0},
      {"sin", inf, not_a_number},
      {"sin", not_a_number, not_a_number},
      {"cos", 0, 1},
      {"cos", -inf, not_a_number},
      {"cos", not_a_number, not_a_number},
      {"tanh", 0, 0},
      {"tanh", -0.0, -0.0},
      {"tanh", inf, 1},
      {"tanh", -inf, -1},
      {"tanh", not_a_number, not_a_number},
      {"sigmoid", 0, 0.5},
      {"sigmoid", inf, 1},
      {"sigmoid", -inf, 0},
      {"sigmoid", not_a_number, not_a_number},
      {"sqrt", 0, 0},
      {"sqrt", -0.0, -0.0},
      {"sqrt", inf, inf},
      {"sqrt", -1, not_a_number},
      {"sqrt", not_a_number, not_a_number},
      {"rsqrt", 0, inf},
      {"rsqrt", -0.0, -inf},
      {"rsqrt", inf, 0},
      {"rsqrt", -1, not_a_number},
      {"rsqrt", not_a_number, not_a_number},
      {"relu", not_a_number, not_a_number},
      {"relu", -inf, 0},
      {"relu", inf, inf},
      {"abs", -0.0, 0},
      {"abs", -inf, inf},
      {"abs", not_a_number, not_a_number},
      {"sign", not_a_number, not_a_number},
      {"sign", -inf, -1},
      {"neg", 0, -0.0},
      {"exp", static_cast<double>(tiny), 1},
      {"expm1", static_cast<double>(tiny), static_cast<double>(tiny)},
      {"log1p", -static_cast<double>(tiny), -static_cast<double>(tiny)},
      {"sin", static_cast<double>(tiny), static_cast<double>(tiny)},
      {"tanh", -static_cast<double>(tiny), -static_cast<double>(tiny)},
  };
  for (const Tables& t : tables()) {
    for (const Special& s : table) {
      CAPTURE(t.isa);
      CAPTURE(s.name);
      CAPTURE(s.x);
      const auto kernel = kernel_of(s.name, t, dtype_of<T>);
      for (const std::size_t n : {1U, 19U}) {  // the tail of a block and its body
        const double y = apply<T>(kernel, std::vector<T>(n, static_cast<T>(s.x)))[0];
        if (std::isnan(s.y))
          CHECK(std::isnan(y));
        else
          CHECK((y == s.y && (s.y != 0 || std::signbit(y) == std::signbit(s.y))));
      }
    }
  }
}

TEST_CASE_TEMPLATE("pow is as accurate as exp(b log(a)) without extra digits can be", T, float, double) {
  Dice dice(2);
  const bool single = std::is_same_v<T, float>;
  std::vector<T> a, b;
  const auto add = [&](double x, double y) {
    a.push_back(static_cast<T>(x));
    b.push_back(static_cast<T>(y));
  };
  for (int i = 0; i < 50'000; ++i) {
    add(dice.real(0.1, 10), dice.real(-3, 3));
    add(std::exp2(dice.real(-30, 30)), dice.real(-4, 4));
    add(std::exp2(dice.real(-2, 2)), dice.real(-50, 50));
    add(dice.real(-10, 10), std::floor(dice.real(-10, 11)));
    add(std::exp2(dice.real(-1, 1) * (single ? 125 : 1000)), dice.real(-1, 1));
  }
  std::vector<Exact> exact;
  for (std::size_t i = 0; i < a.size(); ++i)
    exact.push_back(std::pow(static_cast<Exact>(a[i]), static_cast<Exact>(b[i])));
  for (const Tables& t : tables()) {
    CAPTURE(t.isa);
    const std::vector<T> y = apply(kernel_of("pow", t, dtype_of<T>), a, b);
    // The relative error of e to the power z is the absolute error of z = b log(a), so it grows with |z|.
    Worst<T> worst, near;
    double growth = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (denormal(static_cast<T>(exact[i])) || a[i] == 0) continue;
      const double off = ulps(y[i], exact[i]);
      const double z = std::abs(static_cast<double>(std::log(std::abs(exact[i]))));
      worst.meet(off, a[i], b[i]);
      if (z <= 1) near.meet(off, a[i], b[i]);
      growth = std::max(growth, off / (1 + z));
    }
    MESSAGE(fmt::format(
        "pow {} {}: {:.1f} ulp at {} ^ {}; {:.1f} at {} ^ {} for results in [1/e, e]; {:.2f} (1 + |b log a|)", t.isa,
        name_of(dtype_of<T>), worst.ulps, worst.x, worst.y, near.ulps, near.x, near.y, growth));
    CHECK(growth <= 2.5);
  }
}

// xsimd's own sine and cosine choose their way by the largest number of a vector; nothing here may do so, or results
// would depend on how a tensor is cut into blocks.
TEST_CASE_TEMPLATE("a number's bits do not depend on its neighbours", T, float, double) {
  testing::Dice dice(17);
  std::vector<T> x(1000);
  for (T& v : x) v = static_cast<T>(dice.real(-1, 1) * std::exp2(dice.real(-20, 20)));
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
