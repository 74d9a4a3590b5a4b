// Index: the integer type of this library.
#pragma once

#include <cstdint>

namespace xgrad::inline v0 {

// The type of element counts, extents, axes and positions.
using Index = std::int64_t;

}  // namespace xgrad::inline v0
