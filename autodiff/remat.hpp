// remat: a part of the graph whose values are not kept for the backward pass, but computed again there.
//
//   Value y = remat(x, [&](Value h) { return block(h); });   // any function, layer or module from Value to Value
//
// Trades time for memory (T. Chen and others, "Training deep nets with sublinear memory cost", 2016): of n like layers
// in a chain, marked in groups of about sqrt(n), the values at the ends of groups are kept, and those of one group at a
// time. The numbers are the same to the last bit, random ones included; Plan::peak_bytes says what it saves.
// Only where an expression of the segment stands outside of it too, gradients may round otherwise: there it is no
// longer one node whose cotangents are added up before its rule is applied.
#pragma once

#include <functional>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// What `segment` gives for x. Kept are x and what else existed before and the segment reads, parameters among it;
// recomputed is all that it appends, once for each backward pass through it. Segments may be nested. Updates that the
// segment adds to the graph happen once.
Value remat(Operand x, const std::function<Value(Value)>& segment);

}  // namespace xgrad::inline v0
