// composite: wraps a function that appends several nodes.
//
//   Value softsign(Operand x) {
//     return composite(x, [&] { return x / (1 + abs(x)); });
//   }
//
// The nodes are made at the caller's line, errors begin with the name of the function and end with that line, and an
// error leaves the graph unchanged. Within another composite, line and name remain those of the outer one.
#pragma once

#include <vector>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// Throws DTypeError naming `function` unless x is f32 or f64.
void require_floating(const char* function, Value x);

// Returns build(); if it throws, discards what it appended to the graph. A null graph has nothing to discard.
template <class F>
auto all_or_nothing(Graph* graph, F build) {
  const NodeId mark = graph == nullptr ? 0 : graph->mark();
  try {
    return build();
  } catch (...) {
    if (graph != nullptr) graph->rewind(mark);
    throw;
  }
}

// Returns build(). Its nodes and errors get the source location of operand x and the name `function`.
template <class F>
auto composite(const Operand& x, F build, const char* function = __builtin_FUNCTION()) {
  const SourceLocationScope scope(x, function);
  return all_or_nothing(SourceLocationScope::graph_of(x), build);
}
// Like `composite`, but throws DTypeError unless x is f32 or f64.
template <class F>
auto floating_composite(const Operand& x, F build, const char* function = __builtin_FUNCTION()) {
  const SourceLocationScope scope(x, function);
  require_floating(function, x);
  return all_or_nothing(SourceLocationScope::graph_of(x), build);
}
// Like `composite`, for a function of a list of operands, which may be empty.
template <class F>
auto composite(SourceLocation at, const std::vector<Value>& operands, F build,
               const char* function = __builtin_FUNCTION()) {
  return composite(Operand(operands.empty() ? Value() : operands[0], at), build, function);
}
// Like `composite`, for a function without operands.
template <class F>
auto composite(SourceLocation at, Graph& graph, F build, const char* function = __builtin_FUNCTION()) {
  const SourceLocationScope scope(at, &graph, function);
  return all_or_nothing(&graph, build);
}

}  // namespace xgrad::inline v0
