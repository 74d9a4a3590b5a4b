// First stage of planning: what a plan is made from. It is the user's graph, or a private tape that computes the same
// by other nodes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <xgrad/graph/plan/plan.hpp>

namespace xgrad::inline v0 {

struct Rewritten {
  const Graph* source = nullptr;  // the user's
  const Graph* graph = nullptr;   // what is planned: the source, if no rule fired
  std::unique_ptr<Graph> own;     // or this tape
  std::vector<Value> outputs;     // of `graph`
  std::vector<Update> updates;
  std::vector<TensorType> source_types;  // by node of the source up to the last result, with other shapes of inputs
  std::vector<NodeId> stands_for;        // by node of the tape, the node of the source whose words it has
  std::vector<NodeId> input;             // by node of the source, the input on the tape that stands for it, or `none`
  std::map<std::string, int> fired;      // by the name of the rule

  static constexpr NodeId none = ~NodeId{0};

  std::vector<Value> results() const;
  // By node of `graph`, up to the last result.
  std::vector<TensorType> types() const;
  NodeId source_of(NodeId id) const { return own == nullptr ? id : stands_for[id]; }
  // The node of `graph` that stands for an input of the source; `none`, or beyond the last result, if it is not needed.
  NodeId input_of(NodeId id) const { return own == nullptr ? id : input[id]; }
  // The planned graph, then a line for each rule that fired.
  std::string str() const;
};

// Throws what Plan's constructor throws.
Rewritten rewrite(const std::vector<Value>& outputs, const std::vector<Update>& updates, const PlanOptions& options);

// Throws InternalError unless the tape is a graph, and its results have the types of the source's.
void verify(const Rewritten& rewritten);

}  // namespace xgrad::inline v0
