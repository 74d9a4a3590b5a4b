// Statistics of measurements.
#pragma once

#include <vector>

namespace bench {

// The median; NaN without values.
double median(std::vector<double> values);
double geometric_mean(const std::vector<double>& values);
// The median over rounds of theirs / ours. The ratios are those within each round, since the machine's speed varies.
double median_ratio(const std::vector<double>& theirs, const std::vector<double>& ours);

}  // namespace bench
