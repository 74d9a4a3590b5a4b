// Samples that many operations share: shapes around the vector width, and every way two shapes can broadcast.
#pragma once

#include <vector>

#include <xgrad/graph/op_def.hpp>

namespace xgrad {

// One input of each interesting shape.
std::vector<Sample> unary_samples(const Domain& domain, bool zero_gradient = false, bool zero_second = false);
// Two inputs that broadcast in each interesting way.
std::vector<Sample> binary_samples(const Domain& left, const Domain& right, bool zero_gradient = false,
                                   bool zero_second = false);
// What every elementwise operation refuses: shapes that do not fit, dtypes it does not take.
std::vector<BadSample> elementwise_bad_samples(const char* name, int arity, bool mask_first_input, bool takes_bool);

}  // namespace xgrad
