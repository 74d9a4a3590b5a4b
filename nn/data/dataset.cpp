#include <xgrad/nn/data/dataset.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/error.hpp>
#include <xgrad/nn/data/random.hpp>

namespace xgrad::nn {

Dataset::Dataset(Tensor inputs, Tensor targets) : x(std::move(inputs)), y(std::move(targets)) {
  if (x.shape().rank() == 0 || y.shape().rank() == 0 || x.shape()[0] != y.shape()[0]) {
    throw ShapeError(
        fmt::format("data set: inputs and targets need the same number of rows\n  inputs: {}\n  targets: {}",
                    x.type().str(), y.type().str()));
  }
}

Dataset Dataset::slice(Index first, Index count) const { return {x.rows(first, count), y.rows(first, count)}; }

Split split(const Dataset& data, double fraction) {
  const auto rows = static_cast<double>(data.size());
  const bool possible = fraction > 0 && fraction < 1;
  const Index valid = possible ? static_cast<Index>(std::floor(rows * fraction)) : 0;
  if (valid == 0 || valid == data.size()) {
    throw UserError(fmt::format("split: a fraction of {} leaves a part of {} rows empty", fraction, data.size()));
  }
  return {data.slice(0, data.size() - valid), data.slice(data.size() - valid, valid)};
}

Tensor one_hot(const Tensor& labels, Index classes) {
  if (labels.dtype() != i64 || labels.shape().rank() != 1) {
    throw ShapeError(fmt::format("one_hot: labels must be i64 of rank 1, got {}", labels.type().str()));
  }
  if (classes < 1) throw UserError(fmt::format("one_hot: {} classes", classes));
  Tensor out({labels.elements(), classes});
  const auto from = labels.values<std::int64_t>();
  const auto to = out.mutable_values<float>();
  for (std::size_t row = 0; row < from.size(); ++row) {
    if (from[row] < 0 || from[row] >= classes) {
      throw ValueError(fmt::format("one_hot: label {} in row {} is not one of {} classes", from[row], row, classes));
    }
    to[row * static_cast<std::size_t>(classes) + static_cast<std::size_t>(from[row])] = 1;
  }
  return out;
}

void shuffle_indices(std::span<Index> indices, std::uint64_t seed, std::uint64_t epoch) {
  std::iota(indices.begin(), indices.end(), Index{0});
  HostRandom random(seed, epoch);
  for (std::size_t i = indices.size(); i > 1; --i) std::swap(indices[i - 1], indices[random.below(i)]);
}

std::vector<Index> shuffled_indices(Index n, std::uint64_t seed, std::uint64_t epoch) {
  std::vector<Index> out(static_cast<std::size_t>(n));
  shuffle_indices(out, seed, epoch);
  return out;
}

void gather_rows(const Tensor& source, std::span<const Index> rows, void* out, const Parallel& parallel) {
  constexpr std::size_t task_bytes = std::size_t{64} * 1024;
  if (source.shape()[0] == 0) return;
  const std::size_t bytes = source.bytes() / static_cast<std::size_t>(source.shape()[0]);
  const auto* from = static_cast<const char*>(source.raw());
  auto* to = static_cast<char*>(out);
  const std::size_t together = std::max<std::size_t>(1, task_bytes / std::max<std::size_t>(1, bytes));
  parallel.for_each(static_cast<Index>((rows.size() + together - 1) / together), [&](Index task) {
    const std::size_t first = static_cast<std::size_t>(task) * together;
    for (std::size_t i = first; i < std::min(rows.size(), first + together); ++i) {
      std::memcpy(to + i * bytes, from + static_cast<std::size_t>(rows[i]) * bytes, bytes);
    }
  });
}

}  // namespace xgrad::nn
