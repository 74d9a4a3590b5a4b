// Numbers for checks: reproducible, from the domain that a sample names.
//
//   NumberSource numbers(seed);
//   Tensor x = numbers.tensor({3, 4}, domain::positive());
//
// The same seed gives the same numbers on every machine. Reals are exact in f32, so that f32 and f64 see the same ones.
#pragma once

#include <cstdint>
#include <string_view>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

class NumberSource {
 public:
  explicit NumberSource(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits();
  double uniform(double low, double high);  // [low, high)
  Index below(Index count);                 // [0, count)
  // Away from zero and of both signs, so that a weight neither hides a fault nor treats two elements alike.
  double weight();

  // f64 for reals, i64 for integers, bool for masks. Throws GraphError for a domain with nothing in it.
  Tensor tensor(const Shape& shape, const Domain& domain);
  Tensor weights(const Shape& shape);

 private:
  double real(const Domain& domain);

  std::uint64_t state_;
};

// A seed made from another and a text, such as the name of an operation.
std::uint64_t seed_from(std::uint64_t seed, std::string_view text);

}  // namespace xgrad::inline v0
