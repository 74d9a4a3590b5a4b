// How numbers that are not finite are traced back to where they were made.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <xgrad/graph/run/finite.hpp>
#include <xgrad/graph/run/internal/interpretation.hpp>

namespace xgrad::inline v0 {

bool all_finite(const Tensor& numbers);

// A value that is wanted, and what it is called.
struct Result {
  Value value;
  std::string name;
};

// All that a run reads.
struct RunInputs {
  std::uint64_t step = 0;
  Index first_row = 0;
  Feeds feeds;
  std::vector<std::pair<Parameter, Tensor>> parameters;  // as they were before the run
  std::vector<std::pair<Value, Shape>> shapes;           // of inputs, where they are not the graph's own
};
// The same run, node by node.
Interpretation interpret(const Graph& graph, const std::vector<Result>& results, const RunInputs& inputs, int threads);

// Throws NonFiniteError if one of the results, as `run` computed them, has numbers that are not finite and not meant.
// `last_good` is a run that was well; null if there is none.
void throw_first_non_finite(const Graph& graph, const std::vector<Result>& results, const Interpretation& run,
                            const RunInputs* last_good = nullptr);

}  // namespace xgrad::inline v0
