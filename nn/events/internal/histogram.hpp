// Histograms of tensors.
#pragma once

#include <vector>

#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

// Bin i covers [edges[i], edges[i + 1]); the last bin includes its right edge.
struct Histogram {
  std::vector<double> edges;  // one more than bins; empty without bins
  std::vector<Index> counts;
  Index not_finite = 0;
};

// See EventWriter::histogram.
Histogram histogram_of(const Tensor& values, int bins);

}  // namespace xgrad::inline v0::nn
