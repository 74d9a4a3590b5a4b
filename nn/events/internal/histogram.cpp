#include <xgrad/nn/events/internal/histogram.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace xgrad::inline v0::nn {
namespace {

template <class T>
Histogram count(std::span<const T> values, int bins) {
  Histogram out;
  double least = std::numeric_limits<double>::infinity(), largest = -least;
  for (const T value : values) {
    const auto x = static_cast<double>(value);
    if (!std::isfinite(x)) {
      ++out.not_finite;
      continue;
    }
    least = std::min(least, x);
    largest = std::max(largest, x);
  }
  const auto finite = static_cast<Index>(values.size()) - out.not_finite;
  if (finite == 0) return out;
  if (least == largest) {
    out.edges = {least - 0.5, least + 0.5};
    out.counts = {finite};
    return out;
  }
  const auto n = static_cast<std::size_t>(bins);
  for (std::size_t i = 0; i <= n; ++i)
    out.edges.push_back(std::lerp(least, largest, static_cast<double>(i) / static_cast<double>(n)));
  out.counts.resize(n);
  // Halve first: largest - least may overflow.
  const double per_bin = static_cast<double>(n) / (largest / 2 - least / 2);
  for (const T value : values) {
    const auto x = static_cast<double>(value);
    if (!std::isfinite(x)) continue;
    // Rounding may be off by one bin, so compare with the written edges. For tiny ranges the guess may be NaN.
    const double guess = (x / 2 - least / 2) * per_bin;
    std::size_t bin = guess >= 0 && guess < static_cast<double>(n) ? static_cast<std::size_t>(guess) : 0;
    while (bin > 0 && x < out.edges[bin]) --bin;
    while (bin + 1 < n && x >= out.edges[bin + 1]) ++bin;
    ++out.counts[bin];
  }
  return out;
}

}  // namespace

Histogram histogram_of(const Tensor& values, int bins) {
  if (values.elements() == 0) return {};
  return with_dtype(values.dtype(), [&](auto zero) { return count(values.values<decltype(zero)>(), bins); });
}

}  // namespace xgrad::inline v0::nn
