// Elementwise activation functions. They take floating dtypes and propagate NaN.
#pragma once

#include <xgrad/ops/apply.hpp>
#include <xgrad/ops/defaults.hpp>

namespace xgrad::inline v0 {

inline Value relu(Operand x) { return apply("relu", {x}); }        // max(x, 0); derivative 0 at 0; also i64
inline Value sigmoid(Operand x) { return apply("sigmoid", {x}); }  // 1 / (1 + exp(-x)), without overflow
Value logsigmoid(Operand x);                                       // log(sigmoid(x)) = -softplus(-x), without overflow
Value hardsigmoid(Operand x);                                      // relu6(x + 3) / 6; derivative 0 at -3 and 3
// log(1 + exp(beta x)) / beta, without overflow. Throws UserError unless beta > 0.
Value softplus(Operand x, double beta = default_softplus_beta);
Value softsign(Operand x);  // x / (1 + |x|); NaN at infinities

Value silu(Operand x);       // x sigmoid(x), also called swish; NaN at -inf
Value gelu(Operand x);       // x Phi(x), Phi being the normal CDF; NaN at -inf
Value gelu_tanh(Operand x);  // approximates gelu: x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
Value hardswish(Operand x);  // x hardsigmoid(x); the derivative is -1/2 at -3 and 3/2 at 3
Value mish(Operand x);       // x tanh(softplus(x)); NaN at -inf

Value relu6(Operand x);  // min(max(x, 0), 6); derivative 0 at 0 and 6
Value leaky_relu(Operand x,
                 double slope = default_leaky_slope);  // x above 0, slope x elsewhere; derivative `slope` at 0
Value prelu(Operand x, Operand slope);                 // leaky_relu; `slope` broadcasts against x
Value elu(Operand x,
          double alpha = default_elu_alpha);  // x above 0, alpha (exp(x) - 1) elsewhere; derivative alpha at 0
// 1.0507... elu(x, 1.6732...), which preserves mean 0 and variance 1. Source: Klambauer, Unterthiner, Mayr and
// Hochreiter, "Self-normalizing neural networks", 2017.
Value selu(Operand x);

}  // namespace xgrad::inline v0
