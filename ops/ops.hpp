// The operations: what users compute with.
//
//   Value y = sum(relu(matmul(x, w) + b), {0});
//
// Binary operations broadcast as NumPy does: shapes are aligned at the last axis and extents of 1 stretch. Operands of
// one operation have one dtype; plain numbers take the dtype of the Value beside them. Axes may be negative, counting
// from the back; an empty list of axes means all. Everything here appends nodes and computes nothing.
#pragma once

#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad {

// Appends a node of the built-in operation `op`.
Value apply(const char* op, std::span<const Value> inputs, Attrs attrs = {});
inline Value apply(const char* op, std::initializer_list<Value> inputs, Attrs attrs = {}) {
  return apply(op, std::span<const Value>(inputs.begin(), inputs.size()), std::move(attrs));
}

// A number that stands beside a Value: it becomes a constant of the Value's graph and dtype.
template <class T>
concept Number = std::is_arithmetic_v<T>;
inline Value number_like(Value x, double number) { return x.graph().constant(number, x.dtype()); }

// ---- arithmetic, elementwise with broadcasting

inline Value add(Value a, Value b) { return apply("add", {a, b}); }
inline Value sub(Value a, Value b) { return apply("sub", {a, b}); }
inline Value mul(Value a, Value b) { return apply("mul", {a, b}); }
// Floating dtypes only; x / 0 is inf or NaN as IEEE 754 says.
inline Value div(Value a, Value b) { return apply("div", {a, b}); }
// a to the power b; the derivative by b is 0 where a is 0.
inline Value pow(Value a, Value b) { return apply("pow", {a, b}); }
// The larger and the smaller of two; NaN wins; at a tie each side gets half the derivative.
inline Value maximum(Value a, Value b) { return apply("maximum", {a, b}); }
inline Value minimum(Value a, Value b) { return apply("minimum", {a, b}); }

// ---- comparisons, elementwise with broadcasting; the result is bool

inline Value equal(Value a, Value b) { return apply("equal", {a, b}); }
inline Value not_equal(Value a, Value b) { return apply("not_equal", {a, b}); }
inline Value less(Value a, Value b) { return apply("less", {a, b}); }
inline Value less_equal(Value a, Value b) { return apply("less_equal", {a, b}); }
inline Value greater(Value a, Value b) { return apply("less", {b, a}); }
inline Value greater_equal(Value a, Value b) { return apply("less_equal", {b, a}); }
inline Value logical_and(Value a, Value b) { return apply("logical_and", {a, b}); }
inline Value logical_or(Value a, Value b) { return apply("logical_or", {a, b}); }
inline Value logical_not(Value a) { return apply("logical_not", {a}); }

// Where `condition` (bool) holds a, elsewhere b; all three broadcast.
inline Value where(Value condition, Value a, Value b) { return apply("where", {condition, a, b}); }

// Each binary function also takes a number on either side.
#define XGRAD_NUMBER_OVERLOADS(function)                        \
  template <Number N>                                           \
  Value function(Value a, N b) {                                \
    return function(a, number_like(a, static_cast<double>(b))); \
  }                                                             \
  template <Number N>                                           \
  Value function(N a, Value b) {                                \
    return function(number_like(b, static_cast<double>(a)), b); \
  }
XGRAD_NUMBER_OVERLOADS(add)
XGRAD_NUMBER_OVERLOADS(sub)
XGRAD_NUMBER_OVERLOADS(mul)
XGRAD_NUMBER_OVERLOADS(div)
XGRAD_NUMBER_OVERLOADS(pow)
XGRAD_NUMBER_OVERLOADS(maximum)
XGRAD_NUMBER_OVERLOADS(minimum)
XGRAD_NUMBER_OVERLOADS(equal)
XGRAD_NUMBER_OVERLOADS(not_equal)
XGRAD_NUMBER_OVERLOADS(less)
XGRAD_NUMBER_OVERLOADS(less_equal)
XGRAD_NUMBER_OVERLOADS(greater)
XGRAD_NUMBER_OVERLOADS(greater_equal)

