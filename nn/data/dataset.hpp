// Dataset: inputs and targets, row by row, and the few things one does with rows.
//
//   Dataset all = make_digits(1000, 1);
//   auto [train, valid] = split(all, 0.2);
//   Tensor targets = one_hot(train.y, 10);
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <xgrad/graph/parallel.hpp>
#include <xgrad/graph/tensor.hpp>

namespace xgrad::nn {

// Row i of `x` belongs to row i of `y`.
struct Dataset {
  Tensor x;  // [rows, ...]
  Tensor y;  // [rows, ...]

  Dataset() = default;
  // Throws ShapeError unless both have the same number of rows.
  Dataset(Tensor inputs, Tensor targets);

  Index size() const { return x.empty() ? 0 : x.shape()[0]; }
  // Rows [first, first + count), sharing memory with this data set. Throws ShapeError for rows that do not exist.
  Dataset slice(Index first, Index count) const;
};

struct Split {
  Dataset train, valid;
};

// The last `fraction` of the rows, rounded down, become `valid`: as Keras' validation_split does. Throws UserError
// unless 0 < fraction < 1 and both parts have rows.
Split split(const Dataset& data, double fraction);

// Class numbers (i64, [rows]) as f32 [rows, classes], 1 at the class and 0 elsewhere. Throws ValueError naming the row
// of the first label outside [0, classes).
Tensor one_hot(const Tensor& labels, Index classes);

// The numbers 0 to n - 1 in an order that is a function of the seed and the epoch, on every machine.
std::vector<Index> shuffled_indices(Index n, std::uint64_t seed, std::uint64_t epoch);
// The same into memory at hand: allocates nothing.
void shuffle_indices(std::span<Index> indices, std::uint64_t seed, std::uint64_t epoch);

// Copies the named rows of `source` one after the other to `out`, which must hold them. Row numbers must be valid.
void gather_rows(const Tensor& source, std::span<const Index> rows, void* out, const Parallel& parallel = Parallel(1));

}  // namespace xgrad::nn
