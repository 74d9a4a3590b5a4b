// Dataset: inputs and targets, row by row, and the few things one does with rows.
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

// Row i of `x` belongs to row i of `y` and, if there are weights, to weight i.
struct Dataset {
  Tensor x;  // [rows, ...]
  Tensor y;  // [rows, ...]
  // f32 or f64 [rows], at least 0, or empty: then every row counts once. Loss and metrics are weighted means: the sum
  // of weight times number over the sum of weights, in training as in validation.
  Tensor weights{};

  Dataset() = default;
  // Throws ShapeError unless all have the same number of rows, DTypeError for weights that are integers.
  Dataset(Tensor inputs, Tensor targets, Tensor row_weights = {});

  Index size() const { return x.empty() ? 0 : x.shape()[0]; }
  // Rows [first, first + count), sharing memory with this data set. Throws ShapeError for rows that do not exist.
  Dataset slice(Index first, Index count) const;
  // The named rows in that order, copied. Throws ShapeError naming one that does not exist.
  Dataset select(std::span<const Index> rows) const;
};

struct Split {
  Dataset train, valid;
};

// The last `fraction` of the rows, rounded down, become `valid`: as Keras' validation_split does. Throws UserError
// unless 0 < fraction < 1 and both parts have rows.
Split split(const Dataset& data, double fraction);

// The same of the rows in an order that is a function of the seed.
Split split(const Dataset& data, double fraction, std::uint64_t seed);
// The split that Keras' loaders of small data sets make, such as boston_housing.load_data: the rows in the order of
// numpy_permutation(rows, seed), the first int(rows (1 - fraction)) of them for training.
Split keras_split(const Dataset& data, double fraction = 0.2, std::uint32_t seed = 113);
// What numpy.random.RandomState(seed).shuffle makes of 0 to n - 1, for n up to 2^32: a Mersenne twister, and numbers
// beyond the bound drawn again (numpy/random, legacy generator).
std::vector<Index> numpy_permutation(Index n, std::uint32_t seed);

// The weights of rows by their class: weights[label], times what the data set has already. Labels are i64 [rows].
// Throws UserError for a weight that is negative or not finite, ValueError for a label without a weight.
Dataset with_class_weights(const Dataset& data, const std::vector<double>& weights);
// Weights by which each class has the same part in the loss, and with which the mean weight of a row is 1: rows over
// classes times the rows of the class (King and Zeng: "Logistic regression in rare events data", 2001). Throws
// ValueError for a class without rows.
std::vector<double> balanced_class_weights(const Tensor& labels, Index classes);

// Class numbers (i64, [rows]) as f32 [rows, classes], 1 at the class and 0 elsewhere. Throws ValueError naming the row
// of the first label outside [0, classes).
Tensor one_hot(const Tensor& labels, Index classes);

// The numbers 0 to n - 1 in an order that is a function of the seed and the epoch, on every machine.
std::vector<Index> shuffled_indices(Index n, std::uint64_t seed, std::uint64_t epoch);
// The same into memory at hand: allocates nothing.
void shuffle_indices(std::span<Index> indices, std::uint64_t seed, std::uint64_t epoch);

// Copies the named rows of `source` one after the other to `out`, which must hold them. Row numbers must be valid.
void gather_rows(const Tensor& source, std::span<const Index> rows, void* out, const Parallel& parallel = Parallel(1));

}  // namespace xgrad::inline v0::nn
