// Value: a handle to a node of a graph; Operand: a Value as a function argument.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>

#include <xgrad/graph/base/source_location.hpp>
#include <xgrad/graph/dtype.hpp>

namespace xgrad::inline v0 {

class Graph;
struct Node;

// The position of a node on the tape of its graph.
using NodeId = std::uint32_t;

// A position along an axis, and the source location of the caller. Integers convert to it implicitly.
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

// A handle to a node of a graph, trivially copyable. Functions that take a Value throw GraphError if it is empty,
// belongs to another graph, or if Graph::rewind discarded its node. It must not be used after its graph was destroyed.
//
//   Value x = g.input("x", {3});
//   Value y = sum(sin(x) * x);     // operators and functions are in ops/ops.hpp
//   y.shape(), y.dtype(), y.graph()
class Value {
 public:
  Value() = default;  // empty: refers to nothing
  Value(Graph* graph, NodeId id, std::uint32_t generation) : graph_(graph), id_(id), generation_(generation) {}

  bool valid() const { return graph_ != nullptr; }
  // These throw GraphError if the Value is empty or its node was discarded.
  Graph& graph() const;
  const Node& node() const;
  const TensorType& type() const;
  const Shape& shape() const { return type().shape; }
  DType dtype() const { return type().dtype; }

  NodeId id() const { return id_; }
  std::uint32_t generation() const { return generation_; }
  // Names the node for messages and diagrams. A node that has a name keeps it.
  Value named(const std::string& name) const;
  // Describes the node for messages, such as `%12 tanh "mlp/hidden" f32[32, 64]`. Never throws.
  std::string describe() const;

  // x[i] is select(x, i) of ops/parts.hpp. A template, so that this header needs no declaration of `select`.
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

// The parameter type of functions that append nodes: a Value, and the source location of the caller. Values convert to
// it implicitly.
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
