// apply: appends a node of a built-in operation.
#pragma once

#include <span>
#include <type_traits>
#include <utility>

#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// Appends a node of the built-in operation `op`. Throws GraphError for an unknown name or an empty input.
Value apply(const char* op, std::span<const Value> inputs, Attrs attrs = {},
            SourceLocation at = SourceLocation::here());
// The same, with the source location of the first input.
Value apply(const char* op, std::initializer_list<Operand> inputs, Attrs attrs = {});

// A plain number used with a Value. It becomes a constant in the Value's graph and dtype.
template <class T>
concept Scalar = std::is_arithmetic_v<T>;
// A scalar constant in the graph and dtype of x.
inline Value number_like(Operand x, double number) { return x.graph().constant(number, x.dtype(), x.line()); }

}  // namespace xgrad::inline v0
