// The few statistics the comparison rests on.
#pragma once

#include <vector>

namespace bench {

// The middle value, or the mean of the two in the middle; NaN of nothing.
double median(std::vector<double> values);
double geometric_mean(const std::vector<double>& values);
// The median over rounds of theirs / ours. A ratio is taken within a round, since the machine may be slower in the
// next.
double median_ratio(const std::vector<double>& theirs, const std::vector<double>& ours);

}  // namespace bench
