// Activations: the functions between the layers of networks, elementwise. Floating dtypes; NaN stays NaN.
#pragma once

#include <xgrad/ops/apply.hpp>

namespace xgrad {

inline Value relu(Value x) { return apply("relu", {x}); }        // max(x, 0); derivative 0 at 0; integers too
inline Value sigmoid(Value x) { return apply("sigmoid", {x}); }  // 1 / (1 + exp(-x)), without overflow
Value logsigmoid(Value x);                                       // log(sigmoid(x)) = -softplus(-x), without overflow
Value hardsigmoid(Value x);                                      // relu6(x + 3) / 6; derivative 0 at -3 and 3
// log(1 + exp(beta x)) / beta, without overflow. Throws UserError unless beta > 0.
Value softplus(Value x, double beta = 1);
Value softsign(Value x);  // x / (1 + |x|); NaN at infinities

Value silu(Value x);       // x sigmoid(x), also called swish; NaN at -inf
Value gelu(Value x);       // x times the probability that a normal number is below x; NaN at -inf
Value gelu_tanh(Value x);  // its approximation x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
Value hardswish(Value x);  // x hardsigmoid(x); the derivative is -1/2 at -3 and 3/2 at 3
Value mish(Value x);       // x tanh(softplus(x)); NaN at -inf

Value relu6(Value x);                            // min(max(x, 0), 6); derivative 0 at 0 and 6
Value leaky_relu(Value x, double slope = 0.01);  // x above 0, slope x elsewhere; derivative `slope` at 0
Value prelu(Value x, Value slope);               // the same; `slope` broadcasts against x
Value elu(Value x, double alpha = 1);            // x above 0, alpha (exp(x) - 1) elsewhere; derivative alpha at 0
// 1.0507... elu(x, 1.6732...), by which mean 0 and variance 1 are kept (Klambauer, Unterthiner, Mayr and Hochreiter,
// "Self-normalizing neural networks", 2017).
Value selu(Value x);

}  // namespace xgrad
