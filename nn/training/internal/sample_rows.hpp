// Sampled rows for callbacks that inspect a model between training steps.
#pragma once

#include <algorithm>
#include <vector>

#include <xgrad/nn/data/dataset.hpp>

namespace xgrad::inline v0::nn {

// Returns `count` evenly spaced rows of the data, or all if there are fewer.
inline Dataset sample_rows(const Dataset& data, Index count) {
  const Index rows = std::min(count, data.size());
  std::vector<Index> chosen(static_cast<std::size_t>(rows));
  for (Index i = 0; i < rows; ++i) chosen[static_cast<std::size_t>(i)] = i * data.size() / rows;
  return data.select(chosen);
}

}  // namespace xgrad::inline v0::nn
