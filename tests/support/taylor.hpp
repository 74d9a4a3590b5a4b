// Truncated Taylor series: a function's value and derivatives to order 3 along a line, computed without step size and
// noise. The reference of test_higher_derivatives.cpp, independent of the library's rules: for a function with the
// derivative g(a), y(k) = sum j a(j) g(k - j) / k (Griewank and Walther, "Evaluating Derivatives", chapter 13).
#pragma once

#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace xgrad::testing {

struct Taylor {
  static constexpr std::size_t order = 3;
  std::array<long double, order + 1> c{};  // coefficients of t^0, t^1, ...

  Taylor() = default;
  Taylor(long double value) { c[0] = value; }  // NOLINT(google-explicit-constructor): constants are series
  long double value() const { return c[0]; }
  bool finite() const {
    for (const long double x : c) {
      if (!std::isfinite(x)) return false;
    }
    return true;
  }
};

inline Taylor operator+(const Taylor& a, const Taylor& b) {
  Taylor y;
  for (std::size_t k = 0; k <= Taylor::order; ++k) y.c[k] = a.c[k] + b.c[k];
  return y;
}
inline Taylor operator-(const Taylor& a) {
  Taylor y;
  for (std::size_t k = 0; k <= Taylor::order; ++k) y.c[k] = -a.c[k];
  return y;
}
inline Taylor operator-(const Taylor& a, const Taylor& b) { return a + -b; }
inline Taylor operator*(const Taylor& a, const Taylor& b) {
  Taylor y;
  for (std::size_t k = 0; k <= Taylor::order; ++k) {
    for (std::size_t j = 0; j <= k; ++j) y.c[k] += a.c[j] * b.c[k - j];
  }
  return y;
}
inline Taylor operator/(const Taylor& a, const Taylor& b) {
  Taylor y;
  for (std::size_t k = 0; k <= Taylor::order; ++k) {
    y.c[k] = a.c[k];
    for (std::size_t j = 1; j <= k; ++j) y.c[k] -= b.c[j] * y.c[k - j];
    y.c[k] /= b.c[0];
  }
  return y;
}

