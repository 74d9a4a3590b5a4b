// One run of the interpreter, of which every value can be asked for afterwards.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/graph.hpp>
#include <xgrad/graph/run/interpreter.hpp>

namespace xgrad::inline v0 {

class Interpretation {
 public:
  // `shapes` of inputs, if they are others than the graph's own.
  Interpretation(const Graph& graph, const std::vector<Value>& outputs, const RunOptions& options,
                 const std::vector<std::pair<Value, Shape>>& shapes = {});

  void feed(const Feeds& feeds);
  // Reads these numbers in place of the parameter's own.
  void replace(const Parameter& parameter, const Tensor& numbers);
  void run();

  // Whether the results need the numbers of the node; all nodes beyond the last result do not matter.
  bool needed(NodeId id) const { return id < size_ && needed_[id] != 0; }
  NodeId size() const { return size_; }
  std::uint64_t step() const { return random_.step; }
  int threads() const { return parallel_.threads(); }
  // As the graph describes it, with the shape it has in this run.
  std::string describe(NodeId id) const { return graph_.describe(id, type(id)); }
  // Borrowed: a leaf's numbers may be the caller's or a parameter's.
  const Tensor& numbers(NodeId id) const { return numbers_[id]; }

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
  std::vector<TensorType> types_;  // by node; empty if they are the graph's
  std::vector<Tensor> numbers_;    // by node; empty where not needed
};

}  // namespace xgrad::inline v0
