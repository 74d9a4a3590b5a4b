// What several operations and compositions refuse, in the same words.
#pragma once

#include <xgrad/graph/value.hpp>

namespace xgrad::inline v0 {

// Throws ValueError naming the operation: whole numbers have no inf to give.
[[noreturn]] void fail_division_by_zero(const char* operation);

}  // namespace xgrad::inline v0
