// Inverse of erf, for scalars; vectors are computed element by element. Included by simd.hpp.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>

namespace xgrad::inline v0::simd {
inline namespace XGRAD_SIMD_SET {

template <std::size_t n>
double ratio(double x, const double (&above)[n], const double (&below)[n]) {  // coefficients, highest first
  double p = 0, q = 0;
  for (std::size_t i = 0; i < n; ++i) {
    p = p * x + above[i];
    q = q * x + below[i];
  }
  return p / q;
}

// The inverse of erf: inf at 1, -inf at -1, NaN beyond. Uses the rational approximations of the inverse normal CDF to
// 16 digits by Wichura (algorithm AS 241, "The percentage points of the normal distribution", 1988).
template <class T>
requires std::is_arithmetic_v<T> T erfinv(T number) {
  const double x = static_cast<double>(number);
  const double size = std::abs(x);
  if (!(size < 1)) {
    return static_cast<T>(size == 1 ? std::copysign(std::numeric_limits<double>::infinity(), x)
                                    : std::numeric_limits<double>::quiet_NaN());
  }
  constexpr double root_half = 0.70710678118654752440;
  if (size <= 0.85) {
    constexpr double above[] = {2.5090809287301226727e+3, 3.3430575583588128105e+4, 6.7265770927008700853e+4,
                                4.5921953931549871457e+4, 1.3731693765509461125e+4, 1.9715909503065514427e+3,
                                1.3314166789178437745e+2, 3.3871328727963666080e+0};
    constexpr double below[] = {
        5.2264952788528545610e+3, 2.8729085735721942674e+4, 3.9307895800092710610e+4, 2.1213794301586595867e+4,
        5.3941960214247511077e+3, 6.8718700749205790830e+2, 4.2313330701600911252e+1, 1};
    return static_cast<T>(root_half * (x / 2) * ratio(0.180625 - x * x / 4, above, below));
  }
  const double r = std::sqrt(-std::log((1 - size) / 2));
  double z = 0;
  if (r <= 5) {
    constexpr double above[] = {7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
                                1.27045825245236838258e+0, 3.64784832476320460504e+0, 5.76949722146069140550e+0,
                                4.63033784615654529590e+0, 1.42343711074968357734e+0};
    constexpr double below[] = {
        1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
        6.89767334985100004550e-1, 1.67638483018380384940e+0, 2.05319162663775882187e+0, 1};
    z = ratio(r - 1.6, above, below);
  } else {
    constexpr double above[] = {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
                                2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e+0,
                                5.46378491116411436990e+0, 6.65790464350110377720e+0};
    constexpr double below[] = {
        2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
        1.48753612908506148525e-2,  1.36929880922735805310e-1, 5.99832206555887937690e-1, 1};
    z = ratio(r - 5, above, below);
  }
  return static_cast<T>(std::copysign(root_half * z, x));
}

}  // namespace XGRAD_SIMD_SET
}  // namespace xgrad::inline v0::simd