namespace taylor {

// Coefficient k of the integral of g da.
inline long double integral_at(std::size_t k, const Taylor& a, const Taylor& g) {
  long double sum = 0;
  for (std::size_t j = 1; j <= k; ++j) sum += static_cast<long double>(j) * a.c[j] * g.c[k - j];
  return sum / static_cast<long double>(k);
}
// The function with this value and the derivative g at a.
inline Taylor integrated(long double value, const Taylor& a, const Taylor& g) {
  Taylor y = value;
  for (std::size_t k = 1; k <= Taylor::order; ++k) y.c[k] = integral_at(k, a, g);
  return y;
}
// The function with this value whose derivative is g(y).
template <class G>
Taylor integrated_from_itself(long double value, const Taylor& a, G g) {
  Taylor y = value;
  for (std::size_t k = 1; k <= Taylor::order; ++k) y.c[k] = integral_at(k, a, g(y));
  return y;
}

inline Taylor exp(const Taylor& a) {
  return integrated_from_itself(std::exp(a.value()), a, [](const Taylor& y) { return y; });
}
inline Taylor expm1(const Taylor& a) { return integrated(std::expm1(a.value()), a, exp(a)); }
inline Taylor log(const Taylor& a) { return integrated(std::log(a.value()), a, Taylor(1) / a); }
inline Taylor log1p(const Taylor& a) { return integrated(std::log1p(a.value()), a, Taylor(1) / (Taylor(1) + a)); }
inline Taylor sqrt(const Taylor& a) {
  return integrated_from_itself(std::sqrt(a.value()), a, [](const Taylor& y) { return Taylor(0.5L) / y; });
}
inline Taylor cbrt(const Taylor& a) {
  return integrated_from_itself(std::cbrt(a.value()), a, [](const Taylor& y) { return Taylor(1) / (y * y * 3); });
}
inline Taylor sin(const Taylor& a);
inline Taylor cos(const Taylor& a) {
  Taylor s = std::sin(a.value()), y = std::cos(a.value());
  for (std::size_t k = 1; k <= Taylor::order; ++k) {
    const long double up = integral_at(k, a, y), down = integral_at(k, a, s);
    s.c[k] = up;
    y.c[k] = -down;
  }
  return y;
}
inline Taylor sin(const Taylor& a) { return integrated(std::sin(a.value()), a, cos(a)); }
inline Taylor sinh(const Taylor& a) { return (exp(a) - exp(-a)) * 0.5L; }
inline Taylor cosh(const Taylor& a) { return (exp(a) + exp(-a)) * 0.5L; }
inline Taylor sigmoid(const Taylor& a) {
  const Taylor e = exp(a.value() > 0 ? -a : a);
  return a.value() > 0 ? Taylor(1) / (Taylor(1) + e) : e / (Taylor(1) + e);
}
inline Taylor tanh(const Taylor& a) { return sigmoid(a * 2) * 2 - 1; }
inline Taylor softplus(const Taylor& a) {
  const long double x = a.value();
  return integrated(std::max(x, 0.0L) + std::log1p(std::exp(-std::abs(x))), a, sigmoid(a));
}
inline Taylor asin(const Taylor& a) {
  return integrated(std::asin(a.value()), a, Taylor(1) / sqrt((Taylor(1) - a) * (Taylor(1) + a)));
}
inline Taylor acos(const Taylor& a) { return Taylor(std::numbers::pi_v<long double> / 2) - asin(a); }
inline Taylor atan(const Taylor& a) { return integrated(std::atan(a.value()), a, Taylor(1) / (a * a + 1)); }
inline Taylor asinh(const Taylor& a) { return integrated(std::asinh(a.value()), a, Taylor(1) / sqrt(a * a + 1)); }
inline Taylor acosh(const Taylor& a) {
  return integrated(std::acosh(a.value()), a, Taylor(1) / sqrt((a - 1) * (a + 1)));
}
inline Taylor atanh(const Taylor& a) {
  return integrated(std::atanh(a.value()), a, Taylor(1) / ((Taylor(1) - a) * (Taylor(1) + a)));
}
inline Taylor hypot(const Taylor& a, const Taylor& b) { return sqrt(a * a + b * b); }
// d angle = (b da - a db) / (a^2 + b^2).
inline Taylor atan2(const Taylor& a, const Taylor& b) {
  const Taylor square = a * a + b * b;
  const Taylor by_a = b / square, by_b = -a / square;
  Taylor y = std::atan2(a.value(), b.value());
  for (std::size_t k = 1; k <= Taylor::order; ++k) y.c[k] = integral_at(k, a, by_a) + integral_at(k, b, by_b);
  return y;
}
inline Taylor erf(const Taylor& a) {
  return integrated(std::erf(a.value()), a, exp(-(a * a)) * (2 / std::sqrt(std::numbers::pi_v<long double>)));
}
// Newton's method from the f64 result.
inline Taylor erfinv(const Taylor& a, long double start) {
  const long double slope = std::sqrt(std::numbers::pi_v<long double>) / 2;
  for (int i = 0; i < 3; ++i) start -= (std::erf(start) - a.value()) * slope * std::exp(start * start);
  return integrated_from_itself(start, a, [&](const Taylor& y) { return exp(y * y) * slope; });
}

// Derivative n of digamma, or digamma for n = 0: upward recurrence, then the asymptotic series (Abramowitz and Stegun
// 6.3.18, 6.4.11).
inline long double polygamma(int n, long double x) {
  constexpr long double bernoulli[] = {1.0L / 6,  -1.0L / 30,     1.0L / 42, -1.0L / 30,
                                       5.0L / 66, -691.0L / 2730, 7.0L / 6,  -3617.0L / 510};
  const long double sign = n % 2 == 0 ? -1 : 1;
  const long double factorial = std::tgamma(static_cast<long double>(n) + 1);
  long double sum = 0;
  for (; x < 30; x += 1) sum += sign * factorial * std::pow(x, static_cast<long double>(-n - 1));
  if (n == 0) {
    sum += std::log(x) - 0.5L / x;
    for (int k = 1; k <= 8; ++k) sum -= bernoulli[k - 1] / (2 * k * std::pow(x, static_cast<long double>(2 * k)));
    return sum;
  }
  const long double power = std::pow(x, static_cast<long double>(-n));
  sum += sign * (std::tgamma(static_cast<long double>(n)) * power + factorial * power / (2 * x));
  for (int k = 1; k <= 8; ++k) {
    sum += sign * bernoulli[k - 1] * std::tgamma(static_cast<long double>(2 * k + n)) /
           std::tgamma(static_cast<long double>(2 * k + 1)) * power * std::pow(x, static_cast<long double>(-2 * k));
  }
  return sum;
}
inline Taylor polygamma(int n, const Taylor& a) {
  Taylor y = polygamma(n, a.value());
  // Higher derivatives as a function of a, composed from powers of a's change.
  Taylor step = a;
  step.c[0] = 0;
  Taylor power = step;
  long double factorial = 1;
  for (int k = 1; k <= static_cast<int>(Taylor::order); ++k) {
    factorial *= k;
    y = y + power * (polygamma(n + k, a.value()) / factorial);
    power = power * step;
  }
  return y;
}
inline Taylor lgamma(const Taylor& a) { return integrated(std::lgamma(a.value()), a, polygamma(0, a)); }

// Integer powers are products, including 0; other powers of 0 have no series.
inline Taylor pow(const Taylor& a, const Taylor& b) {
  bool constant = true;
  for (std::size_t k = 1; k <= Taylor::order; ++k) constant = constant && b.c[k] == 0;
  const long double n = b.value();
  if (constant && n == std::floor(n) && std::abs(n) <= 8) {
    Taylor y = 1;
    for (int i = 0; i < static_cast<int>(std::abs(n)); ++i) y = y * a;
    return n < 0 ? Taylor(1) / y : y;
  }
  if (constant && a.value() > 0) {
    Taylor y = std::pow(a.value(), n);  // a y' = n y a'
    for (std::size_t k = 1; k <= Taylor::order; ++k) y.c[k] = integral_at(k, a, y * n / a);
    return y;
  }
  return exp(b * log(a));
}

}  // namespace taylor
}  // namespace xgrad::testing
