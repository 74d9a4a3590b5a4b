// The sweep behind every derivative: cotangents of some values in, cotangents of others out.
//
//   std::vector<Value> c = pullback({y, z}, {cy, cz}, {x, w}, Unconnected::empty);
#pragma once

#include <vector>

#include <xgrad/autodiff/gradients.hpp>
#include <xgrad/graph/graph.hpp>

namespace xgrad::inline v0 {

// Takes back what was appended to a graph while it lives, unless it is kept: half a derivative is of no use to anybody.
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

// All values are of one graph and alive; there is an output; each cotangent has its output's type. Throws
// GradientError, with the graph as it was, if a rule breaks its promises.
std::vector<Value> pullback(const std::vector<Value>& outputs, const std::vector<Value>& seeds,
                            const std::vector<Value>& wrt, Unconnected unconnected);

// What each of `wrt` is given, one after the other and in the order in which a sweep would add it up. Values of `wrt`
// must not depend on each other.
std::vector<std::vector<Value>> pullback_contributions(Value output, Value cotangent, const std::vector<Value>& wrt);

}  // namespace xgrad::inline v0
