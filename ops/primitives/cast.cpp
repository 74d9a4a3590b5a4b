// cast: converts between dtypes.
#include <cmath>

#include <fmt/format.h>

#include <xgrad/ops/define/batch.hpp>
#include <xgrad/ops/define/composite.hpp>
#include <xgrad/ops/define/define.hpp>
#include <xgrad/ops/define/internal/sample_sets.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::inline v0 {
namespace {

// Converts as C++ does. Where C++ leaves the conversion to i64 undefined, NaN becomes 0 and other values saturate.
template <class To, class From>
To convert(From x) {
  if constexpr (std::is_same_v<To, std::int64_t> && std::is_floating_point_v<From>) {
    if (x != x) return 0;
    if (x >= static_cast<From>(0x1p63)) return INT64_MAX;
    if (x < static_cast<From>(-0x1p63)) return INT64_MIN;
  }
  return static_cast<To>(x);
}

template <class From, class To>
void run(const KernelCall& call) {
  const From* in = call.inputs[0].as<From>();
  To* out = call.output.as<To>();
  for (Index i = 0; i < call.output.type.shape.elements(); ++i) out[i] = convert<To>(in[i]);
}

struct Cast : Operation {
  static constexpr const char* name = "cast";
  static constexpr const char* doc =
      "Converts the dtype. Conversion to i64 rounds toward zero, saturates, and maps NaN to 0; conversion to bool "
      "tests x != 0. Differentiable between floating dtypes only.";
  static TensorType infer(const Infer& in) { return {in.attrs().dtype("dtype"), in.shape(0)}; }
  static void kernel(const KernelCall& call) {
    with_dtype(call.inputs[0].type.dtype, [&](auto from) {
      with_dtype(call.output.type.dtype, [&](auto to) { run<decltype(from), decltype(to)>(call); });
    });
  }
  static constexpr auto batch = batch_broadcast;
  static Cotangents vjp(const Vjp& r) {
    const DType from = r.input(0).dtype();
    return is_floating(from) && is_floating(r.output().dtype()) ? cast(r.cotangent(), from) : Value{};
  }
  static std::vector<Sample> samples() {
    return {zero_second({"to f32", {{{3, 5}}}, {{"dtype", f32}}}),
            zero_second({"to f64", {{{9}}}, {{"dtype", f64}}}),
            zero_gradient({"bool to i64", {{{9}, domain::booleans()}}, {{"dtype", i64}}}),
            zero_gradient({"i64 to f64", {{{9}, domain::integers(-5, 5)}}, {{"dtype", f64}}}),
            zero_gradient({"fractions to bool", {{{9}}}, {{"dtype", boolean}}}),
            zero_second({"scalar", {{{}}}, {{"dtype", f32}}}),
            zero_gradient({"empty", {{{0}}}, {{"dtype", f32}}}),
            zero_gradient({"to i64", {{{9}, domain::between(-5, 5)}}, {{"dtype", i64}}}),
            zero_gradient({"from i64", {{{9}, domain::integers(-5, 5)}}, {{"dtype", f32}}}),
            zero_gradient({"from bool", {{{9}, domain::booleans()}}, {{"dtype", f32}}}),
            zero_gradient({"to bool", {{{9}, domain::integers(-1, 1)}}, {{"dtype", boolean}}})};
  }
};

}  // namespace

void register_cast(OpRegistry& registry) { add_operations<Cast>(registry); }

Value cast(Operand x, DType dtype) {
  return composite(x, [&] { return x.dtype() == dtype ? x : apply("cast", {x}, {{"dtype", dtype}}); });
}

}  // namespace xgrad::inline v0
