// How functions that build graphs append their nodes.
#pragma once

#include <span>
#include <type_traits>
#include <utility>

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

}  // namespace xgrad
