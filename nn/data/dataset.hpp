// Dataset: inputs and targets by row, with splits, shuffles, weights and one-hot encoding.
//
//   Dataset all = make_digits(1000, 1);
//   auto [train, valid] = split(all, 0.2);
//   Tensor targets = one_hot(train.y, 10);
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <xgrad/graph/machine/parallel.hpp>
#include <xgrad/graph/tensor.hpp>

namespace xgrad::inline v0::nn {

// Inputs, targets and, optionally, weights by row: row i of `x` belongs to row i of `y` and to weight i.
struct Dataset {
  Tensor x;  // [rows, ...]
  Tensor y;  // [rows, ...]
  // Sample weights, f32 or f64 [rows], >= 0; empty means 1 for each row. Loss and metrics are weighted means,
  // sum(weight * value) / sum(weight), in training and validation.
  Tensor weights{};

  Dataset() = default;
  // Throws ShapeError unless all have the same number of rows, DTypeError for integer weights.
  Dataset(Tensor inputs, Tensor targets, Tensor row_weights = {});

  Index size() const { return x.empty() ? 0 : x.shape()[0]; }
  // Rows [first, first + count), sharing memory with this data set. Throws ShapeError if out of range.
  Dataset slice(Index first, Index count) const;
  // A copy of the given rows, in that order. Throws ShapeError for a row out of range.
  Dataset select(std::span<const Index> rows) const;
};

// The two parts of a data set.
struct Split {
  Dataset train, valid;
};

// Splits the rows in their order: the last `fraction` of them, rounded down, becomes `valid`, like validation_split in
// Keras. Throws UserError unless 0 < fraction < 1 and both parts have rows.
Split split(const Dataset& data, double fraction);

// The same after shuffling the rows by the seed.
Split split(const Dataset& data, double fraction, std::uint64_t seed);
// The split of Keras' data set loaders, such as boston_housing.load_data: rows in the order of
// numpy_permutation(rows, seed), the first int(rows (1 - fraction)) for training.
Split keras_split(const Dataset& data, double fraction = 0.2, std::uint32_t seed = 113);
// 0 to n - 1 as shuffled by numpy.random.RandomState(seed).shuffle (Mersenne twister with rejection sampling), for n up
// to 2^32.
std::vector<Index> numpy_permutation(Index n, std::uint32_t seed);

// Multiplies the sample weights by weights[label]; labels are i64 [rows]. Throws UserError for a weight that is
// negative or not finite, ValueError for a label without a weight.
Dataset with_class_weights(const Dataset& data, const std::vector<double>& weights);
// Class weights rows / (classes * rows of the class), so that each class contributes equally to the loss and the mean
// weight is 1; class_weight="balanced" in scikit-learn (King and Zeng: "Logistic regression in rare events data",
// 2001). Throws ValueError for a class without rows.
std::vector<double> balanced_class_weights(const Tensor& labels, Index classes);

// One-hot encoding: class indices, i64 [rows], to f32 [rows, classes]. Throws ValueError with the row of the first
// label outside [0, classes).
Tensor one_hot(const Tensor& labels, Index classes);

// 0 to n - 1 shuffled by the seed and the epoch; the same on every machine.
std::vector<Index> shuffled_indices(Index n, std::uint64_t seed, std::uint64_t epoch);
// The same in place, without allocation.
void shuffle_indices(std::span<Index> indices, std::uint64_t seed, std::uint64_t epoch);

// Copies the given rows of `source` to `out`, which must have room for them. Row indices are not checked.
void gather_rows(const Tensor& source, std::span<const Index> rows, void* out, const Parallel& parallel = Parallel(1));

}  // namespace xgrad::inline v0::nn
