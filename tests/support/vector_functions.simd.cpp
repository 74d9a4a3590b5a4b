#include <xgrad/ops/kernels/simd.hpp>

#include "vector_functions.hpp"

namespace xgrad::testing {
namespace {

template <class F, class T>
void run_1(Index n, const T* x, const T*, T* out) {
  constexpr Index w = simd::width<T>;
  Index i = 0;
  for (; i + w <= n; i += w) simd::store(out + i, F::of(simd::load(x + i)));
  if (i < n) simd::store_partial(out + i, F::of(simd::load_partial(x + i, n - i)), n - i);
}
template <class F, class T>
void run_2(Index n, const T* x, const T* y, T* out) {
  constexpr Index w = simd::width<T>;
  Index i = 0;
  for (; i + w <= n; i += w) simd::store(out + i, F::of(simd::load(x + i), simd::load(y + i)));
  if (i < n) {
    simd::store_partial(out + i, F::of(simd::load_partial(x + i, n - i), simd::load_partial(y + i, n - i)), n - i);
  }
}

#define XGRAD_TEST_FUNCTIONS_1(X) \
  X(abs)                          \
  X(neg)                          \
  X(sqrt)                         \
  X(rsqrt)                        \
  X(floor)                        \
  X(ceil)                         \
  X(round)                        \
  X(trunc)                        \
  X(exp)                          \
  X(exp2)                         \
  X(expm1)                        \
  X(log)                          \
  X(log2)                         \
  X(log10)                        \
  X(log1p)                        \
  X(sin)                          \
  X(cos)                          \
  X(tan)                          \
  X(asin)                         \
  X(acos)                         \
  X(atan)                         \
  X(sinh)                         \
  X(cosh)                         \
  X(tanh)                         \
  X(asinh)                        \
  X(acosh)                        \
  X(atanh)                        \
  X(sigmoid)                      \
  X(cbrt)                         \
  X(erf)                          \
  X(erfc)                         \
  X(lgamma)                       \
  X(digamma)
#define XGRAD_TEST_FUNCTIONS_2(X) X(pow) X(atan2) X(hypot) X(fmod) X(copysign) X(max) X(min)

#define XGRAD_TEST_FUNCTION(name)      \
  struct name##_function {             \
    template <class... V>              \
    static auto of(V... arguments) {   \
      return simd::name(arguments...); \
    }                                  \
  };
// The rounding error of a product; 0 if `fma` is two operations.
struct product_error_function {
  template <class V>
  static V of(V x, V y) {
    return simd::fma(x, y, simd::neg(x * y));
  }
};
XGRAD_TEST_FUNCTIONS_1(XGRAD_TEST_FUNCTION)
XGRAD_TEST_FUNCTIONS_2(XGRAD_TEST_FUNCTION)

#define XGRAD_TEST_ROW_1(name) {#name, run_1<name##_function, float>, run_1<name##_function, double>},
#define XGRAD_TEST_ROW_2(name) {#name, run_2<name##_function, float>, run_2<name##_function, double>},
constexpr VectorFunction rows_1[] = {XGRAD_TEST_FUNCTIONS_1(XGRAD_TEST_ROW_1)};
constexpr VectorFunction rows_2[] = {XGRAD_TEST_FUNCTIONS_2(XGRAD_TEST_ROW_2) XGRAD_TEST_ROW_2(product_error)};

}  // namespace

namespace XGRAD_ISA {
extern const std::span<const VectorFunction> functions_1;
extern const std::span<const VectorFunction> functions_2;
const std::span<const VectorFunction> functions_1 = rows_1;
const std::span<const VectorFunction> functions_2 = rows_2;
}  // namespace XGRAD_ISA
}  // namespace xgrad::testing
