// One run of the interpreter that keeps the value of every node.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/run/interpreter.hpp>

namespace xgrad::inline v0 {

// Runs the node's kernel on these inputs. The result, of type `type`, must have elements. `first`: KernelCall::first.
Tensor run_kernel(const Graph& graph, NodeId id, std::span<const ConstBuffer> inputs, const TensorType& type,
                  RandomState random, const Parallel& parallel, Index first);

class Interpretation {
 public:
  // `shapes` has the shapes of inputs that differ from those of the graph.
  Interpretation(const Graph& graph, const std::vector<Value>& outputs, const RunOptions& options,
                 const std::vector<std::pair<Value, Shape>>& shapes = {});

  void feed(const Feeds& feeds);
  // Uses this tensor instead of the parameter's value.
  void replace(const Parameter& parameter, const Tensor& tensor);
  void run();

  // Whether the results need the node's elements; false for nodes after the last result.
  bool needed(NodeId id) const { return id < size_ && needed_[id] != 0; }
  NodeId size() const { return size_; }
  std::uint64_t step() const { return random_.step; }
  int threads() const { return parallel_.threads(); }
  // The graph's description of the node, with its shape in this run.
  std::string describe(NodeId id) const { return graph_.describe(id, type(id)); }
  // Borrowed: a leaf's tensor may be the caller's or a parameter's.
  const Tensor& tensor(NodeId id) const { return tensors_[id]; }

 private:
  const Node& node(NodeId id) const { return graph_.node(id); }
  const TensorType& type(NodeId id) const { return id < types_.size() ? types_[id] : node(id).type; }
  std::string needed_for(NodeId input) const;
  void compute(NodeId id);

  const Graph& graph_;
  RandomState random_;
  Index first_row_;
  Parallel parallel_;
  NodeId size_ = 0;
  std::vector<char> needed_;
  std::vector<TensorType> types_;  // by node; empty if the graph's types apply
  std::vector<Tensor> tensors_;    // by node; empty where not needed
};

}  // namespace xgrad::inline v0
