// The reverse pass behind every derivative: maps cotangents of outputs to cotangents of `wrt`.
//
//   std::vector<Value> c = pullback({y, z}, {cy, cz}, {x, w}, Unconnected::empty);
#pragma once

#include <vector>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// Scope guard: rewinds the graph unless `commit()` was called, so that a failed derivative leaves no nodes behind.
class GraphTransaction {
 public:
  explicit GraphTransaction(Graph& graph) : graph_(graph), mark_(graph.mark()) {}
  GraphTransaction(const GraphTransaction&) = delete;
  GraphTransaction& operator=(const GraphTransaction&) = delete;
  ~GraphTransaction() {
    if (!committed_) graph_.rewind(mark_);
  }
  void commit() { committed_ = true; }

 private:
  Graph& graph_;
  NodeId mark_;
  bool committed_ = false;
};

// All values must be alive and of one graph; each cotangent has its output's type. Throws GradientError, leaving the
// graph unchanged, if a vjp returns a wrong result.
std::vector<Value> pullback(const std::vector<Value>& outputs, const std::vector<Value>& cotangents,
                            const std::vector<Value>& wrt, Unconnected unconnected);

// The contributions to each of `wrt`, in the order in which the reverse pass adds them. Values of `wrt` must not depend
// on each other.
std::vector<std::vector<Value>> pullback_contributions(Value output, Value cotangent, const std::vector<Value>& wrt);

}  // namespace xgrad::inline v0
