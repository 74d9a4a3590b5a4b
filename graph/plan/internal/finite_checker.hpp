// FiniteChecker: records the inputs of checked runs, to replay a run node by node if its results are not finite.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <xgrad/graph/plan/internal/program.hpp>
#include <xgrad/graph/run/internal/finite_check.hpp>

namespace xgrad::inline v0 {

class FiniteChecker {
 public:
  // Uses the program's snapshot of the graph, or takes one. Throws GraphError if it has none and the graph, or one of
  // its results, no longer exists.
  explicit FiniteChecker(const Program& program);

  // Copies inputs and parameters, before a run. `input` returns the memory of planned input i.
  void begin(std::uint64_t step, Index first_row, const std::function<const void*(std::size_t)>& input);
  // Checks outputs and the parameters' new values, after a run. If one is NaN, or infinite without an infinite operand,
  // restores the parameters and throws NonFiniteError.
  void end(const std::function<Tensor(std::size_t)>& output, int threads);

 private:
  // The snapshot's node for a value of the plan's graph.
  Value in_snapshot(Value value) const { return graph_->value(value.id()); }
  std::vector<Result> results() const;
  void restore() const;

  const Program& program_;
  std::shared_ptr<const Graph> graph_;
  RunInputs now_, last_good_;
  bool any_good_ = false;
};

}  // namespace xgrad::inline v0
