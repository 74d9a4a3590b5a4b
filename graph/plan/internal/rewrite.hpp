// First stage of planning: applies rewrite rules. The result is the user's graph, or a private tape that computes the
// same values by other nodes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <xgrad/graph/plan/plan.hpp>

namespace xgrad::inline v0 {

struct Rewritten {
  const Graph* source = nullptr;  // the user's
  const Graph* graph = nullptr;   // the planned graph: the source, or `own`
  std::unique_ptr<Graph> own;     // the tape, if a rule may fire
  std::vector<Value> outputs;     // of `graph`
  std::vector<Update> updates;
  std::vector<TensorType> source_types;  // by node of the source, up to the last result, with PlanOptions::shapes
  std::vector<TensorType> tape_types;    // by node of the tape, up to the last result
  std::vector<NodeId> stands_for;        // by node of the tape: the node of the source that it is reported as
  std::vector<NodeId> input;             // by node of the source: its input on the tape, or `none`
  std::map<std::string, int> fired;      // by name of the rule: how often

  static constexpr NodeId none = ~NodeId{0};

  std::vector<Value> results() const;
  // The types by node of `graph`, up to the last result.
  const std::vector<TensorType>& types() const { return own == nullptr ? source_types : tape_types; }
  NodeId source_of(NodeId id) const { return own == nullptr ? id : stands_for[id]; }
  // The node of `graph` for an input of the source; `none`, or beyond the last result, if it is not needed.
  NodeId input_of(NodeId id) const { return own == nullptr ? id : input[id]; }
  // The planned graph, then one line per rule that fired.
  std::string str() const;
};

// Throws GraphError or ShapeError for invalid arguments of Plan.
Rewritten rewrite(const std::vector<Value>& outputs, const std::vector<Update>& updates, const PlanOptions& options);

// Throws InternalError unless the tape is a valid graph and its results have the types of the source's results.
void verify(const Rewritten& rewritten);

}  // namespace xgrad::inline v0
