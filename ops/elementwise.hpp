// Elementwise operations: arithmetic, comparisons, mathematical functions.
#pragma once

#include <optional>

#include <xgrad/ops/apply.hpp>

namespace xgrad::inline v0 {

// ---- arithmetic, elementwise with broadcasting

inline Value add(Operand a, Operand b) { return apply("add", {a, b}); }  // a + b
inline Value sub(Operand a, Operand b) { return apply("sub", {a, b}); }  // a - b
inline Value mul(Operand a, Operand b) { return apply("mul", {a, b}); }  // a * b
// a / b, for floating dtypes only. x / 0 is inf or NaN, as in IEEE 754.
inline Value div(Operand a, Operand b) { return apply("div", {a, b}); }
// a^b; pow(x, 0) is 1 for every x. The derivative with respect to b is 0 where a = 0 and b >= 0.
inline Value pow(Operand a, Operand b) { return apply("pow", {a, b}); }
// The larger of a and b. NaN propagates; a tie gives each operand half the derivative.
inline Value maximum(Operand a, Operand b) { return apply("maximum", {a, b}); }
// The smaller of a and b. NaN propagates; a tie gives each operand half the derivative.
inline Value minimum(Operand a, Operand b) { return apply("minimum", {a, b}); }

// floor(a / b), without derivative. Where b is 0, the result is NaN or inf; integers throw ValueError at run time.
inline Value floor_divide(Operand a, Operand b) { return apply("floor_divide", {a, b}); }
// Remainder of a / b with the sign of b, as in Python. Where b is 0, the result is NaN; integers throw ValueError at
// run time. The derivatives are 1 and -floor(a / b).
inline Value remainder(Operand a, Operand b) { return apply("remainder", {a, b}); }
// Remainder of a / b with the sign of a, as in C. Where b is 0, the result is NaN; integers throw ValueError at run
// time. The derivatives are 1 and -trunc(a / b).
inline Value fmod(Operand a, Operand b) { return apply("fmod", {a, b}); }
// Angle of the point (x, y) in radians, in [-pi, pi]. The derivative at the origin is NaN.
inline Value atan2(Operand y, Operand x) { return apply("atan2", {y, x}); }
// sqrt(a^2 + b^2), without overflow of the squares. The derivative at the origin is NaN.
inline Value hypot(Operand a, Operand b) { return apply("hypot", {a, b}); }

// ---- comparisons, elementwise with broadcasting; the result is bool

inline Value equal(Operand a, Operand b) { return apply("equal", {a, b}); }               // a == b
inline Value not_equal(Operand a, Operand b) { return apply("not_equal", {a, b}); }       // a != b
inline Value less(Operand a, Operand b) { return apply("less", {a, b}); }                 // a < b
inline Value less_equal(Operand a, Operand b) { return apply("less_equal", {a, b}); }     // a <= b
inline Value greater(Operand a, Operand b) { return apply("less", {b, a}); }              // a > b
inline Value greater_equal(Operand a, Operand b) { return apply("less_equal", {b, a}); }  // a >= b
inline Value logical_and(Operand a, Operand b) { return apply("logical_and", {a, b}); }   // a and b, both bool
inline Value logical_or(Operand a, Operand b) { return apply("logical_or", {a, b}); }     // a or b, both bool
inline Value logical_xor(Operand a, Operand b) { return apply("logical_xor", {a, b}); }   // exactly one of a and b
inline Value logical_not(Operand a) { return apply("logical_not", {a}); }                 // not a, which is bool

Value isnan(Operand x);     // whether x is NaN
Value isinf(Operand x);     // whether x is inf or -inf
Value isfinite(Operand x);  // whether x is neither NaN nor infinite

// a where `condition` (bool) is true, b elsewhere; all three broadcast.
inline Value where(Operand condition, Operand a, Operand b) { return apply("where", {condition, a, b}); }

// Defines overloads of a binary function that take a plain number as either operand.
#define XGRAD_NUMBER_OVERLOADS(function)                                           \
  template <Scalar N>                                                              \
  Value function(Operand a, N b) {                                                 \
    return function(a, number_like(a, static_cast<double>(b)));                    \
  }                                                                                \
  template <Scalar N>                                                              \
  Value function(N a, Operand b) {                                                 \
    return function(Operand(number_like(b, static_cast<double>(a)), b.line()), b); \
  }
XGRAD_NUMBER_OVERLOADS(add)
XGRAD_NUMBER_OVERLOADS(sub)
XGRAD_NUMBER_OVERLOADS(mul)
XGRAD_NUMBER_OVERLOADS(div)
XGRAD_NUMBER_OVERLOADS(pow)
XGRAD_NUMBER_OVERLOADS(maximum)
XGRAD_NUMBER_OVERLOADS(minimum)
XGRAD_NUMBER_OVERLOADS(floor_divide)
XGRAD_NUMBER_OVERLOADS(remainder)
XGRAD_NUMBER_OVERLOADS(fmod)
XGRAD_NUMBER_OVERLOADS(atan2)
XGRAD_NUMBER_OVERLOADS(hypot)
XGRAD_NUMBER_OVERLOADS(equal)
XGRAD_NUMBER_OVERLOADS(not_equal)
XGRAD_NUMBER_OVERLOADS(less)
XGRAD_NUMBER_OVERLOADS(less_equal)
XGRAD_NUMBER_OVERLOADS(greater)
XGRAD_NUMBER_OVERLOADS(greater_equal)

inline Value operator+(Operand a, Operand b) { return add(a, b); }
inline Value operator-(Operand a, Operand b) { return sub(a, b); }
inline Value operator*(Operand a, Operand b) { return mul(a, b); }
inline Value operator/(Operand a, Operand b) { return div(a, b); }
inline Value operator-(Operand x) { return apply("neg", {x}); }
// == and != on Values compare handles, so elementwise comparison is by `equal` and `not_equal`.
inline Value operator<(Operand a, Operand b) { return less(a, b); }
inline Value operator<=(Operand a, Operand b) { return less_equal(a, b); }
inline Value operator>(Operand a, Operand b) { return greater(a, b); }
inline Value operator>=(Operand a, Operand b) { return greater_equal(a, b); }
XGRAD_NUMBER_OVERLOADS(operator+)
XGRAD_NUMBER_OVERLOADS(operator-)
XGRAD_NUMBER_OVERLOADS(operator*)
XGRAD_NUMBER_OVERLOADS(operator/)
XGRAD_NUMBER_OVERLOADS(operator<)
XGRAD_NUMBER_OVERLOADS(operator<=)
XGRAD_NUMBER_OVERLOADS(operator>)
XGRAD_NUMBER_OVERLOADS(operator>=)
#undef XGRAD_NUMBER_OVERLOADS

// x += y rebinds the handle x to a new node, as in Python; other handles keep the old value. y is a Value or a number.
#define XGRAD_ASSIGNMENT(sign, function)                                                             \
  inline Value& operator sign(Value& x, Operand y) { return x = function(Operand(x, y.line()), y); } \
  template <Scalar N>                                                                                \
  Value& operator sign(Value& x, N y) {                                                              \
    return x = function(Operand(x, {}), y);                                                          \
  }
XGRAD_ASSIGNMENT(+=, add)
XGRAD_ASSIGNMENT(-=, sub)
XGRAD_ASSIGNMENT(*=, mul)
XGRAD_ASSIGNMENT(/=, div)
#undef XGRAD_ASSIGNMENT

// `where` with a plain number as one choice.
template <Scalar N>
Value where(Operand condition, Operand a, N b) {
  return where(condition, a, number_like(a, static_cast<double>(b)));
}
template <Scalar N>
Value where(Operand condition, N a, Operand b) {
  return where(condition, number_like(b, static_cast<double>(a)), b);
}

// ---- functions of one tensor, elementwise

inline Value neg(Operand x) { return apply("neg", {x}); }      // negative of x
inline Value abs(Operand x) { return apply("abs", {x}); }      // absolute value; derivative 0 at 0
inline Value sign(Operand x) { return apply("sign", {x}); }    // sign of x: -1, 0 or 1; no derivative
inline Value floor(Operand x) { return apply("floor", {x}); }  // largest integer <= x; no derivative
inline Value ceil(Operand x) { return apply("ceil", {x}); }    // smallest integer >= x; no derivative
inline Value round(Operand x) {
  return apply("round", {x});
}  // nearest integer, half to even as in NumPy; no derivative
inline Value trunc(Operand x) { return apply("trunc", {x}); }  // rounds toward 0; no derivative

inline Value square(Operand x) { return apply("square", {x}); }  // x * x
inline Value sqrt(Operand x) { return apply("sqrt", {x}); }      // square root; NaN below 0; derivative inf at 0
inline Value rsqrt(Operand x) { return apply("rsqrt", {x}); }    // 1 / sqrt(x); inf at 0, NaN below
inline Value cbrt(Operand x) { return apply("cbrt", {x}); }  // cube root, also of negative values; derivative inf at 0
Value reciprocal(Operand x);                                 // 1 / x; inf at 0, -inf at -0
inline Value exp(Operand x) { return apply("exp", {x}); }    // e^x
inline Value exp2(Operand x) { return apply("exp2", {x}); }  // 2^x
inline Value expm1(Operand x) { return apply("expm1", {x}); }  // exp(x) - 1, exact near 0
inline Value log(Operand x) { return apply("log", {x}); }      // natural logarithm; -inf at 0, NaN below
inline Value log2(Operand x) { return apply("log2", {x}); }    // logarithm to the base 2; -inf at 0, NaN below
inline Value log10(Operand x) { return apply("log10", {x}); }  // logarithm to the base 10; -inf at 0, NaN below
inline Value log1p(Operand x) { return apply("log1p", {x}); }  // log(1 + x), exact near 0

inline Value sin(Operand x) { return apply("sin", {x}); }      // sine of x in radians
inline Value cos(Operand x) { return apply("cos", {x}); }      // cosine of x in radians
inline Value tan(Operand x) { return apply("tan", {x}); }      // tangent of x in radians
inline Value asin(Operand x) { return apply("asin", {x}); }    // inverse sine; NaN outside [-1, 1]
inline Value acos(Operand x) { return apply("acos", {x}); }    // inverse cosine; NaN outside [-1, 1]
inline Value atan(Operand x) { return apply("atan", {x}); }    // inverse tangent
inline Value sinh(Operand x) { return apply("sinh", {x}); }    // hyperbolic sine
inline Value cosh(Operand x) { return apply("cosh", {x}); }    // hyperbolic cosine
inline Value tanh(Operand x) { return apply("tanh", {x}); }    // hyperbolic tangent
inline Value asinh(Operand x) { return apply("asinh", {x}); }  // inverse of sinh
inline Value acosh(Operand x) { return apply("acosh", {x}); }  // inverse of cosh, >= 0; NaN below 1
inline Value atanh(Operand x) { return apply("atanh", {x}); }  // inverse of tanh; inf at 1, -inf at -1, NaN beyond

inline Value erf(Operand x) { return apply("erf", {x}); }    // 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x
inline Value erfc(Operand x) { return apply("erfc", {x}); }  // 1 - erf(x), exact where erf is near 1
inline Value erfinv(Operand x) { return apply("erfinv", {x}); }    // inverse of erf; inf at 1, -inf at -1, NaN beyond
inline Value lgamma(Operand x) { return apply("lgamma", {x}); }    // log |gamma(x)|; derivative digamma(x)
inline Value digamma(Operand x) { return apply("digamma", {x}); }  // derivative of lgamma
// Derivative of order n of digamma, 0 <= n <= 20; n = 0 is digamma.
Value polygamma(int n, Operand x);

// Clips x to [low, high]; an absent bound is unlimited. The derivative is 1 inside and at the bounds, 0 outside. NaN
// propagates. Throws UserError if low > high.
Value clip(Operand x, std::optional<double> low, std::optional<double> high);
// Clips to tensor bounds, which broadcast. A bound receives the derivative where it is chosen. The result is `high`
// where low > high, and NaN where a bound is NaN.
Value clip(Operand x, Operand low, Operand high);
// a + weight (b - a), exactly a for weight 0 and b for weight 1; all broadcast.
Value lerp(Operand a, Operand b, Operand weight);
// The same with a plain number as weight.
Value lerp(Operand a, Operand b, double weight);
// Converts the dtype: to i64 truncates, to bool tests x != 0. Differentiable between floating dtypes only.
Value cast(Operand x, DType dtype);
// Identity that blocks the gradient.
Value stop_gradient(Operand x);

}  // namespace xgrad::inline v0
