// Traces non-finite values back to the node that made them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/run/finite.hpp>
#include <xgrad/graph/run/internal/interpretation.hpp>

namespace xgrad::inline v0 {

bool all_finite(const Tensor& numbers);

// A requested value and its name in messages.
struct Result {
  Value value;
  std::string name;
};

// All inputs of a run.
struct RunInputs {
  std::uint64_t step = 0;
  Index first_row = 0;
  Feeds feeds;
  std::vector<std::pair<Parameter, Tensor>> parameters;  // values before the run
  std::vector<std::pair<Value, Shape>> shapes;           // of inputs whose shape differs from the graph's
};
// Repeats a run node by node, to get the value of every node.
Interpretation interpret(const Graph& graph, const std::vector<Result>& results, const RunInputs& inputs, int threads);

// Throws NonFiniteError if a result of `run` has non-finite elements that are not intended. `last_good` is an earlier
// finite run; null if there is none.
void throw_first_non_finite(const Graph& graph, const std::vector<Result>& results, const Interpretation& run,
                            const RunInputs* last_good = nullptr);

}  // namespace xgrad::inline v0