inline Value operator+(Value a, Value b) { return add(a, b); }
inline Value operator-(Value a, Value b) { return sub(a, b); }
inline Value operator*(Value a, Value b) { return mul(a, b); }
inline Value operator/(Value a, Value b) { return div(a, b); }
inline Value operator-(Value x) { return apply("neg", {x}); }
// Comparisons by operator exist for < <= > >= only: == and != on Values compare handles; use equal and not_equal.
inline Value operator<(Value a, Value b) { return less(a, b); }
inline Value operator<=(Value a, Value b) { return less_equal(a, b); }
inline Value operator>(Value a, Value b) { return greater(a, b); }
inline Value operator>=(Value a, Value b) { return greater_equal(a, b); }
XGRAD_NUMBER_OVERLOADS(operator+)
XGRAD_NUMBER_OVERLOADS(operator-)
XGRAD_NUMBER_OVERLOADS(operator*)
XGRAD_NUMBER_OVERLOADS(operator/)
XGRAD_NUMBER_OVERLOADS(operator<)
XGRAD_NUMBER_OVERLOADS(operator<=)
XGRAD_NUMBER_OVERLOADS(operator>)
XGRAD_NUMBER_OVERLOADS(operator>=)
#undef XGRAD_NUMBER_OVERLOADS

// `where` with a number on one side.
template <Number N>
Value where(Value condition, Value a, N b) {
  return where(condition, a, number_like(a, static_cast<double>(b)));
}
template <Number N>
Value where(Value condition, N a, Value b) {
  return where(condition, number_like(b, static_cast<double>(a)), b);
}

// ---- functions of one tensor, elementwise

inline Value neg(Value x) { return apply("neg", {x}); }
inline Value abs(Value x) { return apply("abs", {x}); }    // derivative 0 at 0
inline Value sign(Value x) { return apply("sign", {x}); }  // -1, 0 or 1; no derivative
inline Value square(Value x) { return apply("square", {x}); }
inline Value sqrt(Value x) { return apply("sqrt", {x}); }
inline Value rsqrt(Value x) { return apply("rsqrt", {x}); }  // 1 / sqrt(x)
inline Value exp(Value x) { return apply("exp", {x}); }
inline Value log(Value x) { return apply("log", {x}); }
inline Value log1p(Value x) { return apply("log1p", {x}); }  // log(1 + x), exact near 0
inline Value expm1(Value x) { return apply("expm1", {x}); }  // exp(x) - 1, exact near 0
inline Value sin(Value x) { return apply("sin", {x}); }
inline Value cos(Value x) { return apply("cos", {x}); }
inline Value tanh(Value x) { return apply("tanh", {x}); }
inline Value sigmoid(Value x) { return apply("sigmoid", {x}); }  // 1 / (1 + exp(-x)), without overflow
inline Value relu(Value x) { return apply("relu", {x}); }        // max(x, 0); derivative 0 at 0; NaN stays NaN
// max(min(x, high), low); the derivative is 1 inside and at the bounds, 0 outside.
Value clamp(Value x, double low, double high);
// Another dtype; to integers truncates, to bool is != 0. Has a derivative between floating dtypes only.
Value cast(Value x, DType dtype);
// The same value through which no derivative flows.
Value stop_gradient(Value x);

// ---- reductions over axes; with `keepdims` the reduced axes stay with extent 1

