// Exponential, hyperbolic tangent and logarithm functions of vectors. Included by simd.hpp, once per instruction set.
//
// Note [Exponential]. x = n log 2 + r with an integer n and |r| <= log(2) / 2; exp(x) = 2^n exp(r), and exp(r) is a
// minimax polynomial of the relative error. Adding 1.5 * 2^(digits - 1) rounds to the integer n, which is then in the
// last bits of the sum; shifted to the exponent's place, they multiply by 2^n. Denormal results are 0.
//
// Note [Logarithm]. x = 2^k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2). For floats log(1 + f) is f plus a
// polynomial. For doubles, with s = f / (2 + f), it is 2 atanh(s) = f - f^2 / 2 + s (f^2 / 2 + R(s^2)), which needs
// fewer terms (fdlibm, Sun, 1993). In both, the exact f is added last. 0, negative and denormal numbers, inf and NaN
// take a slow path, which only vectors that contain one enter.
#pragma once

namespace xgrad::inline v0::simd {
inline namespace XGRAD_ISA {

// Note [Polynomials]. Horner's scheme is one chain of dependent additions. Estrin's scheme shortens it: polynomials are
// summed in sections, (a + b x) + x^2 (c + d x + e x^2), longer ones joined by x^4, for one or two extra products.
template <class T, class A>
struct Powers {
  V<T, A> x, square, fourth;
  explicit Powers(V<T, A> of) : x(of), square(of * of), fourth(square * square) {}
};
// The sum of c[first + i] x^i over `count` coefficients.
template <std::size_t first, std::size_t count, class T, class A, std::size_t n>
inline V<T, A> stretch(const Powers<T, A>& power, const T (&c)[n]) {
  constexpr std::size_t low = count < 5 ? 1 : count < 8 ? 2 : 4;
  if constexpr (count == 1) {
    return V<T, A>(c[first]);
  } else {
    const V<T, A>& factor = low == 1 ? power.x : low == 2 ? power.square : power.fourth;
    return simd::fma(stretch<first + low, count - low>(power, c), factor, stretch<first, low>(power, c));
  }
}
// The sum of c[i] x^i.
template <class T, class A, std::size_t n>
inline V<T, A> polynomial(V<T, A> x, const T (&c)[n]) {
  return stretch<0, n>(Powers<T, A>(x), c);
}
// lead + x^2 times the sum of c[i] x^i. `lead`, the largest term, is added last.
template <class T, class A, std::size_t n>
inline V<T, A> polynomial_after(V<T, A> lead, V<T, A> x, const T (&c)[n]) {
  const Powers<T, A> power(x);
  return simd::fma(stretch<0, n>(power, c), power.square, lead);
}

// ---- exponentials

template <class T>
struct Exponential;

template <>
struct Exponential<float> {
  static constexpr float round_magic = 0x1.8p23F;
  static constexpr float log2_e = 0x1.715476p0F;
  static constexpr float log_2[] = {0x1.63p-1F, -0x1.bd0106p-13F};    // n * log_2[0] is exact
  static constexpr float highest = 0x1.62e42ep6F;                     // largest x with a finite result
  static constexpr float lowest = -0x1.5d589ep6F;                     // smallest x with a normal result
  static constexpr float highest_2 = 0x1.fffffep6F, lowest_2 = -126;  // same limits for powers of 2
  static constexpr float highest_half = 0x1.65a9f8p6F;                // largest x with finite exp(x) / 2
  static constexpr float minus_1 = -20;                               // exp(x) - 1 rounds to -1 from here down
  static constexpr float log_2_whole[] = {0x1.62e43p-1F, -0x1.05c61p-29F};
  static constexpr float p[] = {0x1.fffffcp-2F, 0x1.55549p-3F, 0x1.55589ep-5F, 0x1.123abcp-7F, 0x1.6a624cp-10F};
};

template <>
struct Exponential<double> {
  static constexpr double round_magic = 0x1.8p52;
  static constexpr double log2_e = 0x1.71547652b82fep0;
  static constexpr double log_2[] = {0x1.62e42feep-1, 0x1.a39ef35793c76p-33};
  static constexpr double highest = 0x1.62e42fefa39efp9;
  static constexpr double lowest = -0x1.6232bdd7abcd2p9;
  static constexpr double highest_2 = 0x1.fffffffffffffp9, lowest_2 = -1022;
  static constexpr double highest_half = 0x1.633ce8fb9f87dp9;
  static constexpr double minus_1 = -40;
  static constexpr double log_2_whole[] = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
  static constexpr double p[] = {0x1.000000000000ap-1,  0x1.55555555554fdp-3,  0x1.555555555069cp-5,
                                 0x1.1111111126ecbp-7,  0x1.6c16c18482215p-10, 0x1.a01a012edf544p-13,
                                 0x1.a01999392aa6bp-16, 0x1.71df1af29698ep-19, 0x1.28ae252d7985dp-22,
                                 0x1.ad904c24186d5p-26};
};

// x = n log 2 + r, and n + round_magic as `shifted`.
template <class T, class A>
struct Reduced {
  V<T, A> r, shifted;
};
template <class T, class A>
inline Reduced<T, A> reduce_by_log_2(V<T, A> x) {
  using B = V<T, A>;
  using Table = Exponential<T>;
  const B shifted = simd::fma(x, B(Table::log2_e), B(Table::round_magic));
  const B n = shifted - B(Table::round_magic);
  return {simd::fma(n, B(-Table::log_2[1]), simd::fma(n, B(-Table::log_2[0]), x)), shifted};
}

// exp(r) - 1 for |r| <= log(2) / 2.
template <class T, class A>
inline V<T, A> small_expm1(V<T, A> r) {
  return polynomial_after(r, r, Exponential<T>::p);
}

// y 2^n, where `shifted` is n + round_magic.
template <class T, class A>
inline V<T, A> times_power_of_2(V<T, A> y, V<T, A> shifted) {
  return from_bits<T, A>(bits(y) + (bits(shifted) << (std::numeric_limits<T>::digits - 1)));
}

// 2^n, where `shifted` is n + round_magic + the exponent's bias.
template <class T, class A>
inline V<T, A> power_of_2(V<T, A> shifted) {
  return from_bits<T, A>(bits(shifted) << (std::numeric_limits<T>::digits - 1));
}
template <class T>
inline constexpr T round_magic_biased = Exponential<T>::round_magic + (std::numeric_limits<T>::max_exponent - 1);

// exp(r) 2^n; inf for x above `highest`, NaN for NaN.
template <class T, class A>
inline V<T, A> exponential(V<T, A> x, Reduced<T, A> part, T highest) {
  using B = V<T, A>;
  const B y = times_power_of_2(small_expm1(part.r) + B(T(1)), part.shifted);
  return xsimd::select(x <= B(highest), y, x + B(std::numeric_limits<T>::infinity()));
}

template <class T, class A>
inline V<T, A> exp(V<T, A> x) {
  using B = V<T, A>;
  using Table = Exponential<T>;
  return xsimd::select(x < B(Table::lowest), B(T(0)), exponential(x, reduce_by_log_2(x), Table::highest));
}

// exp(x) / 2 for x >= 0, finite for slightly larger x than exp.
template <class T, class A>
inline V<T, A> half_exp(V<T, A> x) {
  Reduced<T, A> part = reduce_by_log_2(x);
  part.shifted = part.shifted - V<T, A>(T(1));
  return exponential(x, part, Exponential<T>::highest_half);
}

template <class T, class A>
inline V<T, A> exp2(V<T, A> x) {
  using B = V<T, A>;
  using Table = Exponential<T>;
  const B shifted = x + B(Table::round_magic);
  const B part = x - (shifted - B(Table::round_magic));  // exact
  const B r = simd::fma(part, B(Table::log_2_whole[0]), part * B(Table::log_2_whole[1]));
  return xsimd::select(x < B(Table::lowest_2), B(T(0)), exponential(x, {r, shifted}, Table::highest_2));
}

// 2^n (exp(r) - 1) + (2^n - 1), without cancellation. Computed by halves, since 2^n may overflow where exp(x) does not.
template <class T, class A>
inline V<T, A> expm1(V<T, A> x) {
  using B = V<T, A>;
  using Table = Exponential<T>;
  const Reduced<T, A> part =
      reduce_by_log_2(simd::max_of_numbers(B(Table::minus_1), x));  // propagates NaN, the second argument
  const B power = times_power_of_2(B(T(0.5)), part.shifted);
  const B half = simd::fma(power, small_expm1(part.r), power - B(T(0.5)));
  const B y = xsimd::select(x <= B(Table::highest), half + half, x + B(std::numeric_limits<T>::infinity()));
  return xsimd::select(xsimd::abs(x) < B(std::numeric_limits<T>::epsilon() / 4), x, y);
}

// ---- tanh and sigmoid
//
// Note [Addition formula]. With 2 x = n log 2 + 2 h, p = 2^n and t = tanh(h), |h| <= log(2) / 4:
// tanh(x) = ((p - 1) + (p + 1) t) / ((p + 1) + (p - 1) t). t takes a shorter polynomial than exp(2 h), and nothing
// cancels near 0 or near 1.

template <class T>
struct Tangent;
template <>
struct Tangent<float> {
  static constexpr float largest = 10;  // tanh rounds to 1 from here up
  static constexpr float p[] = {1, -0x1.555554p-2F, 0x1.110b32p-3F, -0x1.b210dp-5F};
};
template <>
struct Tangent<double> {
  static constexpr double largest = 20;
  static constexpr double p[] = {1,
                                 -0x1.555555555554cp-2,
                                 0x1.1111111106331p-3,
                                 -0x1.ba1ba1786421ep-5,
                                 0x1.664effc861f0dp-6,
                                 -0x1.2249c5cec6ec6p-7,
                                 0x1.c5efbd0c0406fp-9};
};
// tanh(h) for |h| <= log(2) / 4.
template <class T, class A>
inline V<T, A> small_tanh(V<T, A> h) {
  return h * polynomial(h * h, Tangent<T>::p);
}

template <class T, class A>
inline V<T, A> tanh(V<T, A> x) {
  using B = V<T, A>;
  using Table = Exponential<T>;
  const B one(T(1));
  const B round_magic(round_magic_biased<T>);
  const B largest(Tangent<T>::largest);
  const B within = simd::min_of_numbers(
      largest, simd::max_of_numbers(simd::neg(largest), x));  // propagates NaN, the second argument
  const B shifted = simd::fma(within, B(2 * Table::log2_e), round_magic);
  // One part of log 2 is enough: its error is largest where t matters least.
  const B t = small_tanh(simd::fma(shifted - round_magic, B(T(-0.5) * Table::log_2_whole[0]), within));
  const B power = power_of_2(shifted);
  const B less = power - one;
  const B more = power + one;
  const B y = simd::fma(more, t, less) / simd::fma(less, t, more);
  return y | (x & B(T(-0.0)));  // keeps the sign of 0
}

// 1 / (1 + exp(-x)) = (1 + t) / (p (1 - t) + (1 + t)) for the p of -x and the t of x. Denormal results are 0.
template <class T, class A>
inline V<T, A> sigmoid(V<T, A> x) {
  using B = V<T, A>;
  using Table = Exponential<T>;
  const B one(T(1));
  const B round_magic(round_magic_biased<T>);
  const B within =
      simd::min_of_numbers(B(-Table::lowest), simd::max_of_numbers(B(Table::lowest), x));  // propagates NaN
  const B shifted = simd::fma(within, B(-Table::log2_e), round_magic);
  const B n = shifted - round_magic;
  const B half = within * B(T(0.5));
  const B t = small_tanh(simd::fma(n, B(Table::log_2[1] / 2), simd::fma(n, B(Table::log_2[0] / 2), half)));
  const B above = one + t;
  const B y = above / simd::fma(power_of_2(shifted), one - t, above);  // never above 1
  return xsimd::select(x < B(Table::lowest), B(T(0)), y);
}

// ---- logarithms

template <class T>
struct Logarithm;

template <>
struct Logarithm<float> {
  static constexpr float p[] = {-0x1.fffff8p-2F, 0x1.55555p-2F,   -0x1.000432p-2F, 0x1.99a41cp-3F, -0x1.5425c4p-3F,
                                0x1.226db8p-3F,  -0x1.0f3f64p-3F, 0x1.086304p-3F,  -0x1.384ea6p-4F};
  static constexpr float root_half = 0x1.6a09e6p-1F;
  static constexpr float log_2[] = {0x1.63p-1F, -0x1.bd0106p-13F};  // k * log_2[0] is exact
  static constexpr float log10_2[] = {0x1.344p-2F, 0x1.3509f8p-18F};
  static constexpr float log2_e[] = {0x1.715476p0F, 0x1.4ae0c0p-26F};
  static constexpr float log10_e[] = {0x1.bcb7b2p-2F, -0x1.5b235ep-27F};
};

template <>
struct Logarithm<double> {
  static constexpr double r[] = {0x1.5555555555558p-1, 0x1.9999999995184p-2, 0x1.2492492e25b5cp-2, 0x1.c71c629bb2a23p-3,
                                 0x1.7462caae06fefp-3, 0x1.39fb717ba2991p-3, 0x1.2b7d1f2acdcf2p-3};
  static constexpr double root_half = 0x1.6a09e667f3bcdp-1;
  static constexpr double log_2[] = {0x1.62e42feep-1, 0x1.a39ef35793c76p-33};
  static constexpr double log10_2[] = {0x1.34413509f7p-2, 0x1.3fde623e2566bp-43};
  static constexpr double log2_e[] = {0x1.71547652b82fep0, 0x1.777d0ffda0d24p-56};
  static constexpr double log10_e[] = {0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57};
};

// Splits a normal number into 2^k (1 + f); also returns 2^(1 - k).
template <class T, class A>
struct Split {
  V<T, A> k, f, inverse;
};
template <class T, class A>
inline Split<T, A> split_power_of_2(V<T, A> x) {
  using B = V<T, A>;
  using I = Bits<T, A>;
  using Unsigned = typename I::value_type;
  constexpr int mantissa = std::numeric_limits<T>::digits - 1;
  constexpr Unsigned bias = std::numeric_limits<T>::max_exponent - 1;
  const I one = bits(B(T(1)));
  // The exponent of `shifted` is that of x, plus one if the mantissa exceeds sqrt(2).
  const I shifted = bits(x) + (one - bits(B(Logarithm<T>::root_half)));
  const I exponent = shifted & I(~Unsigned{0} << mantissa);
  const B round_magic(static_cast<T>(Unsigned{1} << mantissa));
  const B k = from_bits<T, A>((shifted >> mantissa) | bits(round_magic)) - (round_magic + B(static_cast<T>(bias)));
  const B f = from_bits<T, A>(bits(x) - exponent + one) - B(T(1));
  return {k, f, from_bits<T, A>(I((2 * bias + 1) << mantissa) - exponent)};
}

// log(1 + f).
template <class A>
inline V<float, A> small_log1p(V<float, A> f) {
  return polynomial_after(f, f, Logarithm<float>::p);
}
template <class A>
inline V<double, A> small_log1p(V<double, A> f) {
  using B = V<double, A>;
  const B s = f / (B(2) + f);
  const B z = s * s;
  const B half = B(0.5) * f * f;
  return f - simd::fma(simd::neg(s), simd::fma(z, polynomial(z, Logarithm<double>::r), half), half);
}

// Splits any positive number; denormals are scaled up first.
template <class T, class A>
inline Split<T, A> split_any(V<T, A> x) {
  using B = V<T, A>;
  constexpr int scale = std::numeric_limits<T>::digits;
  const auto small = x < B(std::numeric_limits<T>::min());
  Split<T, A> out = split_power_of_2(xsimd::select(small, x * B(static_cast<T>(std::uint64_t{1} << scale)), x));
  out.k = out.k - xsimd::select(small, B(T(scale)), B(T(0)));
  return out;
}

// `y`, or the logarithm of 0, a negative number, inf or NaN.
template <class T, class A>
inline V<T, A> mend_log(V<T, A> x, V<T, A> y) {
  using B = V<T, A>;
  constexpr T inf = std::numeric_limits<T>::infinity();
  const B low = xsimd::select(x < B(T(0)), B(std::numeric_limits<T>::quiet_NaN()), B(-inf));
  return xsimd::select(x > B(T(0)), xsimd::select(x < B(inf), y, x), xsimd::select(simd::is_nan(x), x, low));
}

// Applies `function` to the split of x, and handles x that is not a normal number.
template <class T, class A, class F>
inline V<T, A> logarithm(V<T, A> x, F function) {
  using Limits = std::numeric_limits<T>;
  const auto normal = (x >= V<T, A>(Limits::min())) && (x < V<T, A>(Limits::infinity()));
  if (xsimd::all(normal)) [[likely]]
    return function(split_power_of_2(x));
  return mend_log(x, function(split_any(x)));
}

// k log 2 + log(1 + f).
template <class T, class A>
inline V<T, A> sum_of_logs(V<T, A> k, V<T, A> f) {
  using B = V<T, A>;
  using Table = Logarithm<T>;
  return simd::fma(k, B(Table::log_2[0]), simd::fma(k, B(Table::log_2[1]), small_log1p(f)));
}

template <class T, class A>
inline V<T, A> log(V<T, A> x) {
  return logarithm(x, [](const Split<T, A>& part) { return sum_of_logs(part.k, part.f); });
}

template <class T, class A>
inline V<T, A> log2(V<T, A> x) {
  return logarithm(x, [](const Split<T, A>& part) {
    using B = V<T, A>;
    using Table = Logarithm<T>;
    const B l = small_log1p(part.f);
    return simd::fma(l, B(Table::log2_e[0]), simd::fma(l, B(Table::log2_e[1]), part.k));
  });
}

template <class T, class A>
inline V<T, A> log10(V<T, A> x) {
  return logarithm(x, [](const Split<T, A>& part) {
    using B = V<T, A>;
    using Table = Logarithm<T>;
    const B l = small_log1p(part.f);
    const B low = simd::fma(l, B(Table::log10_e[1]), part.k * B(Table::log10_2[1]));
    return simd::fma(part.k, B(Table::log10_2[0]), simd::fma(l, B(Table::log10_e[0]), low));
  });
}

// Adds the rounding error of 1 + x to f.
template <class T, class A>
inline V<T, A> log1p(V<T, A> x) {
  using B = V<T, A>;
  const B one(T(1));
  const B u = one + x;
  const B lost = x - (u - one);
  const B y = logarithm(u, [lost](const Split<T, A>& part) {
    return sum_of_logs(part.k, simd::fma(lost * B(T(0.5)), part.inverse, part.f));
  });
  return xsimd::select(xsimd::abs(x) < B(std::numeric_limits<T>::epsilon() / 4), x, y);
}

}  // namespace XGRAD_ISA
}  // namespace xgrad::inline v0::simd
