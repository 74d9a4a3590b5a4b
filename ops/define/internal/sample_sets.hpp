// Samples that many operations share: shapes around the vector width, and every way two shapes can broadcast.
#pragma once

#include <vector>

#include <xgrad/graph/op_def.hpp>

namespace xgrad::inline v0 {

// One input of each interesting shape.
std::vector<Sample> unary_samples(const Domain& domain, bool zero_gradient = false, bool zero_second = false);
// Two inputs that broadcast in each interesting way.
std::vector<Sample> binary_samples(const Domain& left, const Domain& right, bool zero_gradient = false,
                                   bool zero_second = false);
// Like unary_samples; where there is but one number, it comes from `alone`: a domain where no derivative is 0.
std::vector<Sample> unary_samples_with(const Domain& domain, const Domain& alone, bool zero_second);
// The samples, and some of whole numbers (i64) with a domain for each input.
std::vector<Sample> with_integers(std::vector<Sample> samples, const std::vector<Domain>& domains);

inline std::vector<Domain> twice(const Domain& domain) { return {domain, domain}; }

struct ElementwiseDtypes {
  bool mask_first_input, floating, integer, boolean;
};
// What every elementwise operation refuses: shapes that do not fit, dtypes it does not take.
std::vector<BadSample> elementwise_bad_samples(const char* name, int arity, const ElementwiseDtypes& takes);

}  // namespace xgrad::inline v0
