// Counts of numbers by their size.
#pragma once

#include <vector>

#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

// Bin i holds what lies in [edges[i], edges[i + 1]), the last one its right edge too.
struct Histogram {
  std::vector<double> edges;  // one more than there are bins; empty if there are none
  std::vector<Index> counts;
  Index not_finite = 0;
};

// See EventWriter::histogram, whose `bins` it is.
Histogram histogram_of(const Tensor& values, int bins);

}  // namespace xgrad::inline v0::nn
