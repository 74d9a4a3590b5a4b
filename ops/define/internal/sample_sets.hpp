// Samples that many operations share: shapes around the vector width, and every way two shapes can broadcast.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

using Inputs = std::span<const Value>;  // of a composite

// Marks the first and second derivatives as identically zero.
inline Sample zero_gradient(Sample sample) {
  sample.zero_gradient = true;
  return sample;
}
// Marks the second derivative as identically zero.
inline Sample zero_second(Sample sample) {
  sample.zero_second = true;
  return sample;
}

// Common attributes of composites' samples.
inline Attrs axis_attrs(Index axis) { return {{"axis", axis}}; }
inline Attrs count_attrs(Index n, Index axis) { return {{"n", n}, {"axis", axis}}; }
inline Attrs list_attrs(Axes n) { return {{"n", std::move(n)}}; }

// Concatenates two lists.
inline std::vector<BadSample> joined(std::vector<BadSample> some, const std::vector<BadSample>& more) {
  some.insert(some.end(), more.begin(), more.end());
  return some;
}

// Samples of one input: scalars, empty tensors, and rows around the vector width.
std::vector<Sample> unary_samples(const Domain& domain, bool zero_gradient = false, bool zero_second = false);
// Samples of two inputs, with every way two shapes can broadcast.
std::vector<Sample> binary_samples(const Domain& left, const Domain& right, bool zero_gradient = false,
                                   bool zero_second = false);
// Like unary_samples, but a single element is drawn from `alone`, a domain in which no derivative is 0.
std::vector<Sample> unary_samples_with(const Domain& domain, const Domain& alone, bool zero_second);
// The samples, followed by i64 samples with one domain per input.
std::vector<Sample> with_integers(std::vector<Sample> samples, const std::vector<Domain>& domains);

inline std::vector<Domain> twice(const Domain& domain) { return {domain, domain}; }

struct ElementwiseDtypes {
  bool mask_first_input, floating, integer, boolean;
};
// Invalid samples for elementwise operations: shapes that do not broadcast, unsupported dtypes.
std::vector<BadSample> elementwise_bad_samples(const char* name, int arity, const ElementwiseDtypes& takes);

}  // namespace xgrad::inline v0
