// Index: the integer type of element counts, axes and positions.
#pragma once

#include <cstdint>

namespace xgrad::inline v0 {

using Index = std::int64_t;

}  // namespace xgrad::inline v0
