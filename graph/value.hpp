// Value: a handle to a node of a graph.
//
//   Value x = g.input("x", {3});
//   Value y = sum(sin(x) * x);     // operators and functions live in ops/ops.hpp
//   y.shape(), y.dtype(), y.graph()
//
// Trivially copyable. Functions that take a Value throw GraphError if it is empty, belongs to another graph, or if
// Graph::rewind discarded its node. It must not be used after its graph was destroyed.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>

#include <xgrad/graph/base/source_location.hpp>
#include <xgrad/graph/dtype.hpp>

namespace xgrad::inline v0 {

class Graph;
struct Node;

using NodeId = std::uint32_t;

// A position along an axis, and the line of code that names it. Whole numbers become Positions by themselves.
class Position {
 public:
  template <std::integral I>
  requires(!std::same_as<I, bool>) Position(I index, SourceLocation line = SourceLocation::here())
      : index_(static_cast<std::int64_t>(index)), line_(line) {}
  std::int64_t index() const { return index_; }
  SourceLocation line() const { return line_; }

 private:
  std::int64_t index_;
  SourceLocation line_;
};

class Value {
 public:
  Value() = default;  // empty: refers to nothing
  Value(Graph* graph, NodeId id, std::uint32_t generation) : graph_(graph), id_(id), generation_(generation) {}

  bool valid() const { return graph_ != nullptr; }
  // Each throws GraphError if the handle is empty or discarded.
  Graph& graph() const;
  const Node& node() const;
  const TensorType& type() const;
  const Shape& shape() const { return type().shape; }
  DType dtype() const { return type().dtype; }

  NodeId id() const { return id_; }
  std::uint32_t generation() const { return generation_; }
  // Names the node for messages and pictures; the first name wins.
  Value named(const std::string& name) const;
  // For instance `%12 tanh "mlp/hidden" f32[32, 64]`; never throws.
  std::string describe() const;

  // x[i]: `select` of ops/parts.hpp along axis 0, found when it is called, so that the graph needs no operations.
  template <class V = Value>
  V operator[](Position position) const;

  friend bool operator==(const Value&, const Value&) = default;

 private:
  friend class Graph;
  friend class SourceLocationScope;

  Graph* graph_ = nullptr;
  NodeId id_ = 0;
  std::uint32_t generation_ = 0;
};

// What functions that append nodes take: a Value, and the line of code that hands it over. Values become Operands by
// themselves.
class Operand : public Value {
 public:
  Operand(Value value, SourceLocation line = SourceLocation::here()) : Value(value), line_(line) {}
  SourceLocation line() const { return line_; }

 private:
  SourceLocation line_;
};

template <class V>
V Value::operator[](Position position) const {
  return select(V(Operand(*this, position.line())), position);
}

}  // namespace xgrad::inline v0
