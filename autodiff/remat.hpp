// remat: a part of the graph whose values are recomputed in the backward pass instead of kept.
//
//   Value y = remat(x, [&](Value h) { return block(h); });   // any function, layer or module from Value to Value
//
// Trades time for memory (T. Chen et al., "Training deep nets with sublinear memory cost", 2016): for a chain of n
// equal layers, rematerialized in groups of about sqrt(n), memory holds the values between groups and those of one
// group. Results are bit-identical, including random numbers; Plan::peak_bytes reports the memory. Gradients may round
// differently only if an expression occurs both inside and outside of the segment: without remat it is one node, whose
// cotangents are added before its vjp is applied.
#pragma once

#include <functional>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// Returns segment(x). Memory holds x and the earlier values and parameters that the segment reads. All nodes that the
// segment appends are recomputed, once per backward pass through it. Segments may be nested. Updates that the segment
// adds to the graph happen once.
Value remat(Operand x, const std::function<Value(Value)>& segment);

}  // namespace xgrad::inline v0