Value sum(Value x, const Axes& axes = {}, bool keepdims = false);
Value mean(Value x, const Axes& axes = {}, bool keepdims = false);  // NaN over no elements
// The largest and smallest; NaN wins; ties share the derivative. Throws ShapeError over no elements.
Value max(Value x, const Axes& axes = {}, bool keepdims = false);
Value min(Value x, const Axes& axes = {}, bool keepdims = false);
// Mean squared distance from the mean, divided by the number of elements less `correction`.
Value variance(Value x, const Axes& axes = {}, bool keepdims = false, int correction = 0);
// log(sum(exp(x))) without overflow; a row of -inf gives -inf.
Value logsumexp(Value x, const Axes& axes = {}, bool keepdims = false);
// Position (i64) of the first largest element along one axis; NaN counts as largest; no derivative.
Value argmax(Value x, Index axis = -1, bool keepdims = false);
// The number of elements that a reduction of x over the axes combines, as a scalar of x's dtype.
Value count(Value x, const Axes& axes = {});
Value softmax(Value x, Index axis = -1);
Value log_softmax(Value x, Index axis = -1);

// ---- linear algebra

// Matrix product of the last two axes; the axes before broadcast. transpose_a reads a as if its last two axes were
// exchanged, without a copy; the same for b.
Value matmul(Value a, Value b, bool transpose_a = false, bool transpose_b = false);

// ---- shape

// The same elements in row-major order; one extent may be -1 and is inferred.
Value reshape(Value x, const std::vector<Index>& extents);
Value reshape_like(Value x, Value like);
// Axes from `first` on become one.
Value flatten(Value x, Index first = 1);
// Axis i of the result is axis order[i] of x; an empty order reverses the axes.
Value transpose(Value x, const Axes& order = {});
Value broadcast_to(Value x, const Shape& shape);
Value broadcast_like(Value x, Value like);
// The reverse of broadcasting: sums over the axes along which a tensor of `shape` would be stretched.
Value sum_to(Value x, const Shape& shape);
Value sum_like(Value x, Value like);
Value expand_dims(Value x, Index axis);
Value zeros_like(Value x);
Value ones_like(Value x);

// ---- parts

// Joins along an axis; all other extents agree.
Value concat(const std::vector<Value>& values, Index axis = 0);
// Elements [begin, end) along one axis, every step-th; negative positions count from the back; end is open if absent.
Value slice(Value x, Index axis, Index begin, std::optional<Index> end = {}, Index step = 1);
// `before` and `after` elements of `value` added along one axis.
Value pad(Value x, Index axis, Index before, Index after, double value = 0);
// Rows of x along an axis, chosen by indices (i64, any shape): the axis is replaced by the axes of the indices.
// Throws ValueError at run time for an index outside [0, extent).
Value gather(Value x, Value indices, Index axis = 0);
// 1 at the index, 0 elsewhere, along a new last axis of `classes`. Throws ValueError at run time for others.
Value one_hot(Value indices, Index classes, DType dtype);

// ---- random, a function of the graph's seed, the run's step and the node

Value random_uniform(Graph& graph, const Shape& shape, DType dtype, double low = 0, double high = 1);
Value random_normal(Graph& graph, const Shape& shape, DType dtype, double mean = 0, double stddev = 1);
// 1 with `probability`, else 0, in the shape and dtype of `like`.
Value bernoulli_like(Value like, double probability);

// ---- losses, each a scalar: the mean over the batch

// Mean over all elements of (prediction - target)^2. Shapes must be equal: [n] against [n, 1] is refused.
Value mse(Value prediction, Value target);
// `target` holds probabilities over the last axis, `prediction` probabilities of the same shape. Predictions are
// normalised and clipped to [1e-7, 1 - 1e-7] as Keras does, except that softmax's own output is taken back to its
// logits, which is exact at any logits.
Value categorical_crossentropy(Value prediction, Value target);
Value categorical_crossentropy_from_logits(Value logits, Value target);
// `labels` are class numbers (i64), of the prediction's shape without its last axis. Throws ValueError at run time for
// a label outside [0, classes).
Value sparse_categorical_crossentropy(Value prediction, Value labels);
Value sparse_categorical_crossentropy_from_logits(Value logits, Value labels);

// ---- updates

// After a run, the parameter behind `parameter` takes `value`, cast-free: the types must be equal.
Update assign(Value parameter, Value value);

}  // namespace xgrad
