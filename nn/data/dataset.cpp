#include <xgrad/nn/data/dataset.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <utility>

#include <fmt/format.h>

#include <xgrad/graph/base/error.hpp>
#include <xgrad/graph/base/internal/options.hpp>
#include <xgrad/nn/data/random.hpp>

namespace xgrad::inline v0::nn {

namespace {

Tensor rows_of(const Tensor& source, std::span<const Index> rows) {
  if (source.empty()) return {};
  Shape shape = source.shape();
  shape.set(0, static_cast<Index>(rows.size()));
  Tensor out(shape, source.dtype());
  gather_rows(source, rows, out.mutable_raw());
  return out;
}

// The number of validation rows.
Index rows_for_validation(Index rows, double fraction) {
  const bool possible = fraction > 0 && fraction < 1;
  const Index valid = possible ? static_cast<Index>(std::floor(static_cast<double>(rows) * fraction)) : 0;
  if (valid == 0 || valid == rows) {
    throw UserError(fmt::format("split: fraction {} of {} rows leaves one side empty", fraction, rows));
  }
  return valid;
}

Split cut(const Dataset& data, std::span<const Index> order, Index train) {
  const auto first = static_cast<std::size_t>(train);
  return {data.select(order.first(first)), data.select(order.subspan(first))};
}

void require_labels(const char* where, const Tensor& labels) {
  if (labels.dtype() != i64 || labels.shape().rank() != 1) {
    throw ShapeError(fmt::format("{}: labels must be i64 of rank 1, got {}", where, labels.type().str()));
  }
}

std::size_t label_in(const char* where, std::span<const std::int64_t> labels, std::size_t row, std::size_t classes) {
  if (labels[row] >= 0 && labels[row] < static_cast<Index>(classes)) return static_cast<std::size_t>(labels[row]);
  throw ValueError(fmt::format("{}: label {} in row {} is not in [0, {})", where, labels[row], row, classes));
}

}  // namespace

Dataset::Dataset(Tensor inputs, Tensor targets, Tensor row_weights)
    : x(std::move(inputs)), y(std::move(targets)), weights(std::move(row_weights)) {
  if (x.shape().rank() == 0 || y.shape().rank() == 0 || x.shape()[0] != y.shape()[0]) {
    throw ShapeError(
        fmt::format("data set: inputs and targets must have the same number of rows\n  inputs: {}\n  targets: {}",
                    x.type().str(), y.type().str()));
  }
  if (weights.empty()) return;
  if (weights.shape() != Shape{x.shape()[0]}) {
    throw ShapeError(fmt::format("data set: weights must have shape [rows]\n  weights: {}\n  inputs: {}",
                                 weights.type().str(), x.type().str()));
  }
  if (!is_floating(weights.dtype()))
    throw DTypeError(fmt::format("data set: weights must be f32 or f64, got {}", name_of(weights.dtype())));
}

Dataset Dataset::slice(Index first, Index count) const {
  return {x.rows(first, count), y.rows(first, count), weights.empty() ? Tensor() : weights.rows(first, count)};
}

Dataset Dataset::select(std::span<const Index> rows) const {
  for (const Index row : rows) {
    if (row < 0 || row >= size()) throw ShapeError(fmt::format("data set: row {} is not in [0, {})", row, size()));
  }
  return {rows_of(x, rows), rows_of(y, rows), rows_of(weights, rows)};
}

Split split(const Dataset& data, double fraction) {
  const Index valid = rows_for_validation(data.size(), fraction);
  return {data.slice(0, data.size() - valid), data.slice(data.size() - valid, valid)};
}

Split split(const Dataset& data, double fraction, std::uint64_t seed) {
  const Index valid = rows_for_validation(data.size(), fraction);
  return cut(data, shuffled_indices(data.size(), seed, 0), data.size() - valid);
}

Split keras_split(const Dataset& data, double fraction, std::uint32_t seed) {
  const bool possible = fraction > 0 && fraction < 1;
  const Index train = possible ? static_cast<Index>(static_cast<double>(data.size()) * (1 - fraction)) : 0;
  if (train == 0 || train == data.size()) {
    throw UserError(fmt::format("keras_split: fraction {} of {} rows leaves one side empty", fraction, data.size()));
  }
  return cut(data, numpy_permutation(data.size(), seed), train);
}

std::vector<Index> numpy_permutation(Index n, std::uint32_t seed) {
  if (n < 0 || n > (Index{1} << 32))
    throw UserError(fmt::format("numpy_permutation: n must be in [0, 2^32], got {}", n));
  std::vector<Index> out(static_cast<std::size_t>(n));
  std::iota(out.begin(), out.end(), Index{0});
  std::mt19937 random(seed);
  for (std::size_t i = out.size(); i-- > 1;) {
    const auto mask = static_cast<std::uint32_t>(std::bit_ceil(i + 1) - 1);
    std::uint32_t j = static_cast<std::uint32_t>(random()) & mask;
    while (j > i) j = static_cast<std::uint32_t>(random()) & mask;
    std::swap(out[i], out[j]);
  }
  return out;
}

Dataset with_class_weights(const Dataset& data, const std::vector<double>& weights) {
  require_labels("with_class_weights", data.y);
  for (const double weight : weights) require_not_negative("with_class_weights", "weights", weight);
  const auto labels = data.y.values<std::int64_t>();
  std::vector<double> numbers(labels.size());
  for (std::size_t row = 0; row < labels.size(); ++row) {
    numbers[row] = weights[label_in("with_class_weights", labels, row, weights.size())];
    if (!data.weights.empty()) numbers[row] *= data.weights.at(static_cast<Index>(row));
  }
  return {data.x, data.y,
          Tensor::from<double>(data.y.shape(), numbers).cast(data.weights.empty() ? f32 : data.weights.dtype())};
}

std::vector<double> balanced_class_weights(const Tensor& labels, Index classes) {
  require_labels("balanced_class_weights", labels);
  require_at_least("balanced_class_weights", "classes", classes, 1);
  std::vector<double> out(static_cast<std::size_t>(classes));
  const auto numbers = labels.values<std::int64_t>();
  for (std::size_t row = 0; row < numbers.size(); ++row)
    ++out[label_in("balanced_class_weights", numbers, row, out.size())];
  for (std::size_t c = 0; c < out.size(); ++c) {
    if (out[c] == 0) throw ValueError(fmt::format("balanced_class_weights: class {} has no rows", c));
    out[c] = static_cast<double>(numbers.size()) / (static_cast<double>(classes) * out[c]);
  }
  return out;
}

Tensor one_hot(const Tensor& labels, Index classes) {
  require_labels("one_hot", labels);
  require_at_least("one_hot", "classes", classes, 1);
  Tensor out({labels.elements(), classes});
  const auto from = labels.values<std::int64_t>();
  const auto to = out.mutable_values<float>();
  const auto width = static_cast<std::size_t>(classes);
  for (std::size_t row = 0; row < from.size(); ++row) to[row * width + label_in("one_hot", from, row, width)] = 1;
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

}  // namespace xgrad::inline v0::nn
