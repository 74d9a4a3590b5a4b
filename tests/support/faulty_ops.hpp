// A correct operation, x^3, and helpers that make faulty copies of it, for tests of the checker.
#pragma once

#include <string>

#include <doctest/doctest.h>

#include <xgrad/autodiff/check/check.hpp>
#include <xgrad/graph/base/error.hpp>
#include <xgrad/ops/ops.hpp>

namespace xgrad::faulty {

inline TensorType floating_type(const Infer& in) {
  in.require_dtype(0, {f32, f64});
  return in.type(0);
}

// A kernel that writes f(call, i), computed in T, to element i.
template <class F>
void each(const KernelCall& call, F f) {
  const Index n = call.output.type.shape.elements();
  if (call.output.type.dtype == f32) {
    for (Index i = 0; i < n; ++i) call.output.as<float>()[i] = f(call.inputs[0].as<float>(), i);
  } else {
    for (Index i = 0; i < n; ++i) call.output.as<double>()[i] = f(call.inputs[0].as<double>(), i);
  }
}

inline void cube_kernel(const KernelCall& call) {
  each(call, [](const auto* x, Index i) { return x[i] * x[i] * x[i]; });
}

inline OpDef cube() {
  OpDef op;
  op.name = "cube";
  op.doc = "x * x * x.";
  op.infer = floating_type;
  op.kernel = cube_kernel;
  op.reference = [](const KernelCall& call) {
    for (Index i = 0; i < call.output.type.shape.elements(); ++i) {
      const double x = call.inputs[0].as<double>()[i];
      call.output.as<double>()[i] = x * (x * x);
    }
  };
  op.vjp = [](const Vjp& r) -> Cotangents { return r.cotangent() * 3 * square(r.input(0)); };
  op.samples = {{.label = "vector", .inputs = {{.shape = {7}}}, .attrs = {}},
                {.label = "square matrix", .inputs = {{.shape = {3, 3}}}, .attrs = {}},
                {.label = "scalar", .inputs = {{.shape = {}}}, .attrs = {}}};
  op.bad_samples = {{.label = "integers", .inputs = {Tensor({2}, i64)}, .attrs = {}, .message = "must be f32 or f64"}};
  return op;
}

inline OpDef cube_with(VjpFn vjp) {
  OpDef op = cube();
  op.vjp = vjp;
  return op;
}

// The error message of check_op; empty if it passes.
inline std::string complaint(const OpDef& op, const CheckOptions& options = {}) {
  try {
    check_op(op, options);
  } catch (const UserError& error) {
    return error.message();
  }
  return "";
}

inline void require_caught(const OpDef& op, std::initializer_list<const char*> fragments) {
  const std::string what = complaint(op);
  CAPTURE(what);
  REQUIRE_FALSE(what.empty());
  for (const char* fragment : fragments) {
    CAPTURE(fragment);
    CHECK(what.find(fragment) != std::string::npos);
  }
}

}  // namespace xgrad::faulty
