// The derivatives of digamma.
#include <array>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr int highest = 20;

// The Hurwitz zeta function, the sum of (x + k)^-s over k >= 0, for x > 0 and integers s > 1. The first terms are added
// directly; the Euler-Maclaurin formula gives the others (Abramowitz and Stegun 23.1.30).
double hurwitz_zeta(int s, double x) {
  constexpr double bernoulli[] = {1.0 / 6,       -1.0 / 30,       1.0 / 42,       -1.0 / 30,
                                  5.0 / 66,      -691.0 / 2730,   7.0 / 6,        -3617.0 / 510,
                                  43867.0 / 798, -174611.0 / 330, 854513.0 / 138, -236364091.0 / 2730};
  double sum = 0;
  for (; x < 10 + s; x += 1) sum += std::pow(x, -s);
  const double power = std::pow(x, -s);
  sum += std::pow(x, 1 - s) / (s - 1) + power / 2;
  double term = power / x * s / 2;  // s (s + 1) ... (s + 2j - 2) / (2j)! x^(1 - s - 2j)
  for (int j = 1; j <= 12; ++j) {
    sum += bernoulli[j - 1] * term;
    term *= (s + 2.0 * j - 1) * (s + 2.0 * j) / ((2.0 * j + 1) * (2.0 * j + 2) * x * x);
  }
  return sum;
}

// The n-th derivative of pi cot(pi x), given c = cot(pi x). It is pi^(n + 1) p_n(c) with the polynomials p_0(c) = c and
// p_(n + 1)(c) = -(1 + c^2) p_n'(c), since the derivative of c is -pi (1 + c^2).
double cotangent_derivative(int n, double c) {
  std::array<double, highest + 2> p{};
  p[1] = 1;
  for (int k = 0; k < n; ++k) {
    std::array<double, highest + 2> next{};
    for (std::size_t i = 1; i <= static_cast<std::size_t>(k) + 1; ++i) {
      next[i - 1] -= static_cast<double>(i) * p[i];
      next[i + 1] -= static_cast<double>(i) * p[i];
    }
    p = next;
  }
  double out = 0;
  for (std::size_t i = p.size(); i-- > 0;) out = out * c + p[i];
  return out * std::pow(std::numbers::pi, n + 1);
}

double polygamma_of(int n, double x) {
  const double sign = n % 2 == 0 ? -1 : 1;
  if (x > 0) return sign * std::tgamma(n + 1) * hurwitz_zeta(n + 1, x);
  if (std::isnan(x)) return x;
  if (std::floor(x) == x) return sign * INFINITY;
  // Reflection: psi(1 - x) - psi(x) = pi cot(pi x), differentiated n times.
  const double part = x - std::nearbyint(x);
  return -sign * polygamma_of(n, 1 - x) - cotangent_derivative(n, 1 / std::tan(std::numbers::pi * part));
}

struct Polygamma : Operation {
  static constexpr const char* name = "polygamma";
  static constexpr const char* doc =
      "Derivative of order n of digamma, 1 <= n <= 20. At 0 and negative integers inf for odd n, -inf for even n. Its "
      "derivative is polygamma(n + 1, x).";
  static TensorType infer(const Infer& in) {
    in.require_dtype(0, {f32, f64});
    const Index n = in.attrs().integer("n");
    if (n < 1 || n > highest) in.fail_shape(fmt::format("n must be in [1, {}], got {}", highest, n));
    return in.type(0);
  }
  static double flops(std::span<const TensorType>, const TensorType& out, const Attrs&) {
    return flops_of(out.shape.elements(), out.dtype);
  }
  template <class T>
  static void run(const KernelCall& call) {
    const auto n = static_cast<int>(call.attrs->integer("n"));
    const T* in = call.inputs[0].as<T>();
    T* out = call.output.as<T>();
    for_each_in_stretches(call.parallel, call.output.type.shape.elements(), 1 << 10,
                          [&](Index i) { out[i] = static_cast<T>(polygamma_of(n, static_cast<double>(in[i]))); });
  }
  static void kernel(const KernelCall& call) {
    with_floating(call.output.type.dtype, [&](auto zero) { run<decltype(zero)>(call); });
  }
  // Sums the series, which is valid for all x that are not poles, and adds the integral of the remaining terms.
  static void reference(const KernelCall& call) {
    const auto n = static_cast<int>(call.attrs->integer("n"));
    for (Index i = 0; i < call.output.type.shape.elements(); ++i) {
      const long double x = call.inputs[0].as<double>()[i];
      constexpr int terms = 100'000;
      long double sum = 0;
      for (int k = terms - 1; k >= 0; --k) sum += std::pow(x + k, static_cast<long double>(-n - 1));
      const long double rest = x + terms - 0.5L;
      sum += std::pow(rest, static_cast<long double>(-n)) / n;
      call.output.as<double>()[i] = static_cast<double>((n % 2 == 0 ? -1 : 1) * std::tgamma(n + 1.0L) * sum);
    }
  }
  static constexpr auto batch = batch_broadcast;
  static Cotangents vjp(const Vjp& r) {
    return r.cotangent() * polygamma(static_cast<int>(r.attrs().integer("n")) + 1, r.input(0));
  }
  static Attrs attrs(Index n) { return {{"n", n}}; }
  static std::vector<Sample> samples() {
    const Domain between_poles{.low = -2.6, .high = 4, .avoid = {-3, -2, -1, 0}, .distance = 0.35};
    return {
        {"first", {{{9}, between_poles}}, attrs(1)},           {"second", {{{3, 5}, between_poles}}, attrs(2)},
        {"third", {{{5}, domain::between(0.5, 3)}}, attrs(3)}, {"seventh", {{{4}, domain::between(2, 8)}}, attrs(7)},
        {"scalar", {{{}, domain::positive()}}, attrs(1)},      zero_gradient({"empty", {{{0}}}, attrs(1)})};
  }
  static std::vector<BadSample> bad_samples() {
    return {{"not above 0", {Tensor::zeros({3})}, attrs(0), "n must be in [1, 20], got 0"},
            {"too high", {Tensor::zeros({3})}, attrs(21), "n must be in [1, 20], got 21"},
            {"integers", {Tensor({3}, i64)}, attrs(1), "it is i64"}};
  }
};

}  // namespace

void register_polygamma(OpRegistry& registry) { add_operations<Polygamma>(registry); }

Value polygamma(int n, Operand x) {
  return composite(x, [&] { return n == 0 ? digamma(x) : apply("polygamma", {x}, Polygamma::attrs(n)); });
}

}  // namespace xgrad::inline v0
