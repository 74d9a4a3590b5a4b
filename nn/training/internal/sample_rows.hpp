// Some rows for callbacks that look at a model between its steps.
#pragma once

#include <algorithm>
#include <vector>

#include <xgrad/nn/data/dataset.hpp>

namespace xgrad::inline v0::nn {

// `wanted` rows at equal distances from all over the data, or all of them if there are fewer.
inline Dataset sample_rows(const Dataset& data, Index wanted) {
  const Index rows = std::min(wanted, data.size());
  std::vector<Index> chosen(static_cast<std::size_t>(rows));
  for (Index i = 0; i < rows; ++i) chosen[static_cast<std::size_t>(i)] = i * data.size() / rows;
  return data.select(chosen);
}

}  // namespace xgrad::inline v0::nn
