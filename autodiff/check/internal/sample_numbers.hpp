// Reproducible values for checks, from the domain of a sample.
//
//   SampleSource source(seed);
//   Tensor x = source.tensor({3, 4}, domain::positive());
//
// The same seed gives the same values on every machine. Reals are exact in f32, so f32 and f64 get the same values.
#pragma once

#include <cstdint>
#include <string_view>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

class SampleSource {
 public:
  explicit SampleSource(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits();
  double uniform(double low, double high);  // [low, high)
  Index below(Index count);                 // [0, count)
  // Nonzero, of both signs, and different for each element, so that no fault is hidden by a zero or a symmetry.
  double weight();

  // f64 for reals, i64 for integers, bool for masks. Throws GraphError for an empty domain.
  Tensor tensor(const Shape& shape, const Domain& domain);
  Tensor weights(const Shape& shape);

 private:
  double real(const Domain& domain);

  std::uint64_t state_;
};

// Derives a seed from another one and a text, such as the name of an operation.
std::uint64_t seed_from(std::uint64_t seed, std::string_view text);

}  // namespace xgrad::inline v0
