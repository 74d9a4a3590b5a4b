// Checks shared by operations.
#pragma once

#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0 {

// Throws ValueError naming the operation. Integers have no inf.
[[noreturn]] void fail_division_by_zero(const char* operation);

}  // namespace xgrad::inline v0
